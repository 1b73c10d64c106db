"""`manage.py pluginhost`: the plugin host of this node."""

from __future__ import annotations

import asyncio
import logging
import signal
from typing import Any

import redis.asyncio as redis
import uvloop
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from plugins_app.host import AlreadyRunningError, Host
from plugins_app.services.hints import DESIRED_CHANNEL
from plugins_app.services.hosting import DatabaseStore, host_paths

_log = logging.getLogger(__name__)
_RECONNECT = 1.0


class Command(BaseCommand):
    """Start, watch, swap and restart the plugin processes of this node."""

    help = "Run the plugin host of this node until SIGTERM or Ctrl-C."
    requires_system_checks = ()  # they import every page of the studio, 20 MiB that this process never needs

    def handle(self, *args: Any, **options: Any) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                runner.run(_serve())
            except AlreadyRunningError as error:
                raise CommandError(str(error)) from error


async def _serve() -> None:
    store = DatabaseStore(settings.STUDIO_NODE)
    host = Host(store, host_paths())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, host.stop)
    beside = [asyncio.create_task(_listen(host), name="host hints"), asyncio.create_task(store.settle(), name="settle")]
    try:
        await host.run()
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


async def _listen(host: Host) -> None:
    """Pass on the wake-up hints. Without Redis the host polls, and this goes on trying."""
    while True:
        client = redis.Redis.from_url(settings.REDIS_URL)
        try:
            async with client.pubsub() as hints:
                await hints.subscribe(DESIRED_CHANNEL)
                host.hint()  # whatever was missed while we were not listening
                async for message in hints.listen():
                    if message["type"] == "message":
                        host.hint()
        except (redis.RedisError, OSError) as error:
            _log.warning("no hints from Redis: %s; polling meanwhile", error)
            await asyncio.sleep(_RECONNECT)
        finally:
            await client.aclose()

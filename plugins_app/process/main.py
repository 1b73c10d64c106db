"""The life of one plugin process, from the fork to the exit."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import signal
import socket
import sys
import tempfile
import threading
from typing import Any

import uvloop

from plugins_app.sdk.base import BasePlugin
from plugins_app.sdk.methods import declared_methods
from plugins_app.sdk.state import OldState, wants_state

from . import sandbox
from . import spec as messages
from .launch import clean_environment
from .loader import LoadError, create, initialize, load_class, metadata_of, migrate, outcome_of
from .output import capture_prints
from .scrubbing import Scrubber, scrub_streams
from .server import CallServer
from .spec import Handover, Ready, Report, Spec
from .transport import CallTransport

__all__ = ["prepare", "run"]

#: How long `shutdown` may take, in seconds.
SHUTDOWN_TIMEOUT = 10.0
#: A call makes hundreds of objects and no cycles; Python's own 700 would collect with every second stream.
_COLLECT_AFTER = (10_000, 20, 20)


class _JsonLines(logging.Formatter):
    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self._plugin = {"plugin": spec.plugin_id, "generation": spec.generation}
        self._scrubber = Scrubber(spec.secrets)

    def format(self, record: logging.LogRecord) -> str:
        line = {"level": record.levelname.lower(), "logger": record.name, "event": record.getMessage(), **self._plugin}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(self._scrubber.value(line) if self._scrubber else line, default=str)


def run(channel: socket.socket, listener: socket.socket) -> int:
    """Serve the plugin that the host describes on `channel`, to those who connect to `listener`.

    Returns the exit status: 0 after a drain, 1 when the plugin did not get ready.
    """
    spec: Spec = messages.receive(channel, Spec)
    prepare(spec)
    capture_prints()
    # Before the loop: libuv must find io_uring refused, which would carry system calls past the filter.
    threading.stack_size(sandbox.THREAD_STACK)
    held = sandbox.apply(spec.sandbox, threads=spec.concurrency)
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    # Not asyncio.Runner: it would wait for tasks of the plugin that refuse to be cancelled. The process ends anyway.
    return loop.run_until_complete(_live(spec, channel, listener, held))


def prepare(spec: Spec) -> None:
    """Give this process the plugin's own environment, folder, packages and log."""
    os.environ.clear()
    os.environ.update(clean_environment() | {"HOME": spec.work_dir, "TMPDIR": spec.work_dir})
    os.environ.update(spec.environ)
    tempfile.tempdir = None  # looked up again, in the plugin's own TMPDIR
    os.chdir(spec.work_dir)
    if spec.env_dir:
        sys.path.append(spec.env_dir)
    sys.dont_write_bytecode = True
    if scrubber := Scrubber(spec.secrets):
        scrub_streams(scrubber)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines(spec))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


async def _live(spec: Spec, channel: socket.socket, listener: socket.socket, held: dict[str, Any]) -> int:
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, lambda: None)  # only the host decides when it ends
    transport = CallTransport(asyncio.get_running_loop())
    try:
        plugin = create(load_class(spec), spec, transport)
        metadata = metadata_of(plugin)
        await initialize(plugin, spec.init_timeout)
    except LoadError as error:
        _report(channel, error.failure, spec)
        return 1
    server = CallServer(plugin, metadata, spec)
    methods = sorted(declared_methods(type(plugin), metadata.plugin_type))
    ready = Ready(metadata.to_dict(), methods, held, wants_state(plugin))
    if not await _agreed(channel, ready, plugin, spec):
        return 1
    channel.close()
    # What `initialize` built lives as long as the process: looking through it again and again only costs pauses.
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)
    await server.serve(listener)
    await _shut_down(plugin)
    return 0


async def _agreed(channel: socket.socket, ready: Ready, plugin: BasePlugin, spec: Spec) -> bool:
    """Report, and take over the old generation's state where the plugin wants it. False: this process is not needed."""
    if not _report(channel, ready, spec):
        return False  # the host died while we started: nobody knows of us
    if not ready.wants_state:
        return True
    try:
        left: Handover = await asyncio.to_thread(messages.receive, channel, Handover)
        if left.values is not None:
            await migrate(plugin, OldState(left.values, left.version, left.generation), spec.init_timeout)
    except LoadError as error:
        _report(channel, error.failure, spec)
        return False
    except (OSError, EOFError):
        return False
    return _report(channel, ready, spec)


def _report(channel: socket.socket, report: Report, spec: Spec) -> bool:
    try:
        messages.send(channel, Scrubber(spec.secrets).report(report))
    except OSError:
        return False
    return True


async def _shut_down(plugin: BasePlugin) -> None:
    try:
        async with asyncio.timeout(SHUTDOWN_TIMEOUT):
            await outcome_of(plugin.shutdown)
    except Exception:  # the process ends anyway; the author should read why it was not clean
        logging.getLogger(f"plugin.{plugin.context.plugin_id}").exception("shutdown failed")

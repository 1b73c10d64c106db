"""Minutes of swaps and crashes under load: `make soak`. Its short form is in test_runtime.py."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from plugins_app.client import CallError
from tests.hosting import TOOL, hosted_node

SWAPS = 3000


@pytest.mark.soak
async def test_thousands_of_swaps_lose_no_call(tmp_path: Path) -> None:
    async with hosted_node(tmp_path / "n") as node:
        node.snapshot("d1")
        node.snapshot("d2", TOOL.replace('VERSION = "1.0.0"', 'VERSION = "2.0.0"'))
        await node.active(node.want("d1"))
        stop, answers = asyncio.Event(), [0]
        failures: list[Exception] = []

        async def caller(call: Any) -> None:
            while not stop.is_set():
                try:
                    answer = await call("probe", "execute", ["echo", {}])
                    answers[0] += 1
                    if answer.value["version"] != {"d1": "1.0.0", "d2": "2.0.0"}[answer.digest]:
                        failures.append(AssertionError(f"mixed: {answer}"))
                except CallError as error:
                    failures.append(error)

        async def streamer() -> None:
            while not stop.is_set():
                try:
                    async with node.client.stream("probe", "execute", ["sleep", {"seconds": 0.05}]) as stream:
                        answers[0] += len([item async for item in stream])
                except CallError as error:
                    failures.append(error)

        async def in_thread(*arguments: Any) -> Any:
            return await asyncio.to_thread(node.blocking.call, *arguments)

        callers = [asyncio.create_task(caller(call)) for call in [node.client.call] * 16 + [in_thread] * 4]
        callers += [asyncio.create_task(streamer()) for _ in range(8)]
        for turn in range(SWAPS):
            await node.active(node.want("d2" if turn % 2 == 0 else "d1"))
        stop.set()
        await asyncio.gather(*callers)
        assert failures == []
        assert answers[0] > 100


@pytest.mark.soak
async def test_hundreds_of_kills_are_survived(tmp_path: Path) -> None:
    async with hosted_node(tmp_path / "n") as node:
        await node.active(node.want(node.snapshot("d1")))
        chance = random.Random(1)
        for _ in range(300):
            await node.active(node.want("d1"))  # a new release, so that the breaker starts anew
            pid = (await node.execute("echo")).value["pid"]
            flight = [asyncio.create_task(node.error("sleep", seconds=60)) for _ in range(chance.randrange(1, 4))]
            await node.execute("echo")
            os.kill(pid, signal.SIGKILL)
            assert {(await each).code for each in flight} <= {"plugin_crashed"}
            assert (await node.execute("echo")).value["pid"] != pid

"""A plugin is reloaded without a pause while people use it: nothing fails, nothing runs twice, nothing is cut."""

from __future__ import annotations

import asyncio
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.plugins import ledger_manifest, ledger_plugin
from tests.studio import Studio

CALLERS, STREAMERS = 32, 8


@dataclass
class Traffic:
    """What the clients saw."""

    executed: list[dict[str, Any]] = field(default_factory=list)
    streamed: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    async def execute(self, http: aiohttp.ClientSession, numbers: itertools.count[int]) -> None:
        while not self.stop.is_set():
            call = f"call-{next(numbers)}"
            self.asked.append(call)
            body = {"plugin_id": "ledger", "method": "answer", "kwargs": {"call": call}}
            async with http.post("/api/plugins/execute", json=body) as answer:
                if answer.status == 200:
                    self.executed.append(await answer.json())
                else:
                    self.failures.append(f"{call}: {answer.status} {await answer.text()}")

    async def stream(self, http: aiohttp.ClientSession, numbers: itertools.count[int]) -> None:
        while not self.stop.is_set():
            call = f"stream-{next(numbers)}"
            self.asked.append(call)
            async with http.post("/api/chat", json={"model": "ledger/pages", "message": call}) as answer:
                text = await answer.text()
            if answer.status == 200 and "event: message.end" in text and "event: error" not in text:
                self.streamed.append(text)
            else:
                self.failures.append(f"{call}: {answer.status} {text[-500:]}")


def said(stream: str) -> str:
    """The text of an SSE answer."""
    deltas = re.findall(r"event: delta\ndata: (.*)", stream)
    return "".join(json.loads(delta)["content"] for delta in deltas)


@pytest.mark.parametrize("reloads", [12, pytest.param(200, marks=pytest.mark.soak)])
async def test_reloads_under_load(
    studio: Studio, plugin_folder: Callable[..., Path], tmp_path: Path, reloads: int
) -> None:
    ledger = str(tmp_path)
    folder = plugin_folder("ledger", ledger_plugin(0, ledger), files={"plugin.toml": ledger_manifest(ledger)})
    grant = [f"files:{ledger}:rw"]
    assert studio.http.post("/api/plugins/load", {"plugin_id": "ledger", "grant": grant}).status == 200
    traffic, numbers = Traffic(), itertools.count()
    headers = {"Authorization": f"Bearer {studio.operator_key}"}
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(studio.url, headers=headers, connector=connector) as http:
        clients = [asyncio.create_task(traffic.execute(http, numbers)) for _ in range(CALLERS)]
        clients += [asyncio.create_task(traffic.stream(http, numbers)) for _ in range(STREAMERS)]
        generations = [await reload(http, folder, version, ledger) for version in range(1, reloads + 1)]
        traffic.stop.set()
        await asyncio.gather(*clients)

    assert traffic.failures == []
    assert generations == sorted(set(generations))
    assert len(traffic.executed) + len(traffic.streamed) == len(traffic.asked)
    noted = Counter((tmp_path / "calls").read_text().split())
    assert [call for call, times in noted.items() if times > 1] == []
    assert set(noted) == set(traffic.asked)
    for answer in traffic.executed:
        assert answer["result"]["first"] == answer["result"]["last"] == answer["generation"] - generations[0] + 1
    for text in traffic.streamed:
        assert len(set(re.findall(r"<(\d+)>", said(text)))) == 1
        assert said(text).count("<") == 30


async def reload(http: aiohttp.ClientSession, folder: Path, version: int, ledger: str) -> int:
    """Put the next version in place and swap to it; returns its generation."""
    draft = folder / "plugin.py.new"
    draft.write_text(ledger_plugin(version, ledger))
    draft.rename(folder / "plugin.py")
    async with http.post("/api/plugins/ledger/reload", json={}) as answer:
        body = await answer.json()
        assert answer.status == 200, body
        assert body["new"]["generation"] > body["old"]["generation"]
        assert body["new"]["digest"] != body["old"]["digest"]
        return int(body["new"]["generation"])

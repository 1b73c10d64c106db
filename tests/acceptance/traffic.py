"""People who use the studio all the time and write down what they asked for and what they got.

The plugin they call notes each call it starts (`tests.acceptance.plugins.ledger_plugin`). So it can be told of every
call whether it was lost (no answer, or none that says that it was done) and whether it was done twice.
"""

from __future__ import annotations

import asyncio
import itertools
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

from tests.acceptance.plugins import ledger_manifest, ledger_plugin
from tests.studio import Studio, wait_for

__all__ = ["Figures", "Traffic", "install_ledger"]

_SETTLE_SECONDS = 90.0
#: Between two calls of one client that do not wait for their outcome: they must not outrun the workers.
_PACE = 0.1
_Kind = Callable[[aiohttp.ClientSession, str], Coroutine[Any, Any, None]]


def install_ledger(studio: Studio, directory: Path) -> None:
    """Load the plugin that notes its calls in `directory`/calls."""
    folder = studio.plugins_dir / "ledger"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "plugin.py").write_text(ledger_plugin(0, str(directory)))
    (folder / "plugin.toml").write_text(ledger_manifest(str(directory)))
    (directory / "calls").touch()
    grant = [f"files:{directory}:rw"]
    loaded = studio.http.post("/api/plugins/load", {"plugin_id": "ledger", "grant": grant})
    assert loaded.status == 200, loaded.text


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of all calls."""

    executed: int
    queued: int
    streamed: int
    lost: list[str]
    duplicated: list[str]

    def __str__(self) -> str:
        calls = f"{self.executed} executions, {self.queued} in the background, {self.streamed} chats"
        return f"{calls}: {len(self.lost)} lost, {len(self.duplicated)} duplicated"


@dataclass
class Traffic:
    """Clients in a thread of their own. Use it in a `with`, then ask for `figures`."""

    studio: Studio
    ledger: Path
    callers: int = 6
    queuers: int = 2
    chatters: int = 2
    asked: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    accepted: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="traffic")
        self.headers = {"Authorization": f"Bearer {self.studio.user_key}"}
        self._already = len((self.ledger / "calls").read_text().split())
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: Any, trace: TracebackType | None) -> None:
        self._stop.set()
        self._thread.join()

    def more(self, executed: int = 0, queued: int = 0, streamed: int = 0, *, seconds: float = 60) -> None:
        """Return once so many more calls of each kind have been answered, whatever is going on."""
        wanted = Counter(executed=executed, queued=queued, streamed=streamed) + self.done
        wait_for(lambda: self.lost or self.done >= wanted, seconds, lambda: f"{self.done}, not {wanted}")

    def go_on(self, seconds: float) -> None:
        """Let it go on for so long."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.lost:
            self.more(executed=1)

    def figures(self) -> Figures:
        """What became of all calls, once everything in the background is over."""
        assert not self._thread.is_alive(), "the clients are still at it"
        for call, execution in self.accepted.items():
            self._settle(call, execution)
        notes = (self.ledger / "calls").read_text().split()[self._already :]
        noted = Counter(notes)
        told = {words.partition(":")[0] for words in self.lost}
        lost = self.lost + [f"{call}: never begun" for call in self.asked if not noted[call] and call not in told]
        twice = [call for call, times in noted.items() if times > 1]
        figures = Figures(self.done["executed"], self.done["queued"], self.done["streamed"], lost, twice)
        print(figures)
        return figures

    def _settle(self, call: str, execution: str) -> None:
        path, client = f"/api/executions/{execution}", self.studio.as_user
        row: dict[str, Any] = {}

        def over() -> bool:
            row.update(client.get(path).json())
            return row["status"] in ("succeeded", "failed", "cancelled")

        wait_for(over, _SETTLE_SECONDS, lambda: f"{call}: {row}")
        if row["status"] != "succeeded":
            self.lost.append(f"{call}: {row['status']} {row['error']}")

    async def _run(self) -> None:
        numbers = itertools.count()
        limits = aiohttp.ClientTimeout(total=90)
        connector = aiohttp.TCPConnector(limit=0)
        kinds = [(self._execute, self.callers), (self._queue, self.queuers), (self._chat, self.chatters)]
        async with aiohttp.ClientSession(
            self.studio.url, headers=self.headers, connector=connector, timeout=limits
        ) as http:
            clients = [self._client(kind, http, numbers) for kind, number in kinds for _ in range(number)]
            await asyncio.gather(*clients)

    async def _client(self, kind: _Kind, http: aiohttp.ClientSession, numbers: itertools.count[int]) -> None:
        while not self._stop.is_set():
            call = f"{kind.__name__}-{id(self)}-{next(numbers)}"
            self.asked.append(call)
            try:
                await kind(http, call)
            except (aiohttp.ClientError, TimeoutError) as error:
                self.lost.append(f"{call}: {type(error).__name__} {error}")

    async def _execute(self, http: aiohttp.ClientSession, call: str) -> None:
        body = {"plugin_id": "ledger", "method": "answer", "kwargs": {"call": call}}
        async with http.post("/api/plugins/execute", json=body) as answer:
            if answer.status == 200 and (await answer.json())["result"]["call"] == call:
                self.done["executed"] += 1
            else:
                self.lost.append(f"{call}: {answer.status} {await answer.text()}")

    async def _queue(self, http: aiohttp.ClientSession, call: str) -> None:
        body = {"plugin_id": "ledger", "method": "answer", "kwargs": {"call": call}, "mode": "async"}
        async with http.post("/api/plugins/execute", json=body) as answer:
            if answer.status == 202:
                self.accepted[call] = (await answer.json())["execution_id"]
                self.done["queued"] += 1
            else:
                self.lost.append(f"{call}: {answer.status} {await answer.text()}")
        await asyncio.sleep(_PACE)

    async def _chat(self, http: aiohttp.ClientSession, call: str) -> None:
        async with http.post("/api/chat", json={"model": "ledger/pages", "message": call}) as answer:
            text = await answer.text()
        whole = len(re.findall("event: delta", text)) and text.count("<0>") == 30
        if answer.status == 200 and "event: message.end" in text and "event: error" not in text and whole:
            self.done["streamed"] += 1
        else:
            self.lost.append(f"{call}: {answer.status} {text[-500:]}")

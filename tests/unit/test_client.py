"""The asyncio client against a process that is played by the test."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from plugins_app.client import Affinity, AsyncClient
from plugins_app.wire import Call, Credit, End, Frame, FrameProtocol, Goaway, Hello, Items, Refused, Result

HELLO = Hello("probe", 1, "d1", 1, 5.0, [], ["execute"])
Turn = tuple[list[Frame], Callable[[Call], list[Frame]]]


class Played(FrameProtocol):
    """Sends `first` together, then answers calls with `answer`."""

    def __init__(self, first: list[Frame], answer: Callable[[Call], list[Frame]]) -> None:
        super().__init__()
        self._first, self._answer = first, answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        for frame in self._first:
            self.send(frame)

    def frame_received(self, frame: Frame) -> None:
        if isinstance(frame, Call):
            for each in self._answer(frame):
                self.send(each)


def served(call: Call) -> list[Frame]:
    return [Items(call.id, ["a", "b"]), End(call.id, 1.0)] if call.stream else [Result(call.id, "served", 1.0)]


def refused(call: Call) -> list[Frame]:
    return [Goaway(), Refused(call.id)]


@asynccontextmanager
async def played(run_dir: Path, *connections: Turn) -> AsyncIterator[None]:
    """One process per connection, in this order; the last one for all that follow."""
    turns = itertools.chain(connections, itertools.repeat(connections[-1]))
    folder = run_dir / "plugins" / "probe"
    folder.mkdir(parents=True)
    (folder / "current.sock").symlink_to("g1.sock")
    server = await asyncio.get_running_loop().create_unix_server(lambda: Played(*next(turns)), str(folder / "g1.sock"))
    try:
        yield
    finally:
        server.close()


async def outcomes(run_dir: Path) -> tuple[object, list[object]]:
    client = AsyncClient(run_dir)
    try:
        value = (await client.call("probe", "execute")).value
        async with client.stream("probe", "execute") as stream:
            return value, [item async for item in stream]
    finally:
        await client.close()
        await asyncio.sleep(0)


async def test_a_goaway_that_comes_with_the_hello_is_no_place_for_a_call(tmp_path: Path) -> None:
    leaving: Turn = ([HELLO, Goaway()], served)
    async with played(tmp_path, leaving, ([HELLO], served)):
        assert await outcomes(tmp_path) == ("served", ["a", "b"])


async def test_every_stream_finds_the_next_process_too(tmp_path: Path) -> None:
    leaving: Turn = ([HELLO, Goaway()], served)
    async with played(tmp_path, leaving, leaving, ([HELLO], refused), ([HELLO], served)):
        client = AsyncClient(tmp_path)
        async with client.stream("probe", "execute") as stream:
            assert [item async for item in stream] == ["a", "b"]
        await client.close()


async def test_a_refused_call_is_repeated_on_the_next_connection(tmp_path: Path) -> None:
    async with played(tmp_path, ([HELLO], refused), ([HELLO], served)):
        assert await outcomes(tmp_path) == ("served", ["a", "b"])


async def test_a_reader_gets_all_that_has_arrived_in_one_batch(tmp_path: Path) -> None:
    def bursts(call: Call) -> list[Frame]:
        return [Items(call.id, ["a", "b"]), Items(call.id, ["c"]), End(call.id, 1.0)]

    async with played(tmp_path, ([HELLO], bursts)):
        client = AsyncClient(tmp_path)
        async with client.stream("probe", "execute") as stream:
            assert [batch async for batch in stream.batches()] == [["a", "b", "c"]]
            assert stream.generation == 1
        await client.close()


async def test_a_batch_gives_back_as_much_credit_as_it_has_items(tmp_path: Path) -> None:
    granted: list[int] = []

    class Counted(Played):
        def frame_received(self, frame: Frame) -> None:
            if isinstance(frame, Credit):
                granted.append(frame.amount)
                self.send(End(frame.id, 1.0))
            super().frame_received(frame)

    folder = tmp_path / "plugins" / "probe"
    folder.mkdir(parents=True)
    (folder / "current.sock").symlink_to("g1.sock")
    loop = asyncio.get_running_loop()
    many: Callable[[Call], list[Frame]] = lambda call: [Items(call.id, list(range(200)))]  # noqa: E731 - short
    server = await loop.create_unix_server(lambda: Counted([HELLO], many), str(folder / "g1.sock"))
    client = AsyncClient(tmp_path)
    async with client.stream("probe", "execute") as stream:
        assert [len(batch) async for batch in stream.batches()] == [200]
    assert granted == [200]
    await client.close()
    server.close()


async def test_calls_that_belong_together_stay_with_a_process_that_leaves(tmp_path: Path) -> None:
    def leaving(call: Call) -> list[Frame]:
        if call.method == "begin":
            return [Result(call.id, "old", 1.0), Goaway()]
        return [Result(call.id, "old", 1.0)] if call.held else [Refused(call.id)]

    async with played(tmp_path, ([HELLO], leaving), ([HELLO], lambda call: [Result(call.id, "new", 1.0)])):
        client, affinity = AsyncClient(tmp_path), Affinity()
        assert (await client.call("probe", "begin", affinity=affinity)).value == "old"
        assert (await client.call("probe", "go_on")).value == "new"
        assert (await client.call("probe", "go_on", affinity=affinity)).value == "old"
        held = affinity.connection("probe")
        affinity.release()
        assert held is not None and held.closed
        assert (await client.call("probe", "go_on", affinity=affinity)).value == "new"
        affinity.release()
        await client.close()

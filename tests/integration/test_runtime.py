"""Real plugin processes under a real host: calls, limits, swaps, crashes, adoption."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from plugins_app.client import Affinity, CallError, HostRequest
from plugins_app.host import AlreadyRunningError, Host
from plugins_app.host.records import start_time
from tests.hosting import TOOL, HostedNode, hosted_node


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[HostedNode]:
    async with hosted_node(tmp_path / "n") as running:
        await running.active(running.want(running.snapshot("d1")))
        yield running


async def test_a_call_brings_the_result_and_its_generation(node: HostedNode) -> None:
    result = await node.execute("echo", text="ü", many=[1, 2.5, None, True])
    assert result.value["values"] == {"text": "ü", "many": [1, 2.5, None, True]}
    assert (result.generation, result.digest) == (1, "d1")
    assert result.value["pid"] != os.getpid()


async def test_the_blocking_client_says_the_same(node: HostedNode) -> None:
    result = await asyncio.to_thread(node.blocking.call, "probe", "execute", ["echo", {"a": 1}])
    assert result.value["values"] == {"a": 1}


@pytest.mark.parametrize(
    ("method", "args", "code", "status"),
    [
        ("_private", [], "method_private", 403),
        ("initialize", [], "method_lifecycle", 403),
        ("get_config", ["k"], "method_undeclared", 403),
        ("nope", [], "method_not_found", 404),
        ("execute", [], "arguments_invalid", 422),
        ("execute", [{1, 2}, {}], "plugin_raised", 502),
        ("execute", [object(), {}], "arguments_invalid", 422),
    ],
)
async def test_a_call_that_cannot_be_made_says_why(
    node: HostedNode, method: str, args: list[Any], code: str, status: int
) -> None:
    with pytest.raises(CallError) as caught:
        await node.client.call("probe", method, args)
    assert (caught.value.code, caught.value.status) == (code, status)
    with pytest.raises(CallError) as again:
        await asyncio.to_thread(node.blocking.call, "probe", method, args)
    assert again.value.code == code


async def test_an_exception_comes_with_type_message_and_traceback(node: HostedNode) -> None:
    error = await node.error("fail")
    assert (error.code, error.type_name, error.detail) == ("plugin_raised", "ValueError", "no such thing")
    assert error.traceback is not None
    assert "do_fail" in error.traceback


async def test_a_plugin_that_is_not_loaded_is_said_at_once(node: HostedNode) -> None:
    for plugin_id in ("nobody", "../probe", ""):
        with pytest.raises(CallError) as caught:
            await node.client.call(plugin_id, "execute")
        assert caught.value.code == "not_loaded"


async def test_progress_arrives_while_the_call_goes_on(node: HostedNode) -> None:
    seen: list[tuple[float | None, str]] = []
    result = await node.client.call(
        "probe", "execute", ["progress", {}], on_progress=lambda fraction, text, _: seen.append((fraction, text))
    )
    assert seen == [(0.25, "a quarter"), (0.5, "half")]
    assert result.value == "done"


async def test_host_calls_are_answered_by_the_caller_as_its_user(node: HostedNode) -> None:
    kept: dict[str, Any] = {}
    users = []

    async def answer(request: HostRequest) -> Any:
        users.append(request.user)
        if request.operation == "storage.set":
            kept[request.payload["key"]] = request.payload["value"]
            return None
        return {"found": True, "value": kept[request.payload["key"]]}

    ada = {"id": 1, "username": "ada"}
    result = await node.client.call("probe", "execute", ["store", {"value": 5}], user=ada, host=answer)
    assert result.value == 5
    assert users == [ada, ada]


async def test_without_anyone_to_answer_a_host_call_is_denied(node: HostedNode) -> None:
    assert (await node.error("store", value=1)).code == "permission_denied"


async def test_calls_leave_nothing_for_the_collector_to_find(node: HostedNode) -> None:
    """Their arguments may be large, and looking for them stops every other call of the process."""
    await node.execute("collect")
    for _ in range(20):
        await node.execute("echo", large="x" * 1000)
    assert (await node.execute("collect")).value == 0


async def test_a_cancelled_caller_cancels_the_call_in_the_plugin(node: HostedNode) -> None:
    before = (await node.seen(lambda row: row.pid is not None)).pid
    task = asyncio.create_task(node.execute("sleep", seconds=3600))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await node.execute("echo")).value["pid"] == before


class TestDeadline:
    async def test_a_sleeping_call_is_cut_off_and_the_process_goes_on(self, node: HostedNode) -> None:
        pid = (await node.execute("echo")).value["pid"]
        assert (await node.error("sleep", 0.1, seconds=60)).code == "deadline_exceeded"
        assert (await node.execute("echo")).value["pid"] == pid

    @pytest.mark.parametrize(("action", "parameters"), [("spin", {}), ("block", {"seconds": 60})])
    async def test_a_blocked_loop_is_cut_off_and_the_process_replaced(
        self, node: HostedNode, action: str, parameters: dict[str, Any]
    ) -> None:
        pid = (await node.execute("echo")).value["pid"]
        assert (await node.error(action, 0.2, **parameters)).code == "deadline_exceeded"
        assert (await node.execute("echo")).value["pid"] != pid
        assert (await node.seen(lambda row: row.restarts == 0 and row.state == "active")).generation == 1

    async def test_code_that_swallows_its_cancellation_gets_the_process_replaced(self, node: HostedNode) -> None:
        first = await node.seen(lambda row: row.state == "active")
        assert (await node.error("stubborn", 0.2)).code == "deadline_exceeded"
        second = await node.seen(lambda row: row.pid not in (None, first.pid) and row.state == "active")
        assert (await node.execute("echo")).value["pid"] == second.pid


class TestLimits:
    async def test_as_many_sync_calls_as_the_limit_allows_run_at_once_in_little_memory(self, node: HostedNode) -> None:
        source = TOOL + (
            "\n    barrier = __import__('threading').Barrier(64)\n"
            "    def get_actions(self):\n        self.barrier.wait(20)\n        return []\n"
        )
        await node.active(node.want(node.snapshot("d2", source), limits={"memory_mb": 64}))
        calls = [node.client.call("probe", "get_actions") for _ in range(64)]
        assert [answer.value for answer in await asyncio.gather(*calls)] == [[]] * 64

    async def test_more_memory_than_the_limit_is_refused_and_the_process_goes_on(self, node: HostedNode) -> None:
        source = TOOL + "\n    async def do_hoard(self):\n        return len(bytearray(512 * 1024 * 1024))\n"
        await node.active(node.want(node.snapshot("d2", source), limits={"memory_mb": 64}))
        assert (await node.error("hoard")).type_name == "MemoryError"
        assert (await node.execute("echo")).generation == 2

    async def test_calls_beyond_the_queue_are_told_to_come_back(self, node: HostedNode) -> None:
        await node.active(node.want("d1", limits={"concurrency": 1}))
        calls = [asyncio.create_task(node.execute("sleep", seconds=0.1)) for _ in range(6)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        refused = [each for each in outcomes if isinstance(each, CallError)]
        assert [(each.code, each.status, each.retry_after) for each in refused] == [("overloaded", 503, 1.0)]


class TestSandbox:
    async def test_files_outside_cannot_be_read(self, node: HostedNode) -> None:
        error = await node.error("read", path="/etc/passwd")
        assert error.type_name == "PermissionError"

    async def test_its_own_snapshot_can_be_read(self, node: HostedNode) -> None:
        path = node.paths.store / "probe" / "d1" / "plugin.py"
        assert (await node.execute("read", path=str(path))).value == TOOL

    @pytest.mark.parametrize(
        ("attempt", "error"),
        [
            ("os.fork()", "PermissionError"),
            ("os.execv('/bin/true', ['true'])", "PermissionError"),
            ("__import__('subprocess').run(['/bin/true'])", "PermissionError"),
            ("os.kill(os.getppid(), 0)", "PermissionError"),
            ("__import__('socket').socket(__import__('socket').AF_UNIX)", "PermissionError"),
            ("__import__('socket').socket(type=__import__('socket').SOCK_DGRAM)", "PermissionError"),
            ("open('/proc/%d/environ' % os.getppid()).read()", "PermissionError"),
            ("open('/tmp/outside', 'w')", "PermissionError"),
            ("os.chroot('/')", "PermissionError"),
            ("os.setuid(1)", "PermissionError"),
        ],
    )
    async def test_ways_out_are_closed(self, node: HostedNode, attempt: str, error: str) -> None:
        source = TOOL + f"\n    async def do_attempt(self):\n        return {attempt}\n"
        await node.active(node.want(node.snapshot("d3", source)))
        assert (await node.error("attempt")).type_name == error

    async def test_the_mode_of_files_outside_stays(self, node: HostedNode) -> None:
        victim = node.paths.store / "probe" / "d1" / "plugin.py"
        mode = victim.stat().st_mode
        source = TOOL + "\n    async def do_chmod(self, path):\n        os.chmod(path, 0)\n"
        await node.active(node.want(node.snapshot("d3", source)))
        await node.execute("chmod", path=str(victim))
        assert victim.stat().st_mode == mode

    async def test_threads_pipes_and_temporary_files_work(self, node: HostedNode) -> None:
        source = TOOL + (
            "\n    async def do_work(self):\n"
            "        import socket, tempfile\n"
            "        left, right = socket.socketpair()\n"
            "        await asyncio.to_thread(left.send, b'x')\n"
            "        with tempfile.NamedTemporaryFile('w+') as file:\n"
            "            file.write('kept')\n            file.seek(0)\n"
            "            return file.read() + right.recv(1).decode()\n"
        )
        await node.active(node.want(node.snapshot("d3", source)))
        assert (await node.execute("work")).value == "keptx"

    async def test_the_standard_library_finds_the_machines_media_types(self, node: HostedNode) -> None:
        source = TOOL + (
            "\n    async def do_guess(self):\n"
            "        import mimetypes\n"
            "        return [mimetypes.guess_type('a.png')[0], [open(each).close() for each in mimetypes.knownfiles\n"
            "                                                   if os.path.isfile(each)]]\n"
        )
        await node.active(node.want(node.snapshot("d3", source)))
        assert (await node.execute("guess")).value[0] == "image/png"

    async def test_connecting_needs_a_permission(self, node: HostedNode) -> None:
        source = TOOL + (
            "\n    async def do_connect(self, port):\n"
            "        _, writer = await asyncio.open_connection('127.0.0.1', port)\n"
            "        writer.close()\n        return 'connected'\n"
        )
        digest = node.snapshot("d2", source)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            await node.active(node.want(digest))
            assert (await node.error("connect", port=port)).type_name == "PermissionError"
            await node.active(node.want(digest, granted=(f"network:127.0.0.1:{port}",)))
            assert (await node.execute("connect", port=port)).value == "connected"


class TestSwap:
    async def test_no_call_fails_or_mixes_generations_while_it_is_reloaded(self, node: HostedNode) -> None:
        node.snapshot("d2", TOOL.replace('VERSION = "1.0.0"', 'VERSION = "2.0.0"'))
        versions = {"d1": "1.0.0", "d2": "2.0.0"}
        stop, answers, failures = asyncio.Event(), [], []

        async def caller(call: Any) -> None:
            while not stop.is_set():
                try:
                    answers.append(await call("probe", "execute", ["echo", {}]))
                except CallError as error:
                    failures.append(error)

        async def in_thread(*arguments: Any) -> Any:
            return await asyncio.to_thread(node.blocking.call, *arguments)

        callers = [asyncio.create_task(caller(call)) for call in [node.client.call] * 8 + [in_thread] * 4]
        for turn in range(40):
            await node.active(node.want("d2" if turn % 2 == 0 else "d1"))
        stop.set()
        await asyncio.gather(*callers)
        assert failures == []
        assert len(answers) > 100
        assert all(answer.value["version"] == versions[answer.digest] for answer in answers)
        assert len({answer.generation for answer in answers}) > 20

    async def test_a_call_that_began_before_the_swap_ends_on_the_old_generation(self, node: HostedNode) -> None:
        slow = asyncio.create_task(node.execute("sleep", seconds=0.5))
        while not node.client._connections:
            await asyncio.sleep(0)
        await asyncio.sleep(0.05)
        await node.active(node.want("d1"))
        assert (await node.execute("echo")).generation == 2
        assert (await slow).generation == 1

    async def test_calls_that_belong_together_end_where_they_began_and_hold_up_nobody_else(
        self, node: HostedNode
    ) -> None:
        affinity = Affinity()

        async def together() -> tuple[int, int]:
            result = await node.client.call("probe", "execute", ["echo", {}], affinity=affinity)
            return result.generation, result.value["pid"]

        first, old = await together()
        second = await node.active(node.want(node.snapshot("d2")))
        assert (await node.execute("echo")).generation == second.generation == first + 1
        assert [await together() for _ in range(2)] == [(first, old)] * 2
        affinity.release()
        async with asyncio.timeout(10):
            while Path(f"/proc/{old}").exists():
                await asyncio.sleep(0.01)
        assert (await together())[0] == second.generation
        affinity.release()

    @pytest.mark.parametrize(
        ("method", "code"),
        [
            ("async def initialize(self): raise OSError('no upstream')", "initialize_raised"),
            ("async def initialize(self): return False", "initialize_returned_false"),
            ("async def initialize(self): await asyncio.sleep(3600)", "initialize_timeout"),
            ("import no_such_module", "import_failed"),
            ("async def initialize(self): os._exit(1)", "process_died"),
        ],
    )
    async def test_a_broken_release_is_reported_and_the_old_one_serves_on(
        self, node: HostedNode, method: str, code: str
    ) -> None:
        node.snapshot("bad", TOOL.replace("    async def execute", f"    {method}\n\n    async def execute"))
        generation = node.want("bad", limits={"init_timeout_s": 0.3})
        row = await node.seen(lambda row: row.attempted == generation)
        assert row.error is not None
        assert (row.error["code"], row.state, row.generation) == (code, "active", 1)
        assert (await node.execute("echo")).generation == 1

    async def test_wanting_something_else_ends_a_start_that_hangs(self, node: HostedNode) -> None:
        hang = "    async def initialize(self): await asyncio.sleep(3600)\n\n    async def execute"
        node.snapshot("hang", TOOL.replace("    async def execute", hang))
        node.want("hang")
        await node.active(node.want("d1"))

    async def test_unloaded_is_said_at_once_and_nothing_is_left(self, node: HostedNode) -> None:
        pid = (await node.execute("echo")).value["pid"]
        node.want_nothing()
        await node.seen(lambda row: row.state == "inactive")
        assert (await node.error("echo")).code == "not_loaded"
        assert not _alive(pid)
        assert list(node.paths.plugin("probe").iterdir()) == []
        assert list((node.paths.work / "probe").iterdir()) == []


class TestCrash:
    async def test_calls_in_flight_fail_clearly_and_the_next_one_works(self, node: HostedNode) -> None:
        pid = (await node.execute("echo")).value["pid"]
        flight = asyncio.create_task(node.error("sleep", seconds=3600))
        await node.execute("echo")
        os.kill(pid, signal.SIGKILL)
        error = await flight
        assert (error.code, error.status) == ("plugin_crashed", 502)
        assert (await node.execute("echo")).value["pid"] != pid

    async def test_the_blocking_client_repeats_what_the_dead_process_never_read(self, node: HostedNode) -> None:
        def call() -> int:
            return int(node.blocking.call("probe", "execute", ["echo", {}]).value["pid"])

        pid = await asyncio.to_thread(call)
        os.kill(pid, signal.SIGSTOP)  # it reads nothing any more
        waiting = asyncio.create_task(asyncio.to_thread(call))
        await asyncio.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        assert await waiting != pid

    async def test_an_idempotent_method_is_repeated_once(self, node: HostedNode) -> None:
        marker = node.root / "seen"
        source = TOOL.replace(
            "    async def execute",
            f"    def get_actions(self):\n        if not os.path.exists({str(marker)!r}):\n"
            f"            open({str(marker)!r}, 'w').close()\n            os._exit(1)\n        return ['second']\n\n"
            "    async def execute",
        )
        granted = (f"files:{node.root}:rw",)
        await node.active(node.want(node.snapshot("d2", source), granted=granted))
        assert (await node.client.call("probe", "get_actions")).value == ["second"]

    async def test_three_crashes_open_the_breaker_and_an_operator_closes_it(self, node: HostedNode) -> None:
        for _ in range(3):
            row = await node.seen(lambda row: row.state == "active" and _alive(row.pid))
            assert row.pid is not None
            os.kill(row.pid, signal.SIGKILL)
            await node.seen(lambda now, pid=row.pid: now.pid != pid)  # type: ignore[misc]
        row = await node.seen(lambda row: row.state == "error")
        assert row.error is not None
        assert row.error["code"] == "breaker_open"
        assert (await node.error("echo")).code == "not_loaded"
        await node.active(node.want("d1"))
        assert (await node.execute("echo")).generation == 2


def _alive(pid: int | None) -> bool:
    return pid is not None and start_time(pid) is not None


class TestHost:
    async def test_the_next_host_adopts_what_runs_and_calls_go_on(self, node: HostedNode) -> None:
        pid = (await node.execute("echo")).value["pid"]
        await node.abandon()
        assert (await node.execute("echo")).value["pid"] == pid
        await node.start()
        await node.seen(lambda row: row.state == "active" and row.pid == pid)
        await node.active(node.want("d1"))
        assert (await node.execute("echo")).value["pid"] != pid

    async def test_what_died_while_no_host_watched_is_loading_before_it_waits(self, node: HostedNode) -> None:
        row = await node.seen(lambda row: row.state == "active")
        await node.abandon()
        assert row.pid is not None
        os.kill(row.pid, signal.SIGKILL)
        node.want("d1", dependencies=("third",))
        await node.start()
        await node.seen(lambda row: row.state == "blocked")
        assert [row.state for row in node.store.history][-3:] == ["active", "loading", "blocked"]

    async def test_what_is_not_wanted_any_more_is_drained_by_the_next_host(self, node: HostedNode) -> None:
        pid = (await node.execute("echo")).value["pid"]
        await node.abandon()
        node.store.desired.clear()
        await node.start()
        await node.seen(lambda row: row.state == "inactive")
        assert not _alive(pid)

    async def test_a_second_host_on_the_same_node_refuses_to_start(self, node: HostedNode) -> None:
        with pytest.raises(AlreadyRunningError, match="stop it first"):
            await Host(node.store, node.paths).run()

    async def test_reports_wait_while_the_store_is_away(self, node: HostedNode) -> None:
        row = await node.seen(lambda row: row.state == "active")
        assert row.pid is not None
        node.store.away = True
        os.kill(row.pid, signal.SIGKILL)
        second = (await node.execute("echo")).value["pid"]
        node.store.away = False
        assert (await node.seen(lambda now: now.pid not in (None, row.pid))).pid == second

    async def test_a_dead_template_is_replaced(self, node: HostedNode) -> None:
        assert node.host is not None
        template = node.host.template.pid
        assert template is not None
        pid = (await node.execute("echo")).value["pid"]
        os.kill(template, signal.SIGKILL)
        assert (await node.execute("echo")).value["pid"] == pid
        await node.active(node.want("d1"))

    async def test_a_dependent_waits_for_its_dependency(self, node: HostedNode) -> None:
        other = TOOL.replace('id="probe"', 'id="other"')
        generation = node.want(node.snapshot("o1", other, "other"), "other", dependencies=("third",))
        await node.seen(lambda row: row.state == "blocked", "other")
        third = TOOL.replace('id="probe"', 'id="third"')
        node.want(node.snapshot("t1", third, "third"), "third")
        await node.active(generation, "other")


class TestStream:
    """Items of a stream, in batches."""

    SOURCE = TOOL + (
        "\n    @__import__('plugins_app.sdk', fromlist=['method']).method()\n"
        "    async def count(self, upto, pause_after=None, bad_at=None):\n"
        "        item = {}\n"
        "        for item['n'] in range(upto):\n"
        "            if item['n'] == pause_after:\n                await asyncio.sleep(0.05)\n"
        "            yield object() if item['n'] == bad_at else item\n"
    )

    @pytest.fixture
    async def counting(self, node: HostedNode) -> HostedNode:
        await node.active(node.want(node.snapshot("d2", self.SOURCE)))
        return node

    async def batches(self, node: HostedNode, **arguments: Any) -> list[list[int]]:
        async with node.client.stream("probe", "count", [], arguments) as stream:
            return [[item["n"] for item in batch] async for batch in stream.batches()]

    async def test_what_is_yielded_at_once_arrives_at_once(self, counting: HostedNode) -> None:
        assert await self.batches(counting, upto=50) == [list(range(50))]

    async def test_what_is_yielded_before_a_pause_does_not_wait_for_the_rest(self, counting: HostedNode) -> None:
        assert await self.batches(counting, upto=50, pause_after=20) == [list(range(20)), list(range(20, 50))]

    async def test_a_long_stream_is_held_back_until_its_reader_has_taken_some(self, counting: HostedNode) -> None:
        batches = await self.batches(counting, upto=5000)
        assert [item for batch in batches for item in batch] == list(range(5000))
        assert max(map(len, batches)) <= 256
        async with counting.client.stream("probe", "count", [], {"upto": 5000}) as stream:
            assert [item["n"] async for item in stream] == list(range(5000))

    async def test_items_before_one_that_cannot_be_sent_arrive(self, counting: HostedNode) -> None:
        seen: list[int] = []
        with pytest.raises(CallError, match="yielded what cannot be sent"):
            async with counting.client.stream("probe", "count", [], {"upto": 9, "bad_at": 3}) as stream:
                async for item in stream:
                    seen.append(item["n"])
        assert seen == [0, 1, 2]

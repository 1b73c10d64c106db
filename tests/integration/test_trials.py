"""A new generation is on trial; one that fails while it is makes room for the one before."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from plugins_app.host import Wanted
from plugins_app.states import is_legal
from tests.hosting import TOOL, HostedNode, hosted_node

LONG = 3600.0
LINGER = """
    async def do_linger(self):
        self.context.progress(0.1, "begun")
        await asyncio.sleep(0.5)
        return "done"
"""


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[HostedNode]:
    async with hosted_node(tmp_path) as node:
        for name in ("one", "two"):
            node.snapshot(name, TOOL.replace('"1.0.0"', f'"{len(name)}.0.{name == "two"}"'.replace("True", "1")))
        yield node


def version(node: HostedNode, digest: str, **changes: Any) -> Wanted:
    node.want(digest, **changes)
    return node.store.desired["probe"]


async def swapped(node: HostedNode, **changes: Any) -> tuple[Wanted, Wanted]:
    """One release that is proven, and one on trial that replaced it."""
    old = version(node, "one")
    await node.active(1)
    new = version(node, "two", soak=LONG, fallback=old, **changes)
    await node.active(2)
    return old, new


def states(node: HostedNode) -> list[str]:
    return [observed.state for observed in node.store.history]


def events(node: HostedNode, event: str) -> list[dict[str, Any]]:
    return [data for name, _, data in node.store.events if name == event]


async def test_what_survives_its_trial_is_committed(node: HostedNode) -> None:
    version(node, "one", soak=0.05)
    seen = await node.seen(lambda row: row.committed == 1)
    assert (seen.state, seen.generation) == ("active", 1)


async def test_what_crashes_on_trial_is_rolled_back(node: HostedNode) -> None:
    old, new = await swapped(node)
    assert (await node.error("exit", status=3)).code == "plugin_crashed"
    seen = await node.active(old.generation)
    error: Any = seen.error
    assert (error["code"], error["generation"], error["rolled_back_to"]) == ("soak_failed", new.generation, 1)
    assert "exit status 3" in error["detail"] and seen.attempted == new.generation
    assert (await node.execute("echo")).generation == old.generation
    assert (
        events(node, "plugin_failed")[0] | {"rolled_back_to": 1, "code": "soak_failed"}
        == events(node, "plugin_failed")[0]
    )
    assert events(node, "plugin_reloaded")[-1]["cause"] == "rollback"


async def test_the_rolled_back_one_stays_when_what_is_wanted_follows(node: HostedNode) -> None:
    old, _ = await swapped(node)
    await node.error("exit", status=3)
    before = await node.active(old.generation)
    node.store.desired["probe"] = old
    node.snapshot("other", TOOL.replace('id="probe"', 'id="other"'), "other")
    node.want("other", "other")  # something that the host must have done before we look again
    await node.active(node.generation, "other")
    after = node.store.rows["probe"]
    assert (after.pid, after.generation) == (before.pid, old.generation)
    assert after.error is not None  # an operator still reads why


async def test_after_a_rollback_the_next_release_is_tried(node: HostedNode) -> None:
    old, _ = await swapped(node)
    await node.error("exit", status=3)
    await node.active(old.generation)
    version(node, "two", soak=LONG, fallback=old)
    seen = await node.active(3)
    assert seen.error is None


async def test_what_has_passed_its_trial_is_restarted_not_rolled_back(node: HostedNode) -> None:
    old = version(node, "one")
    await node.active(1)
    new = version(node, "two", soak=0.01, fallback=old)
    first = await node.seen(lambda row: row.committed == 2)
    await node.error("exit", status=3)
    again = await node.seen(lambda row: row.state == "active" and row.pid != first.pid)
    assert again.generation == new.generation and again.error is None


async def test_without_anything_to_go_back_to_it_is_restarted(node: HostedNode) -> None:
    version(node, "one", soak=LONG)
    first = await node.active(1)
    await node.error("exit", status=3)
    again = await node.seen(lambda row: row.state == "active" and row.pid != first.pid)
    assert again.generation == 1


async def test_too_much_memory_on_trial_is_rolled_back_without_a_gap(node: HostedNode) -> None:
    old = version(node, "one")
    await node.active(1)
    version(node, "two", soak=LONG, fallback=old)
    await node.active(2)
    assert node.host is not None
    process: Any = node.host._supervisors["probe"].current
    process.over_limit, process.unhealthy_reason = True, "it uses 900 MiB, its limit is 512 MiB"
    process.unhealthy.set()
    seen = await node.active(old.generation)
    assert seen.error is not None and "900 MiB" in seen.error["detail"]
    assert "loading" not in states(node)[states(node).index("active") :]


async def test_a_blocked_loop_is_its_callers_doing_and_no_reason_to_roll_back(node: HostedNode) -> None:
    _, new = await swapped(node)
    first = node.store.rows["probe"]
    await node.error("block", timeout=0.1, seconds=60)
    again = await node.seen(lambda row: row.state == "active" and row.pid != first.pid)
    assert again.generation == new.generation


async def test_a_host_that_adopts_goes_on_with_the_trial(node: HostedNode) -> None:
    old, _ = await swapped(node)
    await node.abandon()
    node.store.rows["probe"] = replace(node.store.rows["probe"], message="as the host before left it")
    await node.start()
    before = await node.seen(lambda row: not row.message)
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    seen = await node.active(old.generation)
    assert seen.error is not None and seen.error["code"] == "soak_failed"


async def test_a_host_that_starts_after_a_rollback_does_not_try_the_failed_one_again(node: HostedNode) -> None:
    old, new = await swapped(node)
    await node.error("exit", status=3)
    before = await node.active(old.generation)
    await node.abandon()
    node.store.rows["probe"] = replace(before, message="as the host before left it")
    await node.start()
    seen = await node.seen(lambda row: not row.message)
    assert (seen.pid, seen.generation, seen.attempted) == (before.pid, old.generation, new.generation)


async def test_what_failed_stays_rejected_when_its_stand_in_crashes_too(node: HostedNode) -> None:
    old, new = await swapped(node)
    await node.error("exit", status=3)
    for _ in range(3):
        await node.active(old.generation)
        await node.error("exit", status=4)
    seen = await node.seen(lambda row: row.state == "error")
    assert seen.error is not None
    assert (seen.error["code"], seen.error["generation"]) == ("breaker_open", new.generation)


async def test_calls_during_a_rollback_are_answered(node: HostedNode) -> None:
    await swapped(node)
    await node.error("exit", status=3)
    answers = [(await node.execute("echo", n=n)).value["values"]["n"] for n in range(50)]
    assert answers == list(range(50))


async def test_every_step_is_a_legal_one(node: HostedNode) -> None:
    old, _ = await swapped(node)
    await node.error("exit", status=3)
    await node.active(old.generation)
    node.want_nothing()
    await node.seen(lambda row: row.state == "inactive")
    path = states(node)
    assert all(is_legal(*step) for step in zip(["available", *path], path, strict=False)), path
    assert path[0] == "loading" and path[-2:] == ["draining", "inactive"]


async def test_a_release_that_needs_another_of_its_batch_waits_for_it(node: HostedNode) -> None:
    version(node, "one")
    await node.active(1)
    source = TOOL.replace('id="probe"', 'id="user"')
    node.snapshot("user", source, "user")
    node.want("user", "user", dependencies=("probe",), requires={"probe": 3})
    seen = await node.seen(lambda row: row.state == "blocked", "user")
    assert seen.error is not None and seen.error["code"] == "dependency_not_active"
    version(node, "two")
    await node.active(2, "user")
    assert node.store.rows["probe"].generation == 3


async def test_who_depends_on_it_finishes_first(node: HostedNode) -> None:
    version(node, "one")
    await node.active(1)
    node.snapshot("user", TOOL.replace('id="probe"', 'id="user"') + LINGER, "user")
    node.want("user", "user", dependencies=("probe",))
    await node.active(2, "user")
    begun = asyncio.Event()
    call = asyncio.create_task(
        node.client.call("user", "execute", ["linger", {}], on_progress=lambda *_: begun.set()),
    )
    await begun.wait()
    node.store.desired.clear()
    node.want_nothing("user")
    await node.seen(lambda row: row.state == "draining", "user")
    assert (await node.execute("echo")).generation == 1  # what it uses still serves
    assert (await call).value == "done"
    await node.seen(lambda row: row.state == "inactive")
    gone = [plugin_id for name, plugin_id, _ in node.store.events if name == "plugin_unloaded"]
    assert gone == ["user", "probe"]


async def test_files_that_are_missing_here_are_brought_first(node: HostedNode) -> None:
    async def bring(wanted: Wanted) -> None:
        node.snapshot(wanted.digest)

    node.store.prepare = bring  # type: ignore[method-assign]
    version(node, "far")
    await node.active(1)
    assert states(node)[:3] == ["installing", "loading", "active"]


async def test_files_that_cannot_be_had_are_told(node: HostedNode) -> None:
    version(node, "far")
    seen = await node.seen(lambda row: row.state == "error")
    assert seen.error is not None and seen.error["code"] == "digest_missing"


async def test_a_node_that_was_forgotten_says_everything_again(node: HostedNode) -> None:
    version(node, "one")
    before = await node.active(1)
    node.store.rows.clear()
    node.store.known = False
    await node.host._say_hello()  # type: ignore[union-attr]
    seen = await node.active(1)
    assert seen.pid == before.pid

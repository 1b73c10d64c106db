"""`migrate_state`: what one generation of a plugin hands to the next."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosting import TOOL, HostedNode, hosted_node

COUNTER = (
    TOOL
    + """
    async def initialize(self):
        self.count, self.lock, self._seen = 0, asyncio.Lock(), ["a"]
        return True

    async def do_count(self):
        self.count += 1
        return self.count

    async def do_seen(self):
        return self._seen
"""
)
TAKES_OVER = """
    async def migrate_state(self, old):
        self.count = old["count"] + 100 * (old.count == old.get("count"))
        self._seen = [*old._seen, old.version, old.generation, "lock" in old]
"""


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[HostedNode]:
    async with hosted_node(tmp_path) as node:
        node.snapshot("one", COUNTER)
        node.want("one")
        await node.active(1)
        for _ in range(3):
            await node.execute("count")
        yield node


async def value(node: HostedNode, action: str) -> Any:
    return (await node.execute(action)).value


async def swap(node: HostedNode, source: str) -> Any:
    node.snapshot("two", source)
    generation = node.want("two")
    return await node.seen(lambda row: row.attempted == generation and row.state == "active")


async def test_a_plugin_takes_over_what_it_wants(node: HostedNode) -> None:
    await swap(node, COUNTER + TAKES_OVER)
    assert await value(node, "count") == 104
    assert await value(node, "seen") == ["a", "1.0.0", 1, False]  # a lock is no data


async def test_a_plugin_that_does_not_want_it_begins_anew(node: HostedNode) -> None:
    await swap(node, COUNTER)
    assert await value(node, "count") == 1


async def test_what_is_handed_over_can_be_chosen_and_migrated_by_a_sync_method(node: HostedNode) -> None:
    chooses = "\n    def export_state(self):\n        return {'total': self.count}\n"
    takes = "\n    def migrate_state(self, old):\n        self.count = old.total * 2\n"
    await swap(node, COUNTER + chooses)
    await node.execute("count")
    node.snapshot("three", COUNTER + takes)
    await node.active(node.want("three"))
    assert await value(node, "count") == 3


async def test_a_migration_that_raises_leaves_the_old_one_serving(node: HostedNode) -> None:
    seen = await swap(node, COUNTER + "\n    def migrate_state(self, old):\n        old.nonsense\n")
    assert (seen.generation, seen.error["code"]) == (1, "migrate_failed")
    assert "left no nonsense; it left: " in seen.error["detail"] and "Traceback" in seen.error["traceback"]
    assert await value(node, "count") == 4


async def test_a_migration_that_takes_too_long_leaves_the_old_one_serving(node: HostedNode) -> None:
    node.snapshot("two", COUNTER + "\n    async def migrate_state(self, old):\n        await asyncio.sleep(3600)\n")
    generation = node.want("two", limits={"init_timeout_s": 0.2})
    seen = await node.seen(lambda row: row.attempted == generation)
    assert seen.error is not None and seen.error["code"] == "migrate_failed" and seen.generation == 1


async def test_an_old_one_that_cannot_say_what_it_leaves_does_not_keep_the_new_one_out(node: HostedNode) -> None:
    await swap(node, COUNTER + "\n    def export_state(self):\n        raise RuntimeError('no')\n")
    node.snapshot("three", COUNTER + TAKES_OVER)
    await node.active(node.want("three"))
    assert await value(node, "count") == 1


async def test_without_an_old_one_there_is_nothing_to_take_over(node: HostedNode) -> None:
    node.want_nothing()
    await node.seen(lambda row: row.state == "inactive")
    node.snapshot("two", COUNTER + TAKES_OVER)
    await node.active(node.want("two"))
    assert await value(node, "count") == 1


async def test_a_caller_cannot_reach_it(node: HostedNode) -> None:
    for method in ("migrate_state", "export_state"):
        with pytest.raises(Exception, match="lifecycle"):
            await node.client.call("probe", method, [{}])

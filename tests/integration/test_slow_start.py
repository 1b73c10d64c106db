"""An `initialize` that takes long says so while it does."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from plugins_app.host import supervisor
from tests.hosting import TOOL, HostedNode, hosted_node

SLOW = (
    TOOL
    + """
    async def initialize(self):
        while not os.path.exists("go"):
            await asyncio.sleep(0.01)
        return True
"""
)


@pytest.fixture
async def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[HostedNode]:
    monkeypatch.setattr(supervisor, "_SLOW_AFTER", 0.05)
    async with hosted_node(tmp_path) as node:
        node.snapshot("one", SLOW)
        yield node


async def test_it_is_told_while_it_lasts(node: HostedNode, caplog: pytest.LogCaptureFixture) -> None:
    generation = node.want("one")
    slow = await node.seen(lambda row: bool(row.message))
    assert slow.state == "loading" and "initialize has been running for" in slow.message
    assert "its limit is 30 s" in caplog.text
    (work_dir,) = (node.paths.work / "probe").iterdir()
    (work_dir / "go").touch()
    assert (await node.active(generation)).message == ""

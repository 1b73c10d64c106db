"""A real plugin process with secrets: what it says about itself has none."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from plugins_app.client import CallError
from tests.hosting import TOOL, HostedNode, hosted_node

LONG, SHORT = "sk-canary-0123456789abcdef", "hunter2"
LEAKY = TOOL.replace(
    "    async def do_fail(self):",
    f'''    async def initialize(self):
        if VERSION == "2.0.0":
            raise OSError("no upstream for {LONG} and {SHORT}")

    async def do_leak(self, how):
        if how == "raise":
            raise type("Error_{SHORT}", (Exception,), {{}})("{LONG} {SHORT}")
        if how == "progress":
            self.context.progress(0.5, "at {SHORT}")
        return {{"key": "{LONG}", "bytes": b"<{LONG}>"}}

    async def do_fail(self):''',
)


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[HostedNode]:
    async with hosted_node(tmp_path / "n") as running:
        running.snapshot("good", LEAKY)
        running.snapshot("bad", LEAKY.replace('VERSION = "1.0.0"', 'VERSION = "2.0.0"'))
        await running.active(running.want("good", secrets=(LONG, SHORT)))
        yield running


async def test_results_and_errors_carry_no_secret(node: HostedNode) -> None:
    result = await node.execute("leak", how="return")
    stars = "*" * len(LONG)
    assert result.value == {"key": stars, "bytes": f"<{stars}>".encode()}
    error = await node.error("leak", how="raise")
    assert isinstance(error, CallError)
    assert (error.detail, error.type_name) == ("******** ********", "Error_********")
    assert LONG not in (error.traceback or "") and SHORT not in (error.traceback or "")


async def test_progress_carries_no_secret(node: HostedNode) -> None:
    said: list[str] = []
    await node.client.call(
        "probe",
        "execute",
        ["leak", {"how": "progress"}],
        on_progress=lambda fraction, message, data: said.append(message),
    )
    assert said == ["at ********"]


async def test_a_start_that_fails_is_told_without_secrets(node: HostedNode, caplog: pytest.LogCaptureFixture) -> None:
    generation = node.want("bad", secrets=(LONG, SHORT))
    row = await node.seen(lambda row: row.attempted == generation)
    assert row.error is not None
    assert "no upstream for ******** and ********" in row.error["detail"]
    told = f"{row.error} {node.store.events} {caplog.text}"
    assert LONG not in told and SHORT not in told

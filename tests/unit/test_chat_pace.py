"""When requests begin beside running streams."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from aichat.chat.pace import Pace


def test_while_nothing_streams_everybody_begins_at_once() -> None:
    pace = Pace()
    assert [pace.claim(5.0) for _ in range(1000)] == [0.0] * 1000


def test_beside_streams_a_crowd_begins_one_after_the_other() -> None:
    pace = Pace()
    with ExitStack() as streams:
        for _ in range(200):
            streams.enter_context(pace.streaming())
        assert [pace.claim(5.0) for _ in range(4)] == pytest.approx([0, 0.002, 0.004, 0.006])
        assert pace.claim(5.004) == pytest.approx(0.004)
        assert pace.claim(6.0) == 0  # nobody came for a while: nothing is saved up, and nobody waits
    assert pace.claim(6.0) == pytest.approx(0.002)  # the turn after the last request beside streams
    assert pace.claim(6.002) == 0


async def test_a_stream_that_failed_runs_no_more() -> None:
    pace = Pace()
    with pytest.raises(RuntimeError), pace.streaming():
        await pace.turn()
        raise RuntimeError
    assert [pace.claim(1e9) for _ in range(2)] == [0, 0]

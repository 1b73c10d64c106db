"""When a crashing plugin is restarted, and when not."""

from __future__ import annotations

import pytest

from plugins_app.host.breaker import Breaker


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock=clock, jitter=lambda: 0.5)


def test_the_first_restart_is_at_once_and_the_next_waits(breaker: Breaker) -> None:
    assert breaker.crashed() == 0.0
    assert breaker.crashed() == pytest.approx(0.15)


def test_the_third_crash_in_five_minutes_opens_it(breaker: Breaker) -> None:
    assert [breaker.crashed() for _ in range(3)][-1] is None
    assert breaker.open


def test_old_crashes_are_forgotten(breaker: Breaker, clock: Clock) -> None:
    breaker.crashed()
    breaker.crashed()
    clock.now += 301
    assert breaker.crashed() == 0.0
    assert not breaker.open


def test_a_failed_probe_doubles_the_wait_up_to_an_hour(breaker: Breaker) -> None:
    waits = []
    for _ in range(2):
        breaker.crashed()
    for _ in range(12):
        assert breaker.crashed() is None
        waits.append(breaker.probe_after)
    assert waits[:3] == [30.0, 60.0, 120.0]
    assert waits[-1] == 3600.0


def test_an_operator_closes_it(breaker: Breaker) -> None:
    for _ in range(3):
        breaker.crashed()
    breaker.reset()
    assert not breaker.open
    assert breaker.crashed() == 0.0

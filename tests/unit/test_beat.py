"""Beat goes on when the clock is moved."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from celery import Celery

from aichat import beat


class Sent(beat.SteadyScheduler):
    """Notes what it would send."""

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        self.sent = [*getattr(self, "sent", []), entry.name]


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> Any:
    app = Celery("t", broker="memory://")
    app.conf.beat_schedule = {
        "often": {"task": "often", "schedule": 10.0},
        "rarely": {"task": "rarely", "schedule": 3600.0},
    }
    monkeypatch.setattr(beat, "steady_now", Steady())
    return Sent(app)


class Steady:
    """The steady clock, to be moved on by hand."""

    def __init__(self) -> None:
        self.now = datetime.now().astimezone()

    def __call__(self) -> datetime:
        return self.now


def run(scheduler: Any, seconds: float) -> list[str]:
    """What is sent in the next `seconds`."""
    scheduler.sent = []
    clock = beat.steady_now
    assert isinstance(clock, Steady)
    end = clock.now + timedelta(seconds=seconds)
    while clock.now < end:
        pause = scheduler.tick()
        clock.now += timedelta(seconds=max(pause, 0.001))
    return sorted(scheduler.sent)


def test_everything_is_due_soon_after_the_start(scheduler: Any) -> None:
    assert run(scheduler, 6) == ["often", "rarely"]


def test_then_each_as_often_as_it_says(scheduler: Any) -> None:
    run(scheduler, 6)
    assert run(scheduler, 60) == ["often"] * 6
    assert run(scheduler, 3600).count("rarely") == 1


def test_the_steady_clock_does_not_go_by_the_time_of_day(monkeypatch: pytest.MonkeyPatch) -> None:
    before = beat.steady_now()
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert timedelta(0) <= beat.steady_now() - before < timedelta(minutes=1)

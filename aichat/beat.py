"""Celery's beat by a clock that nobody can move.

Its own schedulers go by the time of day: when the clock is set back by three hours, nothing is due for three hours.
Here "now" runs on from the start of the process. Nothing is kept in a file: everything is due soon after a start, which
is when there is most to tidy up, and there is no file that a power cut can spoil.

Beat has a Celery application of its own, without Django and without the tasks: it sends their names, and needs half the
memory so.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from celery import Celery
from celery.beat import Scheduler

__all__ = ["SteadyScheduler", "app", "steady_now"]

app = Celery("aichat", fixups=[])
app.config_from_object("aichat.settings", namespace="CELERY")

_START = datetime.now(UTC)
_START_MONOTONIC = time.monotonic()
_FIRST_AFTER = timedelta(seconds=5)


def steady_now() -> datetime:
    """The time of day as it would be if nobody had moved the clock since this process began."""
    return _START + timedelta(seconds=time.monotonic() - _START_MONOTONIC)


class SteadyScheduler(Scheduler):
    """Everything of the settings' schedule, first some seconds after the start, then as often as it says."""

    def setup_schedule(self) -> None:
        self.merge_inplace(self.app.conf.beat_schedule)
        for entry in self.data.values():
            entry.schedule.nowfun = steady_now
            entry.last_run_at = steady_now() - max(timedelta(0), entry.schedule.run_every - _FIRST_AFTER)

"""The periods that budgets are for: when one began, when the next begins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

__all__ = ["Period", "period_at"]


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` until just before `end`, by the clocks of one place."""

    start: datetime
    end: datetime

    @property
    def key(self) -> str:
        """Its name in the storage; short, as there is one for each user."""
        return f"{self.start:%y%m%d}"

    def seconds_left(self, now: datetime) -> int:
        """Until the next one, at least 1."""
        return max(1, round(self.end.timestamp() - now.timestamp()))


def period_at(now: datetime, length: str, zone: tzinfo) -> Period:
    """The month, week or day that `now` is in."""
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if length == "month":
        start = today.replace(day=1)
        end = (start + timedelta(days=32)).replace(day=1)
    elif length == "week":
        start = today - timedelta(days=today.weekday())
        end = start + timedelta(days=7)
    else:
        start, end = today, today + timedelta(days=1)
    return Period(start, end)

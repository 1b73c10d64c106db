"""Lengths of time: reading them, adding them to a moment, and telling how long lies between two."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from .errors import DateTimeError

__all__ = ["UNITS", "Length", "add_months", "between", "read_length", "working_days"]

UNITS = ("years", "months", "weeks", "days", "hours", "minutes", "seconds")
_Day = TypeVar("_Day", bound=date)
_PIECE = re.compile(r"\b(\d+(?:\.\d+)?|an?(?=\s))\s*(year|month|week|day|hour|minute|min|second|sec|[ymwdhs])s?\b")
_LETTERS = {"y": "year", "w": "week", "d": "day", "h": "hour", "m": "minute", "s": "second"}
_NAMES = _LETTERS | {"min": "minute", "sec": "second"}
_LARGEST = 1e6


@dataclass(frozen=True, slots=True)
class Length:
    """So many months, by the calendar, and then so much time: days by the calendar too, the rest by the clock."""

    months: int = 0
    days: int = 0
    clock: timedelta = timedelta()

    @classmethod
    def of(cls, amounts: dict[str, Any]) -> Length:
        """From so many of each of `UNITS`.

        Raises:
            DateTimeError: one of them is no number, or far too large; or half a month, which nobody can say.
        """
        given = {unit: _number(amounts.get(unit) or 0, unit) for unit in UNITS}
        months = given["years"] * 12 + given["months"]
        if months != int(months):
            raise DateTimeError("years and months must come to a whole number of months")
        days = given["weeks"] * 7 + given["days"]
        rest = timedelta(days=days - int(days))
        clock = timedelta(hours=given["hours"], minutes=given["minutes"], seconds=given["seconds"])
        return cls(int(months), int(days), clock + rest)

    def after(self, moment: datetime) -> datetime:
        """The moment so much later. A day later is the same time on the clock, also where the clocks change.

        Raises:
            DateTimeError: the calendar does not go that far.
        """
        try:
            later = add_months(moment, self.months) + timedelta(days=self.days)
            return (later.astimezone(UTC) + self.clock).astimezone(moment.tzinfo) if self.clock else later
        except (OverflowError, ValueError) as error:
            raise DateTimeError("that is outside the years 1 to 9999") from error


def _number(value: Any, unit: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > _LARGEST * 1e6:
        raise DateTimeError(f"{unit} must be a number")
    return float(value)


def add_months(day: _Day, months: int) -> _Day:
    """The same day so many months later, or the last of a month that is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError("the calendar has the years 1 to 9999")
    return day.replace(year=year, month=month + 1, day=min(day.day, calendar.monthrange(year, month + 1)[1]))


def read_length(words: str) -> Length | None:
    """ "in 3 days", "2 weeks ago", "1 year and 2 months from now"; None when it is nothing like that."""
    text, sign = words, 0
    for mark, number in (("in ", 1), ("+", 1), ("-", -1)):
        if text.startswith(mark):
            text, sign = text[len(mark) :], number
    for mark, number in ((" ago", -1), (" from now", 1), (" later", 1), (" before now", -1)):
        if text.endswith(mark):
            text, sign = text[: -len(mark)], number
    pieces = _PIECE.findall(text)
    if not sign or not pieces or re.sub(r"\band\b|[\s,]", "", _PIECE.sub("", text)):
        return None
    amounts: dict[str, float] = {}
    for amount, unit in pieces:
        name = f"{_NAMES.get(unit, unit)}s"
        amounts[name] = amounts.get(name, 0) + sign * (1.0 if amount.startswith("a") else float(amount))
    return Length.of(amounts)


def between(start: datetime, end: datetime) -> dict[str, int]:
    """Years to seconds from the earlier to the later moment, each as large as it goes."""
    first, last = sorted((start, end))
    last = last.astimezone(first.tzinfo)
    months = (last.year - first.year) * 12 + last.month - first.month
    while months and add_months(first, months) > last:
        months -= 1
    anchor = add_months(first, months)
    days = max(0, (last.date() - anchor.date()).days)
    while days and anchor + timedelta(days=days) > last:
        days -= 1
    anchor += timedelta(days=days)
    seconds = int((last.astimezone(UTC) - anchor.astimezone(UTC)).total_seconds())
    years, months = divmod(months, 12)
    hours, rest = divmod(max(0, seconds), 3600)
    parts = (years, months, days, hours, *divmod(rest, 60))
    return dict(zip(("years", "months", "days", "hours", "minutes", "seconds"), parts, strict=True))


def working_days(start: date, end: date) -> int:
    """Mondays to Fridays from the earlier day on, the later one not counted."""
    first, last = sorted((start, end))
    weeks, rest = divmod((last - first).days, 7)
    return weeks * 5 + sum((first.weekday() + day) % 7 < 5 for day in range(rest))

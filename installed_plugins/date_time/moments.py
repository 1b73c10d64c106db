"""Reading a moment as people write one: ISO, e-mail and everyday dates, and words such as "tomorrow at 5 pm"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from email.utils import parsedate_to_datetime

from . import zones
from .errors import DateTimeError
from .lengths import add_months, read_length

__all__ = ["MONTHS", "WEEKDAYS", "Reader"]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_LONGEST = 200
_DAYS = {"today": 0, "now": 0, "tomorrow": 1, "yesterday": -1}
_CLOCK = re.compile(
    r"(?:\bat\s+|(?<=\s)|^)(?:(?P<h>\d{1,2})(?::(?P<m>\d{2})(?::(?P<s>\d{2}))?\s*(?P<ap>[ap])\.?m\.?"
    r"|:(?P<m24>\d{2})(?::(?P<s24>\d{2}))?|\s*(?P<ap2>[ap])\.?m\.?(?![a-z]))|(?P<word>noon|midnight))",
    re.IGNORECASE,
)
_ZONE = re.compile(r"\s+(?:in\s+)?([A-Z]{2,5}|[A-Za-z]+/[A-Za-z_/+-]+|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?)$")
_DAY, _YEAR = r"(?P<d>\d{1,2})(?:st|nd|rd|th)?", r"(?P<y>\d{4})"
_MONTH = r"(?P<b>[a-z]{3,9})\.?"
_WRITTEN = [
    re.compile(rf"{_DAY}(?:\s+of)?[\s-]+{_MONTH}(?:,?[\s-]+{_YEAR})?"),
    re.compile(rf"{_MONTH}\s+{_DAY}(?:,?\s+{_YEAR})?"),
]
_NUMBERS = re.compile(r"(\d{1,4})([./-])(\d{1,2})\2(\d{1,4})")
_UNIX = re.compile(r"@?(-?\d{9,13})(?:\.(\d+))?")


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads moments: in `zone` unless they bring their own, as seen at `now`."""

    zone: tzinfo
    now: datetime
    day_first: bool = True

    def read(self, text: str) -> datetime:
        """The moment, in its own zone.

        Raises:
            DateTimeError: it is not understood, or there is no such date.
        """
        given = " ".join(text.split())
        if not given or len(given) > _LONGEST:
            raise DateTimeError(f"a moment must be given, in at most {_LONGEST} characters")
        try:
            found = self._formal(given) or self._everyday(given)
        except (ValueError, OverflowError) as error:
            raise DateTimeError(f"{text!r} is no moment there is: {error}") from error
        if found is None:
            raise DateTimeError(
                f"{text!r} is not understood; write 2026-03-04T15:30, 4 March 2026 3:30 pm, tomorrow at noon, "
                "in 3 days or next friday"
            )
        return found

    def _formal(self, text: str) -> datetime | None:
        """ISO 8601, seconds since 1970, or an e-mail's date."""
        if unix := _UNIX.fullmatch(text):
            seconds = int(unix[1]) / (1000 if len(unix[1].lstrip("-")) > 11 else 1)
            return datetime.fromtimestamp(seconds + float(f"0.{unix[2] or 0}"), UTC).astimezone(self.zone)
        if re.match(r"\d{4}-?[\dW]", text):
            bare, named = _split_zone(text)
            try:
                return self._placed(datetime.fromisoformat(bare.replace(" ", "T", 1)), named)
            except ValueError:
                return None
        if re.match(r"[A-Za-z]{3}, ", text):
            try:
                return self._placed(parsedate_to_datetime(text))
            except ValueError:
                return None
        return None

    def _placed(self, moment: datetime, zone: tzinfo | None = None) -> datetime:
        """A wall clock's reading where it was read; one that brings an offset stays."""
        return moment.replace(tzinfo=zone or self.zone) if moment.tzinfo is None else moment

    def _everyday(self, text: str) -> datetime | None:
        bare, named = _split_zone(text)
        words = bare.casefold()
        reader = Reader(named, self.now, self.day_first) if named else self
        here = self.now.astimezone(reader.zone)
        if words == "now":
            return here
        clock = _CLOCK.search(words)
        rest = (words[: clock.start()] + words[clock.end() :]).strip(" ,") if clock else words
        rest = rest.removesuffix(" at").strip(" ,")
        if length := read_length(rest):
            moment = length.after(here)
            return _at(moment.date(), clock, reader.zone) if clock else moment
        day = reader._day(rest, here.date()) if rest else here.date()
        return _at(day, clock, reader.zone) if day else None

    def _day(self, words: str, today: date) -> date | None:
        words = re.sub(rf"^(?:{'|'.join(_prefixes())}),?\s+(?=\d)", "", words)
        if words in _DAYS:
            return today + timedelta(days=_DAYS[words])
        return self._weekday(words, today) or self._numeric(words) or _written(words, today)

    def _weekday(self, words: str, today: date) -> date | None:
        """ "friday" and "next friday" are the first one after today, "last friday" the one before."""
        which, _, name = words.rpartition(" ")
        number = _weekday_number(name)
        if number is None or which not in ("", "next", "this", "last", "on"):
            return None
        if which == "last":
            return today - timedelta(days=(today.weekday() - number - 1) % 7 + 1)
        ahead = (number - today.weekday()) % 7
        return today + timedelta(days=ahead if which == "this" else ahead or 7)

    def _numeric(self, words: str) -> date | None:
        found = _NUMBERS.fullmatch(words)
        if found is None:
            return None
        first, middle, last = int(found[1]), int(found[3]), int(found[4])
        if len(found[1]) == 4:
            return date(first, middle, last)
        if len(found[4]) != 4:
            return None
        # 10.03.2026 is only written where the day comes first, and 25/12 can only be meant one way.
        day_first = first > 12 or (middle <= 12 and (self.day_first or found[2] == "."))
        return date(last, middle, first) if day_first else date(last, first, middle)


def _split_zone(text: str) -> tuple[str, tzinfo | None]:
    """The text without a zone at its end, and that zone."""
    found = _ZONE.search(text)
    if found is None or found[1].upper() in ("AM", "PM"):
        return text, None
    try:
        return text[: found.start()], zones.find(found[1])
    except DateTimeError:
        return text, None


def _prefixes() -> list[str]:
    return [form for name in WEEKDAYS for form in (name, name[:3])]


def _weekday_number(name: str) -> int | None:
    return next((i for i, day in enumerate(WEEKDAYS) if len(name) >= 3 and day.startswith(name)), None)


def _written(words: str, today: date) -> date | None:
    """4 March 2026, March 4th; without a year the nearest one that is not half a year past."""
    for pattern in _WRITTEN:
        found = pattern.fullmatch(words)
        month = found and next((i for i, name in enumerate(MONTHS, 1) if name.startswith(found["b"])), None)
        if found and month:
            if found["y"]:
                return date(int(found["y"]), month, int(found["d"]))
            this_year = date(today.year, month, int(found["d"]))
            return add_months(this_year, 12) if this_year < today - timedelta(days=182) else this_year
    return None


def _at(day: date, clock: re.Match[str] | None, zone: tzinfo) -> datetime:
    return datetime.combine(day, _time(clock) if clock else time(), zone)


def _time(clock: re.Match[str]) -> time:
    if clock["word"]:
        return time(12 if clock["word"].casefold() == "noon" else 0)
    hour, half = int(clock["h"]), (clock["ap"] or clock["ap2"] or "").casefold()
    if half and not 1 <= hour <= 12:
        raise ValueError(f"{clock[0].strip()} is no time of day")
    hour = hour % 12 + (12 if half == "p" else 0) if half else hour
    return time(hour, int(clock["m"] or clock["m24"] or 0), int(clock["s"] or clock["s24"] or 0))

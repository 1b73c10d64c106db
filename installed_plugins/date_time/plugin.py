"""A tool that tells the time and reckons with dates."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from typing import Any

from plugins_app.sdk import ConfigError, ToolPlugin

from . import zones
from .actions import ACTIONS
from .errors import DateTimeError
from .lengths import UNITS, Length, between, working_days
from .moments import MONTHS, WEEKDAYS, Reader

_KNOWN: dict[str, list[str]] = {one["name"]: list(one["parameters"]["properties"]) for one in ACTIONS}
_WEEK_STARTS = {"monday": calendar.MONDAY, "sunday": calendar.SUNDAY, "saturday": calendar.SATURDAY}


class DateTime(ToolPlugin):
    """Dates and times in any zone."""

    def validate_config(self) -> bool:
        """The default zone must be one."""
        try:
            zones.find(self.get_config("time_zone", "UTC"))
        except DateTimeError as error:
            raise ConfigError(str(error), [{"pointer": "/time_zone", "message": str(error)}]) from error
        return True

    def get_actions(self) -> list[dict[str, Any]]:
        """What can be asked for."""
        return ACTIONS

    async def execute(self, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Do it; nothing here takes a millisecond."""
        actions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "now": self._now,
            "difference": self._difference,
            "add": self._add,
            "convert": self._convert,
            "parse": self._parse,
            "calendar": self._calendar,
        }
        if action not in actions:
            raise DateTimeError(f"unknown action {action!r}: there are {', '.join(actions)}")
        parameters = parameters or {}
        if unknown := parameters.keys() - _KNOWN[action]:
            # A model that says "timezone" and gets another zone's time would not notice.
            names = ", ".join(sorted(map(repr, unknown)))
            raise DateTimeError(f"{action} has no {names}; it takes {', '.join(_KNOWN[action])}")
        return actions[action](parameters)

    def _now(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return describe(datetime.now(self._zone(parameters)))

    def _difference(self, parameters: dict[str, Any]) -> dict[str, Any]:
        reader = self._reader(parameters)
        start, end = reader.read(_text(parameters, "start")), reader.read(_text(parameters, "end"))
        seconds = (end.astimezone(UTC) - start.astimezone(UTC)).total_seconds()
        parts = between(start, end)
        words = [f"{count} {unit if count != 1 else unit[:-1]}" for unit, count in parts.items() if count]
        return {
            "start": start.isoformat(),
            "end": end.isoformat(),
            "text": (", ".join(words) or "no time at all") + (" earlier" if seconds < 0 else ""),
            "is_earlier": seconds < 0,
            **parts,
            "total_days": round(seconds / 86400, 6),
            "total_hours": round(seconds / 3600, 6),
            "total_seconds": seconds,
            "working_days": working_days(start.date(), end.astimezone(start.tzinfo).date()),
        }

    def _add(self, parameters: dict[str, Any]) -> dict[str, Any]:
        moment = self._moment(parameters)
        length = Length.of({unit: parameters[unit] for unit in UNITS if unit in parameters})
        return {"start": moment.isoformat()} | describe(length.after(moment))

    def _convert(self, parameters: dict[str, Any]) -> dict[str, Any]:
        targets = parameters.get("to")
        names = [targets] if isinstance(targets, str) else targets
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise DateTimeError("'to' must be a list of time zones")
        moment = self._moment(parameters)
        found = [describe(_moved(moment, zones.find(name))) for name in names]
        return {"from": describe(moment), "to": found}

    def _parse(self, parameters: dict[str, Any]) -> dict[str, Any]:
        return describe(self._reader(parameters).read(_text(parameters, "text")))

    def _calendar(self, parameters: dict[str, Any]) -> dict[str, Any]:
        today = datetime.now(self._zone({})).date()
        year, month = _whole(parameters, "year", today.year, 9999), _whole(parameters, "month", today.month, 12)
        starts = _WEEK_STARTS[self.get_config("week_starts", "monday")]
        names = [*WEEKDAYS[starts:], *WEEKDAYS[:starts]]
        weeks = calendar.Calendar(starts).monthdayscalendar(year, month)
        table = [" ".join(f"{day or '':>2}" for day in week) for week in weeks]
        head = f"{MONTHS[month - 1].capitalize()} {year}"
        return {
            "year": year,
            "month": month,
            "days": calendar.monthrange(year, month)[1],
            "first_weekday": WEEKDAYS[date(year, month, 1).weekday()],
            "is_leap_year": calendar.isleap(year),
            "weeks": [{n: d for n, d in zip(names, week, strict=True) if d} for week in weeks],
            "text": "\n".join([head, " ".join(name[:2].capitalize() for name in names), *table]),
        }

    def _zone(self, parameters: dict[str, Any]) -> tzinfo:
        name = parameters.get("zone") or self.get_config("time_zone", "UTC")
        if not isinstance(name, str):
            raise DateTimeError("'zone' must be given as text")
        return zones.find(name)

    def _reader(self, parameters: dict[str, Any]) -> Reader:
        return Reader(self._zone(parameters), datetime.now(UTC), bool(self.get_config("day_first", True)))

    def _moment(self, parameters: dict[str, Any]) -> datetime:
        given = parameters.get("moment") or "now"
        return self._reader(parameters).read(_text({"moment": given}, "moment"))


def describe(moment: datetime) -> dict[str, Any]:
    """A moment in every form that somebody may need."""
    week = moment.isocalendar()
    offset = moment.strftime("%z")
    return {
        "iso": moment.isoformat(timespec="seconds"),
        "date": moment.date().isoformat(),
        "time": moment.strftime("%H:%M:%S"),
        "weekday": WEEKDAYS[moment.weekday()],
        "zone": zones.name_of(moment.tzinfo),
        "abbreviation": moment.tzname() or "",
        "utc_offset": f"{offset[:3]}:{offset[3:5]}",
        "is_daylight_saving": bool(moment.dst()),
        "iso_week": f"{week.year}-W{week.week:02}",
        "day_of_year": moment.timetuple().tm_yday,
        "unix": int(moment.timestamp()),
    }


def _moved(moment: datetime, zone: tzinfo) -> datetime:
    try:
        return moment.astimezone(zone)
    except OverflowError as error:
        raise DateTimeError("that is outside the years 1 to 9999") from error


def _text(parameters: dict[str, Any], name: str) -> str:
    value = parameters.get(name)
    if not isinstance(value, str):
        raise DateTimeError(f"{name!r} must be given as text")
    return value


def _whole(parameters: dict[str, Any], name: str, default: int, largest: int) -> int:
    value = parameters.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= largest:
        raise DateTimeError(f"{name!r} must be a whole number from 1 to {largest}")
    return value

"""Time zones by the names that people and models use."""

from __future__ import annotations

import difflib
import functools
import os
import re
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, timedelta, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo

from .errors import DateTimeError

__all__ = ["find", "name_of"]

_OFFSET = re.compile(r"(?:utc|gmt)?([+-])(\d{1,2})(?::?(\d{2}))?", re.IGNORECASE)
#: Abbreviations of which there is only one in everyday use, as a place that keeps them.
_ABBREVIATIONS = {
    "utc": "UTC",
    "gmt": "Etc/GMT",
    "z": "UTC",
    "zulu": "UTC",
    "cet": "Europe/Paris",
    "cest": "Europe/Paris",
    "eet": "Europe/Helsinki",
    "eest": "Europe/Helsinki",
    "wet": "Europe/Lisbon",
    "west": "Europe/Lisbon",
    "bst": "Europe/London",
    "est": "America/New_York",
    "edt": "America/New_York",
    "et": "America/New_York",
    "cdt": "America/Chicago",
    "ct": "America/Chicago",
    "mst": "America/Denver",
    "mdt": "America/Denver",
    "mt": "America/Denver",
    "pst": "America/Los_Angeles",
    "pdt": "America/Los_Angeles",
    "pt": "America/Los_Angeles",
    "jst": "Asia/Tokyo",
    "kst": "Asia/Seoul",
    "aest": "Australia/Sydney",
    "aedt": "Australia/Sydney",
    "nzst": "Pacific/Auckland",
    "nzdt": "Pacific/Auckland",
    "msk": "Europe/Moscow",
}


def find(name: str) -> tzinfo:
    """The zone called `name`: an IANA name, its city, an offset such as +02:00, or a usual abbreviation.

    Raises:
        DateTimeError: there is none; the message has the names nearest to it.
    """
    text = name.strip()
    if offset := _OFFSET.fullmatch(text.replace(" ", "")):
        return _fixed(offset, name)
    plain = text.casefold().replace(" ", "_")
    if exact := _by_name(_ABBREVIATIONS.get(plain, text)):
        return exact
    known = _names()
    found = known.get(plain)
    if not known:
        raise DateTimeError(f"{name!r}: this machine has no time zone database; install tzdata, or use offsets")
    if found is None:
        near = difflib.get_close_matches(plain, known, n=3, cutoff=0.6)
        hint = f", did you mean {' or '.join(sorted({known[each] for each in near}))}?" if near else ""
        raise DateTimeError(f"there is no time zone {name!r}{hint} Give an IANA name such as Europe/Berlin")
    return ZoneInfo(found)


def name_of(zone: tzinfo | None) -> str:
    """The zone's name, as it can be given back to `find`."""
    return zone.key if isinstance(zone, ZoneInfo) else str(zone or UTC)


def _fixed(offset: re.Match[str], name: str) -> tzinfo:
    hours, minutes = int(offset[2]), int(offset[3] or 0)
    if hours > 14 or minutes > 59:
        raise DateTimeError(f"{name!r} is no offset that a place has: they go from -12:00 to +14:00")
    length = timedelta(hours=hours, minutes=minutes)
    return timezone(-length if offset[1] == "-" else length)


def _by_name(name: str) -> tzinfo | None:
    if name == "UTC":
        return UTC  # also where there is no database
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        return None


@functools.cache
def _names() -> dict[str, str]:
    """All zones by full name and by city, in lower case. A city of two zones is the one with the shorter name."""
    full = sorted({*_installed()} or zoneinfo.available_timezones(), key=lambda each: (len(each), each), reverse=True)
    cities = {each.rpartition("/")[2].casefold(): each for each in full if "/" in each}
    return cities | {each.casefold(): each for each in full}


def _installed() -> Iterator[str]:
    """The names in the machine's database. `available_timezones` opens every one of its 1,800 files to know them."""
    for root in map(Path, zoneinfo.TZPATH):
        for folder, below, files in os.walk(root):
            below[:] = [name for name in below if name[0].isupper()]  # not posix/ and right/, which repeat all others
            for name in files:
                if name[0].isupper() and "." not in name:
                    yield str(Path(folder, name).relative_to(root))

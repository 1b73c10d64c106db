"""Dates are read as people mean them, and reckoned with as calendars and clocks do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from installed_plugins.date_time.errors import DateTimeError
from installed_plugins.date_time.lengths import Length, between, working_days
from installed_plugins.date_time.moments import Reader
from plugins_app.sdk import ConfigError, PluginError
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
BERLIN = ZoneInfo("Europe/Berlin")
#: A Wednesday.
NOW = datetime(2026, 3, 4, 15, 30, tzinfo=BERLIN)


async def ask(action: str, config: dict[str, Any] | None = None, **parameters: Any) -> dict[str, Any]:
    async with PluginHarness(FOLDER, config) as plugin:
        result: dict[str, Any] = await plugin.call("execute", action=action, parameters=parameters)
    return result


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("now", "2026-03-04T15:30:00+01:00"),
        ("2026-03-04", "2026-03-04T00:00:00+01:00"),
        ("2026-07-04 10:00", "2026-07-04T10:00:00+02:00"),
        ("2026-07-04T10:00:00Z", "2026-07-04T10:00:00+00:00"),
        ("2026-07-04T10:00 America/New_York", "2026-07-04T10:00:00-04:00"),
        ("2026-W10-3", "2026-03-04T00:00:00+01:00"),
        ("1772634600", "2026-03-04T15:30:00+01:00"),
        ("1772634600000", "2026-03-04T15:30:00+01:00"),
        ("Wed, 04 Mar 2026 14:30:00 +0000", "2026-03-04T14:30:00+00:00"),
        ("today", "2026-03-04T00:00:00+01:00"),
        ("tomorrow at noon", "2026-03-05T12:00:00+01:00"),
        ("yesterday 5pm", "2026-03-03T17:00:00+01:00"),
        ("12am", "2026-03-04T00:00:00+01:00"),
        ("noon", "2026-03-04T12:00:00+01:00"),
        ("17:45", "2026-03-04T17:45:00+01:00"),
        ("tomorrow 9:00 Asia/Tokyo", "2026-03-05T09:00:00+09:00"),
        ("tomorrow 9:00 PST", "2026-03-05T09:00:00-08:00"),
        ("friday", "2026-03-06T00:00:00+01:00"),
        ("next wednesday", "2026-03-11T00:00:00+01:00"),
        ("this wednesday", "2026-03-04T00:00:00+01:00"),
        ("last wed", "2026-02-25T00:00:00+01:00"),
        ("last monday", "2026-03-02T00:00:00+01:00"),
        ("in 3 days", "2026-03-07T15:30:00+01:00"),
        ("in 3 days at 8:15", "2026-03-07T08:15:00+01:00"),
        ("2 weeks and 1 day ago", "2026-02-17T15:30:00+01:00"),
        ("in an hour", "2026-03-04T16:30:00+01:00"),
        ("a month from now", "2026-04-04T15:30:00+02:00"),
        ("4 March 2026", "2026-03-04T00:00:00+01:00"),
        ("the 4th of", None),
        ("4th of March 2026", "2026-03-04T00:00:00+01:00"),
        ("Mar 4, 2026 3:30 pm", "2026-03-04T15:30:00+01:00"),
        ("4-Mar-2026", "2026-03-04T00:00:00+01:00"),
        ("Wednesday, 4 March 2026", "2026-03-04T00:00:00+01:00"),
        ("1 August", "2026-08-01T00:00:00+02:00"),
        ("03/04/2026", "2026-04-03T00:00:00+02:00"),
        ("12/25/2026", "2026-12-25T00:00:00+01:00"),
        ("25.12.2026 18:00", "2026-12-25T18:00:00+01:00"),
        ("2026/3/4", "2026-03-04T00:00:00+01:00"),
        ("gibberish", None),
        ("13pm", None),
        ("30 February 2026", None),
        ("2026-13-01", None),
        ("tomorrow 25:00", None),
        ("", None),
        ("9" * 300, None),
    ],
)
def test_moments_are_read_as_they_are_meant(text: str, moment: str | None) -> None:
    reader = Reader(BERLIN, NOW)
    if moment is None:
        with pytest.raises(DateTimeError):
            reader.read(text)
    else:
        assert reader.read(text).isoformat() == moment


async def test_now_is_told_in_any_zone() -> None:
    for name, zone in (
        ("Asia/Tokyo", "Asia/Tokyo"),
        ("tokyo", "Asia/Tokyo"),
        ("New York", "America/New_York"),
        ("pst", "America/Los_Angeles"),
        ("UTC", "UTC"),
        ("+05:30", "UTC+05:30"),
        ("gmt-3", "UTC-03:00"),
    ):
        found = await ask("now", zone=name)
        assert found["zone"] == zone
        assert abs(found["unix"] - datetime.now(UTC).timestamp()) < 60


async def test_an_unknown_zone_brings_the_nearest_names() -> None:
    with pytest.raises(PluginError, match="Europe/Berlin"):
        await ask("now", zone="Europe/Berln")
    with pytest.raises(PluginError, match="no offset"):
        await ask("now", zone="+25:00")


async def test_differences_are_told_in_every_unit() -> None:
    found = await ask("difference", start="2024-02-29", end="2026-03-04T12:00")
    assert found["text"] == "2 years, 4 days, 12 hours"
    assert found["total_days"] == 734.5
    assert found["is_earlier"] is False
    back = await ask("difference", start="2026-03-04", end="2026-03-01")
    assert (back["text"], back["is_earlier"], back["total_days"]) == ("3 days earlier", True, -3.0)
    assert (await ask("difference", start="today", end="today"))["text"] == "no time at all"


async def test_a_day_later_is_the_same_time_on_the_clock_and_24_hours_are_not() -> None:
    before = "2026-03-28T12:00"  # the clocks go forward in the night
    assert (await ask("add", moment=before, zone="Europe/Berlin", days=1))["iso"] == "2026-03-29T12:00:00+02:00"
    assert (await ask("add", moment=before, zone="Europe/Berlin", hours=24))["iso"] == "2026-03-29T13:00:00+02:00"


async def test_a_month_later_is_the_last_day_of_a_shorter_one() -> None:
    assert (await ask("add", moment="2026-01-31", months=1))["date"] == "2026-02-28"
    assert (await ask("add", moment="2024-02-29", years=-1))["date"] == "2023-02-28"
    with pytest.raises(PluginError, match="whole number of months"):
        await ask("add", moment="2026-01-31", months=0.5)
    with pytest.raises(PluginError, match="9999"):
        await ask("add", moment="2026-01-31", years=9000)


async def test_a_moment_is_converted_to_several_zones() -> None:
    found = await ask("convert", moment="2026-07-01 12:00", zone="Europe/Berlin", to=["UTC", "Asia/Kolkata"])
    assert [each["iso"] for each in found["to"]] == ["2026-07-01T10:00:00+00:00", "2026-07-01T15:30:00+05:30"]
    assert found["from"]["is_daylight_saving"] is True
    with pytest.raises(PluginError, match="'to'"):
        await ask("convert", to=[])


async def test_a_month_is_shown_by_weekday() -> None:
    found = await ask("calendar", year=2024, month=2)
    assert (found["days"], found["first_weekday"], found["is_leap_year"]) == (29, "thursday", True)
    assert found["weeks"][0] == {"thursday": 1, "friday": 2, "saturday": 3, "sunday": 4}
    sunday = await ask("calendar", {"week_starts": "sunday"}, year=2024, month=2)
    assert next(iter(sunday["weeks"][1])) == "sunday"
    with pytest.raises(PluginError, match="1 to 12"):
        await ask("calendar", year=2024, month=13)


async def test_settings_say_where_and_how_moments_are_meant() -> None:
    american = {"time_zone": "America/New_York", "day_first": False}
    found = await ask("parse", american, text="03/04/2026")
    assert (found["iso"], found["weekday"]) == ("2026-03-04T00:00:00-05:00", "wednesday")
    with pytest.raises(ConfigError, match="Atlantis"):
        await ask("now", {"time_zone": "Atlantis"})


async def test_a_parameter_by_another_name_is_not_left_out_silently() -> None:
    async with PluginHarness(FOLDER) as dates:
        with pytest.raises(PluginError, match="now has no 'timezone'; it takes zone"):
            await dates.call("execute", action="now", parameters={"timezone": "Europe/Berlin"})


async def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(PluginError, match="unknown action 'sleep'"):
        await ask("sleep")


@given(
    st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1), timezones=st.just(BERLIN)),
    st.timedeltas(timedelta(0), timedelta(days=20000)),
)
def test_what_lies_between_leads_from_one_to_the_other(start: datetime, length: timedelta) -> None:
    start = start.replace(microsecond=0).astimezone(UTC).astimezone(BERLIN)  # a time that the clocks show
    end = (start.astimezone(UTC) + length).replace(microsecond=0).astimezone(BERLIN)
    found = Length.of(between(start, end)).after(start)
    assert abs((found.astimezone(UTC) - end.astimezone(UTC)).total_seconds()) <= 3600  # an hour that was left out


@given(st.dates(), st.integers(0, 400))
def test_working_days_are_counted_one_by_one(day: Any, length: int) -> None:
    try:
        end = day + timedelta(days=length)
    except OverflowError:
        return
    assert working_days(day, end) == sum((day + timedelta(days=each)).weekday() < 5 for each in range(length))

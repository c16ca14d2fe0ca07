"""Sessions: calendars against the clock, and how many bars a session should have."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from catalog.errors import DataUnavailable
from catalog.series import NANOS_PER_SECOND, BarSpec
from catalog.sessions import Sessions, calendar_sessions
from tests.outside import SHARED

LEAN = SHARED / "data/lean/market-hours-database.json.gz"
HOUR = 3_600 * NANOS_PER_SECOND


def moment(text: str, zone: str = "UTC") -> int:
    """A wall clock of a zone as ns UTC."""
    aware = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return int(aware.timestamp()) * NANOS_PER_SECOND


def year(number: int) -> tuple[int, int]:
    return moment(f"{number}-01-01"), moment(f"{number + 1}-01-01")


@pytest.fixture(scope="module")
def new_york() -> Sessions:
    return calendar_sessions("NASDAQ", year(2024), "regular")


def test_a_session_follows_the_exchange_clock_over_the_change_to_summer(new_york: Sessions) -> None:
    friday = new_york.for_date(date(2024, 3, 8))
    monday = new_york.for_date(date(2024, 3, 11))
    assert friday == (moment("2024-03-08T14:30"), moment("2024-03-08T21:00"))
    assert monday == (moment("2024-03-11T13:30"), moment("2024-03-11T20:00"))


def test_holidays_have_no_session_and_half_days_a_short_one(new_york: Sessions) -> None:
    assert new_york.for_date(date(2024, 7, 4)) is None
    half = new_york.for_date(date(2024, 7, 3))
    assert half == (
        moment("2024-07-03T09:30", new_york.zone),
        moment("2024-07-03T13:00", new_york.zone),
    )
    assert new_york.expected_bars(half, BarSpec.parse("1-MINUTE")) == 210


def test_extended_hours_of_a_half_day_end_four_hours_after_its_close() -> None:
    every = calendar_sessions("ARCA", year(2024), "all")
    zone = every.zone
    assert every.for_date(date(2024, 7, 2)) == (
        moment("2024-07-02T04:00", zone),
        moment("2024-07-02T20:00", zone),
    )
    assert every.for_date(date(2024, 7, 3)) == (
        moment("2024-07-03T04:00", zone),
        moment("2024-07-03T17:00", zone),
    )


def test_futures_break_for_an_hour_and_open_on_sunday() -> None:
    every = calendar_sessions("CME", year(2024), "all")
    monday, tuesday = (every.for_date(date(2024, 6, day)) for day in (3, 4))
    assert monday == (
        moment("2024-06-02T17:00", "America/Chicago"),
        moment("2024-06-03T16:00", "America/Chicago"),
    )
    assert tuesday is not None and monday is not None and tuesday[0] - monday[1] == HOUR
    assert every.expected_bars(monday, BarSpec.parse("1-HOUR")) == 23


def test_fx_trades_from_sunday_evening_to_friday_with_a_short_break_each_day() -> None:
    week = calendar_sessions(
        "IDEALPRO", (moment("2024-06-02T00:00"), moment("2024-06-08T00:00")), "all"
    )
    opens = [datetime.fromtimestamp(ns / 1e9, ZoneInfo(week.zone)) for ns in week.opens.tolist()]
    closes = [datetime.fromtimestamp(ns / 1e9, ZoneInfo(week.zone)) for ns in week.closes.tolist()]
    assert [f"{at:%a %H:%M}" for at in opens] == [
        f"{day} 17:15" for day in ("Sun", "Mon", "Tue", "Wed", "Thu")
    ]
    assert [f"{at:%a %H:%M}" for at in closes] == [
        f"{day} 17:00" for day in ("Mon", "Tue", "Wed", "Thu", "Fri")
    ]


def test_a_lunch_break_makes_two_sessions_of_one_date() -> None:
    tokyo = calendar_sessions(
        "TSEJ", (moment("2024-06-03T00:00"), moment("2024-06-04T00:00")), "regular"
    )
    assert len(tokyo) == 2
    assert tokyo.for_date(date(2024, 6, 3)) == (
        moment("2024-06-03T09:00", "Asia/Tokyo"),
        moment("2024-06-03T15:00", "Asia/Tokyo"),
    )
    assert tokyo.expected_bars(year(2024), BarSpec.parse("1-MINUTE")) == 300
    assert tokyo.expected_bars(year(2024), BarSpec.parse("1-DAY")) == 1


def test_an_unknown_venue_is_told() -> None:
    with pytest.raises(DataUnavailable, match="NOWHERE"):
        calendar_sessions("NOWHERE", year(2024), "regular")


def test_hours_of_a_stock_begin_at_the_open_and_then_at_full_hours(new_york: Sessions) -> None:
    day = new_york.for_date(date(2024, 6, 3))
    assert day is not None
    hourly = BarSpec.parse("1-HOUR")
    assert new_york.expected_bars(day, hourly) == 7
    assert new_york.expected_bars((day[0] + 1, day[1]), hourly) == 6
    assert new_york.expected_bars((day[0], day[0] + HOUR), hourly) == 2


def test_days_weeks_and_months_are_counted_by_trading_date(new_york: Sessions) -> None:
    june = (moment("2024-06-01"), moment("2024-07-01"))
    assert new_york.expected_bars(june, BarSpec.parse("1-DAY")) == 19
    assert new_york.expected_bars(june, BarSpec.parse("1-WEEK")) == 4
    assert new_york.expected_bars(year(2024), BarSpec.parse("1-MONTH")) == 12


def test_clipping_cuts_the_sessions_at_the_border(new_york: Sessions) -> None:
    day = new_york.for_date(date(2024, 6, 3))
    assert day is not None
    cut = new_york.clip((day[0] + HOUR, day[1] + 1))
    assert cut.intervals() == [(day[0] + HOUR, day[1])]


def lean(market: str, kind: str) -> set[date]:
    with gzip.open(LEAN) as text:
        days = json.load(text)["entries"][market][kind]
    return {datetime.strptime(day, "%m/%d/%Y").replace(tzinfo=UTC).date() for day in days}


def dates(sessions: Sessions, *, shorter_than: float = np.inf) -> set[date]:
    rows = sessions.closes - sessions.opens < shorter_than
    return set(sessions.dates[rows].astype("datetime64[D]").astype(object))


@pytest.mark.skipif(not LEAN.exists(), reason="LEAN's market hours are not here")
def test_us_stock_sessions_agree_with_lean() -> None:
    ours = calendar_sessions("NYSE", (moment("2008-01-01"), moment("2026-01-01")), "regular")
    days = {date(2008, 1, 1) + timedelta(days=n) for n in range(6575)}
    weekdays = {day for day in days if day.weekday() < 5}
    assert max(days) == date(2025, 12, 31)

    assert weekdays - dates(ours) == lean("Equity-usa-[*]", "holidays") & weekdays
    half_days = lean("Equity-usa-[*]", "earlyCloses") & dates(ours)
    assert dates(ours, shorter_than=6.5 * HOUR) == half_days


@pytest.mark.skipif(not LEAN.exists(), reason="LEAN's market hours are not here")
def test_index_futures_close_early_only_when_lean_says_so() -> None:
    ours = calendar_sessions("CME", (moment("2022-01-01"), moment("2026-01-01")), "all")
    short = dates(ours, shorter_than=23 * HOUR)
    missed_by_lean = {date(2024, 11, 29)}  # the Friday after Thanksgiving
    assert len(short) == 30
    assert short - lean("Future-cme-ES", "earlyCloses") == missed_by_lean
    assert np.all(ours.closes - ours.opens <= 23 * HOUR)

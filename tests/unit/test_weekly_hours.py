"""Sessions from the hours that contract details list for one week."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from catalog.errors import DataUnavailable
from core.ibkr.weekly_hours import weekly_sessions

NEW_YORK, CHICAGO, TOKYO = "America/New_York", "America/Chicago", "Asia/Tokyo"
# Monday was a holiday.
STOCK = (
    "20261116:CLOSED;20261117:0930-20261117:1600;20261118:0930-20261118:1600;"
    "20261119:0930-20261119:1600;20261120:0930-20261120:1300;20261121:CLOSED;20261122:CLOSED"
)
FUTURE = "20261115:1700-20261116:1600;20261116:1700-20261117:1600;20261121:CLOSED"
LUNCH = "20261117:0900-1130,1230-1530;20261118:0900-1130,1230-1530"


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def sessions(listed: str, zone: str, start: str, end: str) -> list[tuple[str, str, str]]:
    """Trading date, open and close of each session, in UTC."""
    found = weekly_sessions(listed, zone, (ns(start), ns(end)))
    assert found.source == "week"
    moments = [
        [f"{datetime.fromtimestamp(each // 10**9, UTC):%m-%d %H:%M}" for each in one]
        for one in found.intervals()
    ]
    dates = [str(day) for day in found.dates.astype("datetime64[D]")]
    return [(day, *one) for day, one in zip(dates, moments, strict=True)]


def test_a_workday_that_was_closed_that_week_has_the_hours_of_most_others() -> None:
    assert sessions(STOCK, NEW_YORK, "2026-11-23", "2026-11-30") == [
        ("2026-11-23", "11-23 14:30", "11-23 21:00"),
        ("2026-11-24", "11-24 14:30", "11-24 21:00"),
        ("2026-11-25", "11-25 14:30", "11-25 21:00"),
        ("2026-11-26", "11-26 14:30", "11-26 21:00"),
        ("2026-11-27", "11-27 14:30", "11-27 18:00"),
    ]


def test_the_clock_of_the_exchange_is_followed_through_the_year() -> None:
    assert sessions(STOCK, NEW_YORK, "2026-07-01", "2026-07-02") == [
        ("2026-07-01", "07-01 13:30", "07-01 20:00")
    ]


def test_a_night_session_belongs_to_the_day_on_which_it_closes() -> None:
    assert sessions(FUTURE, CHICAGO, "2026-11-22T23:30", "2026-11-23T12:00") == [
        ("2026-11-23", "11-22 23:00", "11-23 22:00")
    ]


def test_a_lunch_break_parts_a_day_also_in_the_older_form() -> None:
    assert sessions(LUNCH, TOKYO, "2026-11-24", "2026-11-24T12:00") == [
        ("2026-11-24", "11-24 00:00", "11-24 02:30"),
        ("2026-11-24", "11-24 03:30", "11-24 06:30"),
    ]


@pytest.mark.parametrize("listed", ["", "20261116:CLOSED", "closed for good"])
def test_without_any_hours_nothing_is_known(listed: str) -> None:
    with pytest.raises(DataUnavailable):
        sessions(listed, TOKYO, "2026-11-24", "2026-11-25")

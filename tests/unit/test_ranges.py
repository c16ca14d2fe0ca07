"""Typed times and the bar opens they mean."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest

from catalog.coverage import Interval
from catalog.errors import WrongInput
from catalog.series import BarSpec
from catalog.sessions import Sessions
from core.ranges import parse_time, read_range, resolve_range, spell_out

NEW_YORK = "America/New_York"
MINUTES, HOURS, DAYS = BarSpec(1, "MINUTE"), BarSpec(1, "HOUR"), BarSpec(1, "DAY")
NOW = datetime(2024, 7, 10, 12, tzinfo=UTC)


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def day_number(text: str) -> int:
    return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()


def sessions(*rows: tuple[str, str, str], zone: str = NEW_YORK) -> Sessions:
    """Sessions of (trading date, open, close in UTC)."""
    dates, opens, closes = zip(*rows, strict=True) if rows else ((), (), ())
    return Sessions(
        np.array([day_number(text) for text in dates], dtype=np.int64),
        np.array([ns(text) for text in opens], dtype=np.int64),
        np.array([ns(text) for text in closes], dtype=np.int64),
        zone,
        "broker",
    )


# The week of the fourth of July 2024: a half day before the holiday.
WEEK = sessions(
    ("2024-07-02", "2024-07-02T13:30", "2024-07-02T20:00"),
    ("2024-07-03", "2024-07-03T13:30", "2024-07-03T17:00"),
    ("2024-07-05", "2024-07-05T13:30", "2024-07-05T20:00"),
)


def resolved(
    start: str, end: str | None, spec: BarSpec, known: Sessions = WEEK, now: datetime = NOW
) -> Interval | None:
    return resolve_range(read_range(start, end, spec, now), spec, known, now)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("2024-01-31", date(2024, 1, 31)),
        ("2024-01-31T14:30", datetime(2024, 1, 31, 14, 30, tzinfo=UTC)),
        ("2024-01-31 14:30:05Z", datetime(2024, 1, 31, 14, 30, 5, tzinfo=UTC)),
        (
            "2024-01-31T09:30-05:00",
            datetime(2024, 1, 31, 9, 30, tzinfo=timezone(timedelta(hours=-5))),
        ),
    ],
)
def test_a_date_stays_a_date_and_a_time_without_zone_is_utc(text: str, meaning: object) -> None:
    assert parse_time(text) == meaning


@pytest.mark.parametrize(
    "text", ["", "31.01.2024", "2024-13-01", "now", "1969-12-31", "2200-01-01"]
)
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(WrongInput) as refused:
        parse_time(text)
    assert "2024-01-31" in refused.value.steps[0]


def test_dates_mean_whole_sessions_the_last_included() -> None:
    assert resolved("2024-07-02", "2024-07-03", MINUTES) == (
        ns("2024-07-02T13:30"),
        ns("2024-07-03T17:00"),
    )


def test_times_are_taken_as_they_are() -> None:
    assert resolved("2024-07-02T14:00", "2024-07-02T15:00", MINUTES) == (
        ns("2024-07-02T14:00"),
        ns("2024-07-02T15:00"),
    )


def test_a_bar_that_opens_before_the_end_is_asked_for_whole() -> None:
    assert resolved("2024-07-02T14:00", "2024-07-02T15:20", HOURS) == (
        ns("2024-07-02T14:00"),
        ns("2024-07-02T16:00"),
    )


def test_days_count_from_midnight_utc_of_their_date() -> None:
    assert resolved("2024-07-02", "2024-07-05", DAYS) == (
        ns("2024-07-02T00:00"),
        ns("2024-07-06T00:00"),
    )


def test_a_holiday_and_a_weekend_hold_nothing() -> None:
    assert resolved("2024-07-04", "2024-07-04", MINUTES) is None
    assert resolved("2024-07-06", "2024-07-07", DAYS, sessions()) is None
    assert resolved("2024-07-02T21:00", "2024-07-03T13:00", MINUTES) is None


def test_the_end_is_the_last_closed_bar() -> None:
    now = datetime(2024, 7, 5, 15, 10, 30, tzinfo=UTC)
    assert resolved("2024-07-05", "2024-07-05", MINUTES, now=now) == (
        ns("2024-07-05T13:30"),
        ns("2024-07-05T15:10"),
    )
    assert resolved("2024-07-05", None, HOURS, now=now) == (
        ns("2024-07-05T13:30"),
        ns("2024-07-05T15:00"),
    )


def test_a_session_that_has_closed_closes_its_last_bar_whatever_the_bar_size() -> None:
    now = datetime(2024, 7, 3, 17, 0, tzinfo=UTC)  # the half day has just ended
    four_hours = BarSpec(4, "HOUR")
    assert resolved("2024-07-03", "2024-07-03", four_hours, now=now) == (
        ns("2024-07-03T13:30"),
        ns("2024-07-03T17:00"),
    )


def test_a_day_is_closed_by_its_session_and_not_by_midnight() -> None:
    before = datetime(2024, 7, 5, 19, 59, tzinfo=UTC)
    after = datetime(2024, 7, 5, 20, 0, tzinfo=UTC)
    assert resolved("2024-07-03", None, DAYS, now=before) == (
        ns("2024-07-03T00:00"),
        ns("2024-07-05T00:00"),
    )
    end = resolved("2024-07-03", "2024-07-05", DAYS, now=after)
    assert end == (ns("2024-07-03T00:00"), ns("2024-07-06T00:00"))


def test_a_range_with_nothing_closed_yet_holds_nothing() -> None:
    now = datetime(2024, 7, 5, 13, 30, 40, tzinfo=UTC)
    assert resolved("2024-07-05", "2024-07-05", MINUTES, now=now) is None


def test_overnight_sessions_belong_to_their_trading_date() -> None:
    futures = sessions(
        ("2024-07-08", "2024-07-07T22:00", "2024-07-08T21:00"),
        ("2024-07-09", "2024-07-08T22:00", "2024-07-09T21:00"),
        zone="America/Chicago",
    )
    assert resolved("2024-07-08", "2024-07-08", MINUTES, futures) == (
        ns("2024-07-07T22:00"),
        ns("2024-07-08T21:00"),
    )


def test_the_span_of_dates_follows_the_clock_changes_of_the_exchange() -> None:
    typed = read_range("2024-03-08", "2024-03-11", MINUTES, NOW)
    assert typed.span(NEW_YORK) == (ns("2024-03-08T05:00"), ns("2024-03-12T04:00"))


def test_without_start_days_reach_back_a_year_and_minutes_a_week() -> None:
    assert read_range(None, "2024-07-01", DAYS, NOW).start == date(2023, 7, 2)
    assert read_range(None, None, MINUTES, NOW).start == date(2024, 7, 3)


def test_an_end_in_the_future_is_now() -> None:
    assert read_range("2024-07-01", "2025-01-01", MINUTES, NOW).end == date(2024, 7, 11)
    assert read_range("2024-07-01", "2025-01-01T00:00", MINUTES, NOW).end == NOW


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2024-07-03", "2024-07-02"),
        ("2024-07-03T15:00", "2024-07-03T15:00"),
        ("2024-07-03T15:00", "2024-07-03T14:00"),
        ("2024-07-12", None),
        ("2024-07-10T12:01", None),
        ("2030-01-01", "2030-02-01"),
    ],
)
def test_backward_ranges_and_starts_in_the_future_are_refused(start: str, end: str | None) -> None:
    with pytest.raises(WrongInput):
        read_range(start, end, MINUTES, NOW)


AUTUMN = sessions(
    *(
        (f"2026-{day}", f"2026-{day}T14:30", f"2026-{day}T21:00")
        for day in ("11-02", "11-06", "11-09", "11-13", "11-16", "11-18", "11-20")
    )
)


@pytest.mark.parametrize(
    ("now", "last"),
    [
        ("2026-11-18T22:30", "2026-11-16T00:00"),  # a Wednesday: this week is not over
        ("2026-11-20T20:00", "2026-11-16T00:00"),
        ("2026-11-21T00:00", "2026-11-22T00:00"),  # a Saturday: it is
    ],
)
def test_weeks_are_asked_for_whole_and_only_once_they_are_over(now: str, last: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    weeks = BarSpec(1, "WEEK")
    wanted = resolved("2026-11-04", None, weeks, AUTUMN, moment)
    assert wanted == (ns("2026-11-02T00:00"), ns(last))


def test_months_are_asked_for_whole_and_only_once_they_are_over() -> None:
    months = BarSpec(1, "MONTH")
    now = datetime(2026, 11, 30, 12, tzinfo=UTC)
    assert resolved("2026-11-04", "2026-11-20", months, AUTUMN, now) is None
    later = now + timedelta(days=1)
    assert resolved("2026-11-04", "2026-11-20", months, AUTUMN, later) == (
        ns("2026-11-01T00:00"),
        ns("2026-12-01T00:00"),
    )


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2023", "2023-01-01", "2023-12-31"),
        ("-30d", "2024-06-10", "2024-06-10"),
        ("-2w", "2024-06-26", "2024-06-26"),
        ("-1m", "2024-06-10", "2024-06-10"),
        ("-10M", "2023-09-10", "2023-09-10"),
        ("-1y", "2023-07-10", "2023-07-10"),
        ("ytd", "2024-01-01", "2024-01-01"),
        ("today", "2024-07-10", "2024-07-10"),
        ("2024-01-31T14:30", "2024-01-31T14:30", "2024-01-31T14:30"),
        ("yesteryear", "yesteryear", "yesteryear"),
    ],
)
def test_shorthands_stand_for_dates(text: str, start: str, end: str) -> None:
    assert spell_out(text, NOW) == start
    assert spell_out(text, NOW, end=True) == end


def test_a_month_before_a_longer_one_ends_with_its_last_day() -> None:
    assert spell_out("-1m", datetime(2024, 3, 31, tzinfo=UTC)) == "2024-02-29"


@pytest.mark.parametrize("text", ["2024-13", "-9999y", "0000"])
def test_shorthands_of_no_date_are_refused(text: str) -> None:
    with pytest.raises(WrongInput, match="is not a time"):
        spell_out(text, NOW)


def test_a_range_is_read_from_shorthands() -> None:
    typed = read_range("2024-05", "2024-05", MINUTES, NOW)
    assert (typed.start, typed.end) == (date(2024, 5, 1), date(2024, 5, 31))

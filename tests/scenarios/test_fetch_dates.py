"""Where bars lie in time: dates, closes, half days, clock changes, the first data there are."""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime

import pytest

from catalog.errors import DataUnavailable
from catalog.health import check
from catalog.series import BarSpec, Series
from core.fetch_events import CalendarUsed, DataBegin, NoLongerKept, NothingToDo
from core.jobs import JobProgress
from tests.scenarios.fetch_desk import Desk, ns

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_days_are_stamped_at_the_end_of_their_date(desk: Desk) -> None:
    fetched = await desk.fetch("SPY", "1-DAY-LAST", "2026-11-02", "2026-11-06")
    assert fetched.series is not None
    ts = desk.catalog.read_bars(fetched.series).ts.tolist()
    assert ts == [ns(f"2026-11-{day:02d}T23:59:59") + 999_999_999 for day in range(2, 7)]


@pytest.mark.parametrize(
    ("bars", "start", "end", "dates"),
    [
        ("1-WEEK-LAST", "2026-10-07", "2026-11-18", ["10-09", "10-16", "10-23", "10-30", "11-06"]),
        ("1-WEEK-LAST", "2026-06-15", "2026-06-19", ["06-18"]),  # Friday was a holiday
        ("1-MONTH-LAST", "2026-08-31", "2026-11-18", ["08-31", "09-30", "10-30"]),
    ],
)
async def test_weeks_and_months_carry_the_date_of_their_last_session(
    desk: Desk, bars: str, start: str, end: str, dates: list[str]
) -> None:
    fetched = await desk.fetch("AAPL", bars, start, end)
    assert fetched.series is not None
    ts = desk.catalog.read_bars(fetched.series).ts.tolist()
    told = [ns(f"2026-{day}T23:59:59") + 999_999_999 for day in dates]
    assert ts[: len(told)] == told
    assert len(ts) - len(told) == ("11-06" in dates)  # the week before this one
    assert fetched.requests == 3  # the contract, its sessions, the bars
    again = await desk.fetch("AAPL", bars, start, end)
    assert (again.outcome, again.requests) == ("nothing to do", 0)


async def test_a_day_counts_once_its_session_has_closed(desk: Desk) -> None:
    desk.now = datetime(2026, 11, 17, 20, 59, tzinfo=UTC)  # a minute before the close
    fetched = await desk.fetch("SPY", "1-DAY-LAST", "2026-11-16", None)
    assert (fetched.bars, fetched.held) == (1, 1)
    desk.now = datetime(2026, 11, 17, 21, 0, tzinfo=UTC)
    fetched = await desk.fetch("SPY", "1-DAY-LAST", "2026-11-16", None)
    assert (fetched.bars, fetched.held) == (1, 2)


async def test_a_bar_in_progress_is_left_for_later(desk: Desk) -> None:
    desk.now = datetime(2026, 11, 18, 15, 10, 30, tzinfo=UTC)
    fetched = await desk.fetch("SPY", "1-MINUTE-LAST", "2026-11-18T15:00", "2026-11-18T16:00")
    assert fetched.bars == 10
    desk.now = datetime(2026, 11, 18, 15, 12, tzinfo=UTC)
    fetched = await desk.fetch("SPY", "1-MINUTE-LAST", "2026-11-18T15:00", "2026-11-18T16:00")
    assert (fetched.bars, fetched.held) == (2, 12)


async def test_days_just_fetched_are_sound_against_the_calendar_too(desk: Desk) -> None:
    await desk.fetch("GDX", "1-DAY-LAST", "2026-02-02", "2026-02-27")
    ledger = desk.catalog.root / ".quarterdeck"  # without it nobody remembers the broker's sessions
    elsewhere = shutil.copytree(
        desk.catalog.root, desk.catalog.root.parent / "copy", ignore=lambda *_: [ledger.name]
    )
    now_ns = ns("2026-02-28T12:00")
    report = await asyncio.to_thread(check, elsewhere, now_ns=now_ns)
    assert [found for found in report.findings if found.severity != "notice"] == []


async def test_sixteen_years_of_days_come_in_few_requests(desk: Desk) -> None:
    fetched = await desk.fetch("AAPL", "1-DAY-LAST", "2010-01-01", "2025-12-31")
    assert desk.asked().count("historical_bars") == 3
    assert fetched.bars == fetched.held == 4_024


async def test_before_the_first_data_there_is_none_and_it_is_not_asked_for_again(
    desk: Desk,
) -> None:
    fetched = await desk.fetch("TSLA", "1-DAY-LAST", "2010-06-01", "2010-06-11")
    assert (fetched.outcome, fetched.error) == ("no data", None)
    assert desk.told(CalendarUsed)  # the broker has no schedule for that time
    progress = desk.told(JobProgress)[-1]  # that there are none is an answer, too
    assert progress.done == progress.total == 9
    again = await desk.fetch("TSLA", "1-DAY-LAST", "2010-06-01", "2010-06-11")
    assert (again.outcome, again.requests) == ("nothing to do", 0)


def no_calendar(venue: str, *_: object) -> None:
    raise DataUnavailable(f"the sessions of {venue} are not known")


async def test_without_schedule_and_calendar_the_hours_of_a_week_stand_in(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.fetch_plan.calendar_sessions", no_calendar)
    fetched = await desk.fetch("TSLA", "1-DAY-LAST", "2010-06-07", "2010-06-11")
    assert [told.source for told in desk.told(CalendarUsed)] == ["week"]
    assert (fetched.outcome, fetched.error) == ("no data", None)
    assert desk.told(JobProgress)[-1].done == 5  # days that the broker was asked for


async def test_what_reaches_back_before_the_first_data_is_asked_from_there_on(desk: Desk) -> None:
    fetched = await desk.fetch("TSLA", "1-MINUTE-LAST", "2010-03-01", "2010-06-30")
    assert fetched.bars == fetched.held == 2 * 390
    assert desk.asked().count("historical_bars") == 1
    again = await desk.fetch("TSLA", "1-MINUTE-LAST", "2010-03-01", "2010-06-30")
    assert again.requests == 0


async def test_years_before_the_first_data_are_not_asked_for_day_by_day(desk: Desk) -> None:
    fetched = await desk.fetch("TSLA", "1-MINUTE-LAST", "2009-01-02", "2010-06-11")
    assert (fetched.outcome, fetched.error) == ("no data", None)
    assert desk.told(DataBegin)
    assert "historical_bars" not in desk.asked()
    again = await desk.fetch("TSLA", "1-MINUTE-LAST", "2009-01-02", "2010-06-11")
    assert (again.outcome, again.requests) == ("nothing to do", 0)


async def test_seconds_older_than_six_months_are_not_asked_for(desk: Desk) -> None:
    series = Series("AAPL.NASDAQ", BarSpec(30, "SECOND"))
    old = await desk.fetch("AAPL", "30-SECOND-LAST", "2026-04-01", "2026-04-01")
    assert (old.outcome, old.error, desk.asked().count("historical_bars")) == ("no data", None, 0)
    assert [event.series for event in desk.told(NoLongerKept)] == [series]
    assert desk.catalog.covered(series) == []

    # 180 days before NOW it was Friday, the 22nd of May; the Monday after was a holiday.
    both = await desk.fetch("AAPL", "30-SECOND-LAST", "2026-05-22", "2026-05-26")
    assert (both.outcome, both.bars) == ("stored", 780)
    ((start, _),) = desk.catalog.covered(series)
    assert start == ns("2026-05-26T13:30")
    assert [event.begin for event in desk.told(NoLongerKept)] == [ns("2026-05-23T00:00")]


async def test_an_expired_future_is_fetched_too(desk: Desk) -> None:
    fetched = await desk.fetch("ESM5.CME", "1-HOUR-LAST", "2025-06-02", "2025-06-03")
    assert fetched.error is None
    assert fetched.bars == 46


async def test_overnight_futures_bars_belong_to_the_next_trading_date(desk: Desk) -> None:
    await desk.fetch("ESZ6.CME", "1-HOUR-LAST", "2026-11-16", "2026-11-16")  # a Monday
    ts = desk.catalog.read_bars(Series("ESZ6.CME", BarSpec(1, "HOUR"))).ts
    assert (ts[0], ts[-1]) == (ns("2026-11-16T00:00"), ns("2026-11-16T22:00"))


@pytest.mark.parametrize(("bars", "count"), [("1-MINUTE-LAST", 210), ("1-HOUR-LAST", 4)])
async def test_a_half_day_has_half_the_bars(desk: Desk, bars: str, count: int) -> None:
    fetched = await desk.fetch("AAPL", bars, "2025-11-27", "2025-11-28")  # Thanksgiving, and after
    assert (fetched.bars, fetched.held) == (count, count)
    again = await desk.fetch("AAPL", bars, "2025-11-27", "2025-11-28")
    assert again.requests == 0


async def test_over_a_clock_change_sessions_keep_their_local_time(desk: Desk) -> None:
    await desk.fetch("AAPL", "30-MINUTE-LAST", "2026-03-06", "2026-03-09")
    ts = desk.catalog.read_bars(Series("AAPL.NASDAQ", BarSpec(30, "MINUTE"))).ts.tolist()
    assert [ts[0], ts[13]] == [ns("2026-03-06T15:00"), ns("2026-03-09T14:00")]
    assert len(ts) == 26


async def test_on_a_weekend_there_is_nothing_to_do(desk: Desk) -> None:
    fetched = await desk.fetch("AAPL", "1-MINUTE-LAST", "2026-11-14", "2026-11-15")
    assert (fetched.outcome, fetched.error) == ("nothing to do", None)
    assert "closed" in desk.told(NothingToDo)[0].reason
    assert "historical_bars" not in desk.asked()

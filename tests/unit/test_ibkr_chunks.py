"""What is missing, cut into requests."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.coverage import Interval, intersect, union
from catalog.errors import WrongInput
from catalog.series import BarSpec
from catalog.sessions import Sessions
from core.ibkr.chunks import BARS_A_REQUEST, bar_size, before, once_more, plan, reached

SECOND_NS = 1_000_000_000
DAY_NS = 86_400 * SECOND_NS
FIRST = date(2023, 1, 2)  # a Monday
EPOCH = date(1970, 1, 1).toordinal()


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_NS


def weekdays(count: int, opens: str = "14:30", hours: float = 6.5) -> Sessions:
    """A session on each weekday from the first on."""
    days = [FIRST + timedelta(days=7 * (i // 5) + i % 5) for i in range(count)]
    starts = [ns(f"{day}T{opens}") for day in days]
    return Sessions(
        np.array([day.toordinal() - EPOCH for day in days], dtype=np.int64),
        np.array(starts, dtype=np.int64),
        np.array([start + int(hours * 3600) * SECOND_NS for start in starts], dtype=np.int64),
        "America/New_York",
        "broker",
    )


MINUTES, HOURS, DAYS = BarSpec(1, "MINUTE"), BarSpec(1, "HOUR"), BarSpec(1, "DAY")


def whole(sessions: Sessions) -> Interval:
    return int(sessions.opens[0]), int(sessions.closes[-1])


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (BarSpec(1, "SECOND"), "1 secs"),
        (MINUTES, "1 min"),
        (BarSpec(5, "MINUTE"), "5 mins"),
        (HOURS, "1 hour"),
        (BarSpec(4, "HOUR"), "4 hours"),
        (DAYS, "1 day"),
        (BarSpec(1, "WEEK"), "1 week"),
        (BarSpec(1, "MONTH"), "1 month"),
        *((BarSpec(step, "SECOND"), f"{step} secs") for step in (5, 10, 15, 30)),
    ],
)
def test_bar_sizes_have_the_brokers_names(spec: BarSpec, name: str) -> None:
    assert bar_size(spec) == name


@pytest.mark.parametrize("text", ["7-MINUTE", "60-MINUTE", "6-HOUR", "2-DAY", "2-WEEK", "3-MONTH"])
def test_other_bar_sizes_are_refused_naming_those_there_are(text: str) -> None:
    with pytest.raises(WrongInput) as refused:
        bar_size(BarSpec.parse(text))
    assert "1/2/3/5/10/15/20/30-MINUTE" in refused.value.reason


def test_an_hour_within_a_session_is_asked_for_in_seconds() -> None:
    (chunk,) = plan([(ns("2023-01-03T15:00"), ns("2023-01-03T16:00"))], MINUTES, weekdays(5))
    assert (chunk.duration, chunk.bars) == ("3600 S", 60)
    assert chunk.until_time == datetime(2023, 1, 3, 16, tzinfo=UTC)


def test_a_quarter_of_minutes_is_one_run_of_weeks() -> None:
    sessions = weekdays(65)
    chunks = plan([whole(sessions)], MINUTES, sessions)
    assert len(chunks) == 13
    assert {(chunk.duration, chunk.bars) for chunk in chunks} == {("5 D", 1_950)}
    assert all(chunk.until in sessions.closes for chunk in chunks)


def test_bars_of_more_than_a_minute_are_asked_for_in_days() -> None:
    (chunk,) = plan([(ns("2023-01-03T15:00"), ns("2023-01-03T16:00"))], HOURS, weekdays(5))
    assert chunk.duration == "1 D"


def test_a_session_of_many_seconds_is_cut_within() -> None:
    sessions = weekdays(1)
    chunks = plan([whole(sessions)], BarSpec(1, "SECOND"), sessions)
    assert [chunk.duration for chunk in chunks] == ["1999 S"] * 11 + ["1411 S"]
    again = [once_more(chunk, BarSpec(1, "SECOND")) for chunk in chunks]
    # IBKR gives no more than 2,000 seconds of them.
    assert [chunk.duration for chunk in again] == ["2000 S"] * 11 + ["1412 S"]


def test_asked_once_more_a_request_reaches_a_bar_or_a_session_further_back() -> None:
    sessions, spec = weekdays(2), BarSpec(30, "SECOND")
    for interval, durations in (
        (next(iter(sessions.intervals())), ("23400 S", "23430 S")),
        (whole(sessions), ("2 D", "3 D")),
    ):
        (chunk,) = plan([interval], spec, sessions)
        again = once_more(chunk, spec)
        assert (chunk.duration, again.duration) == durations
        assert (again.start, again.end, again.until) == (chunk.start, chunk.end, chunk.until)


def test_days_are_counted_in_sessions_and_many_of_them_in_years() -> None:
    sessions = weekdays(2_500)
    everything = (int(sessions.dates[0]) * DAY_NS, int(sessions.dates[-1] + 1) * DAY_NS)
    first, second = plan([everything], DAYS, sessions)
    assert (first.bars, first.duration) == (2_000, "8 Y")
    assert (second.bars, second.duration) == (500, "2 Y")
    (week,) = plan([(everything[0], everything[0] + 7 * DAY_NS)], DAYS, sessions)
    assert (week.duration, week.until) == ("5 D", int(sessions.closes[4]))


def test_closed_time_is_not_asked_for() -> None:
    assert plan([(ns("2023-01-07T00:00"), ns("2023-01-08T23:00"))], MINUTES, weekdays(10)) == []
    assert plan([(ns("2023-01-07T00:00"), ns("2023-01-09T00:00"))], DAYS, weekdays(10)) == []


def test_an_answer_speaks_for_the_sessions_from_its_first_bar_on() -> None:
    sessions = weekdays(5)
    (chunk,) = plan([whole(sessions)], MINUTES, sessions)
    late_in_first = int(sessions.opens[0]) + 90 * 60 * SECOND_NS
    in_third = int(sessions.opens[2]) + 60 * SECOND_NS
    assert reached(chunk, late_in_first, MINUTES, sessions) == chunk.start
    assert reached(chunk, chunk.start - DAY_NS, MINUTES, sessions) == chunk.start
    assert reached(chunk, in_third, MINUTES, sessions) == int(sessions.opens[2])
    rest = before(chunk, int(sessions.opens[2]), MINUTES, sessions)
    assert rest is not None
    assert (rest.start, rest.until, rest.duration) == (chunk.start, int(sessions.closes[1]), "2 D")
    assert before(chunk, chunk.start, MINUTES, sessions) is None


def test_an_answer_of_days_that_falls_short_leaves_the_days_before() -> None:
    sessions = weekdays(10)
    start = int(sessions.dates[0]) * DAY_NS
    (chunk,) = plan([(start, start + 14 * DAY_NS)], DAYS, sessions)
    third = int(sessions.dates[2]) * DAY_NS
    assert reached(chunk, third, DAYS, sessions) == third
    rest = before(chunk, third, DAYS, sessions)
    assert rest is not None
    assert (rest.bars, rest.duration) == (2, "2 D")


def test_parts_of_two_sessions_of_seconds_are_not_one_request() -> None:
    sessions = weekdays(2)
    around_the_night = (ns("2023-01-02T20:50"), ns("2023-01-03T14:40"))
    chunks = plan([around_the_night], BarSpec(1, "SECOND"), sessions)
    assert [chunk.duration for chunk in chunks] == ["600 S", "600 S"]


def test_weeks_and_months_are_asked_for_in_their_own_units_and_many_in_years() -> None:
    sessions = weekdays(2_500)  # nine years and a half
    first, last = int(sessions.dates[0]), int(sessions.dates[-1])
    for unit, weeks, duration in (("WEEK", 4, "5 W"), ("MONTH", 4, "2 M")):
        asked = (first * DAY_NS, (first + 7 * weeks) * DAY_NS)
        (chunk,) = plan([asked], BarSpec(1, unit), sessions)  # type: ignore[arg-type]
        assert chunk.duration == duration
        assert chunk.until == int(sessions.closes[5 * weeks - 1])
        asked = (first * DAY_NS, (last + 1) * DAY_NS)
        (chunk,) = plan([asked], BarSpec(1, unit), sessions)  # type: ignore[arg-type]
        assert chunk.duration == "10 Y"


def fewest(interval: Interval, spec: BarSpec, sessions: Sessions) -> int:
    """How many requests suffice if each holds whole sessions, or a part of one session."""
    counts = [sessions.expected_bars((a, b), spec) for a, b in sessions.clip(interval).intervals()]
    most = 2_000
    requests, room = 0, 0
    for count in counts:
        if count > most or spec.nanos == SECOND_NS:
            requests, room = requests + -(-count // most), 0
        elif count <= room:
            room -= count
        else:
            requests, room = requests + 1, most - count
    return requests


@pytest.mark.parametrize(
    ("text", "opens", "hours", "count", "at_most"),
    [
        ("1-MINUTE", "14:30", 6.5, 65, 13),  # a quarter of a stock: 25,350 bars
        ("5-MINUTE", "14:30", 6.5, 250, 10),
        ("1-HOUR", "14:30", 6.5, 250, 1),
        ("4-HOUR", "14:30", 6.5, 1_000, 2),
        ("8-HOUR", "14:30", 6.5, 1_000, 1),
        ("1-MINUTE", "00:00", 23.0, 60, 60),  # a future: one session is 1,380 bars
        ("5-SECOND", "14:30", 6.5, 5, 15),
        ("1-SECOND", "14:30", 6.5, 5, 60),
    ],
)
def test_requests_are_the_fewest_that_hold_whole_sessions(
    text: str, opens: str, hours: float, count: int, at_most: int
) -> None:
    spec, sessions = BarSpec.parse(text), weekdays(count, opens, hours)
    chunks = plan([whole(sessions)], spec, sessions)
    assert len(chunks) == fewest(whole(sessions), spec, sessions) <= at_most
    assert all(number_of_days(chunk.duration) <= 365 for chunk in chunks)


def number_of_days(duration: str) -> int:
    number, unit = duration.split()
    return int(number) if unit == "D" else 0


SPECS = st.sampled_from(
    [BarSpec(5, "SECOND"), MINUTES, BarSpec(3, "MINUTE"), BarSpec(30, "MINUTE"), HOURS, DAYS]
)


@given(
    SPECS,
    st.integers(1, 40),
    st.sampled_from([("14:30", 6.5), ("00:00", 23.0), ("09:00", 2.5)]),
    st.lists(st.tuples(st.integers(0, 56 * 1440), st.integers(1, 20_000)), max_size=4),
)
def test_requests_cover_exactly_the_missing_open_time(
    spec: BarSpec, count: int, hours: tuple[str, float], pieces: list[tuple[int, int]]
) -> None:
    sessions = weekdays(count, *hours)
    step = DAY_NS if spec is DAYS else 60 * SECOND_NS
    first = ns(f"{FIRST}T00:00") // step
    starts = [(first + start * 60 * SECOND_NS // step, length) for start, length in pieces]
    missing = union((start * step, (start + length) * step) for start, length in starts)
    chunks = plan(missing, spec, sessions)
    asked = [(chunk.start, chunk.end) for chunk in chunks]
    open_times = sessions.open_times(spec)

    assert intersect(asked, open_times) == intersect(missing, open_times)
    assert asked == sorted(asked)
    assert all(end <= later for (_, end), (later, _) in pairwise(asked))
    for chunk in chunks:
        number, unit = chunk.duration.split()
        assert 0 < int(number) <= {"S": 86_400, "D": 365, "Y": 68}[unit]
        assert chunk.bars <= BARS_A_REQUEST

"""Coverage told piece by piece: held, asked for in vain, never asked, closed, and holes."""

from __future__ import annotations

from datetime import date

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from catalog.layout import NANOS_PER_DAY as DAY
from catalog.series import BarSpec
from catalog.sessions import Sessions
from catalog.stretches import Hole, describe

MINUTE = 60 * 10**9
OPEN = 14 * 60 * MINUTE + 30 * MINUTE
MINUTES = BarSpec(1, "MINUTE")
DAYS = BarSpec(1, "DAY")
FIRST = date(2024, 1, 2).toordinal() - date(1970, 1, 1).toordinal()  # a Tuesday


def weekdays(count: int, *, without: tuple[int, ...] = (), minutes: int = 10) -> Sessions:
    """Sessions of ten minutes on weekdays from 2024-01-02 on, less the numbered days."""
    days = np.array(
        [FIRST + k for k in range(count) if (FIRST + k + 3) % 7 < 5 and k not in without]
    )
    opens = days * DAY + OPEN
    return Sessions(days, opens, opens + minutes * MINUTE, "UTC", "broker")


def stamps(day: int, *minutes: int) -> list[int]:
    """Closes of the bars that open these minutes after a day's open."""
    return [(FIRST + day) * DAY + OPEN + (minute + 1) * MINUTE for minute in minutes]


def whole(day: int, last: int | None = None) -> tuple[int, int]:
    """From midnight of one day to midnight after another."""
    return (FIRST + day) * DAY, (FIRST + (day if last is None else last) + 1) * DAY


def test_each_kind_of_time_is_told_apart() -> None:
    sessions = weekdays(14, without=(6,))  # Tuesday 2 to Monday 15, no session on Monday 8
    held = stamps(0, *range(10)) + stamps(1, *range(10)) + stamps(13, *range(10))
    told = describe(MINUTES, np.array(held), [whole(0, 2), whole(13)], whole(0, 13), sessions)
    assert [(one.state, one.bars) for one in told.stretches] == [
        ("held", 20),
        ("none", 0),
        ("missing", 0),
        ("held", 10),
    ]
    assert told.stretches[0].start == (FIRST + 0) * DAY + OPEN
    assert told.stretches[0].end == (FIRST + 1) * DAY + OPEN + 10 * MINUTE
    assert told.closed == (date(2024, 1, 8),)
    assert (told.holes, told.lacking, told.sessions) == ((), 0, "broker")


def test_bars_missing_inside_a_held_session_are_counted_with_their_times() -> None:
    held = stamps(0, 0, 1, 5, 6, 7)
    told = describe(MINUTES, np.array(held), [whole(0)], whole(0), weekdays(1))
    at = FIRST * DAY + OPEN
    assert told.holes == (
        Hole(at + 2 * MINUTE, at + 5 * MINUTE, 3),
        Hole(at + 8 * MINUTE, at + 10 * MINUTE, 2),
    )
    assert told.lacking == 5


def test_the_unasked_rest_of_a_session_is_missing_and_no_hole() -> None:
    at = FIRST * DAY + OPEN
    told = describe(
        MINUTES, np.array(stamps(0, 0, 1, 2)), [(at, at + 3 * MINUTE)], whole(0), weekdays(1)
    )
    assert [(one.state, one.start, one.end) for one in told.stretches] == [
        ("held", at, at + 3 * MINUTE),
        ("missing", at + 3 * MINUTE, at + 10 * MINUTE),
    ]
    assert told.holes == ()


def test_a_day_that_was_asked_and_has_no_bar_is_a_stretch_of_its_own() -> None:
    closes = np.array([(FIRST + k + 1) * DAY - 1 for k in (0, 1, 3)])
    told = describe(DAYS, closes, [whole(0, 3)], whole(0, 4), weekdays(5))
    assert [(one.state, one.bars) for one in told.stretches] == [
        ("held", 2),
        ("none", 0),
        ("held", 1),
    ]


def test_a_week_is_held_by_its_one_bar() -> None:
    friday = np.array([(FIRST + 3 + 1) * DAY - 1])
    told = describe(BarSpec(1, "WEEK"), friday, [whole(0, 13)], whole(0, 13), weekdays(14))
    assert [(one.state, one.bars) for one in told.stretches] == [("held", 1), ("none", 0)]


def test_without_sessions_all_time_counts_as_open() -> None:
    told = describe(MINUTES, np.array(stamps(0, 0)), [whole(0), whole(2)], whole(0, 2), None)
    assert [one.state for one in told.stretches] == ["held", "missing", "none"]
    assert (told.closed, told.holes, told.sessions) == ((), (), None)


@given(
    held=st.sets(st.tuples(st.integers(0, 8), st.integers(0, 9))),
    asked=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=4),
)
def test_held_holes_and_stretches_account_for_every_expected_bar(
    held: set[tuple[int, int]], asked: list[tuple[int, int]]
) -> None:
    sessions, span = weekdays(9), whole(0, 8)
    covered = [whole(*sorted(pair)) for pair in asked]
    at = sorted(
        stamp
        for day, minute in held
        if (FIRST + day) in sessions.dates
        for stamp in stamps(day, minute)
        if any(start <= stamp - MINUTE < end for start, end in covered)
    )
    told = describe(MINUTES, np.array(at, dtype=np.int64), covered, span, sessions)
    missing = [one for one in told.stretches if one.state != "held"]
    without = sum(sessions.expected_bars((one.start, one.end), MINUTES) for one in missing)
    assert sum(one.bars for one in told.stretches) == len(at)
    assert len(at) + told.lacking + without == sessions.expected_bars(span, MINUTES)
    assert all(a.end <= b.start for a, b in zip(told.stretches, told.stretches[1:], strict=False))

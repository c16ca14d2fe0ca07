"""Interval algebra against sets of moments."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from catalog import coverage
from catalog.coverage import Interval

SPAN = 40
intervals = st.lists(
    st.tuples(st.integers(0, SPAN), st.integers(0, SPAN)).map(lambda pair: (min(pair), max(pair))),
    max_size=8,
)


def moments(some: list[Interval]) -> set[int]:
    return {moment for start, end in some for moment in range(start, end)}


def is_canonical(some: list[Interval]) -> bool:
    borders = [border for interval in some for border in interval]
    return all(one < other for one, other in pairwise(borders))


@given(intervals)
def test_union_is_all_the_moments_in_order_and_apart(some: list[Interval]) -> None:
    assert moments(coverage.union(some)) == moments(some)
    assert is_canonical(coverage.union(some))


@given(intervals, intervals)
def test_intersection_and_difference_are_those_of_the_moments(
    these: list[Interval], those: list[Interval]
) -> None:
    common, rest = coverage.intersect(these, those), coverage.subtract(these, those)
    assert moments(common) == moments(these) & moments(those)
    assert moments(rest) == moments(these) - moments(those)
    assert is_canonical(common) and is_canonical(rest)


@given(st.tuples(st.integers(0, 20), st.integers(20, SPAN)), intervals, intervals)
def test_missing_asks_for_all_that_is_open_and_nothing_that_was_answered(
    wanted: Interval, covered: list[Interval], open_times: list[Interval]
) -> None:
    pieces = coverage.missing(wanted, covered, open_times)
    needed = (moments([wanted]) & moments(open_times)) - moments(covered)
    answered = (moments([wanted]) & moments(open_times)) & moments(covered)

    assert needed <= moments(pieces) <= moments([wanted])
    assert not moments(pieces) & answered
    assert is_canonical(pieces)
    for start, end in pieces:
        assert {start, end - 1} <= needed, "a piece begins and ends where something is needed"


@given(st.tuples(st.integers(0, 20), st.integers(21, SPAN)), intervals)
def test_without_sessions_all_time_counts_as_open(
    wanted: Interval, covered: list[Interval]
) -> None:
    assert moments(coverage.missing(wanted, covered, None)) == moments([wanted]) - moments(covered)


def test_whole_missing_sessions_are_one_request_and_an_answered_one_parts_them() -> None:
    days = [(10, 15), (20, 25), (30, 35), (40, 45)]
    assert coverage.missing((0, 50), [], days) == [(10, 45)]
    assert coverage.missing((0, 50), [(20, 25)], days) == [(10, 15), (30, 45)]
    assert coverage.missing((0, 50), [(10, 45)], days) == []
    assert coverage.missing((15, 20), [], days) == []

"""Interval algebra: what is covered, and what is missing of what is wanted.

An interval is half-open over bar opens, in ns UTC. Bars of a day and longer count as opening at
00:00 UTC of their date. Lists of intervals are sorted, disjoint and free of empty ones.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

type Interval = tuple[int, int]


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """All the given time, neighbours that touch joined; the order given does not matter."""
    joined: list[Interval] = []
    for start, end in sorted(intervals):
        if start >= end:
            continue
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def intersect(these: Iterable[Interval], those: Iterable[Interval]) -> list[Interval]:
    """The time in both."""
    left, right = union(these), union(those)
    common: list[Interval] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            common.append((start, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return common


def subtract(these: Iterable[Interval], those: Iterable[Interval]) -> list[Interval]:
    """The time in `these` and not in `those`."""
    taken = union(those)
    left: list[Interval] = []
    j = 0
    for start, end in union(these):
        while j < len(taken) and taken[j][1] <= start:
            j += 1
        k = j
        while k < len(taken) and taken[k][0] < end:
            if start < taken[k][0]:
                left.append((start, taken[k][0]))
            start = max(start, taken[k][1])
            k += 1
        if start < end:
            left.append((start, end))
    return left


def missing(
    wanted: Interval, covered: Iterable[Interval], open_times: Iterable[Interval] | None
) -> list[Interval]:
    """What must still be asked for: wanted ∩ open times - covered.

    Missing pieces with only closed time between them are one piece, so that a run of whole
    sessions is one request. Without `open_times` all time counts as open.
    """
    if open_times is None:
        return subtract([wanted], covered)
    open_wanted = intersect([wanted], open_times)
    lacking = subtract(open_wanted, covered)
    answered = subtract(open_wanted, lacking)
    answers = [start for start, _ in answered]
    pieces: list[Interval] = []
    for start, end in lacking:
        if pieces and bisect_left(answers, pieces[-1][1]) == bisect_left(answers, start):
            pieces[-1] = (pieces[-1][0], end)
        else:
            pieces.append((start, end))
    return pieces

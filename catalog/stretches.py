"""What is known of a series over time: held, asked for in vain, never asked, or closed.

All times are ns UTC in the coordinate of coverage: over bar opens, 00:00 UTC of its date for a bar
of a day and longer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Literal

import numpy as np

from catalog import workers
from catalog.columns import Ints
from catalog.coverage import Interval, union
from catalog.errors import DataUnavailable
from catalog.layout import NANOS_PER_DAY, open_of
from catalog.series import BarSpec, Series
from catalog.sessions import Sessions, Source, calendar_sessions, period_of

if TYPE_CHECKING:
    from catalog.store import Catalog

type State = Literal["held", "none", "missing"]
"""Bars are held; it was asked and the broker has none; it was never asked."""

_EPOCH = date(1970, 1, 1).toordinal()
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Stretch:
    """Open time of one state, with the bars held in it; closed time inside does not count."""

    state: State
    start: int
    end: int
    bars: int


@dataclass(frozen=True, slots=True)
class Hole:
    """Bars that a session which holds others lacks: those that would open in [start, end)."""

    start: int
    end: int
    bars: int


@dataclass(frozen=True, slots=True)
class Coverage:
    """A span of a series, piece by piece.

    `closed` are the weekdays without any session. `holes` is about bars of less than a day: a day
    without its bar is a stretch of its own. Without known `sessions` all time counts as open, and
    neither closed days nor holes can be told.
    """

    span: Interval
    stretches: tuple[Stretch, ...]
    closed: tuple[date, ...]
    holes: tuple[Hole, ...]
    sessions: Source | None

    @property
    def lacking(self) -> int:
        """How many bars the held sessions lack."""
        return sum(hole.bars for hole in self.holes)


def coverage(catalog: Catalog, series: Series, span: Interval | None = None) -> Coverage:
    """The coverage of a series in a span, or between the first and the last moment asked for.

    Sessions that the broker never told are those of a calendar, computed in a worker process; may
    block on it and on the disk. Raises `DataUnavailable` when nothing of the series is stored,
    `DamagedFile` when one of its files cannot be read.
    """
    covered, hours = catalog.covered(series), catalog.hours(series)
    if covered and not catalog.files(series):
        stamps = np.empty(0, dtype=np.int64)
    else:
        stamps = catalog.read_bars(series).ts
    span = span or (covered[0][0], covered[-1][1])
    sessions = None if hours is None else catalog.sessions(series.instrument_id, hours, span)
    if hours is not None and sessions is None:
        with suppress(DataUnavailable):
            sessions = workers.run_blocking(calendar_sessions, series.venue, span, hours)
    return describe(series.spec, stamps, covered, span, sessions)


def describe(
    spec: BarSpec,
    stamps: Ints,
    covered: Sequence[Interval],
    span: Interval,
    sessions: Sessions | None,
) -> Coverage:
    """Coverage of a span by bars with these stamps (sorted), of which `covered` was asked.

    `sessions` are those that touch the span.
    """
    opens = open_of(stamps, spec)
    if sessions is None:
        pieces = list(_stretches([span], opens, union(covered)))
        return Coverage(span, tuple(_joined(pieces)), (), (), None)
    pieces = list(_stretches(_periods(sessions, spec, span), opens, union(covered)))
    holes = _holes(sessions, spec, opens, pieces) if spec.intraday else ()
    return Coverage(span, tuple(_joined(pieces)), _closed(sessions), tuple(holes), sessions.source)


def _periods(sessions: Sessions, spec: BarSpec, span: Interval) -> Iterator[Interval]:
    """The open times of the span of which each is answered by bars of its own: sessions, dates,
    weeks or months."""
    if spec.intraday:
        periods = sessions.intervals()
    else:
        days = np.unique(sessions.dates)
        _, firsts = np.unique(period_of(days, spec), return_index=True)
        lasts = np.append(firsts[1:], len(days)) - 1
        periods = [
            (first * NANOS_PER_DAY, (last + 1) * NANOS_PER_DAY)
            for first, last in zip(days[firsts].tolist(), days[lasts].tolist(), strict=True)
        ]
    for start, end in periods:
        start, end = max(start, span[0]), min(end, span[1])
        if start < end:
            yield start, end


def _stretches(
    periods: Iterable[Interval], opens: Ints, covered: Sequence[Interval]
) -> Iterator[Stretch]:
    starts = [start for start, _ in covered]
    for start, end in periods:
        at = start
        for asked in covered[max(bisect_right(starts, start) - 1, 0) :]:
            if asked[0] >= end:
                break
            first, last = max(asked[0], at), min(asked[1], end)
            if first >= last:
                continue
            if at < first:
                yield Stretch("missing", at, first, 0)
            bars = int(np.diff(np.searchsorted(opens, (first, last)))[0])
            yield Stretch("held" if bars else "none", first, last, bars)
            at = last
        if at < end:
            yield Stretch("missing", at, end, 0)


def _joined(pieces: Iterable[Stretch]) -> Iterator[Stretch]:
    current: Stretch | None = None
    for one in pieces:
        if current is not None and current.state == one.state:
            current = replace(current, end=one.end, bars=current.bars + one.bars)
            continue
        if current is not None:
            yield current
        current = one
    if current is not None:
        yield current


def _holes(
    sessions: Sessions, spec: BarSpec, opens: Ints, pieces: Sequence[Stretch]
) -> Iterator[Hole]:
    held = [(one.start, one.end) for one in pieces if one.state == "held"]
    for start, end in held:
        expected = sessions.bar_opens((start, end), spec)
        lacking = ~np.isin(expected, opens, assume_unique=True)
        edges = np.flatnonzero(np.diff(np.concatenate(([False], lacking, [False]))))
        for first, after in edges.reshape(-1, 2).tolist():
            stop = int(expected[after]) if after < len(expected) else end
            yield Hole(int(expected[first]), stop, after - first)


def _closed(sessions: Sessions) -> tuple[date, ...]:
    """The weekdays between the first and the last session that have none."""
    if not len(sessions):
        return ()
    days = set(sessions.dates.tolist())
    idle = (day for day in range(min(days), max(days) + 1) if day not in days)
    found = (date.fromordinal(_EPOCH + day) for day in idle)
    return tuple(day for day in found if day.weekday() < _SATURDAY)

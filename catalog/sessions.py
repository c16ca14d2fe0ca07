"""When a market was open: the sessions of an instrument, by trading date."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt

from catalog.columns import Ints
from catalog.coverage import Interval
from catalog.layout import NANOS_PER_DAY
from catalog.series import BarSpec

type Hours = Literal["regular", "all"]
"""Regular trading hours, or all hours the market is open (extended, overnight)."""

type Source = Literal["broker", "calendar", "week"]

_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """Sessions in time order, one array a column, all of length n.

    `dates` are trading dates in days since 1970-01-01, `opens` and `closes` moments in ns UTC;
    a session is half-open. A date with a break has several rows. `zone` is the exchange's IANA
    zone; `source` says whether the broker told them, a calendar was computed, or the hours of one
    week were taken for all.
    """

    dates: Ints
    opens: Ints
    closes: Ints
    zone: str
    source: Source

    def __len__(self) -> int:
        return len(self.dates)

    def take(self, rows: npt.NDArray[np.bool_]) -> Sessions:
        """The sessions of the given rows."""
        return replace(
            self, dates=self.dates[rows], opens=self.opens[rows], closes=self.closes[rows]
        )

    def intervals(self) -> list[Interval]:
        """The open times, moments in ns UTC."""
        return list(zip(self.opens.tolist(), self.closes.tolist(), strict=True))

    def open_times(self, spec: BarSpec) -> list[Interval]:
        """The open times in the coordinate of a series: for bars of a day and longer each trading
        date counts from 00:00 to 24:00 UTC."""
        if spec.intraday:
            return self.intervals()
        starts = np.unique(self.dates) * NANOS_PER_DAY
        return list(zip(starts.tolist(), (starts + NANOS_PER_DAY).tolist(), strict=True))

    def clip(self, interval: Interval) -> Sessions:
        """The sessions that touch the interval, those at its borders cut to it."""
        start, end = interval
        touching = self.take((self.closes > start) & (self.opens < end))
        return replace(
            touching,
            opens=np.maximum(touching.opens, start),
            closes=np.minimum(touching.closes, end),
        )

    def for_date(self, day: date) -> Interval | None:
        """The first open and last close of a trading date, or None when there was no session."""
        rows = np.flatnonzero(self.dates == day.toordinal() - _EPOCH)
        if not len(rows):
            return None
        return int(self.opens[rows[0]]), int(self.closes[rows[-1]])

    def expected_bars(self, interval: Interval, spec: BarSpec) -> int:
        """How many bars of the series open in the interval if every bar of every session exists.

        Intraday bars begin at a session's open and then at each multiple of their span since
        1970 UTC (IBKR's hours of a US stock begin 09:30, 10:00, 11:00). One bar a trading date
        for days; weeks and months count the dates' weeks and months, a started one included.
        """
        start, end = interval
        if not spec.intraday:
            opens = np.unique(self.dates) * NANOS_PER_DAY
            days = np.unique(self.dates)[(opens >= start) & (opens < end)]
            return -(-len(np.unique(period_of(days, spec))) // spec.step)
        first, last = np.maximum(self.opens, start), np.minimum(self.closes, end)
        inside = first < last
        on_grid = -(-last // spec.nanos) + (-first // spec.nanos)
        opening = (self.opens >= start) & (self.opens % spec.nanos != 0)
        return int(np.sum((on_grid + opening)[inside]))

    def bar_opens(self, interval: Interval, spec: BarSpec) -> Ints:
        """When the intraday bars open in the interval that `expected_bars` counts, ns UTC."""
        start, end = interval
        touching = (self.closes > start) & (self.opens < end)
        opens: list[Ints] = [np.empty(0, dtype=np.int64)]
        for session_open, close in self.take(touching).intervals():
            first, last = max(session_open, start), min(close, end)
            if session_open >= start and session_open % spec.nanos:
                opens.append(np.array([session_open]))
            opens.append(np.arange(-(-first // spec.nanos) * spec.nanos, last, spec.nanos))
        return np.concatenate(opens)


def period_of(days: Ints, spec: BarSpec) -> Ints:
    """Which day, week or month each date (days since 1970-01-01) belongs to, as a number."""
    if spec.unit == "MONTH":
        return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    if spec.unit == "WEEK":
        return (days + 3) // 7  # 1970-01-01 was a Thursday
    return days


def calendar_sessions(venue: str, span: Interval, hours: Hours) -> Sessions:
    """The sessions that touch `span` (ns UTC) on a venue of IBKR, or in a calendar of
    exchange_calendars such as XLON, when the broker has not told them.

    Imports pandas: call it in a worker, `workers.run_blocking(calendar_sessions, ...)`. Raises
    `DataUnavailable` when nothing is known about the venue.
    """
    from catalog.calendars import compute

    return compute(venue, span, hours)

"""Longer bars from stored shorter ones, without the broker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar
from zoneinfo import ZoneInfo

import numpy as np

from catalog import workers
from catalog.columns import BarColumns, Ints
from catalog.coverage import missing, subtract
from catalog.errors import DataUnavailable, WrongInput
from catalog.events import Event, Report, ignore
from catalog.series import NANOS_PER_SECOND, BarSpec, Series
from catalog.sessions import Hours, Sessions, calendar_sessions
from catalog.store import Catalog
from core.writing import write

_NANOS_PER_DAY = 86_400 * NANOS_PER_SECOND


@dataclass(frozen=True, slots=True)
class BarsDerived(Event):
    """Longer bars were made of stored ones and stored."""

    channel: ClassVar[str] = "fetch"

    series: Series
    source: Series
    bars: int
    sessions: int

    def __str__(self) -> str:
        return (
            f"{self.series}: {self.bars:,} new bars from {self.source.spec}, "
            f"of {self.sessions:,} whole sessions"
        )


async def derive(
    source: Series, spec: BarSpec, *, catalog: Catalog, report: Report = ignore
) -> int:
    """Store the bars of `spec` that the stored bars of `source` make up; gives how many are new.

    Only whole sessions count: a bar of a session that is held in part would be another one than
    the broker's. Raises `WrongInput` for a size that the source's does not divide, or another
    price; `DataUnavailable` when nothing, or no whole session, of the source is stored.
    """
    _require_divisible(source.spec, spec)
    series = Series(source.instrument_id, spec)
    definition = await asyncio.to_thread(catalog.instrument, source.instrument_id)
    covered = await asyncio.to_thread(catalog.covered, source)
    if definition is None or not covered:
        raise DataUnavailable(
            f"no bars of {source} are stored",
            f"{spec} bars are made of them",
            f"quarterdeck fetch {source.instrument_id} --bars {source.spec} --start T",
        )
    hours = await asyncio.to_thread(catalog.hours, source) or "regular"
    span = (covered[0][0], covered[-1][1])
    sessions = await asyncio.to_thread(catalog.sessions, source.instrument_id, hours, span)
    if sessions is None:
        sessions = await workers.run(calendar_sessions, source.venue, span, hours)
    step = _Derivation(source, series, catalog, sessions, hours)
    stored, whole = await write(step.store, report)
    report(BarsDerived(series, source, stored, whole))
    return stored


@dataclass(frozen=True, slots=True)
class _Derivation:
    """Longer bars being made of a series; all of it blocks."""

    source: Series
    series: Series
    catalog: Catalog
    sessions: Sessions
    hours: Hours

    def store(self, report: Report) -> tuple[int, int]:
        """Store the bars of all whole sessions; gives how many are new, and the sessions."""
        whole = self._whole_sessions()
        if not len(whole):
            raise DataUnavailable(
                f"no whole session of {self.source} is stored",
                f"{self.series.spec} bars of a part of a session would be others than the broker's",
                "fetch whole trading dates: --start and --end without a time",
            )
        spec = self.series.spec
        bars = aggregate(self.catalog.read_bars(self.source), self.source.spec, spec, whole)
        parts = self.sessions.take(~np.isin(self.sessions.dates, whole.dates))
        times = whole.open_times(spec)
        everything = (times[0][0], times[-1][1])
        stored = 0
        for asked in missing(everything, parts.open_times(spec), self.sessions.open_times(spec)):
            stored += self.catalog.store_bars(
                self.series,
                bars,
                asked=asked,
                hours=self.hours,
                con_id=self.catalog.con_id(self.series.instrument_id),
                origin=self.catalog.origin or "real",
                report=report,
            )
        return stored, len(whole)

    def _whole_sessions(self) -> Sessions:
        covered = self.catalog.covered(self.source)
        whole = [not subtract([one], covered) for one in self.sessions.intervals()]
        # Of a date with a break, all parts.
        broken = set(self.sessions.dates[~np.array(whole, dtype=np.bool_)].tolist())
        return self.sessions.take(~np.isin(self.sessions.dates, list(broken)))


def aggregate(bars: BarColumns, source: BarSpec, spec: BarSpec, sessions: Sessions) -> BarColumns:
    """The bars of `spec` that the `source` bars of these sessions make up.

    Intraday bars begin at a session's open and then at each multiple of their span by the clock of
    the exchange, as IBKR's do (09:30, 10:00, 11:00); a day is all sessions of its date.
    """
    opens = bars.ts - source.nanos
    session = np.searchsorted(sessions.opens, opens, side="right") - 1
    inside = (session >= 0) & (opens < sessions.closes[session.clip(min=0)])
    bars, session, opens = bars.take(inside), session[inside], opens[inside]
    if not len(bars):
        return bars
    if spec.intraday:
        ahead = _ahead_of_utc(sessions)[session]
        begins = (opens + ahead) // spec.nanos * spec.nanos - ahead
        begins = np.maximum(begins, sessions.opens[session])
        stamps = begins + spec.nanos
    else:
        stamps = (sessions.dates[session] + 1) * _NANOS_PER_DAY - 1
    firsts = np.flatnonzero(np.diff(stamps, prepend=-1))
    lasts = np.append(firsts[1:], len(bars)) - 1
    return BarColumns(
        stamps[firsts],
        bars.open[firsts],
        np.maximum.reduceat(bars.high, firsts),
        np.minimum.reduceat(bars.low, firsts),
        bars.close[lasts],
        np.add.reduceat(bars.volume, firsts),
        bars.price_precision,
        bars.size_precision,
    )


def _ahead_of_utc(sessions: Sessions) -> Ints:
    """How far the exchange's clock is ahead at each session's open, ns."""
    zone = ZoneInfo(sessions.zone)
    moments = (
        datetime.fromtimestamp(at // NANOS_PER_SECOND, zone) for at in sessions.opens.tolist()
    )
    shifts = (moment.utcoffset() or timedelta() for moment in moments)
    return np.array([int(one.total_seconds()) * NANOS_PER_SECOND for one in shifts], dtype=np.int64)


def _require_divisible(source: BarSpec, spec: BarSpec) -> None:
    if spec.side != source.side:
        raise WrongInput(
            f"{spec} bars cannot be made of {source}",
            "they are of another price",
            f"write {spec.with_side(source.side)}",
        )
    hour = 3_600 * NANOS_PER_SECOND
    long_enough = spec.nanos > source.nanos and spec.nanos % source.nanos == 0
    known_grid = spec == BarSpec(1, "DAY", spec.side) or (spec.intraday and hour % spec.nanos == 0)
    if not (source.intraday and long_enough and known_grid):
        raise WrongInput(
            f"{spec} bars cannot be made of {source}",
            "made are bars that divide an hour, and days, of shorter bars that divide them",
            f"fetch them: quarterdeck fetch ID --bars {spec}",
        )

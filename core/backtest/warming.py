"""Bars before the start of a run, for its indicators to begin with."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np

from catalog.coverage import Interval
from catalog.layout import NANOS_PER_DAY
from core.backtest.data import InstrumentData, RunData
from core.backtest.gathering import Gathering
from core.backtest.spec import RunSpec

_OPEN_PART = 0.15
"""The part of all time that a market is open at the least: stocks 6.5 hours on 250 days."""
_CLOSED_DAYS = 10


async def with_warm_up(spec: RunSpec, data: RunData, gathering: Gathering) -> RunData:
    """The data with the files of `spec.warm_up` bars before the start, fetched where they are
    missing and may be.

    What cannot be had is left out: the run tells how many bars there were.
    """
    start = data.interval[0]
    found = [await _warmed(each, spec, data.interval, gathering) for each in data.instruments]
    warm_from = min((begin for _, begin in found), default=start)
    return replace(
        data, instruments=tuple(each for each, _ in found), warm_from=min(warm_from, start)
    )


async def _warmed(
    each: InstrumentData, spec: RunSpec, interval: Interval, gathering: Gathering
) -> tuple[InstrumentData, int]:
    begin = await asyncio.to_thread(_begin, each, spec, interval[0], gathering)
    for series in each.series:
        await gathering.fetch(each.instrument_id, series.spec, (begin, interval[0]))
    return await asyncio.to_thread(_with_files, each, (begin, interval[1]), gathering), begin


def _begin(each: InstrumentData, spec: RunSpec, start: int, gathering: Gathering) -> int:
    """The open of the first bar of the warm-up, by the market's sessions; there is a week and a
    month without any."""
    if spec.bars.unit == "MONTH":
        back = np.timedelta64(spec.warm_up * spec.bars.step, "M")
        month = np.datetime64(start, "ns").astype("M8[M]") - back
        return max(int(month.astype("M8[ns]").astype(np.int64)), 0)
    if spec.bars.unit == "WEEK":
        return max(start - spec.warm_up * spec.bars.nanos, 0)
    reach = int(spec.warm_up * spec.bars.nanos / _OPEN_PART) + _CLOSED_DAYS * NANOS_PER_DAY
    if not spec.bars.intraday:
        reach = spec.warm_up * spec.bars.nanos * 2 + _CLOSED_DAYS * NANOS_PER_DAY
    span = (max(start - reach, 0), start)
    sessions = gathering.sessions(each.series[0], span)
    if sessions is None:
        return span[0]
    left = spec.warm_up
    for opened, closed in reversed(sessions.open_times(spec.bars)):
        session = (max(opened, span[0]), min(closed, start))
        bars = sessions.expected_bars(session, spec.bars) if session[0] < session[1] else 0
        if bars >= left:
            return max(session[0], session[1] - left * spec.bars.nanos)
        left -= bars
    return span[0]


def _with_files(each: InstrumentData, interval: Interval, gathering: Gathering) -> InstrumentData:
    catalog = gathering.catalog
    files = [file for one in each.series for file in catalog.checked_files(one, *interval)]
    if each.only_sessions:  # bars of the warm-up are left out by them too
        known = gathering.sessions(each.series[0], interval)
        each = replace(each, sessions=known or each.sessions)
    return replace(each, files=tuple(files))

"""Answers to historical requests: bars, schedules, head timestamps."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from core.simulator.bars import Bars, BarSource
from core.simulator.contracts import Instrument, find_one
from core.simulator.hours import sessions
from core.simulator.market import Market
from core.simulator.protocol import Refusal
from core.simulator.queries import (
    DAY,
    SCHEDULE,
    SHOWN_AS,
    WEEK,
    BarQuery,
    Duration,
    HeadQuery,
    no_data,
    no_history,
    parse_end,
)

# IBKR keeps the history of a future for two years after its last day.
KEPT_AFTER_EXPIRY = timedelta(days=730)
# This gateway has no bars of seconds.
SMALLEST_STEP = 60


@dataclass(frozen=True)
class _Span:
    """The sessions a request reaches into, as a range of indices, and moments in epoch seconds.

    ``until`` is the end asked for, or ``now`` where that lies in the future.
    """

    first: int
    stop: int
    start: int
    until: int
    now: int


class History:
    """The historical data service of one market. Its methods compute; call them off the loop."""

    def __init__(self, market: Market) -> None:
        self._source = BarSource(market)

    def answer(self, request_id: int, query: BarQuery, now: datetime) -> list[object]:
        """Message 17 or, for SCHEDULE, 106. Raises ``Refusal``."""
        duration = query.check()
        end = parse_end(query.end, now)
        instrument = find_one(query.contract, now.date())
        span = _span(instrument, query, duration, end, now)
        if query.what == SCHEDULE:
            return _schedule(request_id, instrument, query, span)
        _check_available(instrument, query, now.date())
        bars_of = self._intraday if query.step < DAY else self._daily
        labels, bars = bars_of(instrument, query, span)
        if bars is None:
            raise _no_data(instrument, query)
        zone = ZoneInfo(instrument.time_zone)
        ends = (
            f"{moment.astimezone(zone):%Y%m%d %H:%M:%S} {instrument.time_zone}"
            for moment in (duration.before(end), end)
        )
        return [17, request_id, *ends, len(bars), *_rows(instrument, labels, bars)]

    def _intraday(
        self, instrument: Instrument, query: BarQuery, span: _Span
    ) -> tuple[list[str], Bars | None]:
        answers = (
            self._source.intraday(
                instrument,
                index,
                query.what,
                step=query.step,
                regular=query.regular,
                until=span.until,
            )
            for index in range(span.first, span.stop)
        )
        parts = [part for part in answers if part is not None]
        bars = Bars.joined(parts).since(span.start) if parts else None
        return ([], None) if bars is None else (_moments(instrument, bars, query.date_format), bars)

    def _daily(
        self, instrument: Instrument, query: BarQuery, span: _Span
    ) -> tuple[list[str], Bars | None]:
        """Whole days, weeks and months, dated by their last session; the last may be unfinished."""
        if span.first >= span.stop:
            return [], None
        table = sessions(instrument.hours)
        periods = _period(table.dates, query.step)
        begins = int(np.searchsorted(periods, periods[span.first]))
        parts, indices = [], []
        for index in range(max(begins, table.on(instrument.head)), span.stop):
            day = self._source.day(
                instrument, index, query.what, regular=query.regular, until=span.now
            )
            if day is not None:
                parts.append(day)
                indices.append(index)
        if not parts:
            return [], None
        firsts = np.flatnonzero(np.diff(periods[indices], prepend=-1))
        lasts = np.append(firsts[1:], len(indices)) - 1
        labels = [f"{table.trading_date(indices[last]):%Y%m%d}" for last in lasts]
        return labels, Bars.joined(parts).grouped(firsts)

    def head_timestamp(self, request_id: int, query: HeadQuery, now: datetime) -> list[object]:
        """Message 88: the open of the first session with data. Raises ``Refusal``."""
        query.check()
        instrument = find_one(query.contract, now.date())
        if not _publishes(instrument, query.what):
            raise no_history("No head time stamp")
        table = sessions(instrument.hours)
        opened, _ = table.span(table.on(instrument.head), regular=query.regular)
        if query.date_format == 2:
            return [88, request_id, opened]
        return [88, request_id, f"{datetime.fromtimestamp(opened, UTC):%Y%m%d-%H:%M:%S}"]


def _publishes(instrument: Instrument, what: str) -> bool:
    """FX has no trades, an index nothing but its level, which counts as trades."""
    if instrument.type == "CASH":
        return what in SHOWN_AS and what != "TRADES"
    return what == "TRADES" if instrument.type == "IND" else what in SHOWN_AS


def _check_available(instrument: Instrument, query: BarQuery, today: date) -> None:
    if instrument.type == "CASH" and query.what == "TRADES":
        pair = f"{instrument.symbol}/{instrument.type}@FXSUBPIP"
        raise no_history(f"No historical market data for {pair} Last {query.step}")
    too_old = instrument.expiry is not None and instrument.expiry + KEPT_AFTER_EXPIRY < today
    if too_old or query.step < SMALLEST_STEP or not _publishes(instrument, query.what):
        raise _no_data(instrument, query)


def _no_data(instrument: Instrument, query: BarQuery) -> Refusal:
    return no_data(instrument.local_symbol, query.contract.exchange, query.what)


def _span(
    instrument: Instrument, query: BarQuery, duration: Duration, end: datetime, now: datetime
) -> _Span:
    """Days are counted in sessions, every other unit on the calendar."""
    table = sessions(instrument.hours)
    start = int(duration.before(end).timestamp())
    until = int(min(end, now).timestamp())
    stop = table.begun(until, regular=query.regular)
    if duration.unit == "D":
        first = stop - duration.count
        start = table.span(max(first, 0), regular=query.regular)[0]
    else:
        first = table.begun(start, regular=query.regular)
        if query.step < DAY:
            first -= 1  # the session before may still be trading
    expiry = instrument.expiry
    return _Span(
        first=max(first, table.on(instrument.head)),
        stop=stop if expiry is None else min(stop, table.on(expiry + timedelta(days=1))),
        start=start,
        until=until,
        now=int(now.timestamp()),
    )


def _period(dates: NDArray[np.datetime64], step: int) -> NDArray[np.int64]:
    """The number of the day, the week (from Monday on) or the month each date is in."""
    if step > WEEK:
        return dates.astype("datetime64[M]").astype(np.int64)
    days = dates.astype("datetime64[D]").astype(np.int64)
    return days if step == DAY else (days + 3) // 7


def _moments(instrument: Instrument, bars: Bars, date_format: int) -> list[str]:
    """The starts of intraday bars: in the exchange's zone, or in epoch seconds (format 2)."""
    if date_format == 2:
        return [str(start) for start in bars.start.tolist()]
    zone = ZoneInfo(instrument.time_zone)
    return [
        f"{datetime.fromtimestamp(start, zone):%Y%m%d %H:%M:%S} {instrument.time_zone}"
        for start in bars.start.tolist()
    ]


def _rows(instrument: Instrument, labels: list[str], bars: Bars) -> Iterator[str]:
    """The fields of each bar: date, open, high, low, close, volume, average price, trades."""
    tick, decimals = float(instrument.tick), instrument.decimals
    prices = [[f"{value * tick:.{decimals}f}" for value in row] for row in bars.prices.tolist()]
    shares = np.maximum(bars.volume, 1)
    averages = [
        f"{value:.{decimals + 1}f}" if volume > 0 else str(volume)
        for value, volume in zip(
            (bars.turnover / shares * tick).tolist(), bars.volume.tolist(), strict=True
        )
    ]
    volumes, counts = (map(str, column.tolist()) for column in (bars.volume, bars.count))
    return chain.from_iterable(zip(labels, *prices, volumes, averages, counts, strict=True))


def _schedule(
    request_id: int, instrument: Instrument, query: BarQuery, span: _Span
) -> list[object]:
    """Message 106: opens and closes in the exchange's own time, with their trading dates."""
    if span.first >= span.stop:
        raise _no_data(instrument, query)
    table = sessions(instrument.hours)
    zone = ZoneInfo(instrument.time_zone)
    rows = []
    for index in range(span.first, span.stop):
        opened, closed = (
            f"{datetime.fromtimestamp(at, zone):%Y%m%d-%H:%M:%S}"
            for at in table.span(index, regular=query.regular)
        )
        rows.append((opened, closed, f"{table.trading_date(index):%Y%m%d}"))
    return [
        106,
        request_id,
        rows[0][0],
        rows[-1][1],
        instrument.time_zone,
        len(rows),
        *chain.from_iterable(rows),
    ]

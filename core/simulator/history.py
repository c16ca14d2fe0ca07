"""Answers to historical requests: bars, schedules, head timestamps."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import chain
from math import prod
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from core.simulator.bars import Bars, BarSource
from core.simulator.contracts import find_one
from core.simulator.hours import sessions
from core.simulator.market import Market
from core.simulator.pacing import SMALL_BAR
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
from core.simulator.universe import Instrument, front

# IBKR keeps the history of a future for two years after its last day.
KEPT_AFTER_EXPIRY = timedelta(days=730)
# Bars of 30 seconds and less are kept for half a year.
SMALL_BARS_KEPT = timedelta(days=180)


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
        if query.what == "BID_ASK":
            bars = bars.averaged()
        zone = ZoneInfo(instrument.time_zone)
        ends = (
            f"{moment.astimezone(zone):%Y%m%d %H:%M:%S} {instrument.time_zone}"
            for moment in (duration.before(end), end)
        )
        return [17, request_id, *ends, len(bars), *_rows(instrument, labels, bars)]

    def _intraday(
        self, instrument: Instrument, query: BarQuery, span: _Span
    ) -> tuple[list[str], Bars | None]:
        table = sessions(instrument.hours)
        parts = []
        for index in range(span.first, span.stop):
            part = self._source.intraday(
                front(instrument, table.trading_date(index)),
                index,
                _prices(query.what),
                step=query.step,
                regular=query.regular,
                until=span.until,
            )
            if part is not None:
                parts.append(_as_known(part, instrument, query, table.trading_date(index), span))
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
            date_ = table.trading_date(index)
            day = self._source.day(
                front(instrument, date_),
                index,
                _prices(query.what),
                regular=query.regular,
                until=span.now,
            )
            if day is not None:
                parts.append(_as_known(day, instrument, query, date_, span))
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
        _check_what(instrument, query.what)
        if not _publishes(instrument, query.what):
            raise no_history("No head time stamp")
        table = sessions(instrument.hours)
        opened, _ = table.span(table.on(instrument.head), regular=query.regular)
        if query.date_format == 2:
            return [88, request_id, opened]
        return [88, request_id, f"{datetime.fromtimestamp(opened, UTC):%Y%m%d-%H:%M:%S}"]


def _prices(what: str) -> str:
    """The simulated prices behind a ``whatToShow``."""
    return "TRADES" if what in ("AGGTRADES", "ADJUSTED_LAST") else what


def _as_known(bars: Bars, instrument: Instrument, query: BarQuery, day: date, span: _Span) -> Bars:
    """The bars of the session of ``day`` as IBKR tells them now; dividends adjust ADJUSTED_LAST."""
    today = datetime.fromtimestamp(span.now, ZoneInfo(instrument.time_zone)).date()
    rise, shares = instrument.restatement(day, today)
    paid = 1.0
    if query.what == "ADJUSTED_LAST":
        paid = prod(ratio for paid_on, ratio in instrument.dividends if day < paid_on <= today)
    return bars if rise == shares == paid == 1 else bars.restated(rise * paid, shares)


def _publishes(instrument: Instrument, what: str) -> bool:
    """FX has no trades, an index nothing but its level, which counts as trades."""
    if instrument.type == "CASH":
        return _prices(what) in ("MIDPOINT", "BID", "ASK", "BID_ASK")
    if instrument.type == "IND":
        return what == "TRADES"
    return what in SHOWN_AS and (what != "ADJUSTED_LAST" or instrument.type == "STK")


def _check_what(instrument: Instrument, what: str) -> None:
    """Crypto has AGGTRADES in the place of TRADES."""
    wrong, right = "TRADES", "AGGTRADES"
    if instrument.type != "CRYPTO":
        wrong, right = right, wrong
    if what == wrong:
        raise Refusal(
            10299, f"Expected what to show is {right}, please use that instead of {wrong}."
        )


def _check_available(instrument: Instrument, query: BarQuery, today: date) -> None:
    _check_what(instrument, query.what)
    if instrument.type == "CASH" and query.what == "TRADES":
        pair = f"{instrument.symbol}/{instrument.type}@FXSUBPIP"
        raise no_history(f"No historical market data for {pair} Last {query.step}")
    too_old = instrument.expiry is not None and instrument.expiry + KEPT_AFTER_EXPIRY < today
    end_of_day = instrument.type == "OPT" and query.step >= DAY
    if too_old or end_of_day or not _publishes(instrument, query.what):
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
    if query.step <= SMALL_BAR:
        start = max(start, int((now - SMALL_BARS_KEPT).timestamp()))
        first = max(first, table.begun(start, regular=query.regular) - 1)
    last_day = instrument.expiry or instrument.delisted
    return _Span(
        first=max(first, table.on(instrument.head)),
        stop=stop if last_day is None else min(stop, table.on(last_day + timedelta(days=1))),
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
    lot, places = instrument.lot, -int(instrument.lot.as_tuple().exponent)
    prices = [[f"{value * tick:.{decimals}f}" for value in row] for row in bars.prices.tolist()]
    shares = np.maximum(bars.volume, 1)
    averages = [
        f"{value:.{decimals + 1}f}" if volume > 0 else str(volume)
        for value, volume in zip(
            (bars.turnover / shares * tick).tolist(), bars.volume.tolist(), strict=True
        )
    ]
    volumes = (
        f"{volume * lot:.{places}f}" if volume > 0 else str(volume)
        for volume in bars.volume.tolist()
    )
    counts = map(str, bars.count.tolist())
    return chain.from_iterable(zip(labels, *prices, volumes, averages, counts, strict=True))


def _schedule(
    request_id: int, instrument: Instrument, query: BarQuery, span: _Span
) -> list[object]:
    """Message 106: opens and closes in the exchange's own time, with their trading dates.

    A lunch break makes two rows of a date: our guess, none was recorded.
    """
    if span.first >= span.stop:
        raise _no_data(instrument, query)
    table = sessions(instrument.hours)
    zone = ZoneInfo(instrument.time_zone)
    rows = []
    for index in range(span.first, span.stop):
        for part in table.parts(index, regular=query.regular):
            opened, closed = (f"{datetime.fromtimestamp(at, zone):%Y%m%d-%H:%M:%S}" for at in part)
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

"""Answers to requests for historical ticks, which add up to the bars of one second.

A second with enough volume trades at its open, its extremes and its close, with less at fewer of
them; volumes add up exactly. Quotes, and the levels of an index, tick whenever they change.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from zoneinfo import ZoneInfo

import numpy as np

from core.simulator.contracts import find_one
from core.simulator.hours import sessions
from core.simulator.market import Market
from core.simulator.queries import MOST_TICKS, TickQuery, no_data, parse_end
from core.simulator.steps import Ints
from core.simulator.universe import Instrument, front

MIDPOINT, BID_ASK, TRADES = 96, 97, 98
# Which of open, first extreme, second extreme and close trade, by the volume of the second.
_TRADED = np.array([[0, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 1], [1, 1, 0, 1], [1, 1, 1, 1]], bool)


@dataclass(frozen=True)
class _Ticks:
    """Ticks in order: epoch seconds, prices in ticks, sizes in lots.

    Quotes are ``away`` from the price on both sides.
    """

    time: Ints
    price: Ints
    size: Ints
    away: int = 0


class TickHistory:
    """The historical ticks of one market. Its methods compute; call them off the loop."""

    def __init__(self, market: Market) -> None:
        self._market = market

    def answer(self, request_id: int, query: TickQuery, now: datetime) -> list[object]:
        """Message 96, 97 or 98, with no ticks where there are none. Raises ``Refusal``.

        From a start on or up to an end (exclusive), within one session, and whole seconds, so that
        there may be more ticks than asked for.
        """
        query.check()
        moment = int(parse_end(query.start or query.end, now).timestamp())
        instrument = find_one(query.contract, now.date())
        if instrument.type == "CASH" and query.what == "TRADES":
            raise no_data(instrument.local_symbol, query.contract.exchange, query.what)
        until = int(now.timestamp())
        index = self._session(instrument, query, moment, until)
        rows: list[tuple[object, ...]] = []
        if index is not None:
            ticks = self._ticks(instrument, index, query, until)
            ticks = _cut(ticks, moment, min(query.count, MOST_TICKS), forwards=bool(query.start))
            rows = _rows(instrument, query.what, ticks)
        message = {"MIDPOINT": MIDPOINT, "BID_ASK": BID_ASK, "TRADES": TRADES}[query.what]
        return [message, request_id, len(rows), *chain.from_iterable(rows), 1]

    def _session(
        self, instrument: Instrument, query: TickQuery, moment: int, until: int
    ) -> int | None:
        """The one session that is asked for: of a start the next to close, of an end the last."""
        table = sessions(instrument.hours)
        index = table.begun(min(moment, until), regular=query.regular) - 1
        if query.start and (index < 0 or table.span(index, regular=query.regular)[1] <= moment):
            index += 1
        last_day = instrument.expiry or instrument.delisted
        day = table.trading_date(index)
        known = index >= table.on(instrument.head) and (last_day is None or day <= last_day)
        begun = table.span(index, regular=query.regular)[0] < until
        return index if known and begun else None

    def _ticks(self, instrument: Instrument, index: int, query: TickQuery, until: int) -> _Ticks:
        table = sessions(instrument.hours)
        day = table.trading_date(index)
        opened, closed = table.span(index, regular=query.regular)
        seconds = self._market.seconds(front(instrument, day), index)
        kept = slice(*np.searchsorted(seconds.start, (opened, min(closed, until))))
        is_trades = query.what == "TRADES"
        path = _path((seconds.last if is_trades else seconds.mid)[:, kept])
        pick = _trades if is_trades and instrument.volume else _changes
        ticks = pick(path, seconds.start[kept], seconds.volume[kept])
        today = datetime.fromtimestamp(until, ZoneInfo(instrument.time_zone)).date()
        rise, shares = instrument.restatement(day, today)
        away = rise * instrument.half_spread * instrument.tick_on(day)
        return _Ticks(ticks.time, ticks.price * rise, ticks.size * shares, away)


def _path(prices: Ints) -> Ints:
    """Open, both extremes in a plausible order, and close of each second; one row a second."""
    opens, highs, lows, closes = prices
    rises = closes >= opens
    first, second = np.where(rises, lows, highs), np.where(rises, highs, lows)
    return np.stack((opens, first, second, closes), axis=1)


def _trades(path: Ints, start: Ints, volume: Ints) -> _Ticks:
    trades = np.minimum(volume, 4)
    traded = _TRADED[trades]
    size = traded * (volume // np.maximum(trades, 1))[:, np.newaxis]
    size[:, -1] += volume - size.sum(axis=1)
    time = np.repeat(start, 4).reshape(-1, 4)
    return _Ticks(time[traded], path[traded], size[traded])


def _changes(path: Ints, start: Ints, _volume: Ints) -> _Ticks:
    price, time = path.ravel(), np.repeat(start, 4)
    changed = np.diff(price, prepend=-1) != 0
    return _Ticks(time[changed], price[changed], np.zeros(int(changed.sum()), np.int64))


def _cut(ticks: _Ticks, moment: int, count: int, *, forwards: bool) -> _Ticks:
    """``count`` ticks from ``moment`` on, or before it, and the rest of the last second."""
    time = ticks.time
    at = int(np.searchsorted(time, moment))
    if forwards:
        stop = min(at + count, len(time))
        if at < stop:
            stop = int(np.searchsorted(time, time[stop - 1], side="right"))
        kept = slice(at, stop)
    else:
        first = max(at - count, 0)
        if first < at:
            first = int(np.searchsorted(time, time[first]))
        kept = slice(first, at)
    return replace(ticks, time=time[kept], price=ticks.price[kept], size=ticks.size[kept])


def _rows(instrument: Instrument, what: str, ticks: _Ticks) -> list[tuple[object, ...]]:
    """The fields of each tick after its time and an empty mask of attributes."""

    def text(price: int) -> str:
        return f"{price * float(instrument.tick):.{instrument.decimals}f}"

    columns = zip(ticks.time.tolist(), ticks.price.tolist(), ticks.size.tolist(), strict=True)
    if what == "TRADES":
        exchange = instrument.primary or instrument.exchange
        return [
            (time, 0, text(price), size * instrument.lot, exchange, "")
            for time, price, size in columns
        ]
    if what == "MIDPOINT":
        return [(time, 0, text(price), 0) for time, price, _ in columns]
    return [
        (time, 0, text(price - ticks.away), text(price + ticks.away), *_depth(price, time))
        for time, price, _ in columns
    ]


def _depth(price: int, time: int) -> tuple[int, int]:
    """How much is bid and asked: round lots, always the same for a price and a time."""
    return 100 * (1 + (price + time) % 9), 100 * (1 + (price - time) % 9)

"""From fills and closes to equity and trades: plain arithmetic, no engine.

Amounts are in the currency of the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from catalog.columns import Floats, Ints

_BLOCK = 100_000
"""Points of equity worked out at a time, so that millions need little memory on the way."""
_UNIT_DECIMALS = 12
"""Sums of fractions leave dust behind: 0.1 + 0.2 - 0.3 is nothing held."""


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution: `units` is positive for a purchase, negative for a sale; `ts` ns.

    `value` is what was traded, 0 or more; `slippage` is what it cost against the close of its bar,
    below 0 when it was better. Both are known once the run is settled.
    """

    ts: int
    instrument_id: str
    order_id: str
    units: float
    price: float
    fee: float
    value: float = 0.0
    slippage: float = 0.0


@dataclass(frozen=True, slots=True)
class Marks:
    """The closes an instrument is valued at: ns stamps, prices, and what one point is worth."""

    instrument_id: str
    ts: Ints
    close: Floats
    multiplier: float


@dataclass(frozen=True, slots=True, eq=False)
class Equity:
    """The worth of the account at each bar's close, and the value of all it holds, long and
    short counted alike.

    `date` is the trading date of each point, days since 1970-01-01; `benchmark` is what the
    starting cash would be worth held in the first instrument from its first close on, no fees, no
    leverage. It is empty where that instrument began at a price of 0 or less.
    """

    ts: Ints
    value: Floats
    gross: Floats
    date: Ints
    benchmark: Floats


@dataclass(frozen=True, slots=True)
class Trade:
    """A round trip: from flat to flat, or to the other side.

    Purchases and sales in between are averaged, so that first-in-first-out and average cost give
    the same. `pnl` is before `fees`. One that is still open at the end has no exit; its `pnl` is
    what the last close makes of it.
    """

    instrument_id: str
    side: str
    units: float
    entry_ts: int
    entry_price: float
    exit_ts: int | None
    exit_price: float | None
    pnl: float
    fees: float
    value: float = 0.0
    """What was bought, or sold short, in all."""
    slippage: float = 0.0
    """The slippage of its fills; it is in `pnl` already."""

    @property
    def net(self) -> float:
        """Profit or loss after fees."""
        return self.pnl - self.fees

    @property
    def gain(self) -> float | None:
        """`net` as a part of `value`; None where that is nothing."""
        return self.net / self.value if self.value else None


@dataclass(frozen=True, slots=True)
class Position:
    """What is held of an instrument after a fill: units below 0 are short, at the average price
    they were entered at. `realized` is what was made or lost so far, after fees."""

    ts: int
    instrument_id: str
    units: float
    average_price: float | None
    realized: float


def stamps(markets: Sequence[Marks]) -> Ints:
    """The stamps of all bars, each once, by time."""
    if len(markets) == 1:
        return markets[0].ts
    return np.unique(np.concatenate([market.ts for market in markets]))


def equity_curve(
    cash: float, markets: Sequence[Marks], fills: Iterable[Fill], ts: Ints | None = None
) -> tuple[Ints, Floats, Floats]:
    """Stamps, worth and gross value of `Equity`: one point a bar stamp, the fills at it included,
    or at the stamps given.

    Worth = cash - Σ units · price · multiplier - fees + position · close · multiplier.
    """
    ts = stamps(markets) if ts is None else ts
    value, gross = np.full(len(ts), cash, dtype=np.float64), np.zeros(len(ts))
    by_instrument = _by_instrument(fills)
    for market in markets:
        book = _Book.of(market, by_instrument.get(market.instrument_id, []))
        for first in range(0, len(ts), _BLOCK):
            rows = slice(first, first + _BLOCK)
            held, spent = book.at(ts[rows])
            value[rows] += held - spent
            gross[rows] += np.abs(held)
    return ts, value, gross


def held_from_the_start(cash: float, market: Marks, ts: Ints) -> Floats:
    """The benchmark of `Equity` at each of the stamps."""
    if market.close[0] <= 0:
        return np.empty(0)
    units = cash / float(market.close[0])
    if ts is market.ts:
        return units * market.close
    last_close = np.maximum(np.searchsorted(market.ts, ts, "right") - 1, 0)
    return units * market.close[last_close]


def valued(markets: Sequence[Marks], fills: Iterable[Fill]) -> list[Fill]:
    """The fills with their value and their slippage, in the order given."""
    by_id = {market.instrument_id: market for market in markets}
    return [_valued(by_id[fill.instrument_id], fill) for fill in fills]


def positions(markets: Sequence[Marks], fills: Iterable[Fill]) -> list[Position]:
    """What is held after each fill, by time."""
    by_instrument = _by_instrument(fills)
    rows = [
        row
        for market in markets
        for row in _positions_of(market, by_instrument.get(market.instrument_id, []))
    ]
    return sorted(rows, key=lambda row: row.ts)


def round_trips(markets: Sequence[Marks], fills: Iterable[Fill]) -> list[Trade]:
    """The trades in order of their entries, those still open last of their instrument."""
    by_instrument = _by_instrument(fills)
    trades = [
        trade
        for market in markets
        for trade in _trades_of(market, by_instrument.get(market.instrument_id, []))
    ]
    return sorted(trades, key=lambda trade: trade.entry_ts)


def _valued(market: Marks, fill: Fill) -> Fill:
    bar = max(int(np.searchsorted(market.ts, fill.ts, "right")) - 1, 0)
    points = fill.units * market.multiplier
    return replace(
        fill,
        value=abs(points * fill.price),
        slippage=points * (fill.price - float(market.close[bar])) + 0.0,  # no -0.0
    )


def _positions_of(market: Marks, fills: Sequence[Fill]) -> Iterator[Position]:
    held = average = realized = 0.0
    for fill in fills:
        after = _without_dust(held + fill.units)
        if held * fill.units < 0:
            left = min(abs(fill.units), abs(held)) * (1 if held > 0 else -1)
            realized += left * (fill.price - average) * market.multiplier
            if after * held < 0:
                average = fill.price
        else:
            average = (average * held + fill.price * fill.units) / after
        realized -= fill.fee
        held = after
        yield Position(fill.ts, market.instrument_id, held, average if held else None, realized)


def _by_instrument(fills: Iterable[Fill]) -> dict[str, list[Fill]]:
    found: dict[str, list[Fill]] = {}
    for fill in fills:
        found.setdefault(fill.instrument_id, []).append(fill)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Book:
    """Position and money spent on one instrument after each of its fills."""

    market: Marks
    ts: Ints
    position: Floats
    spent: Floats

    @classmethod
    def of(cls, market: Marks, fills: Sequence[Fill]) -> _Book:
        units = np.array([fill.units for fill in fills])
        price = np.array([fill.price for fill in fills])
        fee = np.array([fill.fee for fill in fills])
        return cls(
            market,
            np.array([fill.ts for fill in fills], dtype=np.int64),
            np.round(_running(units), _UNIT_DECIMALS),
            _running(units * price * market.multiplier + fee),
        )

    def at(self, ts: Ints) -> tuple[Floats, Floats]:
        """Value held, short below 0, and money spent at each of the stamps."""
        market = self.market
        done = np.searchsorted(self.ts, ts, "right")
        last_close = np.maximum(np.searchsorted(market.ts, ts, "right") - 1, 0)
        held = self.position[done] * market.close[last_close] * market.multiplier
        return held, self.spent[done]


def _running(amounts: Floats) -> Floats:
    return np.concatenate(([0.0], np.cumsum(amounts)))


def _without_dust(units: float) -> float:
    return round(units, _UNIT_DECIMALS) + 0.0


@dataclass(slots=True)
class _Open:
    side: int
    entry_ts: int
    entered: float = 0.0
    cost: float = 0.0
    left: float = 0.0
    proceeds: float = 0.0
    fees: float = 0.0
    slippage: float = 0.0

    def enter(self, units: float, price: float) -> None:
        self.entered += units
        self.cost += units * price

    def leave(self, units: float, price: float) -> None:
        self.left += units
        self.proceeds += units * price

    def trade(self, market: Marks, exit_ts: int | None) -> Trade:
        last = float(market.close[-1])
        worth = self.proceeds + (self.entered - self.left) * last
        return Trade(
            market.instrument_id,
            "long" if self.side > 0 else "short",
            self.entered,
            self.entry_ts,
            self.cost / self.entered,
            exit_ts,
            None if exit_ts is None else self.proceeds / self.left,
            self.side * (worth - self.cost) * market.multiplier,
            self.fees,
            abs(self.cost * market.multiplier),
            self.slippage,
        )


def _trades_of(market: Marks, fills: Sequence[Fill]) -> Iterator[Trade]:
    now: _Open | None = None
    for fill in fills:
        side, units = (1 if fill.units > 0 else -1), abs(fill.units)
        fee, slippage = fill.fee / units, fill.slippage / units
        if now is not None and side != now.side:
            leaving = min(units, now.entered - now.left)
            now.leave(leaving, fill.price)
            now.fees += leaving * fee
            now.slippage += leaving * slippage
            units = _without_dust(units - leaving)
            if not _without_dust(now.entered - now.left):
                yield now.trade(market, fill.ts)
                now = None
        if units:
            now = now or _Open(side, fill.ts)
            now.enter(units, fill.price)
            now.fees += units * fee
            now.slippage += units * slippage
    if now is not None:
        yield now.trade(market, None)

"""From fills and closes to equity and trades: plain arithmetic, no engine.

Amounts are in the currency of the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from catalog.columns import Floats, Ints


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution: `units` is positive for a purchase, negative for a sale; `ts` ns."""

    ts: int
    instrument_id: str
    order_id: str
    units: float
    price: float
    fee: float


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
    short counted alike."""

    ts: Ints
    value: Floats
    gross: Floats


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

    @property
    def net(self) -> float:
        """Profit or loss after fees."""
        return self.pnl - self.fees


def equity_curve(cash: float, markets: Sequence[Marks], fills: Iterable[Fill]) -> Equity:
    """Equity = cash - Σ units · price · multiplier - fees + position · close · multiplier, with
    one point a bar stamp, the fills at that stamp included."""
    ts = np.unique(np.concatenate([market.ts for market in markets]))
    value = np.full(len(ts), cash, dtype=np.float64)
    gross = np.zeros(len(ts))
    by_instrument = _by_instrument(fills)
    for market in markets:
        mine = by_instrument.get(market.instrument_id, [])
        done = np.searchsorted(np.array([fill.ts for fill in mine], dtype=np.int64), ts, "right")
        units = np.array([fill.units for fill in mine])
        price = np.array([fill.price for fill in mine])
        fee = np.array([fill.fee for fill in mine])
        position = _running(units)[done]
        spent = _running(units * price * market.multiplier + fee)[done]
        last_close = np.maximum(np.searchsorted(market.ts, ts, "right") - 1, 0)
        held = position * market.close[last_close] * market.multiplier
        value += held - spent
        gross += np.abs(held)
    return Equity(ts, value, gross)


def round_trips(markets: Sequence[Marks], fills: Iterable[Fill]) -> list[Trade]:
    """The trades in order of their entries, those still open last of their instrument."""
    by_instrument = _by_instrument(fills)
    trades = [
        trade
        for market in markets
        for trade in _trades_of(market, by_instrument.get(market.instrument_id, []))
    ]
    return sorted(trades, key=lambda trade: trade.entry_ts)


def _by_instrument(fills: Iterable[Fill]) -> dict[str, list[Fill]]:
    found: dict[str, list[Fill]] = {}
    for fill in fills:
        found.setdefault(fill.instrument_id, []).append(fill)
    return found


def _running(amounts: Floats) -> Floats:
    return np.concatenate(([0.0], np.cumsum(amounts)))


@dataclass(slots=True)
class _Open:
    side: int
    entry_ts: int
    entered: float = 0.0
    cost: float = 0.0
    left: float = 0.0
    proceeds: float = 0.0
    fees: float = 0.0

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
        )


def _trades_of(market: Marks, fills: Sequence[Fill]) -> Iterator[Trade]:
    now: _Open | None = None
    for fill in fills:
        side, units = (1 if fill.units > 0 else -1), abs(fill.units)
        fee = fill.fee / units
        if now is not None and side != now.side:
            leaving = min(units, now.entered - now.left)
            now.leave(leaving, fill.price)
            now.fees += leaving * fee
            units -= leaving
            if now.left == now.entered:
                yield now.trade(market, fill.ts)
                now = None
        if units:
            now = now or _Open(side, fill.ts)
            now.enter(units, fill.price)
            now.fees += units * fee
    if now is not None:
        yield now.trade(market, None)

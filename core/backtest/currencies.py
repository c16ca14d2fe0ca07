"""Several currencies in one run: what each is worth in the currency of its figures, and the cash.

The figures of a run are in the currency of its first cash. Cash in a currency that nothing is
traded in is converted at the start; from then on each currency's equity is its own, and their sum
moves with the rates of stored bars.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import numpy as np

from catalog.columns import Floats, Ints
from catalog.errors import DataUnavailable, WrongInput
from catalog.series import Series
from core.backtest.accounting import Fill, Position, Trade
from core.backtest.spec import USUAL_CASH, Cash, RunSpec

SYNTHETIC_CURRENCY = "USD"


def currency_of(definition: Mapping[str, object] | None) -> str:
    """The currency an instrument is quoted and settled in."""
    if definition is None:
        return SYNTHETIC_CURRENCY
    return str(definition.get("quote_currency") or definition["currency"])


class _HasDefinition(Protocol):
    @property
    def definition(self) -> dict[str, object] | None: ...


@dataclass(frozen=True, slots=True)
class RateBars:
    """The bars that say what a currency is worth in that of the run's figures; `inverted` when
    they quote the run's currency in it."""

    currency: str
    series: Series
    files: tuple[Path, ...]
    inverted: bool


def with_cash(spec: RunSpec, instruments: Sequence[_HasDefinition]) -> RunSpec:
    """The spec with its cash, or the usual amount in the currency of the first instrument."""
    if spec.cash:
        return spec
    return replace(spec, cash=f"{USUAL_CASH} {currency_of(instruments[0].definition)}")


def foreign_currencies(spec: RunSpec, instruments: Iterable[_HasDefinition]) -> list[str]:
    """The currencies of a run whose worth in the first cash's currency has to be known."""
    own, *others = (cash.currency for cash in spec.all_cash())
    traded = {currency_of(each.definition) for each in instruments}
    return sorted({*others, *traded} - {own})


def quotes_between(currency: str, other: str) -> tuple[tuple[str, bool], ...]:
    """The instruments that may quote one currency in another, the usual one first, and whether
    they do it the other way round."""
    usual = sorted((currency, other), key=_rank)
    pairs = (usual, usual[::-1])
    return tuple((f"{base}/{quote}.IDEALPRO", base == other) for base, quote in pairs)


_USUAL_BASES = ("EUR", "GBP", "AUD", "NZD", "USD", "CAD", "CHF")


def _rank(currency: str) -> int:
    return _USUAL_BASES.index(currency) if currency in _USUAL_BASES else len(_USUAL_BASES)


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """What one unit of each foreign currency is worth in `currency`: ns stamps of closes, and
    rates from then on."""

    currency: str
    foreign: Mapping[str, tuple[Ints, Floats]]

    def at(self, currency: str, ts: Ints) -> Floats:
        """The last rates known at the stamps; before the first one, that."""
        if currency == self.currency:
            return np.ones(len(ts))
        stamps, rates = self.foreign[currency]
        return rates[np.maximum(np.searchsorted(stamps, ts, "right") - 1, 0)]

    def one(self, currency: str, ts: int) -> float:
        """The last rate known at a stamp."""
        return float(self.at(currency, np.array([ts], dtype=np.int64))[0])

    def fills(self, fills: Sequence[Fill], currencies: Mapping[str, str]) -> list[Fill]:
        """The fills with amounts in the run's currency; `currencies` are those of instruments."""
        if not self.foreign:
            return list(fills)
        return [self._fill(each, currencies[each.instrument_id]) for each in fills]

    def trades(
        self, trades: Sequence[Trade], currencies: Mapping[str, str], last: int
    ) -> list[Trade]:
        """The trades with amounts in the run's currency at the rate of their exit, or of the
        `last` stamp while they are open."""
        if not self.foreign:
            return list(trades)
        return [self._trade(each, currencies[each.instrument_id], last) for each in trades]

    def positions(
        self, positions: Sequence[Position], currencies: Mapping[str, str]
    ) -> list[Position]:
        """What is held, with what was realized so far in the run's currency at the rate of then."""
        if not self.foreign:
            return list(positions)
        rates = (self.one(currencies[each.instrument_id], each.ts) for each in positions)
        return [
            replace(each, realized=each.realized * rate)
            for each, rate in zip(positions, rates, strict=True)
        ]

    def _fill(self, fill: Fill, currency: str) -> Fill:
        rate = self.one(currency, fill.ts)
        return replace(
            fill, fee=fill.fee * rate, value=fill.value * rate, slippage=fill.slippage * rate
        )

    def _trade(self, trade: Trade, currency: str, last: int) -> Trade:
        rate = self.one(currency, last if trade.exit_ts is None else trade.exit_ts)
        return replace(
            trade,
            pnl=trade.pnl * rate,
            fees=trade.fees * rate,
            value=trade.value * rate,
            slippage=trade.slippage * rate,
        )


@dataclass(frozen=True, slots=True)
class Purse:
    """The cash of a run by currency, and the conversions that made it so, in words."""

    cash: Mapping[str, Decimal]
    notes: tuple[str, ...]


def purse(given: Sequence[Cash], traded: Iterable[str], rates: Rates, start: int) -> Purse:
    """Cash for each traded currency, at the rates of the start.

    Cash in other currencies goes, in equal parts, to those that have none, or else to all. Raises
    `WrongInput` when there is a currency that none is left for.
    """
    amounts = {each.currency: each.amount for each in given}
    currencies = sorted(set(traded))
    idle = {name: amount for name, amount in amounts.items() if name not in currencies}
    cash = {name: amounts.get(name, Decimal(0)) for name in currencies}
    wanting = [name for name in currencies if not cash[name]]
    if wanting and not idle:
        raise WrongInput(
            f"there is no cash in {wanting[0]}",
            f"instruments are quoted in {', '.join(currencies)}",
            f"name cash in each, such as --cash '{given[0]}, 10000 {wanting[0]}'",
        )
    receiving = wanting or currencies
    notes = []
    for source, amount in idle.items():
        for target in receiving:
            part = amount / len(receiving)
            rate = Decimal(repr(rates.one(source, start) / rates.one(target, start)))
            got = (part * rate).quantize(Decimal("0.01"))
            cash[target] += got
            notes.append(
                f"{Cash(part, source)} converted to {Cash(got, target)} at the start, at "
                f"{rate:.5f}; the equity in {rates.currency} moves with the rate"
            )
    return Purse(cash, tuple(notes))


def read_rates(currency: str, bars: Iterable[tuple[RateBars, Ints, Floats]], start: int) -> Rates:
    """The rates in `currency` that stamps and closes of bars tell.

    Raises `DataUnavailable` when one is not known at the start of the run (ns).
    """
    foreign = {}
    for each, ts, close in bars:
        if not len(ts) or ts[0] > start:
            raise DataUnavailable(
                f"there is no rate of {each.currency} at the start of the run",
                f"the bars of {each.series} begin later",
                f"fetch {each.series} from some days before the start",
            )
        foreign[each.currency] = (ts, 1 / close if each.inverted else close)
    return Rates(currency, foreign)

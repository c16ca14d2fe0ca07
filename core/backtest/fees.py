"""What trading costs, by order: rules in plain numbers that no engine is needed for."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

from catalog.errors import WrongInput

type AssetKind = Literal["stock", "future", "fx", "crypto", "other"]
type OrderFee = Callable[[Decimal, Decimal], Decimal]
"""The fee of one order so far, in the currency of its instrument: from the units filled and their
value.

Partial fills of one order share its minimum and maximum: each costs what the total grew by.
"""
type FeeRule = Callable[[AssetKind, str], OrderFee]
"""What the orders on an instrument cost, by what it is and its currency."""

_KINDS: Mapping[str, AssetKind] = {
    "Equity": "stock",
    "FuturesContract": "future",
    "FuturesSpread": "future",
    "CryptoFuture": "future",
    "CurrencyPair": "fx",
}
_A_CONTRACT = Decimal("2.25")


def asset_kind(instrument_type: str, sec_type: object = None) -> AssetKind:
    """Which part of the price list an instrument class of Nautilus belongs to; `sec_type` is what
    IBKR calls it, whose crypto are pairs to Nautilus as currencies are."""
    return "crypto" if sec_type == "CRYPTO" else _KINDS.get(instrument_type, "other")


@dataclass(frozen=True, slots=True)
class Price:
    """A line of IBKR's price list; `but` is what it leaves out, in words."""

    a_unit: Decimal = Decimal(0)
    of_value: Decimal = Decimal(0)
    least: Decimal = Decimal(0)
    most_of_value: Decimal | None = None
    but: str = ""

    def __call__(self, units: Decimal, value: Decimal) -> Decimal:
        fee = max(units * self.a_unit + value * self.of_value, self.least)
        return fee if self.most_of_value is None else min(fee, value * self.most_of_value)


def listed(kind: AssetKind, currency: str) -> Price | None:
    """The price that `ibkr_fixed` has, if any; they stand in `fees.toml`."""
    return _price_list().get((kind, currency))


def ibkr_fixed(kind: AssetKind, currency: str) -> OrderFee:
    """Interactive Brokers' Fixed pricing. A run that it has no price for is refused before."""
    return _price_list()[kind, currency]


def zero(_kind: AssetKind, _currency: str) -> OrderFee:
    """Nothing."""
    return lambda _units, _value: Decimal(0)


def per_contract(amount: Decimal) -> FeeRule:
    """So much for each share, contract or unit, in the currency of the instrument."""
    return lambda _kind, _currency: lambda units, _value: units * amount


FEES: Mapping[str, FeeRule] = MappingProxyType(
    {"ibkr_fixed": ibkr_fixed, "per_contract": per_contract(_A_CONTRACT), "zero": zero}
)


def fee_rule(fees: str) -> FeeRule | None:
    """The rule of a name in `FEES`, or of `per_contract:AMOUNT`; None for a fee model of the
    user's own, `module:Class`, which only a worker can load.

    Raises `WrongInput` for anything else.
    """
    name, colon, rest = fees.partition(":")
    if not colon and name in FEES:
        return FEES[name]
    if name == "per_contract":
        return per_contract(_amount(fees, rest))
    if colon and name not in FEES and all(part.isidentifier() for part in (*name.split("."), rest)):
        return None
    raise WrongInput(
        f"there are no fees '{fees}'",
        f"the fees are {', '.join(FEES)}, per_contract:AMOUNT, or module:Class of a fee model",
        "choose one of them",
    )


@cache
def _price_list() -> Mapping[tuple[str, str], Price]:
    text = files("core.backtest").joinpath("fees.toml").read_text(encoding="utf-8")
    return {
        (kind, currency): _price(line)
        for kind, lines in tomllib.loads(text).items()
        for currency, line in lines.items()
    }


def _price(line: dict[str, str]) -> Price:
    but = line.pop("but", "")
    return Price(**{name: Decimal(number) for name, number in line.items()}, but=but)


def _amount(fees: str, text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise WrongInput(
            f"'{fees}' names no fee",
            f"'{text}' is not an amount of 0 or more",
            "write for example per_contract:1.20",
        )
    return amount

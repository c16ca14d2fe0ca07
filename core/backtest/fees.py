"""What trading costs, by order: rules in plain numbers that no engine is needed for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from types import MappingProxyType
from typing import Literal

from catalog.errors import WrongInput

type AssetKind = Literal["stock", "future", "fx", "crypto"]
type FeeRule = Callable[[AssetKind, Decimal, Decimal], Decimal]
"""The fee of one order so far, in the currency of its instrument: from what it trades, the units
filled and their value.

Partial fills of one order share its minimum and maximum: each costs what the total grew by.
"""

_A_SHARE, _LEAST_FOR_STOCK, _MOST_OF_STOCK = Decimal("0.005"), Decimal(1), Decimal("0.01")
_A_CONTRACT = Decimal("2.25")
_OF_CURRENCY, _LEAST_FOR_CURRENCY = Decimal("0.00002"), Decimal(2)
_OF_CRYPTO, _LEAST_FOR_CRYPTO = Decimal("0.0018"), Decimal("1.75")
_MOST_OF_CRYPTO = Decimal("0.01")

_FUTURES_TYPES = frozenset({"FuturesContract", "FuturesSpread", "CryptoFuture"})
_FX_TYPES = frozenset({"CurrencyPair"})


def asset_kind(instrument_type: str, sec_type: object = None) -> AssetKind:
    """Which row of the fee table an instrument class of Nautilus belongs to; `sec_type` is what
    IBKR calls it, whose crypto are pairs to Nautilus as currencies are."""
    if sec_type == "CRYPTO":
        return "crypto"
    if instrument_type in _FUTURES_TYPES:
        return "future"
    return "fx" if instrument_type in _FX_TYPES else "stock"


def ibkr_fixed(kind: AssetKind, units: Decimal, value: Decimal) -> Decimal:
    """Interactive Brokers' fixed pricing for the United States, in USD.

    Stocks and ETFs 0.005 a share, at least 1, at most 1 % of the value (the maximum wins);
    futures 2.25 a contract (0.85 to the broker, 1.38 to the exchange and 0.02 to the NFA for ES);
    currencies 0.2 basis points of the value, at least 2; crypto 0.18 % of it, at least 1.75, at
    most 1 %, the price of the lowest monthly volume. Regulatory fees are left out.
    """
    match kind:
        case "stock":
            return min(max(units * _A_SHARE, _LEAST_FOR_STOCK), value * _MOST_OF_STOCK)
        case "future":
            return units * _A_CONTRACT
        case "fx":
            return max(value * _OF_CURRENCY, _LEAST_FOR_CURRENCY)
        case "crypto":
            return min(max(value * _OF_CRYPTO, _LEAST_FOR_CRYPTO), value * _MOST_OF_CRYPTO)


def zero(_kind: AssetKind, _units: Decimal, _value: Decimal) -> Decimal:
    """Nothing."""
    return Decimal(0)


def per_contract(amount: Decimal) -> FeeRule:
    """So much for each share, contract or unit, in the currency of the instrument."""
    return lambda _kind, units, _value: units * amount


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

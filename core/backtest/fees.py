"""What trading costs, by order: rules in plain numbers that no engine is needed for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

type AssetKind = Literal["stock", "future", "fx"]
type FeeRule = Callable[[AssetKind, Decimal, Decimal], Decimal]
"""The fee, in USD, of one order so far, from what it trades, the units filled and their value.

Partial fills of one order share its minimum and maximum: each costs what the total grew by.
"""

_A_SHARE, _LEAST_FOR_STOCK, _MOST_OF_STOCK = Decimal("0.005"), Decimal(1), Decimal("0.01")
_A_CONTRACT = Decimal("2.25")
_OF_CURRENCY, _LEAST_FOR_CURRENCY = Decimal("0.00002"), Decimal(2)

_FUTURES_TYPES = frozenset({"FuturesContract", "FuturesSpread", "CryptoFuture"})
_FX_TYPES = frozenset({"CurrencyPair"})


def asset_kind(instrument_type: str) -> AssetKind:
    """Which row of the fee table an instrument class of Nautilus belongs to."""
    if instrument_type in _FUTURES_TYPES:
        return "future"
    return "fx" if instrument_type in _FX_TYPES else "stock"


def ibkr_fixed(kind: AssetKind, units: Decimal, value: Decimal) -> Decimal:
    """Interactive Brokers' fixed pricing for the United States, in USD.

    Stocks and ETFs 0.005 a share, at least 1, at most 1 % of the value (the maximum wins);
    futures 2.25 a contract (0.85 to the broker, 1.38 to the exchange and 0.02 to the NFA for ES);
    currencies 0.2 basis points of the value, at least 2. Regulatory fees are left out.
    """
    match kind:
        case "stock":
            return min(max(units * _A_SHARE, _LEAST_FOR_STOCK), value * _MOST_OF_STOCK)
        case "future":
            return units * _A_CONTRACT
        case "fx":
            return max(value * _OF_CURRENCY, _LEAST_FOR_CURRENCY)


def zero(_kind: AssetKind, _units: Decimal, _value: Decimal) -> Decimal:
    """Nothing."""
    return Decimal(0)


FEES: Mapping[str, FeeRule] = MappingProxyType({"ibkr_fixed": ibkr_fixed, "zero": zero})

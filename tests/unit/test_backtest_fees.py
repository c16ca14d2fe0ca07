"""What orders cost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.backtest.fees import AssetKind, asset_kind, ibkr_fixed, zero


@pytest.mark.parametrize(
    ("kind", "units", "value", "fee"),
    [
        ("stock", "1000", "100000", "5.000"),
        ("stock", "500", "50000", "2.500"),
        ("stock", "10", "1000", "1"),  # the minimum
        ("stock", "10", "50", "0.50"),  # 1 % of the value wins over the minimum
        ("stock", "100000", "10000", "100.00"),
        ("future", "3", "750000", "6.75"),
        ("fx", "1000000", "1100000", "22.00000"),
        ("fx", "20000", "22000", "2"),
        ("crypto", "1", "100000", "180.0000"),
        ("crypto", "0.005", "500", "1.75"),
        ("crypto", "0.001", "100", "1.00"),  # 1 % of the value wins over the minimum
    ],
)
def test_the_price_list(kind: AssetKind, units: str, value: str, fee: str) -> None:
    assert ibkr_fixed(kind, Decimal(units), Decimal(value)) == Decimal(fee)
    assert zero(kind, Decimal(units), Decimal(value)) == 0


def test_every_kind_of_instrument_has_its_row() -> None:
    names = ("Equity", "FuturesContract", "CurrencyPair")
    assert [asset_kind(name) for name in names] == ["stock", "future", "fx"]
    assert asset_kind("CurrencyPair", "CRYPTO") == "crypto"
    assert asset_kind("CurrencyPair", "CASH") == "fx"

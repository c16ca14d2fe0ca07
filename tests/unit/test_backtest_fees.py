"""What orders cost."""

from __future__ import annotations

from decimal import Decimal

import pytest

from core.backtest.fees import AssetKind, asset_kind, ibkr_fixed, listed, zero


@pytest.mark.parametrize(
    ("kind", "currency", "units", "value", "fee"),
    [
        ("stock", "USD", "1000", "100000", "5.000"),
        ("stock", "USD", "500", "50000", "2.500"),
        ("stock", "USD", "10", "1000", "1"),  # the minimum
        ("stock", "USD", "10", "50", "0.50"),  # 1 % of the value wins over the minimum
        ("stock", "USD", "100000", "10000", "100.00"),
        ("stock", "CAD", "500", "10000", "5.00"),  # the example of IBKR's questions and answers
        ("stock", "CAD", "1000", "1000", "5.000"),  # 0.5 % of the value
        ("stock", "AUD", "400", "20000", "16.0000"),  # the example of its price list
        ("stock", "AUD", "10", "500", "6"),
        ("stock", "HKD", "500", "200000", "160.0000"),
        ("stock", "HKD", "100", "100", "18"),  # a minimum that nothing bounds
        ("stock", "EUR", "100", "4000", "3"),
        ("stock", "EUR", "1000", "20000", "10.0000"),
        ("future", "USD", "3", "750000", "6.75"),
        ("fx", "USD", "1000000", "1100000", "22.00000"),
        ("fx", "USD", "20000", "22000", "2"),
        ("crypto", "USD", "1", "100000", "180.0000"),
        ("crypto", "USD", "0.005", "500", "1.75"),
        ("crypto", "USD", "0.001", "100", "1.00"),  # 1 % of the value wins over the minimum
    ],
)
def test_the_price_list(kind: AssetKind, currency: str, units: str, value: str, fee: str) -> None:
    assert ibkr_fixed(kind, currency)(Decimal(units), Decimal(value)) == Decimal(fee)
    assert zero(kind, currency)(Decimal(units), Decimal(value)) == 0


def test_every_kind_of_instrument_has_its_row_and_what_has_none_no_price() -> None:
    names = ("Equity", "FuturesContract", "CurrencyPair", "OptionContract")
    assert [asset_kind(name) for name in names] == ["stock", "future", "fx", "other"]
    assert asset_kind("CurrencyPair", "CRYPTO") == "crypto"
    assert asset_kind("CurrencyPair", "CASH") == "fx"
    assert listed("stock", "GBP") is None
    assert listed("other", "USD") is None

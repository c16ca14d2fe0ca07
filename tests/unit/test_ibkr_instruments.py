"""Contract details -> instruments that Nautilus takes, also from what real gateways sent."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from ib_async import Contract, ContractDetails, TagValue

from catalog.errors import DataUnavailable, WrongInput
from core.ibkr.instruments import definition
from tests.outside import SHARED

NOW_NS = 1_700_000_000_000_000_000
RECORDED = SHARED / "recordings/nautilus_contract_details.json"


def recorded(name: str) -> ContractDetails:
    if not RECORDED.exists():
        pytest.skip("the recordings are not here")
    fields = dict(json.loads(RECORDED.read_text())["contract_details"][name])
    contract = Contract(**{k: v for k, v in fields.pop("contract").items() if v is not None})
    codes = [TagValue(**code) for code in fields.pop("secIdList") or []]
    return ContractDetails(contract=contract, secIdList=codes, **fields)


def stock(**changes: Any) -> ContractDetails:
    contract = Contract(
        conId=1,
        secType="STK",
        symbol="ABC",
        localSymbol="ABC",
        exchange="SMART",
        primaryExchange="NYSE",
        currency="USD",
    )
    return ContractDetails(
        contract=contract,
        **({"minTick": 0.01, "priceMagnifier": 1, "timeZoneId": "US/Eastern"} | changes),
    )


def as_nautilus(made: dict[str, Any]) -> dict[str, Any]:
    """What Nautilus makes of a definition."""
    from nautilus_trader import model

    understood: dict[str, Any] = getattr(model, made["type"]).from_dict(made).to_dict()
    return understood


@pytest.mark.parametrize(
    "name",
    [
        "aapl_equity_contract_details",
        "cl_future_contract_details",
        "eurusd_forex_contract_details",
        "spx_index_contract_details",
        "tsla_option_contract_details",
    ],
)
def test_nautilus_takes_each_recorded_instrument_as_it_is(name: str) -> None:
    made = definition(recorded(name), now_ns=NOW_NS, simulated=False)
    assert as_nautilus(made) == made


def test_a_stock_has_its_isin_and_names_its_contract() -> None:
    made = definition(recorded("aapl_equity_contract_details"), now_ns=NOW_NS, simulated=False)
    assert (made["id"], made["isin"], made["price_increment"]) == (
        "AAPL.NASDAQ",
        "US0378331005",
        "0.01",
    )
    assert made["info"]["con_id"] == 265598
    assert made["info"]["time_zone"] == "America/New_York"
    assert made["info"]["source"] == "real"


def test_a_currency_pair_has_five_decimals_and_half_pips() -> None:
    made = definition(recorded("eurusd_forex_contract_details"), now_ns=NOW_NS, simulated=True)
    assert (made["id"], made["price_precision"], made["price_increment"]) == (
        "EUR/USD.IDEALPRO",
        5,
        "0.00005",
    )
    assert (made["base_currency"], made["quote_currency"]) == ("EUR", "USD")
    assert made["info"]["source"] == "simulated"


def test_a_future_expires_at_its_last_trade_in_the_zone_told_with_it() -> None:
    made = definition(recorded("cl_future_contract_details"), now_ns=NOW_NS, simulated=False)
    assert (made["id"], made["multiplier"], made["underlying"]) == ("CLZ3.NYMEX", "1000", "CL")
    expiry = datetime(2023, 11, 20, 19, 30, tzinfo=UTC)  # 14:30 in New York
    assert made["expiration_ns"] == int(expiry.timestamp()) * 1_000_000_000
    assert made["activation_ns"] < int(datetime(2013, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000_000


def test_the_operators_zone_does_not_become_the_exchanges() -> None:
    contract = Contract(
        secType="FUT",
        conId=750150186,
        symbol="MES",
        localSymbol="MESH6",
        exchange="CME",
        currency="USD",
        multiplier="5",
        lastTradeDateOrContractMonth="20260320",
    )
    details = ContractDetails(
        contract=contract,
        minTick=0.25,
        priceMagnifier=1,
        underSecType="IND",
        lastTradeTime="14:30:00",
        timeZoneId="Europe/Zurich",  # as ib_async puts it there
    )
    made = definition(details, now_ns=NOW_NS, simulated=False)
    assert made["info"]["time_zone"] == "America/Chicago"
    expiry = datetime(2026, 3, 20, 13, 30, tzinfo=UTC)
    assert made["expiration_ns"] == int(expiry.timestamp()) * 1_000_000_000
    assert as_nautilus(made) == made


def test_pence_become_pounds() -> None:
    made = definition(stock(minTick=0.02, priceMagnifier=100), now_ns=NOW_NS, simulated=False)
    assert (made["price_increment"], made["price_precision"]) == ("0.0002", 4)
    assert as_nautilus(made)["price_increment"] == "0.0002"


def test_a_stock_without_isin_is_stored_all_the_same() -> None:
    made = definition(stock(), now_ns=NOW_NS, simulated=False)
    assert as_nautilus(made) == made


def test_details_without_tick_are_refused() -> None:
    with pytest.raises(DataUnavailable, match="tick"):
        definition(stock(minTick=0.0), now_ns=NOW_NS, simulated=False)


def test_an_option_has_its_strike_and_expires_at_the_end_of_its_day() -> None:
    made = definition(recorded("tsla_option_contract_details"), now_ns=NOW_NS, simulated=False)
    assert made["id"].startswith("TSLA  ")
    assert not made["id"].endswith(".SMART")
    assert (made["option_kind"], made["underlying"]) == ("CALL", "TSLA")
    assert made["expiration_ns"] > made["activation_ns"]


def test_a_crypto_currency_is_a_pair_with_fractions_of_a_coin() -> None:
    contract = Contract(
        secType="CRYPTO",
        conId=479624278,
        symbol="BTC",
        localSymbol="BTC.USD",
        exchange="PAXOS",
        currency="USD",
    )
    details = ContractDetails(contract=contract, minTick=0.25, sizeIncrement=0.0001)
    made = definition(details, now_ns=NOW_NS, simulated=False)
    assert (made["id"], made["type"], made["size_precision"]) == (
        "BTC/USD.PAXOS",
        "CurrencyPair",
        4,
    )
    assert as_nautilus(made) == made


def test_bonds_are_refused_in_words() -> None:
    contract = Contract(secType="BOND", conId=1, symbol="X", exchange="SMART", currency="USD")
    with pytest.raises(WrongInput, match="BOND"):
        definition(ContractDetails(contract=contract), now_ns=NOW_NS, simulated=False)

"""Ids as people type them, and the canonical ids of what the broker knows."""

from __future__ import annotations

import pytest
from ib_async import Contract, ContractDetails

from catalog.errors import WrongInput
from core.ibkr.contracts import choose, instrument_id, parse_id


def details(**fields: object) -> ContractDetails:
    return ContractDetails(contract=Contract(**fields))


@pytest.mark.parametrize(
    ("text", "sec_type", "symbol", "venue", "currency"),
    [
        ("AAPL", "STK", "AAPL", "SMART", "USD"),
        ("aapl.nasdaq", "STK", "AAPL", "NASDAQ", "USD"),
        ("AAPL.SMART", "STK", "AAPL", "SMART", "USD"),
        ("AAPL.ISLAND", "STK", "AAPL", "NASDAQ", "USD"),
        ("BRK-B.NYSE", "STK", "BRK B", "NYSE", "USD"),
        ("VOD.LSE", "STK", "VOD", "LSE", ""),
        ("ESH6.CME", "FUT", "ESH6", "CME", ""),
        ("ESZ26.CME", "FUT", "ESZ26", "CME", ""),
        ("ES.CME", "CONTFUT", "ES", "CME", ""),
        ("EUR/USD", "CASH", "EUR", "IDEALPRO", "USD"),
        ("EUR/USD.IDEALPRO", "CASH", "EUR", "IDEALPRO", "USD"),
        ("EUR.USD", "CASH", "EUR", "IDEALPRO", "USD"),
        ("eurusd", "CASH", "EUR", "IDEALPRO", "USD"),
        ("^SPX.CBOE", "IND", "SPX", "CBOE", ""),
        ("^SPX", "IND", "SPX", "", ""),
        ("BTC/USD.PAXOS", "CRYPTO", "BTC", "PAXOS", "USD"),
        ("aapl270115c00300000", "OPT", "AAPL  270115C00300000", "", "USD"),
        ("AAPL  270115C00300000.AMEX", "OPT", "AAPL  270115C00300000", "", "USD"),
    ],
)
def test_ids_are_read_in_every_spelling(
    text: str, sec_type: str, symbol: str, venue: str, currency: str
) -> None:
    query = parse_id(text)
    assert (query.sec_type, query.symbol, query.venue, query.currency) == (
        sec_type,
        symbol,
        venue,
        currency,
    )


def test_a_contract_id_is_an_id() -> None:
    assert parse_id("conid:265598").con_id == 265598


def test_a_bare_month_code_is_a_stock_and_six_letters_need_two_currencies() -> None:
    assert parse_id("ESH6").sec_type == "STK"
    assert parse_id("GOOGLE").sec_type == "STK"


@pytest.mark.parametrize(
    "text",
    ["", ".", "AAPL.", "AAPL..NASDAQ", "conid:", "conid:x", "A/B", "@mine", "^", "a b$"],
)
def test_what_is_no_id_is_refused_with_a_way_on(text: str) -> None:
    with pytest.raises(WrongInput) as refused:
        parse_id(text)
    assert refused.value.steps


@pytest.mark.parametrize(
    ("fields", "canonical"),
    [
        ({"secType": "STK", "localSymbol": "AAPL", "primaryExchange": "NASDAQ"}, "AAPL.NASDAQ"),
        ({"secType": "STK", "localSymbol": "MSFT", "primaryExchange": "ISLAND"}, "MSFT.NASDAQ"),
        ({"secType": "STK", "localSymbol": "BRK B", "primaryExchange": "NYSE"}, "BRK-B.NYSE"),
        ({"secType": "FUT", "localSymbol": "ESZ6", "exchange": "CME"}, "ESZ6.CME"),
        ({"secType": "CASH", "localSymbol": "EUR.USD", "exchange": "IDEALPRO"}, "EUR/USD.IDEALPRO"),
        ({"secType": "IND", "localSymbol": "SPX", "exchange": "CBOE"}, "^SPX.CBOE"),
        (
            {
                "secType": "FUT",
                "symbol": "DAX",
                "localSymbol": "FDAX 20261218 M",
                "tradingClass": "FDAX",
                "lastTradeDateOrContractMonth": "20261218",
                "exchange": "EUREX",
            },
            "DAX FDAX 20261218.EUREX",
        ),
    ],
)
def test_canonical_ids_are_those_of_nautilus_simplified_symbology(
    fields: dict[str, object], canonical: str
) -> None:
    assert instrument_id(details(**fields)) == canonical


def test_other_kinds_of_contracts_are_refused() -> None:
    with pytest.raises(WrongInput, match="BOND"):
        instrument_id(details(secType="BOND", localSymbol="IBCID117727061"))


NASDAQ = details(
    conId=1, secType="STK", localSymbol="ABC", primaryExchange="NASDAQ", currency="USD"
)
LONDON = details(conId=2, secType="STK", localSymbol="ABC", primaryExchange="LSE", currency="GBP")


def test_a_single_match_is_taken_whatever_venue_was_typed() -> None:
    assert choose(parse_id("ABC.ARCA"), [NASDAQ]) is NASDAQ


def test_among_several_the_typed_venue_decides() -> None:
    assert choose(parse_id("ABC.LSE"), [NASDAQ, LONDON]) is LONDON


def test_several_that_nothing_decides_between_are_listed() -> None:
    with pytest.raises(WrongInput) as refused:
        choose(parse_id("ABC"), [NASDAQ, LONDON])
    assert "ABC.NASDAQ USD (conid:1), ABC.LSE GBP (conid:2)" in refused.value.reason

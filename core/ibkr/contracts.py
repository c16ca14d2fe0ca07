"""What a person types and what the broker knows: ids, contracts, and the way between them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from catalog.errors import QuarterdeckError, WrongInput
from core.ibkr.connection import BrokerSession
from core.ibkr.requests import (
    DETAILS_TIMEOUT,
    Failure,
    NotFound,
    as_error,
    contract_details,
    matching_symbols,
)
from core.ibkr.symbology import (
    is_currency,
    is_futures_venue,
    is_fx_venue,
    is_us_stock_venue,
    venue_name,
)

if TYPE_CHECKING:
    from ib_async import Contract, ContractDescription, ContractDetails

type SecType = Literal["STK", "FUT", "CONTFUT", "CASH", "IND", "OPT", "CRYPTO"]

_CON_ID = re.compile(r"CONID:(\d{1,12})")
_PAIR = re.compile(r"([A-Z]{3})[/.]?([A-Z]{3})(?:\.([A-Z]+))?")
_COIN = re.compile(r"([A-Z0-9]{2,6})[/.]([A-Z]{3})\.(PAXOS|ZEROHASH)")
_OPTION = re.compile(r"([A-Z]{1,6}) *(\d{6}[CP]\d{8})(?:\.[A-Z0-9]+)?")
_INDEX = re.compile(r"\^([A-Z0-9][A-Z0-9 -]*)(?:\.([A-Z0-9]+))?")
_PLAIN = re.compile(r"([A-Z0-9][A-Z0-9 '-]*?)(?:\.([A-Z][A-Z0-9]*))?")
_FUTURE = re.compile(r"[A-Z0-9]{1,5}?[FGHJKMNQUVXZ]\d{1,2}")
_LISTED = 10
_SUGGESTED = 5
_SUGGESTIONS_TIMEOUT = 3.0


@dataclass(frozen=True, slots=True)
class ContractQuery:
    """What an id asks for. Empty text means that it does not say."""

    text: str
    sec_type: SecType | Literal[""] = ""
    symbol: str = ""
    venue: str = ""
    currency: str = ""
    con_id: int = 0

    def contract(self) -> Contract:
        """The contract description that is sent to the broker."""
        from ib_async import Contract

        match self.sec_type:
            case "STK":
                # SMART knows every US stock; a listing elsewhere is found by its exchange.
                home = "" if is_us_stock_venue(self.venue) else self.venue
                return Contract(
                    secType="STK",
                    symbol=self.symbol,
                    exchange="SMART",
                    primaryExchange=home,
                    currency=self.currency,
                )
            case "FUT":
                return Contract(
                    secType="FUT",
                    localSymbol=self.symbol,
                    exchange=self.venue,
                    includeExpired=True,
                )
            case "CONTFUT":
                return Contract(secType="CONTFUT", symbol=self.symbol, exchange=self.venue)
            case "CASH":
                return Contract(
                    secType="CASH",
                    symbol=self.symbol,
                    currency=self.currency,
                    exchange=self.venue,
                )
            case "CRYPTO":
                return Contract(
                    secType="CRYPTO",
                    symbol=self.symbol,
                    currency=self.currency,
                    exchange=self.venue,
                )
            case "OPT":
                return Contract(
                    secType="OPT", localSymbol=self.symbol, exchange="SMART", currency=self.currency
                )
            case "IND":
                return Contract(secType="IND", symbol=self.symbol, exchange=self.venue)
            case "":
                return Contract(conId=self.con_id, includeExpired=True)


@dataclass(frozen=True, slots=True)
class Resolved:
    """The one contract an id means, with its canonical instrument id."""

    instrument_id: str
    con_id: int
    contract: Contract
    details: ContractDetails


@dataclass(frozen=True, slots=True)
class Match:
    """One contract found by a search, or the continuous future of a product, which has no contract
    id of its own: its `con_id` is 0."""

    con_id: int
    symbol: str
    sec_type: str
    exchange: str
    currency: str
    description: str

    @property
    def id(self) -> str:
        """The id by which it is asked for."""
        return f"conid:{self.con_id}" if self.con_id else f"{self.symbol}.{self.exchange}"

    def __str__(self) -> str:
        return (
            f"{self.symbol} {self.sec_type} {self.exchange} {self.currency} "
            f"({self.id}) {self.description}".rstrip()
        )


def parse_id(text: str) -> ContractQuery:
    """Read an id: `AAPL`, `AAPL.NASDAQ`, `ESH6.CME`, `ES.CME` (the continuous future),
    `EUR/USD.IDEALPRO` (also `EUR.USD`, `EURUSD`), `^SPX.CBOE`, `BTC/USD.PAXOS`,
    `AAPL270115C00300000`, `conid:265598`. Case does not matter.

    A bare symbol is a US stock; two known currencies are a pair. Raises `WrongInput` for anything
    else.
    """
    name = text.strip().upper()
    if name.startswith("@"):
        raise WrongInput(
            f"'{text}' is not an id", "it names a watchlist", "fetch and update take those"
        )
    if match := _OPTION.fullmatch(name):  # as OCC spells it: root, expiry, right, strike
        return ContractQuery(text, "OPT", f"{match[1]:<6}{match[2]}", "", "USD")
    if match := _COIN.fullmatch(name):
        return ContractQuery(text, "CRYPTO", match[1], match[3], match[2])
    if match := _CON_ID.fullmatch(name):
        return ContractQuery(text, con_id=int(match[1]))
    if match := _INDEX.fullmatch(name):
        return ContractQuery(text, "IND", match[1], venue_name(match[2] or ""))
    if (match := _PAIR.fullmatch(name)) and is_currency(match[1]) and is_currency(match[2]):
        venue = match[3] or "IDEALPRO"
        if is_fx_venue(venue):
            return ContractQuery(text, "CASH", match[1], venue, match[2])
    if match := _PLAIN.fullmatch(name):
        symbol, venue = match[1], venue_name(match[2] or "SMART")
        if is_futures_venue(venue):
            dated = _FUTURE.fullmatch(symbol)
            return ContractQuery(text, "FUT" if dated else "CONTFUT", symbol, venue)
        currency = "USD" if is_us_stock_venue(venue) else ""
        return ContractQuery(text, "STK", symbol.replace("-", " "), venue, currency)
    raise WrongInput(
        f"'{text}' is not an id",
        "an id is SYMBOL or SYMBOL.VENUE",
        "write for example AAPL, AAPL.NASDAQ, ESH6.CME, EUR/USD, BTC/USD.PAXOS, ^SPX.CBOE or "
        "conid:265598",
    )


async def resolve(session: BrokerSession, query: ContractQuery) -> Resolved:
    """Ask the broker for the contract. A typed venue decides between several matches and does
    not rule out a single one: `GDX.NASDAQ` is `GDX.ARCA`.

    Raises `WrongInput` when there is none, or several (they are listed); `BrokerUnavailable`.
    """
    return await settle(session, query, await contract_details(session, query.contract()))


async def settle(
    session: BrokerSession, query: ContractQuery, answer: list[ContractDetails] | Failure
) -> Resolved:
    """The contract that the broker's answer to a query means. Raises as `resolve`."""
    if isinstance(answer, NotFound) or answer == []:
        raise await _unknown(session, query)
    if not isinstance(answer, list):
        raise as_error(answer, f"look up '{query.text}'")
    details = choose(query, answer)
    contract = details.contract
    assert contract is not None
    contract.includeExpired = contract.secType == "FUT"  # answers leave it out, requests need it
    return Resolved(instrument_id(details), contract.conId, contract, details)


def choose(query: ContractQuery, found: list[ContractDetails]) -> ContractDetails:
    """The one contract that is meant: the only one there is, else the only one on the typed venue.

    Raises `WrongInput` listing them when several remain.
    """
    preferred = [
        details
        for details in found
        if query.venue and instrument_id(details).rpartition(".")[2] == query.venue
    ]
    for candidates in (found, preferred):
        if len(candidates) == 1:
            return candidates[0]
    raise WrongInput(
        f"'{query.text}' is ambiguous",
        f"{len(found)} contracts fit: {', '.join(_told(details) for details in found[:_LISTED])}",
        "name the venue, or the contract by conid:NUMBER",
    )


async def search(
    session: BrokerSession, text: str, *, timeout: float = DETAILS_TIMEOUT
) -> list[Match]:
    """Contracts whose symbol or name resembles `text`, the broker's best first; behind the index
    that the broker names for futures, the continuous one of them.

    Raises `BrokerUnavailable`, also after `timeout` seconds.
    """
    answer = await matching_symbols(session, text, timeout=timeout)
    if not isinstance(answer, list):
        raise as_error(answer, f"search for '{text}'")
    return [match for found in answer for match in _matches(found)]


def _matches(found: ContractDescription) -> Iterator[Match]:
    contract = found.contract
    if contract is None or contract.conId <= 0:  # the list may end with a row that is no contract
        return
    match = Match(
        contract.conId,
        contract.symbol,
        contract.secType,
        venue_name(contract.primaryExchange or contract.exchange),
        contract.currency,
        contract.description,
    )
    yield match
    if "FUT" in found.derivativeSecTypes and is_futures_venue(match.exchange):
        yield replace(match, con_id=0, sec_type="CONTFUT")


def instrument_id(details: ContractDetails) -> str:
    """The canonical id, as Nautilus' IB adapter spells it in its simplified symbology.

    Raises `WrongInput` for a kind of contract that is not supported.
    """
    contract = details.contract
    assert contract is not None
    local = contract.localSymbol or contract.symbol
    match contract.secType:
        case "STK":
            symbol, exchange = local.replace(" ", "-"), contract.primaryExchange
        case "FUT":
            expiry = details.realExpirationDate or contract.lastTradeDateOrContractMonth
            symbol = local if _FUTURE.fullmatch(local) else _spelled_out(contract, expiry)
            exchange = contract.exchange
        case "OPT":
            # SMART is no place where it is listed; Nautilus takes the first that is.
            places = details.validExchanges.split(",")
            listed = next((place for place in places if place not in ("", "SMART")), "SMART")
            return f"{local}.{venue_name(listed)}"
        case "CONTFUT":
            symbol, exchange = contract.symbol, contract.exchange
        case "CASH" | "CRYPTO":
            symbol, exchange = local.replace(".", "/"), contract.exchange
        case "IND":
            symbol, exchange = f"^{local}", contract.exchange
        case kind:
            raise WrongInput(
                f"{local} cannot be stored",
                f"contracts of type {kind} are not supported",
                "choose a stock, future, option, currency pair, crypto currency or index",
            )
    if exchange in ("", "SMART"):
        exchange = contract.primaryExchange or contract.exchange
    return f"{symbol}.{venue_name(exchange)}"


async def _unknown(session: BrokerSession, query: ContractQuery) -> WrongInput:
    """The error for an unknown id, with similar ones when the broker is quick to tell them."""
    similar: list[Match] = []
    if query.symbol:
        with suppress(QuarterdeckError):
            similar = await search(session, query.symbol, timeout=_SUGGESTIONS_TIMEOUT)
    told = ", ".join(f"{match.symbol} {match.exchange}" for match in similar[:_SUGGESTED])
    return WrongInput(
        f"unknown symbol '{query.text}'",
        "the broker knows no such contract",
        f"similar ones are {told}" if told else "check the spelling",
        "name the venue of what is no US stock, as in VOD.LSE, ESH6.CME or ^SPX.CBOE",
    )


def _spelled_out(contract: Contract, expiry: str) -> str:
    return f"{contract.symbol} {contract.tradingClass} {expiry[:8]}"


def _told(details: ContractDetails) -> str:
    contract = details.contract
    assert contract is not None
    return f"{instrument_id(details)} {contract.currency} (conid:{contract.conId})"

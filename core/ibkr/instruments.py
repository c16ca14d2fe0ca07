"""Contract details -> instrument definitions, as Nautilus' `to_dict()` gives them.

The mapping is that of Nautilus' own IB adapter; Nautilus is not imported, for this runs in the
dashboard's process.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from catalog.errors import DataUnavailable
from catalog.instruments import Definition
from catalog.series import NANOS_PER_SECOND
from core.ibkr.contracts import instrument_id
from core.ibkr.symbology import iana_zone, zone_of

if TYPE_CHECKING:
    from ib_async import Contract, ContractDetails

_ROUND_LOT = "100"
_ASSET_CLASSES = {
    "STK": "EQUITY",
    "IND": "INDEX",
    "CASH": "FX",
    "BOND": "DEBT",
    "CMDTY": "COMMODITY",
}
# IBKR does not tell when a contract was listed, and orders before it are rejected: early enough
# for every listing (CME lists crude oil eleven years ahead).
_LISTED_BEFORE_EXPIRY = timedelta(days=15 * 365)
# A continuous future trades before and after the month in front, whose expiry it is told with.
_ENDLESS: Definition = {
    "activation_ns": 0,
    "expiration_ns": int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) * NANOS_PER_SECOND,
}


def definition(details: ContractDetails, *, now_ns: int, simulated: bool) -> Definition:
    """The instrument of a contract, valid from `now_ns` (ns UTC).

    Raises `WrongInput` for kinds of contracts that are not supported, `DataUnavailable` when
    details lack what the instrument needs.
    """
    contract = details.contract
    assert contract is not None
    name = instrument_id(details)
    increment = price_increment(details)
    common: Definition = {
        "id": name,
        "raw_symbol": contract.localSymbol or contract.symbol,
        "price_precision": precision_of(increment),
        "price_increment": plain(increment),
        "tick_scheme": None,
        "ts_event": now_ns,
        "ts_init": now_ns,
        "info": _info(details, contract, simulated=simulated),
    }
    match contract.secType:
        case "STK":
            return common | _limits() | _equity(details, contract)
        case "FUT":
            return common | _limits() | _future(details, contract, name)
        case "CONTFUT":
            return common | _limits() | _future(details, contract, name) | _ENDLESS
        case "OPT":
            return common | _limits() | _option(details, contract, name)
        case "CASH" | "CRYPTO":
            return common | _limits() | _pair(details, contract)
        case _:
            return common | {
                "type": "IndexInstrument",
                "currency": contract.currency,
                "size_precision": 0,
                "size_increment": "1",
            }


def price_increment(details: ContractDetails) -> Decimal:
    """The tick in units of the instrument's price: minTick over the magnifier (pence, cents).

    Raises `DataUnavailable` when the broker tells none.
    """
    if details.minTick <= 0:
        raise DataUnavailable(
            f"no tick size for {instrument_id(details)}",
            f"the broker says {details.minTick}",
            "try again later: contract details are incomplete during the nightly restart",
        )
    return Decimal(repr(details.minTick)) / (details.priceMagnifier or 1)


def precision_of(increment: Decimal) -> int:
    """How many decimals an increment has."""
    exponent = increment.normalize().as_tuple().exponent
    assert isinstance(exponent, int)
    return max(0, -exponent)


def plain(number: Decimal) -> str:
    """A number as Nautilus writes it: no exponent, no superfluous zeros."""
    return f"{number.normalize():f}"


def _limits() -> Definition:
    return {
        "margin_init": "0",
        "margin_maint": "0",
        "max_quantity": None,
        "min_quantity": None,
        "max_price": None,
        "min_price": None,
    }


def _equity(details: ContractDetails, contract: Contract) -> Definition:
    codes = {code.tag: code.value for code in details.secIdList or []}
    return {
        "type": "Equity",
        "currency": contract.currency,
        "isin": codes.get("ISIN"),
        "lot_size": _ROUND_LOT,
    }


def _future(details: ContractDetails, contract: Contract, name: str) -> Definition:
    return _expiring(details, contract, name) | {
        "type": "FuturesContract",
        "asset_class": _ASSET_CLASSES.get(details.underSecType, "COMMODITY"),
    }


def _option(details: ContractDetails, contract: Contract, name: str) -> Definition:
    return _expiring(details, contract, name) | {
        "type": "OptionContract",
        "asset_class": _ASSET_CLASSES.get(details.underSecType, "EQUITY"),
        "option_kind": "CALL" if contract.right.startswith("C") else "PUT",
        "strike_price": plain(Decimal(repr(contract.strike))),
    }


def _expiring(details: ContractDetails, contract: Contract, name: str) -> Definition:
    expiry = _expiry(details, contract, name)
    listed = expiry - _LISTED_BEFORE_EXPIRY
    return {
        "underlying": details.underSymbol or contract.symbol,
        "activation_ns": int(listed.timestamp()) * NANOS_PER_SECOND,
        "expiration_ns": int(expiry.timestamp()) * NANOS_PER_SECOND,
        "currency": contract.currency,
        "multiplier": plain(Decimal(contract.multiplier or "1")),
        "lot_size": "1",
        "min_quantity": "1",
        "size_precision": 0,
        "size_increment": "1",
        "exchange": contract.exchange,
    }


def _expiry(details: ContractDetails, contract: Contract, name: str) -> datetime:
    """The last moment of trading; the end of the last day where no time is told."""
    text = (details.realExpirationDate or contract.lastTradeDateOrContractMonth)[:8]
    try:
        day = datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 a date has no zone
        at = time.fromisoformat(details.lastTradeTime) if details.lastTradeTime else time.max
    except ValueError:
        raise DataUnavailable(
            f"no expiry for {name}", f"the broker says '{text}' '{details.lastTradeTime}'"
        ) from None
    # The zone of the details is that of this time: see `symbology.zone_of`.
    return datetime.combine(day, at, ZoneInfo(iana_zone(details.timeZoneId)))


def _pair(details: ContractDetails, contract: Contract) -> Definition:
    size_increment = Decimal(repr(details.sizeIncrement or 1.0))
    return {
        "type": "CurrencyPair",
        "base_currency": contract.symbol,
        "quote_currency": contract.currency,
        "size_precision": precision_of(size_increment),
        "size_increment": plain(size_increment),
        "multiplier": "1",
        "lot_size": None,
        "max_notional": None,
        "min_notional": None,
    }


def _info(details: ContractDetails, contract: Contract, *, simulated: bool) -> Definition:
    """What else is kept of a contract.

    A contract id names the one contract whose bars a series may hold. A continuous future is the
    exception: made of one contract after another, it has no id of its own, and what the broker
    tells is that of the month in front.
    """
    continuous = contract.secType == "CONTFUT"
    return {
        "con_id": None if continuous else contract.conId,
        "front_con_id": contract.conId if continuous else None,
        "sec_type": contract.secType,
        "symbol": contract.symbol,
        "local_symbol": contract.localSymbol,
        "exchange": contract.exchange,
        "primary_exchange": contract.primaryExchange,
        "valid_exchanges": details.validExchanges,
        "currency": contract.currency,
        "trading_class": contract.tradingClass,
        "time_zone": zone_of(contract.exchange, details.timeZoneId),
        "trading_hours": details.tradingHours,
        "liquid_hours": details.liquidHours,
        "long_name": details.longName,
        "price_magnifier": details.priceMagnifier or 1,
        "min_tick": plain(Decimal(repr(details.minTick))),
        "source": "simulated" if simulated else "real",
    }

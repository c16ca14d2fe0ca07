"""The universe: which contracts exist, what they are like, and how a description finds them."""

import tomllib
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any, Self

from core.simulator.protocol import UNSET_INTEGER, Fields, Refusal

# IBKR renamed the exchange; both names still find it.
EXCHANGE_ALIASES = {"ISLAND": "NASDAQ"}
SYMBOL_SAMPLES = 16


@dataclass(frozen=True)
class Instrument:
    """One contract and the character of its simulated prices (see ``universe.toml``)."""

    con_id: int
    symbol: str
    type: str
    local_symbol: str
    trading_class: str
    exchange: str
    primary: str
    currency: str
    multiplier: str
    expiry: date | None
    long_name: str
    stock_type: str
    industry: tuple[str, str, str]
    isin: str
    under_con_id: int
    time_zone: str
    hours: str
    tick: Decimal
    market_rule: int
    aggregation_group: int | None
    suggested_size: str
    order_types: str
    exchanges: tuple[str, ...]
    derivatives: tuple[str, ...]
    head: date
    price: float
    path: int
    volatility: float
    drift: float
    half_spread: int
    volume: int

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """An instrument from a row of the universe, its type's defaults filled in."""
        return cls(
            con_id=row["con_id"],
            symbol=row["symbol"],
            type=row["type"],
            local_symbol=row.get("local_symbol", row["symbol"]),
            trading_class=row["trading_class"],
            exchange=row["exchange"],
            primary=row.get("primary", ""),
            currency=row["currency"],
            multiplier=row.get("multiplier", ""),
            expiry=row.get("expiry"),
            long_name=row["long_name"],
            stock_type=row.get("stock_type", ""),
            industry=tuple(row.get("industry", ("", "", ""))),
            isin=row.get("isin", ""),
            under_con_id=row.get("under_con_id", 0),
            time_zone=row["time_zone"],
            hours=row["hours"],
            tick=Decimal(row["tick"]),
            market_rule=row["market_rule"],
            aggregation_group=row.get("aggregation_group"),
            suggested_size=row["suggested_size"],
            order_types=row["order_types"],
            exchanges=tuple(row["exchanges"].split(",")),
            derivatives=tuple(row["derivatives"]),
            head=row["head"],
            price=row["price"],
            path=row.get("path", row["con_id"]),
            volatility=row["volatility"],
            drift=row["drift"],
            half_spread=row["half_spread"],
            volume=row["volume"],
        )

    @property
    def decimals(self) -> int:
        """Decimals of the tick, and so of every price."""
        return -int(self.tick.as_tuple().exponent)

    def expired(self, today: date) -> bool:
        """Whether the contract's last trading day is over."""
        return self.expiry is not None and self.expiry < today


@dataclass(frozen=True)
class Description:
    """How a request describes a contract; an empty field matches everything."""

    con_id: int
    symbol: str
    type: str
    expiry: str
    multiplier: str
    exchange: str
    primary: str
    currency: str
    local_symbol: str
    trading_class: str
    include_expired: bool

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """The 12 contract fields every request carries, and ``includeExpired`` after them."""
        con_id, symbol, type_, expiry = (
            fields.integer(),
            fields.text(),
            fields.text(),
            fields.text(),
        )
        fields.skip(2)  # strike and right: there are no options here
        return cls(
            con_id=con_id,
            symbol=symbol,
            type=type_,
            expiry=expiry,
            multiplier=fields.text(),
            exchange=fields.text(),
            primary=fields.text(),
            currency=fields.text(),
            local_symbol=fields.text(),
            trading_class=fields.text(),
            include_expired=fields.flag(),
        )

    def matches(self, instrument: Instrument, today: date) -> bool:
        """Whether this describes ``instrument`` as of ``today`` (exchange date)."""
        if instrument.expired(today) and not self.include_expired:
            return False
        if self.exchange and not _is_listed(instrument, self.exchange):
            return False
        if self.con_id:
            return self.con_id == instrument.con_id
        wanted = (
            (self.type, instrument.type),
            (self.symbol, instrument.symbol),
            (self.local_symbol, instrument.local_symbol),
            (self.currency, instrument.currency),
            (self.multiplier, instrument.multiplier),
            (self.trading_class, instrument.trading_class),
            (_exchange(self.primary), instrument.primary),
        )
        return (
            bool(self.symbol or self.local_symbol)
            and all(not ours or ours == theirs for ours, theirs in wanted)
            and _expiry_text(instrument).startswith(self.expiry)
        )


def _exchange(name: str) -> str:
    return EXCHANGE_ALIASES.get(name, name)


def _is_listed(instrument: Instrument, exchange: str) -> bool:
    return _exchange(exchange) in instrument.exchanges


def _expiry_text(instrument: Instrument) -> str:
    return f"{instrument.expiry:%Y%m%d}" if instrument.expiry else ""


@cache
def _tables() -> dict[str, Any]:
    return tomllib.loads((files("core.simulator") / "universe.toml").read_text())


@cache
def universe() -> tuple[Instrument, ...]:
    """Every instrument of the simulated gateway, in the order of ``universe.toml``."""
    return tuple(Instrument.from_row(row) for row in _rows())


def _rows() -> Iterator[dict[str, Any]]:
    tables = _tables()
    for contract in tables["contract"]:
        row = contract
        if "product" in contract:
            product = contract["product"]
            shared = {"type": "FUT", "symbol": product, "trading_class": product}
            row = shared | tables["product"][product] | contract
        yield tables[row["type"]] | row


def find(description: Description, today: date) -> list[Instrument]:
    """The instruments a description means; error 200 when there is none."""
    found = [instrument for instrument in universe() if description.matches(instrument, today)]
    if not found:
        raise unknown()
    return found


def unknown() -> Refusal:
    """Error 200 of a description that fits no contract."""
    return Refusal(200, "No security definition has been found for the request")


def identity(description: Description, today: date) -> Hashable:
    """What is the same for all descriptions of one contract on one exchange."""
    found = [each.con_id for each in universe() if description.matches(each, today)]
    return (found[0], description.exchange) if len(found) == 1 else description


def find_one(description: Description, today: date) -> Instrument:
    """The one instrument a data request means; errors 200 and 321 as a gateway gives them."""
    if not description.exchange:
        raise Refusal(321, "Error validating request.-'bT' : cause - Please enter exchange")
    found = find(description, today)
    if len(found) > 1:
        raise Refusal(
            200,
            f"The contract description specified for {found[0].symbol} is ambiguous; "
            "you must specify the multiplier or trading class.",
        )
    return found[0]


def details_exchanges(description: Description, instrument: Instrument) -> tuple[str, ...]:
    """On which exchanges contract details are listed: each valid one where none was named."""
    if description.exchange:
        return (description.exchange,)
    if description.con_id:
        return (instrument.exchange,)
    return instrument.exchanges


def details(
    request_id: int, instrument: Instrument, exchange: str, trading: str, liquid: str
) -> list[object]:
    """Message 10: ``instrument`` on ``exchange``, with its trading and liquid hours."""
    expiry = _expiry_text(instrument)
    is_future = instrument.type == "FUT"
    sec_ids = ["ISIN", instrument.isin] if instrument.isin else []
    group = instrument.aggregation_group
    return [
        10,
        request_id,
        instrument.symbol,
        instrument.type,
        f"{expiry} 08:30:00 {instrument.time_zone}" if is_future else "",
        "0",
        "",
        exchange,
        instrument.currency,
        instrument.local_symbol,
        instrument.trading_class,
        instrument.trading_class,
        instrument.con_id,
        instrument.tick,
        instrument.multiplier,
        instrument.order_types,
        ",".join(instrument.exchanges),
        1,
        instrument.under_con_id,
        instrument.long_name,
        instrument.primary,
        expiry[:6],
        *instrument.industry,
        instrument.time_zone,
        trading,
        liquid,
        "",
        "",
        len(sec_ids) // 2,
        *sec_ids,
        UNSET_INTEGER if group is None else group,
        instrument.symbol if is_future else "",
        "IND" if is_future else "",
        ",".join([str(instrument.market_rule)] * len(instrument.exchanges)),
        expiry,
        instrument.stock_type,
        "1",
        "1",
        instrument.suggested_size,
    ]


def symbol_samples(request_id: int, pattern: str) -> list[object]:
    """Message 79: contracts whose symbol begins with ``pattern`` or whose name contains it.

    Futures appear once, as the index they are written on, as IBKR lists them.
    """
    wanted = pattern.upper()
    rows: dict[int, list[object]] = {}
    for found in universe():
        if not wanted or not (found.symbol.startswith(wanted) or wanted in found.long_name.upper()):
            continue
        con_id = found.under_con_id or found.con_id
        type_ = "IND" if found.type == "FUT" else found.type
        rows[con_id] = [
            con_id,
            found.symbol,
            type_,
            found.primary or found.exchange,
            found.currency,
            len(found.derivatives),
            *found.derivatives,
            found.long_name,
            "",
        ]
    shown = list(rows.values())[:SYMBOL_SAMPLES]
    return [79, request_id, len(shown), *(field for row in shown for field in row)]


def market_rule(rule_id: int) -> list[object]:
    """Message 93: the price increments of a market rule, each from its lowest price on."""
    increments = _tables()["market_rules"].get(str(rule_id))
    if increments is None:
        # The code a real gateway gives here is not recorded anywhere we know.
        raise Refusal(321, "Error validating request.-'bT' : cause - Invalid market rule id")
    return [93, rule_id, len(increments), *(field for pair in increments for field in pair)]

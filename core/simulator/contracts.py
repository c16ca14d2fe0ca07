"""How a description finds contracts, and how a gateway describes them."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import date
from typing import Self

from core.simulator.protocol import UNSET_INTEGER, Fields, Refusal
from core.simulator.universe import Instrument, front, futures_of, tables, universe

# IBKR renamed the exchange; both names still find it.
EXCHANGE_ALIASES = {"ISLAND": "NASDAQ"}
SYMBOL_SAMPLES = 16
# When trading ends on the last day, on the clock of the exchange.
LAST_TRADE = {"FUT": "08:30:00", "CONTFUT": "08:30:00", "OPT": "16:00:00"}


@dataclass(frozen=True)
class Description:
    """How a request describes a contract; an empty field matches everything."""

    con_id: int
    symbol: str
    type: str
    expiry: str
    strike: str
    right: str
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
        return cls(
            con_id=fields.integer(),
            symbol=fields.text(),
            type=fields.text(),
            expiry=fields.text(),
            strike=fields.text(),
            right=fields.text(),
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
        if not self._reaches(instrument, today):
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
            (self.right[:1], instrument.right),
            (_number(self.strike), _number(instrument.strike)),
        )
        return (
            bool(self.symbol or self.local_symbol)
            and all(not ours or ours == theirs for ours, theirs in wanted)
            and _expiry_text(instrument).startswith(self.expiry)
        )

    def _reaches(self, instrument: Instrument, today: date) -> bool:
        """Whether it is still listed, or a future and asked for in spite of its expiry."""
        if instrument.delisted is not None and instrument.delisted < today:
            return False
        still_found = self.include_expired and instrument.type == "FUT"
        return still_found or not instrument.expired(today)


def _number(text: str) -> float:
    """A strike; clients write none as nothing or as 0.0."""
    try:
        return float(text or 0)
    except ValueError:
        return -1.0


def _exchange(name: str) -> str:
    return EXCHANGE_ALIASES.get(name, name)


def _is_listed(instrument: Instrument, exchange: str) -> bool:
    return _exchange(exchange) in instrument.exchanges


def _expiry_text(instrument: Instrument) -> str:
    return f"{instrument.expiry:%Y%m%d}" if instrument.expiry else ""


def find(description: Description, today: date) -> list[Instrument]:
    """The instruments a description means; error 200 when there is none."""
    if description.type == "CONTFUT":
        return [_continuous(description, today)]
    listed = (instrument.as_of(today) for instrument in universe())
    found = [instrument for instrument in listed if description.matches(instrument, today)]
    if not found:
        raise unknown()
    return found


def _continuous(description: Description, today: date) -> Instrument:
    """The continuous future of a product: today's front month, under another type."""
    con_id = 0 if description.symbol else description.con_id
    future = replace(description, type="FUT", con_id=con_id, local_symbol="", expiry="")
    month = replace(find(future, today)[0], type="CONTFUT")
    since = min(each.head for each in futures_of(month.symbol))
    return replace(front(month, today), type="CONTFUT", head=since)


def unknown() -> Refusal:
    """Error 200 of a description that fits no contract."""
    return Refusal(200, "No security definition has been found for the request")


def identity(description: Description, today: date) -> Hashable:
    """What is the same for all descriptions of one contract on one exchange."""
    try:
        found = find(description, today)
    except Refusal:
        return description
    return (found[0].con_id, description.exchange) if len(found) == 1 else description


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
    is_derivative = bool(instrument.under_type)
    sec_ids = ["ISIN", instrument.isin] if instrument.isin else []
    group = instrument.aggregation_group
    return [
        10,
        request_id,
        instrument.symbol,
        instrument.type,
        f"{expiry} {LAST_TRADE[instrument.type]} {instrument.time_zone}" if expiry else "",
        instrument.strike or "0",
        instrument.right,
        exchange,
        instrument.currency,
        instrument.local_symbol,
        instrument.trading_class,
        instrument.trading_class,
        instrument.con_id,
        instrument.min_tick,
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
        instrument.symbol if is_derivative else "",
        instrument.under_type,
        ",".join([str(instrument.market_rule)] * len(instrument.exchanges)),
        expiry,
        instrument.stock_type,
        instrument.lot,
        instrument.lot,
        instrument.suggested_size,
    ]


def symbol_samples(request_id: int, pattern: str, today: date) -> list[object]:
    """Message 79: contracts whose symbol begins with ``pattern`` or whose name contains it.

    Futures appear once, as the index they are written on, as IBKR lists them; options do not.
    """
    wanted = pattern.upper()
    rows: dict[int, list[object]] = {}
    for found in (each.as_of(today) for each in universe()):
        named = found.symbol.startswith(wanted) or wanted in found.long_name.upper()
        gone = found.delisted is not None and found.delisted < today
        if not wanted or not named or gone or found.type == "OPT":
            continue
        con_id = found.under_con_id or found.con_id
        type_ = found.under_type or found.type
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
    increments = tables()["market_rules"].get(str(rule_id))
    if increments is None:
        # The code a real gateway gives here is not recorded anywhere we know.
        raise Refusal(321, "Error validating request.-'bT' : cause - Invalid market rule id")
    return [93, rule_id, len(increments), *(field for pair in increments for field in pair)]

"""The universe: which contracts exist, and what each of them is like on a given day."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.resources import files
from math import prod
from typing import Any, Self


@dataclass(frozen=True)
class Before:
    """What of an instrument was otherwise until a day (exclusive); empty where nothing was."""

    until: date
    symbol: str = ""
    local_symbol: str = ""
    long_name: str = ""
    min_tick: Decimal | None = None
    market_rule: int = 0


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
    strike: str
    right: str
    long_name: str
    stock_type: str
    industry: tuple[str, str, str]
    isin: str
    under_con_id: int
    under_type: str
    time_zone: str
    hours: str
    tick: Decimal
    min_tick: Decimal
    lot: Decimal
    market_rule: int
    aggregation_group: int | None
    suggested_size: str
    order_types: str
    exchanges: tuple[str, ...]
    derivatives: tuple[str, ...]
    head: date
    delisted: date | None
    before: tuple[Before, ...]
    splits: tuple[tuple[date, int], ...]
    dividends: tuple[tuple[date, float], ...]
    price: float
    path: int
    volatility: float
    drift: float
    half_spread: int
    volume: int

    @classmethod
    def from_row(cls, row: dict[str, Any]) -> Self:
        """An instrument from a row of the universe, its type's defaults filled in."""
        defaults: dict[str, Any] = {
            "local_symbol": row["symbol"],
            "min_tick": row["tick"],
            "path": row["con_id"],
            "lot": "1",
            **dict.fromkeys(("primary", "multiplier", "strike", "right", "isin"), ""),
            **dict.fromkeys(("stock_type", "under_type"), ""),
            **dict.fromkeys(("expiry", "delisted", "aggregation_group"), None),
            **dict.fromkeys(("before", "splits", "dividends"), ()),
            "industry": ("", "", ""),
            "under_con_id": 0,
        }
        row = defaults | row
        converted = {
            "tick": Decimal(row["tick"]),
            "min_tick": Decimal(row["min_tick"]),
            "lot": Decimal(row["lot"]),
            "industry": tuple(row["industry"]),
            "exchanges": tuple(row["exchanges"].split(",")),
            "derivatives": tuple(row["derivatives"]),
            "before": tuple(_before(change) for change in row["before"]),
            "splits": tuple((day, ratio) for day, ratio in row["splits"]),
            "dividends": tuple((day, ratio) for day, ratio in row["dividends"]),
        }
        names = cls.__dataclass_fields__
        return cls(**{name: value for name, value in (row | converted).items() if name in names})

    @property
    def decimals(self) -> int:
        """Decimals of the smallest price step, and so of every price."""
        return -int(self.min_tick.as_tuple().exponent)

    def as_of(self, today: date) -> Self:
        """This instrument as it is listed on ``today`` (exchange date)."""
        for change in self.before:
            if today < change.until:
                told = {name: value for name, value in vars(change).items() if value}
                del told["until"]
                return replace(self, **told)
        return self

    def tick_on(self, day: date) -> int:
        """The price step of a session, in units of ``tick``, which is the finest it ever had."""
        for change in self.before:
            if day < change.until and change.min_tick is not None:
                return int(change.min_tick / self.tick)
        return 1

    def volume_on(self, day: date) -> int:
        """The average volume of a session, in the shares of that day."""
        return self.volume // prod(ratio for split, ratio in self.splits if day < split)

    def restatement(self, day: date, today: date) -> tuple[int, int]:
        """What IBKR tells ``today`` of the session of ``day``, as factors on price and volume.

        Prices are simulated in the shares of the end of time: before a split they were higher, and
        after it the volumes of earlier sessions are told in new shares.
        """
        to_come = prod(ratio for split, ratio in self.splits if today < split)
        since = prod(ratio for split, ratio in self.splits if day < split <= today)
        return to_come, since

    def expired(self, today: date) -> bool:
        """Whether the contract's last trading day is over."""
        return self.expiry is not None and self.expiry < today


def _before(row: dict[str, Any]) -> Before:
    tick = row.get("min_tick")
    return Before(**row | {"min_tick": None if tick is None else Decimal(tick)})


@cache
def tables() -> dict[str, Any]:
    """``universe.toml`` as it is written."""
    return tomllib.loads((files("core.simulator") / "universe.toml").read_text())


@cache
def universe() -> tuple[Instrument, ...]:
    """Every instrument of the simulated gateway, in the order of ``universe.toml``."""
    return tuple(Instrument.from_row(row) for row in _rows())


def _rows() -> Iterator[dict[str, Any]]:
    for contract in tables()["contract"]:
        row = contract
        if "product" in contract:
            product = contract["product"]
            shared = {"type": "FUT", "symbol": product, "trading_class": product}
            row = shared | tables()["product"][product] | contract
        yield tables()[row["type"]] | row


def front(instrument: Instrument, day: date) -> Instrument:
    """The future that a continuous one (CONTFUT) stands for in the session of ``day``.

    The next to expire; on the day it does, the one after. Any other instrument is itself.
    """
    if instrument.type != "CONTFUT":
        return instrument
    chain = futures_of(instrument.symbol)
    return next((each for each in chain if each.expiry and day < each.expiry), chain[-1])


@cache
def futures_of(symbol: str) -> tuple[Instrument, ...]:
    """All futures of a product, by expiry."""
    futures = (each for each in universe() if (each.type, each.symbol) == ("FUT", symbol))
    return tuple(sorted(futures, key=lambda each: each.expiry or date.max))

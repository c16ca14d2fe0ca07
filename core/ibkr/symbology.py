"""Names of venues, currencies and time zones: the tables of `symbology.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def venue_name(exchange: str) -> str:
    """The canonical name of an exchange: ISLAND is NASDAQ."""
    name: str = _table()["venue_names"].get(exchange, exchange)
    return name


def is_us_stock_venue(venue: str) -> bool:
    """Whether US stocks are listed or routed there."""
    return venue in _table()["venues"]["us_stocks"]


def is_futures_venue(venue: str) -> bool:
    """Whether futures are traded there."""
    return venue in _table()["venues"]["futures"]


def is_fx_venue(venue: str) -> bool:
    """Whether currency pairs are traded there."""
    return venue in _table()["venues"]["fx"]


def is_currency(code: str) -> bool:
    """Whether these are the three letters of a currency that IBKR trades against others."""
    return code in _table()["currencies"]["codes"]


def zone_of(exchange: str, told: str) -> str:
    """The IANA zone of an exchange: from the table, else the one the broker told.

    UTC where the broker's word is no zone at all.
    """
    zone: str = _table()["zones"].get(exchange) or iana_zone(told)
    return zone


def iana_zone(told: str) -> str:
    """The IANA name of a zone as gateways name it; UTC for what is no zone."""
    zone: str = _table()["zone_names"].get(told, told)
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"
    return zone


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("core.ibkr").joinpath("symbology.toml").read_text())

"""What the fields of the forms are read as, and what is told when they cannot be."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from catalog.errors import WrongInput
from catalog.series import NANOS_PER_SECOND, BarSpec, Series

if TYPE_CHECKING:
    from catalog.store import Catalog

DATES = ("ytd", "today", "-30d", "-6m", "-1y")
"""Shorthands that fields for dates complete."""
BARS = (
    "1-MINUTE-LAST",
    "5-MINUTE-LAST",
    "15-MINUTE-LAST",
    "30-MINUTE-LAST",
    "1-HOUR-LAST",
    "1-DAY-LAST",
    "1-WEEK-LAST",
    "5-SECOND-LAST",
)
"""Bar types that fields for them complete, the most usual first."""
DAYS_AT_FIRST = 30
"""How far back a form begins where nothing says otherwise."""


def read_ids(text: str) -> tuple[str, ...]:
    """Instrument ids with blanks or commas between them. Raises `WrongInput`."""
    from core.ibkr.contracts import parse_id

    ids = tuple(text.replace(",", " ").split())
    if not ids:
        raise WrongInput("no instrument", "name one, like AAPL, ESZ6.CME, EUR/USD or ^SPX.CBOE")
    for one in ids:
        parse_id(one)
    return ids


def read_ids_and_lists(text: str) -> tuple[str, ...]:
    """As `read_ids`, where `@name` stands for a watchlist."""
    ids = tuple(text.replace(",", " ").split())
    single = " ".join(one for one in ids if not one.startswith("@"))
    if single or not ids:
        read_ids(single)
    return ids


def known_ids(catalog: Catalog) -> tuple[str, ...]:
    """The ids that are stored and the names they are also known by; blocking."""
    ids = catalog.instrument_ids()
    return tuple(sorted({*ids, *(name for one in ids for name in catalog.aliases(one))}))


def stored_dates(catalog: Catalog, instrument_id: str, bars: BarSpec) -> tuple[str, str] | None:
    """The first and the last date that is stored of a series, in its exchange's zone; None where
    nothing is. Blocking."""
    covered = catalog.covered(Series(catalog.alias(instrument_id) or instrument_id, bars))
    if not covered:
        return None
    info = (catalog.instrument(instrument_id) or {}).get("info")
    zone = str(info.get("time_zone") or "UTC") if isinstance(info, dict) else "UTC"
    local = ZoneInfo(zone if bars.intraday else "UTC")
    first, last = covered[0][0], covered[-1][1] - 1
    return (
        f"{datetime.fromtimestamp(first // NANOS_PER_SECOND, local):%Y-%m-%d}",
        f"{datetime.fromtimestamp(last // NANOS_PER_SECOND, local):%Y-%m-%d}",
    )


def read_bars(text: str) -> BarSpec:
    """A bar type. Raises `WrongInput`."""
    return BarSpec.parse(text)


def read_time(text: str) -> str:
    """A date or a time, kept as typed: which moment it is depends on the instrument's exchange.

    Shorthands like `2024-01`, `-30d` and `ytd` are read too. Raises `WrongInput`.
    """
    from core.ranges import parse_time, spell_out

    if not text:
        raise WrongInput("no time", "write a date like 2024-01-31, or 2024-01, -30d, ytd")
    parse_time(spell_out(text, datetime.now(UTC)))
    return text


def read_optional_time(text: str) -> str | None:
    """As `read_time`, where nothing typed means that it is left open."""
    return read_time(text) if text else None


def problem_in(read: Callable[[str], object], text: str) -> str:
    """What is wrong with a text, in one line; empty when it can be read."""
    try:
        read(text)
    except WrongInput as error:
        return told(error)
    return ""


def told(error: WrongInput) -> str:
    """Wrong input in one line, its first step included."""
    return "; ".join([str(error), *error.steps[:1]])

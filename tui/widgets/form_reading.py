"""What the fields of the forms are read as, and what is told when they cannot be."""

from __future__ import annotations

from collections.abc import Callable

from catalog.errors import WrongInput
from catalog.series import BarSpec


def read_ids(text: str) -> tuple[str, ...]:
    """Instrument ids with blanks or commas between them. Raises `WrongInput`."""
    from core.ibkr.contracts import parse_id

    ids = tuple(text.replace(",", " ").split())
    if not ids:
        raise WrongInput("no instrument", "name one, like AAPL, ESZ6.CME, EUR/USD or ^SPX.CBOE")
    for one in ids:
        parse_id(one)
    return ids


def read_bars(text: str) -> BarSpec:
    """A bar type. Raises `WrongInput`."""
    return BarSpec.parse(text)


def read_time(text: str) -> str:
    """A date or a time, kept as typed: which moment it is depends on the instrument's exchange.

    Raises `WrongInput`.
    """
    from core.ranges import parse_time

    if not text:
        raise WrongInput("no time", "write a date like 2024-01-31, or a time in ISO 8601")
    parse_time(text)
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

"""What the gateway says by code: notices about its connections, and why a request failed."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

from catalog.events import Level

type FarmState = Literal["ok", "broken", "inactive", "connecting"]
type FailureKind = Literal["empty", "pacing", "not found", "no permission", "refused"]

# "Market data farm connection is OK:usfarm" and "... should be available upon demand.ushmds"
_FARM = re.compile(r"(?:connection is [\w ]+|is connecting):(\S+)|upon demand\.(\S+)")
# 1102 may end with "The following farms are not connected: cashhmds; usfarm."
_FARMS_DOWN = re.compile(r"not connected: (.+?)\.?$")


@dataclass(frozen=True, slots=True)
class Notice:
    """One message that belongs to no request."""

    time: datetime
    code: int
    text: str
    level: Level


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a notice says about the gateway's own connections."""

    farms: tuple[tuple[str, FarmState], ...] = ()
    upstream: bool | None = None
    level: Level = Level.INFO


class _Failure(NamedTuple):
    code: int
    contains: str
    kind: FailureKind


def meaning(code: int, text: str) -> Meaning:
    """Read a notice; a code that says nothing about connections has an empty meaning.

    Codes from 2100 to 2199 are warnings by IBKR's numbering, others without an entry in
    `errors.toml` errors.
    """
    row = _notices().get(code)
    if row is None:
        return Meaning(level=Level.WARNING if 2100 <= code < 2200 else Level.ERROR)
    farms: tuple[tuple[str, FarmState], ...] = ()
    named = _FARM.search(text)
    if row.get("farm") and named:
        farms = ((named[1] or named[2], row["farm"]),)
    elif row.get("upstream") and (down := _FARMS_DOWN.search(text)):
        farms = tuple((name.strip(), "broken") for name in down[1].split(";"))
    return Meaning(farms, row.get("upstream"), Level(row.get("level", "info")))


def failure_kind(code: int, text: str) -> FailureKind:
    """Why a request failed; `refused` for whatever has no meaning of its own."""
    wording = text.lower()
    for failure in _failures():
        if failure.code == code and failure.contains in wording:
            return failure.kind
    return "refused"


@cache
def _table() -> dict[str, list[dict[str, Any]]]:
    return tomllib.loads(files("core.ibkr").joinpath("errors.toml").read_text())


@cache
def _notices() -> dict[int, dict[str, Any]]:
    return {row["code"]: row for row in _table()["notice"]}


@cache
def _failures() -> tuple[_Failure, ...]:
    return tuple(
        _Failure(row["code"], row.get("contains", ""), row["outcome"])
        for row in _table()["failure"]
    )

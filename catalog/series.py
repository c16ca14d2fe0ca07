"""The identity of a series of bars: an instrument id and a bar specification."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal, cast, get_args

from catalog.errors import WrongInput

type Unit = Literal["SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH"]
type PriceSide = Literal["LAST", "MID", "BID", "ASK"]

NANOS_PER_SECOND = 1_000_000_000
_SECONDS = {"SECOND": 1, "MINUTE": 60, "HOUR": 3_600, "DAY": 86_400, "WEEK": 604_800}
_UNITS = get_args(Unit.__value__)
_SIDES = get_args(PriceSide.__value__)
_BAR_TYPE = re.compile(r"(?P<id>.+\..+?)-(?P<spec>\d+-[A-Z]+-[A-Z]+)-EXTERNAL")
_AGGREGATION = (
    "(MILLISECOND|SECOND|MINUTE|HOUR|DAY|WEEK|MONTH|YEAR|RENKO"
    "|(TICK|VOLUME|VALUE)(_IMBALANCE|_RUNS)?)"
)
_SOURCE = "(EXTERNAL|INTERNAL)"
_NAUTILUS_BAR_TYPE = re.compile(
    rf".+\..+-\d+-{_AGGREGATION}-(LAST|MID|BID|ASK|MARK)-{_SOURCE}(@\d+-{_AGGREGATION}-{_SOURCE})?"
)


def is_nautilus_bar_type(text: str) -> bool:
    """Whether this names bars in Nautilus' grammar, also such as no `Series` is of: bars of ticks,
    volume or mark prices, and those that Nautilus aggregates itself."""
    return _NAUTILUS_BAR_TYPE.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, order=True)
class BarSpec:
    """What one bar of a series spans and which price it is made of, as Nautilus spells it:
    `1-MINUTE-LAST`."""

    step: int
    unit: Unit
    side: PriceSide = "LAST"

    @classmethod
    def parse(cls, text: str) -> BarSpec:
        """Read `1-MINUTE-LAST`; case does not matter and `-LAST` may be left out.

        Raises `WrongInput` when it is no bar specification.
        """
        parts = text.strip().upper().split("-")
        if len(parts) == 2:
            parts.append("LAST")
        if (
            len(parts) != 3
            or not parts[0].isdecimal()
            or int(parts[0]) < 1
            or parts[1] not in _UNITS
            or parts[2] not in _SIDES
        ):
            raise WrongInput(
                f"'{text}' is not a bar type",
                f"a bar type is STEP-UNIT-SIDE with unit {', '.join(_UNITS)} and side "
                f"{', '.join(_SIDES)}",
                "write for example 1-MINUTE-LAST, 1-HOUR-MID or 1-DAY-LAST",
            )
        return cls(int(parts[0]), cast(Unit, parts[1]), cast(PriceSide, parts[2]))

    def __str__(self) -> str:
        return f"{self.step}-{self.unit}-{self.side}"

    @property
    def intraday(self) -> bool:
        """Whether bars are shorter than a day, so that their stamp is a moment and not a date."""
        return self.unit in ("SECOND", "MINUTE", "HOUR")

    @property
    def nanos(self) -> int:
        """The nominal span of one bar in ns; a month counts 31 days."""
        seconds = 31 * 86_400 if self.unit == "MONTH" else _SECONDS[self.unit]
        return self.step * seconds * NANOS_PER_SECOND

    def with_side(self, side: PriceSide) -> BarSpec:
        """The same span of another price."""
        return BarSpec(self.step, self.unit, side)


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """One series of bars in the catalog: `AAPL.NASDAQ` in `1-MINUTE-LAST`."""

    instrument_id: str
    spec: BarSpec

    @classmethod
    def from_bar_type(cls, bar_type: str) -> Series:
        """Read Nautilus' name of it, `AAPL.NASDAQ-1-MINUTE-LAST-EXTERNAL`.

        Raises `WrongInput` for anything else, internal aggregations included.
        """
        match = _BAR_TYPE.fullmatch(bar_type)
        if match is None:
            raise WrongInput(
                f"'{bar_type}' is not a series",
                "a series is ID-STEP-UNIT-SIDE-EXTERNAL",
                "write for example AAPL.NASDAQ-1-MINUTE-LAST-EXTERNAL",
            )
        return cls(match["id"], _spec(match["spec"]))

    @property
    def bar_type(self) -> str:
        """Nautilus' name of the series."""
        return f"{self.instrument_id}-{self.spec}-EXTERNAL"

    @property
    def venue(self) -> str:
        """The venue in the instrument id: what stands behind the last dot."""
        return self.instrument_id.rpartition(".")[2]

    @property
    def symbol(self) -> str:
        """The symbol in the instrument id: what stands before the last dot."""
        return self.instrument_id.rpartition(".")[0]

    def __str__(self) -> str:
        return f"{self.instrument_id} {self.spec}"


_spec = cache(BarSpec.parse)
"""Thousands of series are of a few specifications."""

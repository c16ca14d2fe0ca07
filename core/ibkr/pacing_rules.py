"""The rules of `pacing.toml`: the first moment at which a request breaks none of them."""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import accumulate
from typing import Any, Literal

# More than the rounding error of a sum of two times in seconds since 1970.
_TICK_S = 1e-3


@dataclass(frozen=True, slots=True)
class Demand:
    """One request as the rules see it."""

    request: str = ""
    """Equal for identical requests."""
    series: str = ""
    """Equal for one contract, exchange and kind of price."""
    small: bool = False
    historical: bool = False
    """Whether it counts as open until it is answered or cancelled."""
    weight: int = 1
    messages: int = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A request that was sent, or is going to be, at `at` (seconds since 1970)."""

    at: float
    demand: Demand


@dataclass(frozen=True, slots=True)
class Rule:
    """At most `limit` in any `seconds`."""

    name: str
    text: str
    applies: Literal["small", "any"]
    scope: Literal["request", "series", "gateway"]
    counts: Literal["requests", "weight", "messages"]
    limit: int
    seconds: float

    def concerns(self, demand: Demand) -> bool:
        """Whether such a request is limited by this rule at all."""
        return self.applies == "any" or demand.small

    def same(self, one: Demand, other: Demand) -> bool:
        """Whether two requests that it concerns are counted together."""
        match self.scope:
            case "request":
                return one.request == other.request
            case "series":
                return one.series == other.series
            case "gateway":
                return True

    def count(self, demand: Demand) -> int:
        """How much one request counts."""
        match self.counts:
            case "requests":
                return 1
            case "weight":
                return demand.weight
            case "messages":
                return demand.messages

    def next_free(self, demand: Demand, entries: Sequence[Entry], at: float) -> float:
        """The first moment from `at` on that keeps this rule; entries are in the order of time.

        Entries after that moment are promises that must not be broken: every span that holds the
        moment counts, not only the one that ends there.
        """
        if not self.concerns(demand):
            return at
        counted = [
            entry
            for entry in entries
            if self.concerns(entry.demand) and self.same(demand, entry.demand)
        ]
        times = [entry.at for entry in counted]
        totals = list(accumulate((self.count(entry.demand) for entry in counted), initial=0))
        room = self.limit - self.count(demand)
        span = self.seconds + margin_seconds()

        def fits(moment: float) -> bool:
            later = times[
                bisect_right(times, moment) : bisect_right(times, moment + span - _TICK_S)
            ]
            return all(
                totals[bisect_right(times, end)] - totals[bisect_right(times, end - span)] <= room
                for end in (moment, *later)
            )

        leaving = (time + span + _TICK_S for time in times if time + span + _TICK_S > at)
        return next(moment for moment in (at, *leaving) if fits(moment))


def earliest(demand: Demand, entries: Iterable[Entry], now: float) -> tuple[float, Rule | None]:
    """The first moment from `now` on that keeps all rules, and the rule that is waited for."""
    ordered = sorted(entries, key=lambda entry: entry.at)
    at, waited_for = now, None
    while True:
        before = at
        for rule in rules():
            free = rule.next_free(demand, ordered, at)
            if free > at:
                at, waited_for = free, rule
        if at == before:
            return at, waited_for


@cache
def rules() -> tuple[Rule, ...]:
    """All rules about how often, in the order of the table."""
    return tuple(Rule(**row) for row in _table()["rule"])


@cache
def margin_seconds() -> float:
    """By how much every span is longer here than IBKR's."""
    return float(_table()["margin_seconds"])


@cache
def open_limit() -> int:
    """How many historical requests may be open at once."""
    return int(_table()["open"]["limit"])


@cache
def open_rule() -> str:
    """The words for it."""
    return str(_table()["open"]["text"])


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("core.ibkr").joinpath("pacing.toml").read_text())

"""What a fetch will take: requests, bars, time, room on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from catalog.errors import CatalogUnusable
from catalog.events import Event
from core.fetch_plan import SeriesPlan
from core.ibkr.pacing_rules import open_limit, rules
from core.turns import SMALL_BAR

BYTES_A_BAR = 24
"""Of bars of a liquid stock, whose prices and volumes compress worst."""
BYTES_A_FILE = 20_000
"""What a file has besides, of which there is at least one a series."""

# Room for the file that is written anew before the old one goes, and for everybody else.
_KEPT_FREE = 100_000_000
_SECONDS_A_REQUEST = 2.0  # what a gateway usually takes for one


@dataclass(frozen=True, slots=True)
class Estimate:
    """`seconds` is what pacing and the gateway's usual speed allow; `size` is in bytes."""

    requests: int
    bars: int
    seconds: float
    size: int


@dataclass(frozen=True, slots=True)
class FetchEstimated(Event):
    """What a fetch is about to take: as `Estimate`."""

    channel: ClassVar[str] = "fetch"

    requests: int
    bars: int
    seconds: float
    size: int

    def __str__(self) -> str:
        requests = "1 request" if self.requests == 1 else f"{self.requests:,} requests"
        return (
            f"{requests} for about {self.bars:,} bars, {timedelta(seconds=round(self.seconds))} "
            f"or more, {self.size / 1e6:,.1f} MB"
        )


def estimate(plans: Iterable[SeriesPlan]) -> Estimate:
    """What fetching these series will take together."""
    plans = list(plans)
    requests = sum(len(plan.chunks) for plan in plans)
    small = sum(len(plan.chunks) for plan in plans if plan.series.spec.nanos <= SMALL_BAR)
    bars = sum(plan.bars for plan in plans)
    return Estimate(
        requests,
        bars,
        max(
            -(-requests // open_limit()) * _SECONDS_A_REQUEST,
            *(
                max((small if rule.applies == "small" else requests) - 1, 0)
                // rule.limit
                * rule.seconds
                for rule in rules()
                if rule.scope == "gateway"
            ),
        ),
        bars * BYTES_A_BAR + sum(BYTES_A_FILE for plan in plans if plan.chunks),
    )


def require_space(root: Path, expected: Estimate) -> None:
    """Raise `CatalogUnusable` when the disk of a catalog cannot hold what is expected."""
    free = shutil.disk_usage(root).free
    if expected.requests and expected.size + _KEPT_FREE > free:
        raise CatalogUnusable(
            "the disk is too small for this fetch",
            f"it needs about {expected.size / 1e6:,.0f} MB, and {root} has {free / 1e6:,.0f} MB "
            f"free, of which {_KEPT_FREE / 1e6:,.0f} MB stay free",
            "make room, fetch less, or name a catalog on another disk with --catalog",
        )

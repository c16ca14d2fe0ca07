"""Prices that do not go on from where they were: splits nobody adjusted for, and bad data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from catalog.checks.findings import moment
from catalog.columns import BarColumns
from catalog.layout import NANOS_PER_DAY
from catalog.series import BarSpec

_UNUSUAL = 1.4
"""Splits of 3:2 are the smallest that are common; few markets move as much between two bars."""

_SPLITS = (1.5, 2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 40, 50, 100)
_TOLERANCE = 0.03
LONGEST_CLOSURE = 5 * NANOS_PER_DAY
"""Prices that lie further apart are not compared."""


@dataclass(frozen=True, slots=True)
class Jump:
    """From one close to the next open: `at` is the stamp of the later bar, `ratio` new to old."""

    at: int
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """The new price over the old one."""
        return self.after / self.before

    @property
    def unusual(self) -> bool:
        """Whether it is worth telling; prices of zero or less have no ratio."""
        if self.before <= 0 or self.after <= 0:
            return False
        return not 1 / _UNUSUAL <= self.ratio <= _UNUSUAL

    @property
    def split(self) -> str | None:
        """The split it looks like, such as 7:1 or, where shares were joined, 1:7."""
        factor = max(self.ratio, 1 / self.ratio)
        near = min(_SPLITS, key=lambda one: abs(factor / one - 1))
        if abs(factor / near - 1) > _TOLERANCE:
            return None
        several, one = ("3", "2") if near == 1.5 else (f"{near:.0f}", "1")
        return f"{several}:{one}" if self.ratio < 1 else f"{one}:{several}"

    def __str__(self) -> str:
        like = f"like a split of {self.split}" if self.split else "without the ratio of a split"
        return f"from {self.before:,.2f} to {self.after:,.2f} at {moment(self.at)}, {like}"


def jumps(bars: BarColumns, spec: BarSpec) -> Iterator[Jump]:
    """The jumps between neighbours among bars in time order; holes of many days do not count, nor
    do prices of zero or less."""
    before, after = bars.price(bars.close[:-1]), bars.price(bars.open[1:])
    near = np.diff(bars.ts) <= max(3 * spec.nanos, LONGEST_CLOSURE)
    comparable = near & (before > 0) & (after > 0)
    ratio = np.ones(len(before))
    np.divide(after, before, out=ratio, where=comparable)
    for row in np.flatnonzero((ratio > _UNUSUAL) | (ratio < 1 / _UNUSUAL)).tolist():
        yield Jump(int(bars.ts[row + 1]), float(before[row]), float(after[row]))

"""What the broker says now of bars that are stored: the same, corrected, split, or restated."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np

from catalog.columns import BarColumns, Ints

type RevisionKind = Literal["none", "corrected", "split", "restated"]

_LEAST_SPLIT = 0.01
"""How far from 1 a ratio of prices must be to be a split."""

_LARGEST_TERM = 50


@dataclass(frozen=True, slots=True)
class Revision:
    """How bars differ from those stored.

    `corrected`: only the last session, or only volumes, which brokers still settle. `split`: all
    prices by one `ratio`, stored : now. `restated`: anything else. `first` is the stamp of the
    first bar that differs, ns; 0 when none does.
    """

    kind: RevisionKind
    bars: int = 0
    first: int = 0
    ratio: Fraction | None = None

    def __str__(self) -> str:
        if self.ratio is not None:
            return f"split {self.ratio.numerator}:{self.ratio.denominator}"
        return f"{self.bars:,} bars {self.kind}"


def compare(stored: BarColumns, fresh: BarColumns, last_session: int) -> Revision:
    """Compare all bars of one span as they are stored and as the broker gives them now.

    `last_session` is the open (ns) of the last stored session: bars stamped after it belong to it.
    """
    common, mine, theirs = np.intersect1d(stored.ts, fresh.ts, return_indices=True)
    only_one = np.setxor1d(stored.ts, fresh.ts)
    held, now = _prices(stored, fresh)
    moved = (held[:, mine] != now[:, theirs]).any(axis=0)
    resized = stored.volumes()[mine] != fresh.volumes()[theirs]
    changed = np.union1d(only_one, common[moved | resized])
    if not len(changed):
        return Revision("none")
    count, first = len(changed), int(changed[0])
    repriced = np.union1d(only_one, common[moved])
    ratio = _ratio(held[:, mine], now[:, theirs])
    if ratio is not None:
        return Revision("split", count, first, ratio)
    if not len(repriced) or int(repriced[0]) > last_session:
        return Revision("corrected", count, first)
    return Revision("restated", count, first)


def _prices(stored: BarColumns, fresh: BarColumns) -> tuple[Ints, Ints]:
    """Open, high, low, close of both in units of the finer precision."""
    finest = max(stored.price_precision, fresh.price_precision)
    both = [
        np.array(bars.arrays()[1:5]) * 10 ** (finest - bars.price_precision)
        for bars in (stored, fresh)
    ]
    return both[0], both[1]


def _ratio(held: Ints, now: Ints) -> Fraction | None:
    """The ratio of all prices when it is one, but for the rounding to a tick, and not 1."""
    if not held.size or (now <= 0).any() or (held <= 0).any():
        return None
    # A split price is rounded to a tick; the ticks are not known, the least step of prices is.
    steps = np.diff(np.unique(np.concatenate([held.ravel(), now.ravel()])))
    tick = int(steps.min()) if len(steps) else 1
    overall = Fraction(int(held.sum()), int(now.sum()))
    if abs(float(overall) - 1) < _LEAST_SPLIT:
        return None
    for term in range(1, _LARGEST_TERM + 1):
        ratio = overall.limit_denominator(term)
        if (np.abs(held - now * float(ratio)) <= (1 + float(ratio)) * tick).all():
            return ratio
    return None

"""How far equity fell from its peaks, and for how long."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from catalog.columns import Floats, Ints


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A fall from a peak of equity until that peak is reached again.

    Stamps are ns; `depth` is the fall to the lowest close as a part of the peak. One that lasts to
    the end has no recovery; the peak of one that begins with the starting cash is the first stamp.
    """

    peak_ts: int
    trough_ts: int
    recovered_ts: int | None
    depth: float


def falls(cash: float, value: Floats) -> Floats:
    """At each point, the fall from the highest equity so far as a part of it, 0 or more; the
    starting cash is the first peak."""
    found = np.maximum(value, cash)
    # In place: a run may have millions of points.
    np.maximum.accumulate(found, out=found)
    np.divide(value, found, out=found)
    return np.subtract(1, found, out=found)


def deepest(cash: float, value: Floats) -> float:
    """The largest of the falls."""
    return float(np.max(falls(cash, value)))


def worst(cash: float, ts: Ints, value: Floats, count: int = 5) -> tuple[Drawdown, ...]:
    """The deepest drawdowns, deepest first."""
    depth = falls(cash, value)
    starts, ends = stretches(depth > 0)
    if not len(starts):
        return ()
    deepest_first = np.argsort(-np.maximum.reduceat(depth, starts), kind="stable")[:count]
    found = []
    for start, end in zip(
        starts[deepest_first].tolist(), ends[deepest_first].tolist(), strict=True
    ):
        trough = start + int(np.argmax(depth[start:end]))
        recovered = int(ts[end]) if end < len(ts) else None
        found.append(
            Drawdown(int(ts[max(start - 1, 0)]), int(ts[trough]), recovered, float(depth[trough]))
        )
    return tuple(found)


def longest(ts: Ints, condition: npt.NDArray[np.bool_], *, from_before: bool) -> int:
    """The longest time a condition held, ns: from the point it began at (or the one before) to the
    point where it no longer held, or the last one."""
    starts, ends = stretches(condition)
    if not len(starts):
        return 0
    begins = ts[np.maximum(starts - from_before, 0)]
    return int(np.max(ts[np.minimum(ends, len(ts) - 1)] - begins))


def stretches(condition: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Where the condition begins to hold, and where it no longer does."""
    edges = np.diff(np.concatenate(([False], condition, [False])).astype(np.int8))
    return np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)

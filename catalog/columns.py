"""Bars as NumPy columns: exact integers, no Nautilus objects."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

type Ints = npt.NDArray[np.int64]
type Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class BarColumns:
    """Bars of one series in time order, one array a column, all of length n.

    `ts` is the stamp of the bar (`ts_event = ts_init`, its close) in ns UTC. Prices are integers
    in units of 10**-price_precision, volumes in units of 10**-size_precision, so that no value is
    ever rounded between broker, disk and chart.
    """

    ts: Ints
    open: Ints
    high: Ints
    low: Ints
    close: Ints
    volume: Ints
    price_precision: int
    size_precision: int

    def __len__(self) -> int:
        return len(self.ts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BarColumns):
            return NotImplemented
        return (self.price_precision, self.size_precision) == (
            other.price_precision,
            other.size_precision,
        ) and all(
            np.array_equal(mine, theirs)
            for mine, theirs in zip(self.arrays(), other.arrays(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def empty(cls, price_precision: int, size_precision: int) -> Self:
        """No bars."""
        none = np.empty(0, dtype=np.int64)
        return cls(none, none, none, none, none, none, price_precision, size_precision)

    def arrays(self) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints]:
        """ts, open, high, low, close, volume."""
        return self.ts, self.open, self.high, self.low, self.close, self.volume

    def take(self, rows: slice | npt.NDArray[np.bool_] | Ints) -> Self:
        """The bars of the given rows."""
        return replace(
            self,
            ts=self.ts[rows],
            open=self.open[rows],
            high=self.high[rows],
            low=self.low[rows],
            close=self.close[rows],
            volume=self.volume[rows],
        )

    def between(self, start: int, end: int) -> Self:
        """The bars stamped in (start, end], ns: those whose open lies in [start, end)."""
        first, last = np.searchsorted(self.ts, (start, end), side="right")
        return self.take(slice(int(first), int(last)))

    def price(self, column: Ints) -> Floats:
        """A price column as floats, for charts and figures only."""
        return column / 10.0**self.price_precision

    def volumes(self) -> Floats:
        """The volumes as floats, for charts and figures only."""
        return self.volume / 10.0**self.size_precision


def concat(parts: list[BarColumns]) -> BarColumns:
    """The bars of all parts in the given order; the parts have the same precisions.

    Raises `ValueError` when there is no part or precisions differ.
    """
    if not parts:
        raise ValueError("nothing to join")
    precisions = {(part.price_precision, part.size_precision) for part in parts}
    if len(precisions) > 1:
        raise ValueError(f"bars of different precisions do not join: {sorted(precisions)}")
    ts, opens, highs, lows, closes, volumes = (
        np.concatenate(column) for column in zip(*(part.arrays() for part in parts), strict=True)
    )
    return BarColumns(ts, opens, highs, lows, closes, volumes, *precisions.pop())

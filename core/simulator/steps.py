"""A session cut into equal steps of time, with everything that is priced in each of them."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Steps:
    """The minutes or seconds of one session; prices in ticks, times in epoch seconds UTC.

    ``mid`` is open, high, low, close of the mid price, ``last`` the same of the trades;
    ``turnover`` is ticks times volume.
    """

    start: Ints
    mid: Ints
    last: Ints
    volume: Ints
    turnover: Floats
    count: Ints

    def times(self, unit: int) -> Self:
        """The same with prices in ticks of a ``unit``-th."""
        if unit == 1:
            return self
        return replace(
            self, mid=self.mid * unit, last=self.last * unit, turnover=self.turnover * unit
        )

    def until(self, moment: int | None) -> Self:
        """The steps before ``moment``; all of them where it is None."""
        if moment is None or moment > self.start[-1]:
            return self
        kept = slice(int(np.searchsorted(self.start, moment)))
        return type(self)(
            self.start[kept],
            self.mid[:, kept],
            self.last[:, kept],
            self.volume[kept],
            self.turnover[kept],
            self.count[kept],
        )

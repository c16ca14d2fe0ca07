"""Two moving averages: the fast one leads. For worker processes only."""

from __future__ import annotations

from typing import override

from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model import Bar

from core.strategies.configs import SmaCrossoverParameters
from core.strategies.positioning import Mandate, Positioned, Side


class SmaCrossover(Positioned[SmaCrossoverParameters]):
    """Long/short: long while the fast simple average of closes is above the slow one, short while
    it is below, unchanged while they are equal; flat until the slow one has all its bars."""

    def __init__(self, mandate: Mandate[SmaCrossoverParameters]) -> None:
        super().__init__(mandate)
        self._fast = self.follow(SimpleMovingAverage(self.parameters.fast_period))
        self._slow = self.follow(SimpleMovingAverage(self.parameters.slow_period))

    @override
    def target(self, bar: Bar) -> Side:
        if not self._slow.initialized:
            return 0
        fast, slow = self._fast.value, self._slow.value
        return 1 if fast > slow else -1 if fast < slow else self.side

"""A moving average that rises. For worker processes only."""

from __future__ import annotations

from typing import override

from nautilus_trader.indicators import RateOfChange, RateOfChangeMode, SimpleMovingAverage
from nautilus_trader.model import Bar

from core.strategies.configs import SmaMomentumParameters
from core.strategies.positioning import Mandate, Positioned, Side


class SmaMomentum(Positioned[SmaMomentumParameters]):
    """Long/flat: long while the simple average of closes stands more than `threshold` above where
    it stood `lookback` bars ago, flat otherwise."""

    def __init__(self, mandate: Mandate[SmaMomentumParameters]) -> None:
        super().__init__(mandate)
        self._average = self.follow(SimpleMovingAverage(self.parameters.period))
        self._rise = RateOfChange(self.parameters.lookback, mode=RateOfChangeMode.Fraction)

    @override
    def target(self, bar: Bar) -> Side:
        if not self._average.initialized:
            return 0
        self._rise.update_raw(self._average.value)
        return 1 if self._rise.initialized and self._rise.value > self.parameters.threshold else 0

"""A moving average that rises. For worker processes only."""

from __future__ import annotations

from typing import override

from nautilus_trader.indicators import RateOfChange, RateOfChangeMode, SimpleMovingAverage
from nautilus_trader.model import Bar

from core.strategies.configs import SmaMomentumParameters
from core.strategies.positioning import Market, Positioned, Side


class SmaMomentum(Positioned[SmaMomentumParameters]):
    """Long/flat: long while the simple average of closes stands more than `threshold` above where
    it stood `lookback` bars ago, flat otherwise."""

    def __init__(self, parameters: SmaMomentumParameters, market: Market) -> None:
        super().__init__(parameters, market)
        self._average = self.follow(SimpleMovingAverage(parameters.period))
        self._rise = RateOfChange(parameters.lookback, mode=RateOfChangeMode.Fraction)

    @override
    def target(self, bar: Bar) -> Side:
        if not self._average.initialized:
            return 0
        self._rise.update_raw(self._average.value)
        return 1 if self._rise.initialized and self._rise.value > self.parameters.threshold else 0

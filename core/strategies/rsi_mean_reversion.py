"""Buying weakness. For worker processes only."""

from __future__ import annotations

from typing import override

from nautilus_trader.indicators import RelativeStrengthIndex
from nautilus_trader.model import Bar

from core.strategies.configs import RsiMeanReversionParameters
from core.strategies.positioning import Mandate, Positioned, Side


class RsiMeanReversion(Positioned[RsiMeanReversionParameters]):
    """Long/flat: buys when the RSI of closes falls below `oversold`, sells when it rises above
    `overbought`, holds in between."""

    def __init__(self, mandate: Mandate[RsiMeanReversionParameters]) -> None:
        super().__init__(mandate)
        self._rsi = self.follow(RelativeStrengthIndex(self.parameters.period))

    @override
    def target(self, bar: Bar) -> Side:
        if not self._rsi.initialized:
            return 0
        strength = self._rsi.value
        if strength < self.parameters.oversold:
            return 1
        return 0 if strength > self.parameters.overbought else self.side

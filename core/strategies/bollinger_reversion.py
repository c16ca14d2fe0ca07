"""Buying low and selling high within bands. For worker processes only."""

from __future__ import annotations

from typing import override

from nautilus_trader.indicators import BollingerBands
from nautilus_trader.model import Bar

from core.strategies.configs import BollingerReversionParameters
from core.strategies.positioning import Mandate, Positioned, Side


class BollingerReversion(Positioned[BollingerReversionParameters]):
    """Long/short/flat: long when a close stands below the lower band, short when above the upper
    one; a long is left at or above the middle, a short at or below it. The bands stand `width`
    standard deviations (of the population) from the simple average of the last `period` closes,
    this bar's included.

    Source: John Bollinger, Bollinger on Bollinger Bands (2001), for the bands; the rule is the
    plain reversion to their middle.
    """

    def __init__(self, mandate: Mandate[BollingerReversionParameters]) -> None:
        super().__init__(mandate)
        self._bands = BollingerBands(self.parameters.period, self.parameters.width)

    @override
    def target(self, bar: Bar) -> Side:
        close = bar.close.as_double()
        self._bands.update_raw(close)  # `handle_bar` would take the bar's typical price
        if not self._bands.initialized:
            return 0
        if close < self._bands.lower:
            return 1
        if close > self._bands.upper:
            return -1
        away = (self._bands.middle - close) * self.side
        return self.side if away > 0 else 0

"""Following a breakout. For worker processes only."""

from __future__ import annotations

from typing import override

from nautilus_trader.indicators import DonchianChannel
from nautilus_trader.model import Bar

from core.strategies.configs import DonchianBreakoutParameters
from core.strategies.positioning import Mandate, Positioned, Side


class DonchianBreakout(Positioned[DonchianBreakoutParameters]):
    """Long/short/flat: long when a close stands above the highest high of the `entry_period` bars
    before it, short when below their lowest low. A long is left when a close stands below the
    lowest low of the `exit_period` bars before it, a short when above their highest high.

    Source: Richard Donchian's channel rule with the shorter exit of the Turtles, as in Curtis
    Faith, Way of the Turtle (2007).
    """

    def __init__(self, mandate: Mandate[DonchianBreakoutParameters]) -> None:
        super().__init__(mandate)
        self._entry = DonchianChannel(self.parameters.entry_period)
        self._exit = DonchianChannel(self.parameters.exit_period)

    @override
    def target(self, bar: Bar) -> Side:
        side = self._broken(bar.close.as_double()) if self._entry.initialized else 0
        # The channels take in the bar afterwards, as no close stands outside of its own bar.
        for channel in (self._entry, self._exit):
            channel.handle_bar(bar)
        return side

    def _broken(self, close: float) -> Side:
        if close > self._entry.upper:
            return 1
        if close < self._entry.lower:
            return -1
        left = close < self._exit.lower if self.side > 0 else close > self._exit.upper
        return 0 if left else self.side

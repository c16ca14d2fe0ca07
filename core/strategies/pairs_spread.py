"""One instrument against another. For worker processes only."""

from __future__ import annotations

import math
from decimal import ROUND_FLOOR, Decimal
from typing import override

from nautilus_trader.indicators import ZScore
from nautilus_trader.model import Bar, BarType

from core.strategies.configs import PairsSpreadParameters
from core.strategies.positioning import (
    Leg,
    Mandate,
    Mandated,
    Side,
    affordable,
    checked_size,
)


class PairsSpread(Mandated[PairsSpreadParameters]):
    """Long/short/flat in the ratio of two instruments: their spread is the difference of the
    logarithms of their closes, its score the distance from the mean of the last `period` spreads
    in standard deviations, this one included. Above `entry` the first is sold short and the second
    bought, below -`entry` the reverse; when the score is back within `exit`, both are closed.

    Decided where both have a bar of the same stamp. Half the cash goes into each at the first
    such close, or `trade_size` units into the first and their worth into the second; these units
    stay the same for the whole run.

    Source: Gatev, Goetzmann and Rouwenhorst, Pairs Trading (Review of Financial Studies, 2006);
    the rolling score as in Ernest Chan, Algorithmic Trading (2013).
    """

    def __init__(self, mandate: Mandate[PairsSpreadParameters]) -> None:
        super().__init__(mandate)
        self._legs = (Leg(mandate.instrument, mandate.bar_type), *mandate.others)
        self._score = ZScore(self.parameters.period)
        self._last: dict[BarType, Bar] = {}
        self._sizes: tuple[Decimal, ...] = ()
        self._side: Side = 0

    @override
    def on_start(self) -> None:
        for leg in self._legs:
            self.subscribe_bars(leg.bar_type)

    def on_warm_up_bar(self, bar: Bar) -> None:
        """A bar before the start of the run: it is measured, nothing is traded."""
        self._measure(bar)

    @override
    def on_bar(self, bar: Bar) -> None:
        if not self._measure(bar):
            return
        self._sizes = self._sizes or self._sized()
        self._side = self._target()
        for leg, size, sign in zip(self._legs, self._sizes, (1, -1), strict=True):
            change = sign * self._side * size - self.held(leg.instrument)
            if change:
                self.trade(leg.instrument, change)

    def _measure(self, bar: Bar) -> bool:
        """Take in a bar; whether both instruments have closed at its stamp."""
        self._last[bar.bar_type] = bar
        last = [self._last.get(leg.bar_type) for leg in self._legs]
        if any(each is None or each.ts_init != bar.ts_init for each in last):
            return False
        first, second = self._closes()
        self._score.update_raw(math.log(first / second))
        return True

    def _closes(self) -> list[Decimal]:
        return [self._last[leg.bar_type].close.as_decimal() for leg in self._legs]

    def _target(self) -> Side:
        if not self._score.initialized:
            return 0
        score = self._score.value
        if abs(score) > self.parameters.entry:
            return -1 if score > 0 else 1
        return 0 if abs(score) < self.parameters.exit else self._side

    def _sized(self) -> tuple[Decimal, ...]:
        first, second = (leg.instrument for leg in self._legs)
        one, other = self._closes()
        wanted, half = self.parameters.trade_size, self.mandate.cash / 2
        if wanted is None:
            return affordable(first, one, half), affordable(second, other, half)
        worth = checked_size(first, wanted) * one * Decimal(str(first.multiplier))
        step = Decimal(str(second.size_increment))
        units = worth / other / Decimal(str(second.multiplier)) / step
        return wanted, max(units.to_integral_value(ROUND_FLOOR), Decimal(1)) * step

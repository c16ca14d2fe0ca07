"""The strategy to beat. For worker processes only."""

from __future__ import annotations

from typing import override

from nautilus_trader.model import Bar

from core.strategies.configs import BuyAndHoldParameters
from core.strategies.positioning import Positioned, Side


class BuyAndHold(Positioned[BuyAndHoldParameters]):
    """Long from the first close on."""

    @override
    def target(self, bar: Bar) -> Side:
        return 1

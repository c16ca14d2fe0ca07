"""A strategy that does what a test tells it bar by bar. For worker processes: tests name it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import ClassVar

from nautilus_trader.model import Bar

from core.strategies.configs import StrategyParameters, about
from core.strategies.positioning import Mandate, Positioned, Side


@dataclass(frozen=True, kw_only=True)
class ScriptedParameters(StrategyParameters):
    """One letter a bar: `L`ong, `S`hort, `F`lat, `!` raises, `X` aborts the process."""

    script: str = field(default="L", metadata=about("what to do, bar by bar"))


class Scripted(Positioned[ScriptedParameters]):
    """Follows its script and keeps its last word to the end."""

    sides: ClassVar[dict[str, Side]] = {"L": 1, "S": -1, "F": 0}

    def __init__(self, mandate: Mandate[ScriptedParameters]) -> None:
        super().__init__(mandate)
        self._bar = -1

    def target(self, bar: Bar) -> Side:
        self._bar = min(self._bar + 1, len(self.parameters.script) - 1)
        word = self.parameters.script[self._bar]
        if word == "!":
            raise ZeroDivisionError("the script said so")
        if word == "X":
            os.abort()
        return self.sides[word]

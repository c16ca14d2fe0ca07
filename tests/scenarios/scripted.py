"""A strategy that does what a test tells it bar by bar, run by the real engine in a worker."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from core import strategies
from core.backtest.task import Outcome, Task
from core.backtest.task import perform as perform_shipped
from core.strategies.configs import StrategyParameters, about


@dataclass(frozen=True, kw_only=True)
class ScriptedParameters(StrategyParameters):
    """One letter a bar: `L`ong, `S`hort, `F`lat, `!` raises, `X` aborts the process."""

    script: str = field(default="L", metadata=about("what to do, bar by bar"))

    def __post_init__(self) -> None:
        pass


def register() -> None:
    """Put the strategy among the shipped ones of this process."""
    strategies._READERS[str] = str
    strategies.STRATEGIES = MappingProxyType(
        {
            **strategies.STRATEGIES,
            "scripted": strategies.Shipped(
                ScriptedParameters, "tests.scenarios.scripted", "Scripted"
            ),
        }
    )


def perform(task: Task, *, send: Callable[[Any], None]) -> Outcome:
    """As `core.backtest.task.perform`, with the scripted strategy known."""
    register()
    return perform_shipped(task, send=send)


def __getattr__(name: str) -> Any:
    # The class itself needs Nautilus, which the test's own process does not load.
    if name != "Scripted":
        raise AttributeError(name)
    from core.strategies.positioning import Positioned

    class Scripted(Positioned[ScriptedParameters]):
        """Follows its script and keeps its last word to the end."""

        _sides = {"L": 1, "S": -1, "F": 0}  # noqa: RUF012

        def __init__(self, mandate: Any) -> None:
            super().__init__(mandate)
            self._bar = -1

        def target(self, bar: Any) -> Any:
            self._bar = min(self._bar + 1, len(self.parameters.script) - 1)
            word = self.parameters.script[self._bar]
            if word == "!":
                raise ZeroDivisionError("the script said so")
            if word == "X":
                os.abort()
            return self._sides[word]

    return Scripted

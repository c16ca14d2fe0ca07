"""Strategies: those that come with the program and those of the user, described and set.

Importing this costs nothing: the strategies themselves need Nautilus and are imported in workers.
The functions here know the shipped ones; `library.Library` knows all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalog.errors import WrongInput
from core.strategies.configs import StrategyParameters
from core.strategies.parameters import Parameter as Parameter
from core.strategies.parameters import StrategyInfo as StrategyInfo
from core.strategies.parameters import near_first
from core.strategies.shipped import STRATEGIES, Shipped, info_of


def strategy_names() -> tuple[str, ...]:
    """The shipped ones, in the order they are shown."""
    return tuple(STRATEGIES)


def find(name: str) -> Shipped:
    """The shipped strategy of that name. Raises `WrongInput` that lists the names, near ones
    first."""
    try:
        return STRATEGIES[name]
    except KeyError:
        raise unknown(name, STRATEGIES) from None


def unknown(name: str, names: Mapping[str, object] | tuple[str, ...]) -> WrongInput:
    """The refusal of a name that no strategy has."""
    return WrongInput(
        f"there is no strategy '{name}'",
        f"the strategies are {near_first(name, names)}",
        "choose one of them",
    )


def describe(name: str) -> StrategyInfo:
    """What a shipped strategy does and what can be set. Raises `WrongInput` for another name."""
    find(name)
    return info_of(name)


def parameters_of(name: str, given: Mapping[str, object]) -> StrategyParameters:
    """A shipped strategy's parameters with what is given, text read as what it stands for.

    Raises `WrongInput` for an unknown strategy or parameter, a value of another type, or values
    the strategy cannot work with.
    """
    kind = find(name).parameters
    values: dict[str, Any] = describe(name).read(given)
    return kind(**values)

"""The strategies that come with the program, and how they are described and set.

Importing this costs nothing: the strategies themselves (one module each, on Nautilus) are loaded
in the worker process that runs them.
"""

from __future__ import annotations

import dataclasses
import difflib
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from types import MappingProxyType, UnionType
from typing import Any

from catalog.errors import WrongInput
from core.strategies import configs
from core.strategies.configs import StrategyParameters


@dataclass(frozen=True, slots=True)
class Shipped:
    """A strategy of ours: what may be set, and the class that trades by it."""

    parameters: type[StrategyParameters]
    module: str
    class_name: str


STRATEGIES: Mapping[str, Shipped] = MappingProxyType(
    {
        "sma_crossover": Shipped(
            configs.SmaCrossoverParameters, "core.strategies.sma_crossover", "SmaCrossover"
        ),
        "sma_momentum": Shipped(
            configs.SmaMomentumParameters, "core.strategies.sma_momentum", "SmaMomentum"
        ),
        "rsi_mean_reversion": Shipped(
            configs.RsiMeanReversionParameters,
            "core.strategies.rsi_mean_reversion",
            "RsiMeanReversion",
        ),
        "buy_and_hold": Shipped(
            configs.BuyAndHoldParameters, "core.strategies.buy_and_hold", "BuyAndHold"
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing to set: its type as a word (`int`, `float`, `decimal`), and its default."""

    name: str
    type: str
    default: object
    doc: str


@dataclass(frozen=True, slots=True)
class StrategyInfo:
    """What a person reads before choosing a strategy."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]


def strategy_names() -> tuple[str, ...]:
    """All of them, in the order they are shown."""
    return tuple(STRATEGIES)


def find(name: str) -> Shipped:
    """The strategy of that name. Raises `WrongInput` that lists the names, near ones first."""
    try:
        return STRATEGIES[name]
    except KeyError:
        raise WrongInput(
            f"there is no strategy '{name}'",
            f"the strategies are {_near_first(name, STRATEGIES)}",
            "choose one of them",
        ) from None


def describe(name: str) -> StrategyInfo:
    """What the strategy does and what can be set. Raises `WrongInput` for an unknown name."""
    kind = find(name).parameters
    hints = typing.get_type_hints(kind)
    return StrategyInfo(
        name,
        (kind.__doc__ or "").strip().partition("\n")[0],
        tuple(
            Parameter(
                field.name,
                _plain_type(hints[field.name]).__name__.lower(),
                field.default,
                field.metadata["doc"],
            )
            for field in _own_first(kind)
        ),
    )


def parameters_of(name: str, given: Mapping[str, object]) -> StrategyParameters:
    """The strategy's parameters with what is given, text read as what it stands for.

    Raises `WrongInput` for an unknown strategy or parameter, a value of another type, or values
    the strategy cannot work with.
    """
    kind = find(name).parameters
    hints = typing.get_type_hints(kind)
    names = [field.name for field in _own_first(kind)]
    unknown = [key for key in given if key not in names]
    if unknown:
        raise WrongInput(
            f"{name} has no parameter '{unknown[0]}'",
            f"its parameters are {_near_first(unknown[0], names)}",
            "correct the name",
        )
    values: dict[str, Any] = {
        key: _read(name, key, value, hints[key]) for key, value in given.items()
    }
    return kind(**values)


def _own_first(kind: type[StrategyParameters]) -> list[dataclasses.Field[object]]:
    shared = {field.name for field in dataclasses.fields(StrategyParameters)}
    return sorted(dataclasses.fields(kind), key=lambda field: field.name in shared)


def _near_first(typed: str, names: typing.Iterable[str]) -> str:
    near = difflib.get_close_matches(typed, list(names), n=3, cutoff=0.5)
    return ", ".join([*near, *(name for name in names if name not in near)])


def _plain_type(hint: object) -> type:
    """The type of a value, None aside."""
    if isinstance(hint, UnionType):
        hint = next(one for one in typing.get_args(hint) if one is not type(None))
    return typing.cast(type, hint)


_READERS: dict[type, Callable[[str], object]] = {int: int, float: float, Decimal: Decimal}
_IN_WORDS = {int: "a whole number", float: "a number", Decimal: "a number"}


def _read(strategy: str, name: str, value: object, hint: object) -> object:
    kind = _plain_type(hint)
    optional = kind is not hint
    if optional and value in (None, ""):
        return None
    # Through text: `True` is no whole number, 10.0 is none either, and a Decimal stays exact.
    try:
        read = _READERS[kind](str(value).strip())
    except (ValueError, InvalidOperation):
        raise WrongInput(
            f"'{value}' does not fit {name} of {strategy}",
            f"it must be {_IN_WORDS[kind]}",
            f"for example {name}={_example(strategy, name)}",
        ) from None
    return read


def _example(strategy: str, name: str) -> object:
    defaults = {
        field.name: field.default for field in dataclasses.fields(find(strategy).parameters)
    }
    return 100 if defaults[name] is None else defaults[name]

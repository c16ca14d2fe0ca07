"""The strategies that come with the program.

Importing this costs nothing: the strategies themselves (one module each, on Nautilus) are loaded
in the worker process that runs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

from core.strategies import configs
from core.strategies.configs import StrategyParameters
from core.strategies.describing import fields_of, summary_of
from core.strategies.parameters import Parameter, StrategyInfo


@dataclass(frozen=True, slots=True)
class Shipped:
    """A strategy of ours: what may be set, and the class that trades by it."""

    parameters: type[StrategyParameters]
    module: str
    class_name: str


def _of(parameters: type[StrategyParameters], class_name: str, module: str) -> Shipped:
    return Shipped(parameters, f"core.strategies.{module}", class_name)


STRATEGIES: Mapping[str, Shipped] = MappingProxyType(
    {
        "sma_crossover": _of(configs.SmaCrossoverParameters, "SmaCrossover", "sma_crossover"),
        "sma_momentum": _of(configs.SmaMomentumParameters, "SmaMomentum", "sma_momentum"),
        "rsi_mean_reversion": _of(
            configs.RsiMeanReversionParameters, "RsiMeanReversion", "rsi_mean_reversion"
        ),
        "donchian_breakout": _of(
            configs.DonchianBreakoutParameters, "DonchianBreakout", "donchian_breakout"
        ),
        "bollinger_reversion": _of(
            configs.BollingerReversionParameters, "BollingerReversion", "bollinger_reversion"
        ),
        "pairs_spread": _of(configs.PairsSpreadParameters, "PairsSpread", "pairs_spread"),
        "buy_and_hold": _of(configs.BuyAndHoldParameters, "BuyAndHold", "buy_and_hold"),
    }
)


@cache
def info_of(name: str) -> StrategyInfo:
    """What one of ours does and what can be set on it."""
    shipped = STRATEGIES[name]
    return StrategyInfo(
        name,
        summary_of(shipped.parameters),
        parameters_in(shipped.parameters),
        shipped.parameters.instruments,
        _source(shipped.module),
    )


def parameters_in(kind: type[StrategyParameters]) -> tuple[Parameter, ...]:
    """What can be set by a class of parameters, what it adds itself first."""
    shared = {field.name for field in fields_of(StrategyParameters)}
    found = (field.parameter() for field in fields_of(kind))
    return tuple(
        sorted((one for one in found if one is not None), key=lambda one: one.name in shared)
    )


def _source(module: str) -> Path | None:
    spec = find_spec(module)
    return Path(spec.origin) if spec and spec.origin else None

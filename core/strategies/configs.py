"""What can be set on each strategy, as frozen dataclasses that need no Nautilus."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, ClassVar

from catalog.errors import WrongInput
from core.strategies.parameters import check_bounds


def about(
    doc: str, *, at_least: float | None = None, at_most: float | None = None
) -> dict[str, Any]:
    """What a form says about a field, and the bounds it is held to."""
    return {"doc": doc, "at_least": at_least, "at_most": at_most}


@dataclass(frozen=True, kw_only=True)
class StrategyParameters:
    """What every strategy lets you set.

    Raises `WrongInput` for a value out of its bounds.
    """

    instruments: ClassVar[int] = 1
    """How many instruments one instance of the strategy trades."""

    trade_size: Decimal | None = field(
        default=None,
        metadata=about("units held at a time; empty: 95 % of the cash, whole shares or contracts"),
    )

    def __post_init__(self) -> None:
        for each in dataclasses.fields(self):
            value = getattr(self, each.name)
            if isinstance(value, int | float | Decimal):
                bounds = each.metadata.get("at_least"), each.metadata.get("at_most")
                check_bounds(each.name, value, *bounds)
        if self.trade_size is not None and self.trade_size <= 0:
            raise WrongInput(
                "trade_size must be more than 0",
                f"it is {self.trade_size}",
                "give the number of shares, contracts or units, or leave it out",
            )


def _check_order(parameters: StrategyParameters, low: str, high: str) -> None:
    if getattr(parameters, low) >= getattr(parameters, high):
        raise WrongInput(
            f"{low} must be less than {high}",
            f"{low}={getattr(parameters, low)}, {high}={getattr(parameters, high)}",
            f"lower {low} or raise {high}",
        )


@dataclass(frozen=True, kw_only=True)
class SmaCrossoverParameters(StrategyParameters):
    """Long while the fast average of closes is above the slow one, short while below."""

    fast_period: int = field(
        default=10, metadata=about("bars in the fast average", at_least=1, at_most=10_000)
    )
    slow_period: int = field(
        default=20, metadata=about("bars in the slow average", at_least=2, at_most=10_000)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_order(self, "fast_period", "slow_period")


@dataclass(frozen=True, kw_only=True)
class SmaMomentumParameters(StrategyParameters):
    """Long while the average of closes has risen over the lookback, else flat."""

    period: int = field(
        default=20, metadata=about("bars in the average", at_least=1, at_most=10_000)
    )
    lookback: int = field(
        default=10,
        metadata=about("bars over which its rise is measured", at_least=1, at_most=10_000),
    )
    threshold: float = field(
        default=0.0, metadata=about("rise it takes to buy, as a fraction", at_least=0.0, at_most=1)
    )


@dataclass(frozen=True, kw_only=True)
class RsiMeanReversionParameters(StrategyParameters):
    """Buy when the RSI falls below oversold, sell when it rises above overbought."""

    period: int = field(default=14, metadata=about("bars in the RSI", at_least=2, at_most=10_000))
    oversold: float = field(
        default=30.0, metadata=about("buy below this, 0 to 100", at_least=0, at_most=100)
    )
    overbought: float = field(
        default=70.0, metadata=about("sell above this, 0 to 100", at_least=0, at_most=100)
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_order(self, "oversold", "overbought")


@dataclass(frozen=True, kw_only=True)
class DonchianBreakoutParameters(StrategyParameters):
    """Long above the highest high of the last bars, short below the lowest low, out at a shorter
    channel's other side."""

    entry_period: int = field(
        default=20,
        metadata=about("bars whose range is broken to enter", at_least=1, at_most=10_000),
    )
    exit_period: int = field(
        default=10,
        metadata=about("bars whose range is broken to leave", at_least=1, at_most=10_000),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_order(self, "exit_period", "entry_period")


@dataclass(frozen=True, kw_only=True)
class BollingerReversionParameters(StrategyParameters):
    """Buy below the lower Bollinger band, sell short above the upper one, out at the middle."""

    period: int = field(
        default=20, metadata=about("bars in the average", at_least=2, at_most=10_000)
    )
    width: float = field(
        default=2.0,
        metadata=about("distance of the bands in standard deviations", at_least=0.1, at_most=10),
    )


@dataclass(frozen=True, kw_only=True)
class PairsSpreadParameters(StrategyParameters):
    """Two instruments: sell the dear one and buy the cheap one when their ratio strays, in equal
    amounts; out when it is back."""

    instruments: ClassVar[int] = 2

    period: int = field(
        default=100, metadata=about("bars the ratio is measured over", at_least=3, at_most=10_000)
    )
    entry: float = field(
        default=2.0,
        metadata=about("standard deviations from the mean to enter", at_least=0.1, at_most=20),
    )
    exit: float = field(
        default=0.5,
        metadata=about("standard deviations from the mean to leave", at_least=0, at_most=20),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_order(self, "exit", "entry")


@dataclass(frozen=True, kw_only=True)
class BuyAndHoldParameters(StrategyParameters):
    """Buy at the first close and hold."""

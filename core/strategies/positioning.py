"""What our strategies have in common: a mandate, and for most of them that each says, bar by bar,
whether it wants to be long, flat or short in its one instrument, and market orders take it there.

Imports Nautilus: for worker processes only.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import Any, Literal, override

from nautilus_trader.model import Bar, BarType, FuturesContract, OrderSide, Quantity
from nautilus_trader.trading import Strategy, StrategyConfig

from catalog.errors import WrongInput
from core.strategies.configs import StrategyParameters

type Side = Literal[-1, 0, 1]

INVESTED = Decimal("0.95")


@dataclass(frozen=True, slots=True)
class Leg:
    """An instrument and the bars it is traded by."""

    instrument: Any
    bar_type: BarType


@dataclass(frozen=True, slots=True)
class Mandate[P: StrategyParameters]:
    """What one strategy instance is to do: trade an instrument on its bars, with its share of the
    cash, by these parameters.

    `others` are further instruments, for strategies that trade several. `tag` keeps apart the
    instances of one strategy in a run.
    """

    parameters: P
    instrument: Any
    bar_type: BarType
    cash: Decimal
    tag: str
    others: tuple[Leg, ...] = ()


class Mandated[P: StrategyParameters](Strategy):
    """A strategy that trades by a mandate."""

    def __init__(self, mandate: Mandate[P]) -> None:
        super().__init__(StrategyConfig(order_id_tag=mandate.tag))
        self.parameters = mandate.parameters
        self.mandate = mandate

    def follow[I](self, indicator: I) -> I:
        """Feed an indicator of Nautilus' with every bar, before `on_bar`."""
        self.register_indicator_for_bars(self.mandate.bar_type, indicator)
        return indicator

    def held(self, instrument: Any) -> Decimal:
        """The units held of an instrument, below 0 when short."""
        return Decimal(str(self.portfolio.net_position(instrument.id)))

    def trade(self, instrument: Any, change: Decimal) -> None:
        """Buy so many units at the market, or sell them when below 0."""
        self.submit_order(
            self.order_factory.market(
                instrument.id,
                OrderSide.BUY if change > 0 else OrderSide.SELL,
                Quantity.from_decimal_dp(abs(change), instrument.size_precision),
            )
        )


class Positioned[P: StrategyParameters](Mandated[P]):
    """Holds +size, 0 or -size of one instrument, as `target` says at each bar's close.

    The size is `trade_size`, else what 95 % of the cash buys at the first close, rounded down to
    whole shares or units; of a future, which is bought on margin, at least one contract. It stays
    the same for the whole run, so that runs compare.
    """

    def __init__(self, mandate: Mandate[P]) -> None:
        super().__init__(mandate)
        self._size = Decimal(0)
        self._side: Side = 0

    def target(self, bar: Bar) -> Side:
        """Long (1), flat (0) or short (-1) from this bar's close on."""
        raise NotImplementedError

    @property
    def side(self) -> Side:
        """Where the last orders took it."""
        return self._side

    @override
    def on_start(self) -> None:
        self.subscribe_bars(self.mandate.bar_type)

    def on_warm_up_bar(self, bar: Bar) -> None:
        """A bar before the start of the run: what it would want then does not count."""
        self.target(bar)

    @override
    def on_bar(self, bar: Bar) -> None:
        if not self._size:
            self._size = self._sized(bar)
        side = self.target(bar)
        if side != self._side:
            self._go(side)

    @override
    def on_order_rejected(self, event: Any) -> None:
        self._look_again()

    @override
    def on_order_denied(self, event: Any) -> None:
        self._look_again()

    def _go(self, side: Side) -> None:
        change = side * self._size - self.held(self.mandate.instrument)
        self._side = side
        if change:
            self.trade(self.mandate.instrument, change)

    def _look_again(self) -> None:
        held = self.held(self.mandate.instrument)
        self._side = 1 if held > 0 else -1 if held < 0 else 0

    def _sized(self, bar: Bar) -> Decimal:
        instrument = self.mandate.instrument
        wanted = self.parameters.trade_size
        if wanted is not None:
            return checked_size(instrument, wanted)
        return affordable(instrument, Decimal(str(bar.close)), self.mandate.cash)


def checked_size(instrument: Any, units: Decimal) -> Decimal:
    """The units; raises `WrongInput` where the instrument cannot be traded in so many."""
    step = Decimal(str(instrument.size_increment))
    if units % step:
        raise WrongInput(
            f"a trade size of {units} does not fit {instrument.id}",
            f"it trades in steps of {step}",
            f"choose a multiple of {step}",
        )
    return units


def affordable(instrument: Any, price: Decimal, cash: Decimal) -> Decimal:
    """The units that 95 % of the cash buy at a price; one contract at least of a future.

    Raises `WrongInput` when the cash buys none.
    """
    step = Decimal(str(instrument.size_increment))
    unit = abs(price) * Decimal(str(instrument.multiplier))
    size = (cash * INVESTED / unit / step).to_integral_value(ROUND_FLOOR) * step
    if not size and isinstance(instrument, FuturesContract):
        return step
    if not size:
        raise WrongInput(
            f"the cash does not buy {step} of {instrument.id}",
            f"one costs {unit:,} {instrument.quote_currency} at the first close, and there "
            f"is {cash:,} for it",
            "start with more cash",
            "or give trade_size",
        )
    return size

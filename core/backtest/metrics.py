"""The figures of a run, each by the definition that stands beside it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from catalog.columns import Floats
from catalog.errors import WrongInput
from catalog.layout import NANOS_PER_DAY
from core.backtest.accounting import Equity, Fill, Trade
from core.backtest.drawdowns import deepest, falls, longest
from core.backtest.periods import Closes, returns

FEWEST_DAYS = 20
"""Daily returns it takes before anything that is scaled to a year is shown."""
_YEAR = 365.25 * NANOS_PER_DAY


@dataclass(frozen=True, slots=True)
class Performance:
    """What a curve of equity says, of a run or of its benchmark.

    Fractions are fractions (0.15 is 15 %), None is not available. Daily returns are changes of
    equity from one session close to the next, the first from the starting cash; bars longer than
    a day have none. With fewer than 20 of them CAGR, volatility, Sharpe, Sortino and Calmar are
    not available. Standard deviations divide by n - 1, the risk-free rate is 0.
    """

    total_return: float
    """The last equity / the starting cash - 1."""
    cagr: float | None
    """(last equity / starting cash) ** (1 / years) - 1, years of 365.25 days between the first
    bar's stamp and the last one's."""
    volatility: float | None
    """Standard deviation of daily returns x √days in a year."""
    sharpe: float | None
    """Mean of daily returns / their standard deviation x √days in a year."""
    sortino: float | None
    """Mean of daily returns / √(Σ min(return, 0)² / (n - 1)) x √days in a year."""
    max_drawdown: float
    """The largest fall from a peak of equity at bar closes, as a part of that peak, above 0; the
    starting cash is the first peak."""
    calmar: float | None
    """cagr / max_drawdown."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """The figures of `Performance` and more; amounts are in the currency of the run, times in ns.
    None is not available."""

    start_equity: float
    """The starting cash."""
    end_equity: float
    """The account's worth at the last close, open positions included."""
    total_return: float
    benchmark_return: float | None
    """What the starting cash would have gained in the first instrument from its first close to
    the last one: no fees, no leverage. `benchmark` has the other figures of that."""
    cagr: float | None
    volatility: float | None
    sharpe: float | None
    sortino: float | None
    max_drawdown: float
    calmar: float | None
    exposure: float
    """The part of all bar closes at which something was held."""
    leverage: float | None
    """The largest value held, long and short added, as a multiple of equity at that close; None
    when something was held while the account was worth nothing."""
    trades: int
    """Round trips that ended."""
    open_trades: int
    """Positions still held at the end."""
    win_rate: float | None
    """The part of ended trades that made money after fees."""
    profit_factor: float | None
    """What winning trades made / what losing ones lost, after fees; None when none lost."""
    expectancy: float | None
    """The average trade: mean of ended trades' profit after fees."""
    fees: float
    """All fees paid."""
    rejected: int
    """Orders the engine refused, at whatever gate."""
    bars: int
    """Bars the strategy saw."""
    seconds: float
    """Wall time of the engine, from its start to the last bar processed; reading files aside."""
    days: int
    """Daily returns."""
    benchmark: Performance | None = None
    """None where the first instrument began at a price of 0 or less."""
    days_a_year: int | None = 252
    """Daily returns in a year; None for bars longer than a day."""
    turnover: float | None = 0.0
    """Purchases and sales together / mean equity over all bar closes; None when that is nothing."""
    longest_flat: int = 0
    """The longest time nothing was held, from the close it was sold at, or the first one."""
    longest_drawdown: int = 0
    """The longest time from a peak of equity until it was reached again, or the end."""
    average_win: float | None = None
    """Mean profit of ended trades that made money."""
    average_loss: float | None = None
    """Mean loss, above 0, of ended trades that lost money."""
    best_trade: float | None = None
    worst_trade: float | None = None
    """The largest and the smallest profit of an ended trade."""
    average_gain: float | None = None
    """Mean of ended trades' profit after fees as a part of what was bought or sold short."""
    average_holding: float | None = None
    """Mean time from entry to exit of ended trades."""
    slippage: float = 0.0
    """What all fills cost against the closes of their bars; below 0 where they were better."""
    fees_share: float | None = None
    slippage_share: float | None = None
    """Fees and slippage as parts of what was made before both; None unless something was."""

    @property
    def bars_per_s(self) -> float:
        """Bars a second of the engine's time."""
        return self.bars / self.seconds if self.seconds else 0.0

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """The metrics that `dataclasses.asdict` gave."""
        benchmark = record.get("benchmark")
        return cls(**{**record, "benchmark": Performance(**benchmark) if benchmark else None})


LOWER_IS_BETTER = frozenset(
    {
        "volatility",
        "max_drawdown",
        "leverage",
        "fees",
        "rejected",
        "seconds",
        "turnover",
        "longest_flat",
        "longest_drawdown",
        "average_loss",
        "slippage",
        "fees_share",
        "slippage_share",
    }
)


def metric_names() -> tuple[str, ...]:
    """The figures runs can be sorted and compared by."""
    return tuple(one.name for one in dataclasses.fields(Metrics) if one.name != "benchmark")


def check_metric(name: str) -> None:
    """Raise `WrongInput` that lists the metrics for a name that is none."""
    if name not in metric_names():
        raise WrongInput(
            f"there is no metric '{name}'",
            f"the metrics are {', '.join(metric_names())}",
            "choose one of them",
        )


@dataclass(frozen=True, slots=True)
class Counted:
    """What the engine counted."""

    rejected: int
    bars: int
    seconds: float


def compute(
    cash: float,
    equity: Equity,
    trades: Sequence[Trade],
    fills: Sequence[Fill],
    counted: Counted,
    days_a_year: int | None = 252,
) -> Metrics:
    """All metrics of a run. `days_a_year` is None where there are no daily closes."""
    closes = Closes.of(cash, equity)
    span = int(equity.ts[-1] - equity.ts[0])
    own = performance(cash, equity.value, closes.value, span, days_a_year)
    held = equity.benchmark
    benchmark = performance(cash, held, closes.benchmark, span, days_a_year) if len(held) else None
    fees = math.fsum(fill.fee for fill in fills)
    slippage = math.fsum(fill.slippage for fill in fills)
    made = float(equity.value[-1]) - cash + fees + slippage
    mean_equity = float(np.mean(equity.value))
    traded = math.fsum(fill.value for fill in fills)
    return Metrics(
        **dataclasses.asdict(own),
        **_of_trades([trade for trade in trades if trade.exit_ts is not None]),
        start_equity=cash,
        end_equity=float(equity.value[-1]),
        benchmark_return=benchmark.total_return if benchmark else None,
        exposure=float(np.mean(equity.gross > 0)),
        leverage=_leverage(equity),
        open_trades=sum(trade.exit_ts is None for trade in trades),
        fees=fees,
        rejected=counted.rejected,
        bars=counted.bars,
        seconds=counted.seconds,
        days=len(returns(closes.value)) if days_a_year else 0,
        benchmark=benchmark,
        days_a_year=days_a_year,
        turnover=traded / mean_equity if mean_equity > 0 else None,
        longest_flat=longest(equity.ts, equity.gross == 0, from_before=False),
        longest_drawdown=longest(equity.ts, falls(cash, equity.value) > 0, from_before=True),
        slippage=slippage,
        fees_share=fees / made if made > 0 else None,
        slippage_share=slippage / made if made > 0 else None,
    )


def performance(
    cash: float, value: Floats, closes: Floats, span: int, days_a_year: int | None
) -> Performance:
    """The figures of a curve: `value` at bar closes over `span` ns, `closes` those of trading
    dates with the starting cash before them."""
    daily = returns(closes) if days_a_year else np.empty(0)
    root = math.sqrt(days_a_year or 0)
    growth, drawdown = float(value[-1]) / cash, deepest(cash, value)
    enough = len(daily) >= FEWEST_DAYS
    cagr = _cagr(growth, span) if enough else None
    deviation = float(np.std(daily, ddof=1)) if enough else None
    return Performance(
        total_return=growth - 1,
        cagr=cagr,
        volatility=None if deviation is None else deviation * root,
        sharpe=_ratio(float(np.mean(daily)) * root, deviation) if enough else None,
        sortino=_ratio(float(np.mean(daily)) * root, _downside(daily)) if enough else None,
        max_drawdown=drawdown,
        calmar=_ratio(cagr, drawdown),
    )


def _of_trades(ended: Sequence[Trade]) -> dict[str, Any]:
    """The figures of trades that ended."""
    nets = [trade.net for trade in ended]
    won, lost = [net for net in nets if net > 0], [-net for net in nets if net < 0]
    return {
        "trades": len(nets),
        "win_rate": len(won) / len(nets) if nets else None,
        "profit_factor": _ratio(math.fsum(won), math.fsum(lost)),
        "expectancy": _mean(nets),
        "average_win": _mean(won),
        "average_loss": _mean(lost),
        "best_trade": max(nets, default=None),
        "worst_trade": min(nets, default=None),
        "average_gain": _mean([trade.gain for trade in ended if trade.gain is not None]),
        "average_holding": _mean(
            [trade.exit_ts - trade.entry_ts for trade in ended if trade.exit_ts is not None]
        ),
    }


def _cagr(growth: float, span: int) -> float | None:
    if growth <= 0 or span <= 0:
        return None
    return float(growth ** (_YEAR / span) - 1)


def _downside(daily: Floats) -> float:
    return math.sqrt(float(np.sum(np.minimum(daily, 0) ** 2)) / (len(daily) - 1))


def _leverage(equity: Equity) -> float | None:
    held = equity.gross > 0
    if np.any(held & (equity.value <= 0)):
        return None
    multiples = np.divide(equity.gross, equity.value, out=np.zeros(len(held)), where=held)
    return float(np.max(multiples))


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    if numerator is None or not denominator:
        return None
    return numerator / denominator

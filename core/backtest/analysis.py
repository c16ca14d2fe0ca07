"""A closer look at a stored run: by month and year, by instrument and side, its worst falls."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from catalog.columns import Floats, Ints
from core.backtest.accounting import Trade
from core.backtest.drawdowns import Drawdown, worst
from core.backtest.periods import (
    Closes,
    Period,
    months,
    returns,
    rolling_sharpe,
    years,
)
from core.backtest.results import StoredRun


@dataclass(frozen=True, slots=True)
class Share:
    """What one instrument, or one side, brought: its trades, those open at the end included."""

    name: str
    trades: int
    win_rate: float
    """The part of the trades that made money after fees."""
    net: float
    """Profit after fees."""
    fees: float
    slippage: float
    average: float
    """Mean of the trades' profit after fees."""


@dataclass(frozen=True, slots=True, eq=False)
class RollingSharpe:
    """The Sharpe ratio of the last 63 daily returns at each trading date (days since 1970-01-01);
    nan where they do not vary."""

    date: Ints
    value: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What is worked out of a run's equity, trades and fills."""

    months: tuple[Period, ...]
    years: tuple[Period, ...]
    drawdowns: tuple[Drawdown, ...]
    """The five deepest, deepest first."""
    rolling_sharpe: RollingSharpe
    by_instrument: tuple[Share, ...]
    by_side: tuple[Share, ...]


def analyse(run: StoredRun) -> Analysis:
    """The closer look; blocking, some 0.1 s for a million bars.

    Raises `DataUnavailable` for a run that failed.
    """
    metrics, equity = run.metrics, run.equity
    cash = metrics.start_equity
    closes = Closes.of(cash, equity)
    rolling = rolling_sharpe(returns(closes.value), metrics.days_a_year or 0)
    if metrics.days_a_year is None:
        rolling = rolling[:0]
    return Analysis(
        months(closes),
        years(closes),
        worst(cash, equity.ts, equity.value),
        RollingSharpe(closes.date[len(closes.date) - len(rolling) :], rolling),
        _shares(run.trades, lambda trade: trade.instrument_id),
        _shares(run.trades, lambda trade: trade.side),
    )


def _shares(trades: Sequence[Trade], key: Callable[[Trade], str]) -> tuple[Share, ...]:
    names = sorted({key(trade) for trade in trades})
    return tuple(_share(name, [trade for trade in trades if key(trade) == name]) for name in names)


def _share(name: str, trades: Sequence[Trade]) -> Share:
    net = math.fsum(trade.net for trade in trades)
    return Share(
        name,
        len(trades),
        sum(trade.net > 0 for trade in trades) / len(trades),
        net,
        math.fsum(trade.fees for trade in trades),
        math.fsum(trade.slippage for trade in trades),
        net / len(trades),
    )

"""The figures of a run, each by the definition that stands beside it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from catalog.columns import Floats, Ints
from catalog.layout import NANOS_PER_DAY
from core.backtest.accounting import Equity, Trade

FEWEST_DAYS = 20
"""Daily returns it takes before anything that is scaled to a year is shown."""
_YEAR = 365.25 * NANOS_PER_DAY


@dataclass(frozen=True, slots=True)
class Metrics:
    """Fractions are fractions (0.15 is 15 %), amounts are in the currency of the run, None is not
    available.

    Daily returns are changes of equity from one session close to the next, the first from the
    starting cash; bars longer than a day have none. With fewer than 20 of them CAGR, volatility,
    Sharpe, Sortino and Calmar are not available. Standard deviations divide by n - 1, the
    risk-free rate is 0.
    """

    start_equity: float
    """The starting cash."""
    end_equity: float
    """The account's worth at the last close, open positions included."""
    total_return: float
    """end_equity / start_equity - 1."""
    benchmark_return: float
    """What holding the instruments in equal parts from first to last close would have given, no
    fees, no leverage."""
    cagr: float | None
    """(end_equity / start_equity) ** (1 / years) - 1, years of 365.25 days between the first bar's
    stamp and the last one's."""
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
    """Mean of ended trades' profit after fees."""
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

    @property
    def bars_per_s(self) -> float:
        """Bars a second of the engine's time."""
        return self.bars / self.seconds if self.seconds else 0.0


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
    trading_dates: Ints,
    benchmark_return: float,
    counted: Counted,
    days_a_year: int | None = 252,
) -> Metrics:
    """All metrics of a run. `trading_dates` gives each point of equity the number of its date;
    `days_a_year` is None where there are no daily closes."""
    daily = daily_returns(cash, equity.value, trading_dates) if days_a_year else np.empty(0)
    end = float(equity.value[-1])
    drawdown = max_drawdown(cash, equity.value)
    enough = len(daily) >= FEWEST_DAYS
    cagr = _cagr(end / cash, int(equity.ts[-1] - equity.ts[0])) if enough else None
    deviation = float(np.std(daily, ddof=1)) if enough else None
    nets = [trade.net for trade in trades if trade.exit_ts is not None]
    won, lost = sum(net for net in nets if net > 0), -sum(net for net in nets if net < 0)
    root = math.sqrt(days_a_year or 0)
    return Metrics(
        start_equity=cash,
        end_equity=end,
        total_return=end / cash - 1,
        benchmark_return=benchmark_return,
        cagr=cagr,
        volatility=None if deviation is None else deviation * root,
        sharpe=_ratio(float(np.mean(daily)) * root, deviation) if enough else None,
        sortino=_ratio(float(np.mean(daily)) * root, _downside(daily)) if enough else None,
        max_drawdown=drawdown,
        calmar=_ratio(cagr, drawdown),
        exposure=float(np.mean(equity.gross > 0)),
        leverage=_leverage(equity),
        trades=len(nets),
        open_trades=len(trades) - len(nets),
        win_rate=sum(net > 0 for net in nets) / len(nets) if nets else None,
        profit_factor=_ratio(won, lost),
        expectancy=sum(nets) / len(nets) if nets else None,
        fees=sum(trade.fees for trade in trades),
        rejected=counted.rejected,
        bars=counted.bars,
        seconds=counted.seconds,
        days=len(daily),
    )


def daily_returns(cash: float, value: Floats, trading_dates: Ints) -> Floats:
    """Changes between the last points of successive dates, the first from the starting cash; none
    once the account is empty."""
    last_of_date = np.append(np.flatnonzero(np.diff(trading_dates)), len(value) - 1)
    closes = np.concatenate(([cash], value[last_of_date]))
    if np.any(closes <= 0):
        return np.empty(0)
    return np.diff(closes) / closes[:-1]


def drawdowns(cash: float, value: Floats) -> Floats:
    """At each point, the fall from the highest equity so far as a part of it, 0 or more."""
    peaks = np.maximum.accumulate(np.maximum(value, cash))
    return 1 - value / peaks


def max_drawdown(cash: float, value: Floats) -> float:
    """The largest of `drawdowns`."""
    return float(np.max(drawdowns(cash, value)))


def _cagr(growth: float, span: int) -> float | None:
    if growth <= 0 or span <= 0:
        return None
    return float(growth ** (_YEAR / span) - 1)


def _downside(daily: Floats) -> float:
    return math.sqrt(float(np.sum(np.minimum(daily, 0) ** 2)) / (len(daily) - 1))


def _leverage(equity: Equity) -> float | None:
    held = equity.gross > 0
    if np.any(equity.value[held] <= 0):
        return None
    return float(np.max(equity.gross[held] / equity.value[held], initial=0.0))


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    if numerator is None or not denominator:
        return None
    return numerator / denominator

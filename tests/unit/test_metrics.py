"""The figures of a run, worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.backtest.accounting import Equity, Trade
from core.backtest.metrics import (
    Counted,
    Metrics,
    compute,
    daily_returns,
    drawdowns,
    max_drawdown,
)

DAY = 86_400_000_000_000
ONE, OTHER = 0.01, -0.005


def run_of(values: list[float], trades: list[Trade] | None = None, cash: float = 100) -> Metrics:
    """A run with one close a day."""
    value = np.array(values, dtype=float)
    equity = Equity(DAY * np.arange(1, len(value) + 1), value, np.zeros(len(value)))
    dates = np.arange(len(value))
    return compute(cash, equity, trades or [], dates, 0.0, Counted(0, len(value), 0.5))


def trade(net: float, *, closed: bool = True) -> Trade:
    return Trade("A.X", "long", 1, 1, 100, 2 if closed else None, 100 if closed else None, net, 0)


def alternating(days: int) -> list[float]:
    growth = [1 + (ONE if day % 2 == 0 else OTHER) for day in range(days)]
    return (100 * np.cumprod(growth)).tolist()


def test_the_starting_cash_is_the_first_peak() -> None:
    assert max_drawdown(100, np.array([90.0, 95.0])) == pytest.approx(0.1)
    assert drawdowns(100, np.array([110.0, 99.0, 120.0])).tolist() == pytest.approx([0, 0.1, 0])


def test_daily_returns_run_from_close_to_close_and_from_the_cash() -> None:
    value, dates = np.array([101, 110, 105, 121, 99.0]), np.array([5, 5, 6, 6, 9])
    expected = [0.1, 121 / 110 - 1, 99 / 121 - 1]
    assert daily_returns(100, value, dates).tolist() == pytest.approx(expected)


def test_an_emptied_account_has_no_daily_returns() -> None:
    assert len(daily_returns(100, np.array([50.0, -1.0]), np.array([0, 1]))) == 0


def test_nothing_is_scaled_to_a_year_before_twenty_days() -> None:
    short, enough = run_of(alternating(19)), run_of(alternating(20))
    for figure in ("cagr", "volatility", "sharpe", "sortino", "calmar"):
        assert getattr(short, figure) is None
        assert getattr(enough, figure) is not None
    assert (short.days, enough.days) == (19, 20)


def test_bars_longer_than_a_day_give_no_daily_returns() -> None:
    value = np.array(alternating(30))
    equity = Equity(7 * DAY * np.arange(1, 31), value, np.zeros(30))
    got = compute(100, equity, [], np.arange(30), 0.0, Counted(0, 30, 1), None)
    assert (got.days, got.sharpe, got.cagr) == (0, None, None)
    assert got.total_return == pytest.approx(value[-1] / 100 - 1)


def test_ratios_by_their_definitions() -> None:
    got = run_of(alternating(20))
    mean = (ONE + OTHER) / 2
    deviation = math.sqrt(20 * ((ONE - OTHER) / 2) ** 2 / 19)
    downside = math.sqrt(10 * OTHER**2 / 19)
    years = 19 / 365.25
    assert got.volatility == pytest.approx(deviation * math.sqrt(252))
    assert got.sharpe == pytest.approx(mean / deviation * math.sqrt(252))
    assert got.sortino == pytest.approx(mean / downside * math.sqrt(252))
    assert got.cagr == pytest.approx(((1 + ONE) * (1 + OTHER)) ** (10 / years) - 1)
    assert got.max_drawdown == pytest.approx(-OTHER)
    assert got.cagr is not None
    assert got.calmar == pytest.approx(got.cagr / -OTHER)


def test_ratios_without_a_denominator_are_not_available() -> None:
    steady = run_of([100.0] * 25)
    assert (steady.sharpe, steady.sortino, steady.calmar) == (None, None, None)
    assert steady.volatility == 0
    assert steady.total_return == 0


def test_trades_are_counted_after_fees_and_open_ones_apart() -> None:
    got = run_of([100, 104], [trade(10), trade(-4), trade(-2), trade(0), trade(99, closed=False)])
    assert (got.trades, got.open_trades) == (4, 1)
    assert got.win_rate == 0.25
    assert got.profit_factor == pytest.approx(10 / 6)
    assert got.expectancy == 1


def test_without_trades_their_figures_are_not_available() -> None:
    got = run_of([100, 100])
    assert (got.win_rate, got.profit_factor, got.expectancy) == (None, None, None)


def test_exposure_and_leverage_come_from_what_was_held() -> None:
    equity = Equity(
        DAY * np.arange(1, 5), np.array([100, 100, 50, 100.0]), np.array([0, 80, 100, 0.0])
    )
    got = compute(100, equity, [], np.arange(4), 0.0, Counted(0, 4, 1))
    assert (got.exposure, got.leverage) == (0.5, 2)
    equity.value[2] = -1
    assert compute(100, equity, [], np.arange(4), 0.0, Counted(0, 4, 1)).leverage is None

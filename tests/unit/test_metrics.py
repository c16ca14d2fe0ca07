"""The figures of a run, worked out by hand."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace

import numpy as np
import pytest

from core.backtest.accounting import Equity, Fill, Trade
from core.backtest.drawdowns import deepest, falls
from core.backtest.metrics import Counted, Metrics, compute
from core.backtest.periods import Closes, returns

DAY = 86_400_000_000_000
ONE, OTHER = 0.01, -0.005


def curve(values: list[float], gross: list[float] | None = None) -> Equity:
    """One close a day; the benchmark stands still."""
    value = np.array(values, dtype=float)
    held = np.zeros(len(value)) if gross is None else np.array(gross, dtype=float)
    days = np.arange(len(value))
    return Equity(DAY * (days + 1), value, held, days, np.full(len(value), 100.0))


def run_of(
    values: list[float],
    trades: list[Trade] | None = None,
    fills: list[Fill] | None = None,
    gross: list[float] | None = None,
) -> Metrics:
    """A run of 100 with one close a day."""
    return compute(
        100, curve(values, gross), trades or [], fills or [], Counted(0, len(values), 0.5)
    )


def trade(net: float, *, closed: bool = True) -> Trade:
    return Trade("A.X", "long", 1, 1, 100, 2 if closed else None, 100 if closed else None, net, 0)


def alternating(days: int) -> list[float]:
    growth = [1 + (ONE if day % 2 == 0 else OTHER) for day in range(days)]
    return (100 * np.cumprod(growth)).tolist()


def test_the_starting_cash_is_the_first_peak() -> None:
    assert deepest(100, np.array([90.0, 95.0])) == pytest.approx(0.1)
    assert falls(100, np.array([110.0, 99.0, 120.0])).tolist() == pytest.approx([0, 0.1, 0])


def test_daily_returns_run_from_close_to_close_and_from_the_cash() -> None:
    value, dates = np.array([101, 110, 105, 121, 99.0]), np.array([5, 5, 6, 6, 9])
    closes = Closes.of(100, Equity(dates, value, value, dates, np.empty(0)))
    assert closes.date.tolist() == [5, 6, 9]
    assert returns(closes.value).tolist() == pytest.approx([0.1, 121 / 110 - 1, 99 / 121 - 1])


def test_an_emptied_account_has_no_daily_returns() -> None:
    assert len(returns(np.array([100, 50.0, -1.0]))) == 0


def test_nothing_is_scaled_to_a_year_before_twenty_days() -> None:
    short, enough = run_of(alternating(19)), run_of(alternating(20))
    for figure in ("cagr", "volatility", "sharpe", "sortino", "calmar"):
        assert getattr(short, figure) is None
        assert getattr(enough, figure) is not None
    assert (short.days, enough.days) == (19, 20)


def test_bars_longer_than_a_day_give_no_daily_returns() -> None:
    values = alternating(30)
    got = compute(100, curve(values), [], [], Counted(0, 30, 1), None)
    assert (got.days, got.sharpe, got.cagr) == (0, None, None)
    assert got.total_return == pytest.approx(values[-1] / 100 - 1)


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
    gross = [0.0, 80, 100, 0]
    got = run_of([100, 100, 50, 100], gross=gross)
    assert (got.exposure, got.leverage) == (0.5, 2)
    assert run_of([100, 100, -1, 100], gross=gross).leverage is None


def test_the_longest_time_flat_runs_from_the_sale_to_the_next_purchase() -> None:
    got = run_of([100.0] * 8, gross=[0, 0, 5, 0, 0, 0, 5, 0])
    assert got.longest_flat == 3 * DAY
    assert run_of([100.0] * 3, gross=[5, 5, 5]).longest_flat == 0


def test_the_longest_drawdown_runs_from_its_peak_to_its_recovery_or_the_end() -> None:
    assert run_of([110, 100, 105, 110, 109, 111]).longest_drawdown == 3 * DAY
    assert run_of([110, 100, 105]).longest_drawdown == 2 * DAY
    assert run_of([100, 101, 102]).longest_drawdown == 0


def test_turnover_counts_purchases_and_sales_against_mean_equity() -> None:
    fills = [Fill(1, "A.X", "1", 1, 60, 0, value=60), Fill(2, "A.X", "2", -1, 90, 0, value=90)]
    assert run_of([90, 110], fills=fills).turnover == 1.5
    assert run_of([-90, 80], fills=fills).turnover is None


def test_costs_are_shares_of_what_was_made_before_them() -> None:
    fills = [Fill(1, "A.X", "1", 1, 60, fee=2, slippage=3)]
    made = run_of([115], fills=fills)  # 15 after costs, 20 before
    assert (made.fees, made.slippage) == (2, 3)
    assert (made.fees_share, made.slippage_share) == (0.1, 0.15)
    lost = run_of([90], fills=fills)
    assert (lost.fees_share, lost.slippage_share) == (None, None)


def test_trades_by_size_and_length() -> None:
    trades = [
        Trade("A", "long", 1, 0, 50, 4, 60, pnl=10, fees=0, value=50),
        Trade("A", "short", 1, 4, 50, 6, 55, pnl=-5, fees=1, value=50),
        Trade("A", "long", 1, 6, 50, 12, 52, pnl=2, fees=0, value=50),
        Trade("A", "long", 1, 12, 50, None, None, pnl=99, fees=0, value=50),
    ]
    got = run_of([100, 106], trades)
    assert (got.average_win, got.average_loss) == (6, 6)
    assert (got.best_trade, got.worst_trade, got.expectancy) == (10, -6, 2)
    assert got.average_gain == pytest.approx((0.2 - 0.12 + 0.04) / 3)
    assert got.average_holding == 4


def test_the_benchmark_has_the_figures_of_its_own_curve() -> None:
    held = np.array(alternating(40))
    equity = replace(curve([100.0] * 40), benchmark=held)
    got = compute(100, equity, [], [], Counted(0, 40, 1))
    alone = run_of(alternating(40))
    assert got.benchmark is not None
    assert got.benchmark_return == alone.total_return
    for name in ("total_return", "cagr", "volatility", "sharpe", "sortino", "max_drawdown"):
        assert getattr(got.benchmark, name) == getattr(alone, name)
    unpriced = compute(100, replace(equity, benchmark=np.empty(0)), [], [], Counted(0, 40, 1))
    assert (unpriced.benchmark, unpriced.benchmark_return) == (None, None)


def test_metrics_survive_json() -> None:
    got = run_of(alternating(40), [trade(5)])
    assert Metrics.from_json(json.loads(json.dumps(asdict(got)))) == got

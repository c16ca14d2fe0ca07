"""Our figures against those of an independent library, on curves nobody chose."""

from __future__ import annotations

import math

import empyrical
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.columns import Floats
from core.backtest.accounting import Equity
from core.backtest.drawdowns import deepest, worst
from core.backtest.metrics import performance
from core.backtest.periods import Closes, months, returns, rolling_sharpe, years

CASH = 100_000.0
FIRST = np.datetime64("2019-11-04")
YEAR = 365.25 * 86_400e9


def closes_of(seed: int, days: int, risk: float) -> Floats:
    """The starting cash and what it became, day by day."""
    moves = np.random.default_rng(seed).normal(0.0004, risk, days)
    return CASH * np.cumprod(np.concatenate(([1.0], np.maximum(1 + moves, 0.05))))


def weekdays(count: int) -> np.typing.NDArray[np.datetime64]:
    return np.busday_offset(FIRST, np.arange(count))


random_closes = st.builds(
    closes_of, st.integers(0, 10**9), st.integers(20, 900), st.floats(0.0005, 0.06)
)
runs = settings(max_examples=30, deadline=None)


@runs
@given(random_closes)
def test_ratios_agree(closes: Floats) -> None:
    daily = returns(closes)
    got = performance(CASH, closes[1:], closes, int(len(daily) * YEAR / 252), 252)
    assert got.total_return == pytest.approx(empyrical.cum_returns_final(daily))
    assert got.cagr == pytest.approx(empyrical.cagr(daily))
    assert got.volatility == pytest.approx(empyrical.annual_volatility(daily))
    assert got.sharpe == pytest.approx(empyrical.sharpe_ratio(daily))
    assert got.max_drawdown == pytest.approx(-empyrical.max_drawdown(daily))
    assert got.calmar == pytest.approx(empyrical.calmar_ratio(daily))
    # Theirs divides by n where ours divides by n - 1, as for the standard deviation.
    ours_for_theirs = math.sqrt((len(daily) - 1) / len(daily))
    assert got.sortino == pytest.approx(empyrical.sortino_ratio(daily) * ours_for_theirs)


@runs
@given(random_closes)
def test_months_and_years_agree(closes: Floats) -> None:
    dates = weekdays(len(closes) - 1)
    value, number = closes[1:], dates.astype("datetime64[D]").astype(np.int64)
    ours = Closes.of(CASH, Equity(number, value, value, number, value[::-1]))
    daily = pd.Series(returns(closes), pd.DatetimeIndex(dates.astype("datetime64[ns]")))
    for got, period in ((months(ours), "monthly"), (years(ours), "yearly")):
        theirs = empyrical.aggregate_returns(daily, period)
        assert [one.gain for one in got] == pytest.approx(theirs.tolist())
    assert [(one.year, one.month) for one in months(ours)] == [
        *empyrical.aggregate_returns(daily, "monthly").index
    ]


@runs
@given(random_closes)
def test_the_rolling_sharpe_agrees(closes: Floats) -> None:
    daily = returns(closes)
    if len(daily) < 63:
        assert len(rolling_sharpe(daily, 252)) == 0
        return
    theirs = empyrical.roll_sharpe_ratio(daily, window=63)
    assert rolling_sharpe(daily, 252).tolist() == pytest.approx(np.asarray(theirs).tolist())


@runs
@given(random_closes)
def test_the_worst_drawdowns_are_those_found_one_by_one(closes: Floats) -> None:
    """The slow way: walk along the curve and note every fall from a peak."""
    ts = np.arange(1, len(closes))
    peak, peak_at, found = CASH, 1, []
    fall = None
    for at, value in zip(ts.tolist(), closes[1:].tolist(), strict=True):
        if value >= peak:
            if fall:
                found.append((fall[0], fall[1], at, fall[2]))
            peak, peak_at, fall = value, at, None
        else:
            depth = 1 - value / peak
            if fall is None or depth > fall[2]:
                fall = (peak_at, at, depth)
    if fall:
        found.append((fall[0], fall[1], None, fall[2]))
    expected = sorted(found, key=lambda one: -one[3])[:5]
    got = worst(CASH, ts, closes[1:])
    assert [(one.peak_ts, one.trough_ts, one.recovered_ts) for one in got] == [
        one[:3] for one in expected
    ]
    assert [one.depth for one in got] == pytest.approx([one[3] for one in expected])
    assert deepest(CASH, closes[1:]) == pytest.approx(max((one.depth for one in got), default=0))

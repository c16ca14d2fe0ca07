"""Every figure of a run, worked out by hand, on the real engine in a real worker."""

from __future__ import annotations

import itertools
import math
import statistics
from pathlib import Path

import numpy as np
import pytest

from catalog.columns import BarColumns
from catalog.events import ignore
from core.backtest.analysis import analyse
from core.backtest.data import RunData
from core.backtest.fingerprint import Fingerprint
from core.backtest.results import RunStore, StoredRun
from core.backtest.runner import run_backtest
from tests.scenarios import backtest_bars as market

SCRIPTED = "tests.scenarios.scripted:Scripted"
DAY = 1440 * market.MINUTE


async def run(folder: Path, data: RunData, script: str, fees: str) -> StoredRun:
    spec = market.spec_for(data, SCRIPTED, fees, script=script, trade_size=100)
    return await run_backtest(spec, data, RunStore(folder / "runs"), report=ignore)


async def test_two_trades_with_every_figure(tmp_path: Path) -> None:
    """100 shares bought at 100 and sold at 110; sold short at 105 and bought back at 90; each
    order costs the least fee, 1 USD."""
    bars = market.flat_bars([100, 110, 105, 120, 90, 90])
    data = market.run_of(market.instrument(tmp_path, bars, market.equity()))
    done = await run(tmp_path, data, "LFSSFF", "ibkr_fixed")
    equity = [99_999, 100_998, 100_997, 99_497, 102_496, 102_496]
    assert done.equity.value.tolist() == equity
    assert done.equity.gross.tolist() == [10_000, 0, 10_500, 12_000, 0, 0]
    assert done.equity.benchmark.tolist() == [100_000, 110_000, 105_000, 120_000, 90_000, 90_000]
    of = done.metrics
    assert (of.start_equity, of.end_equity, of.fees, of.slippage) == (100_000, 102_496, 4, 0)
    assert of.total_return == pytest.approx(0.02496)
    assert of.max_drawdown == pytest.approx(1_501 / 100_998)
    assert of.exposure == 0.5
    assert of.leverage == pytest.approx(12_000 / 99_497)
    assert of.turnover == pytest.approx((10_000 + 11_000 + 10_500 + 9_000) / np.mean(equity))
    assert of.longest_flat == market.MINUTE
    assert of.longest_drawdown == 3 * market.MINUTE
    assert (of.trades, of.open_trades, of.win_rate, of.profit_factor) == (2, 0, 1, None)
    assert (of.expectancy, of.average_win, of.average_loss) == (1_248, 1_248, None)
    assert (of.best_trade, of.worst_trade) == (1_498, 998)
    assert of.average_gain == pytest.approx((998 / 10_000 + 1_498 / 10_500) / 2)
    assert of.average_holding == 1.5 * market.MINUTE
    assert (of.fees_share, of.slippage_share) == (pytest.approx(4 / 2_500), 0)
    assert (of.days, of.sharpe, of.cagr, of.rejected, of.bars) == (1, None, None, 0, 6)
    assert (done.result.defaults["script"], done.parameters["script"]) == ("L", "LFSSFF")
    assert of.benchmark is not None
    assert of.benchmark_return == of.benchmark.total_return == pytest.approx(-0.1)
    assert of.benchmark.max_drawdown == pytest.approx(0.25)


async def test_two_trades_with_every_table(tmp_path: Path) -> None:
    bars = market.flat_bars([100, 110, 105, 120, 90, 90])
    data = market.run_of(market.instrument(tmp_path, bars, market.equity()))
    done = await run(tmp_path, data, "LFSSFF", "ibkr_fixed")
    assert [(row.units, row.average_price, row.realized) for row in done.positions] == [
        (100, 100, -1),
        (0, None, 998),
        (-100, 105, 997),
        (0, None, 2_496),
    ]
    assert {row.currency for row in done.balances} == {"USD"}
    assert done.balances[0].total == 100_000
    assert done.balances[-1].total == 102_496
    long, short = analyse(done).by_side
    assert (long.name, long.net, short.name, short.net) == ("long", 998, "short", 1_498)
    (fall, first) = analyse(done).drawdowns
    minutes = [(ts - market.START) // market.MINUTE for ts in (fall.peak_ts, fall.trough_ts)]
    assert (minutes, fall.recovered_ts) == ([2, 4], market.START + 5 * market.MINUTE)
    assert first.depth == pytest.approx(1 / 100_000)


def one_bar_a_day(closes: list[float]) -> BarColumns:
    bars = market.flat_bars(closes)
    return BarColumns(
        market.START + market.MINUTE + DAY * np.arange(len(closes)), *bars.arrays()[1:], 2, 0
    )


async def test_ratios_of_a_month_and_a_half_of_days(tmp_path: Path) -> None:
    """1,000 shares held throughout, so that equity is the price and the benchmark likewise."""
    closes = [100 + 3 * math.sin(day) + 0.2 * day for day in range(45)]
    closes = [round(close, 2) for close in closes]
    data = market.run_of(market.instrument(tmp_path, one_bar_a_day(closes), market.equity()))
    spec = market.spec_for(data, SCRIPTED, script="L", trade_size=500)
    done = await run_backtest(spec, data, RunStore(tmp_path / "runs"), report=ignore)
    equity = [100_000 + 500 * (close - closes[0]) for close in closes]
    daily = [0.0] + [now / before - 1 for before, now in itertools.pairwise(equity)]
    of, year = done.metrics, math.sqrt(252)
    assert of.days == 45
    assert of.sharpe == pytest.approx(
        statistics.mean(daily) / statistics.stdev(daily) * year, rel=1e-9
    )
    assert of.volatility == pytest.approx(statistics.stdev(daily) * year)
    downside = math.sqrt(sum(min(move, 0) ** 2 for move in daily) / 44)
    assert of.sortino == pytest.approx(statistics.mean(daily) / downside * year)
    assert of.cagr == pytest.approx((equity[-1] / 100_000) ** (365.25 / 44) - 1)
    # 2 January 2024 is a Tuesday; the 45th day after it is 15 February.
    january = 100_000 + 500 * (closes[29] - closes[0])
    months = analyse(done).months
    assert [(one.year, one.month) for one in months] == [(2024, 1), (2024, 2)]
    assert [one.gain for one in months] == pytest.approx(
        [january / 100_000 - 1, equity[-1] / january - 1]
    )
    assert months[0].benchmark == pytest.approx(closes[29] / closes[0] - 1)
    (year_of,) = analyse(done).years
    assert year_of.gain == pytest.approx(of.total_return)


async def test_a_fill_off_the_close_is_told_as_slippage(tmp_path: Path) -> None:
    """A quarter of the bar's 400 shares fills at its close, the rest a tick worse."""
    bars = market.flat_bars([100, 100, 100], volume=400)
    data = market.run_of(market.instrument(tmp_path, bars, market.equity()))
    spec = market.spec_for(data, SCRIPTED, script="LLL", trade_size=150)
    done = await run_backtest(spec, data, RunStore(tmp_path / "runs"), report=ignore)
    assert [(fill.value, fill.slippage) for fill in done.fills] == [
        (10_000, 0),
        (pytest.approx(5_000.5), pytest.approx(0.5)),
    ]
    assert done.metrics.slippage == pytest.approx(0.5)


async def test_a_run_stands_on_what_its_fingerprint_says(tmp_path: Path) -> None:
    """Bars outside its range make no difference to it, bars inside and parameters do."""
    closes = [100.0, 101, 102, 103, 104, 105]
    interval = (market.START, market.START + 4 * market.MINUTE)

    async def fingerprint(folder: str, closes: list[float], size: int = 100) -> Fingerprint:
        held = market.instrument(tmp_path / folder, market.flat_bars(closes), market.equity())
        data = RunData((held,), interval)
        spec = market.spec_for(data, SCRIPTED, script="L", trade_size=size)
        done = await run_backtest(spec, data, RunStore(tmp_path / "runs"), report=ignore)
        assert done.result.fingerprint is not None
        return done.result.fingerprint

    first = await fingerprint("a", closes)
    assert await fingerprint("b", [*closes[:4], 999, 998]) == first
    assert (await fingerprint("c", closes[:4])) == first
    inside = await fingerprint("d", [100, 101.01, *closes[2:]])
    assert first.changes(inside) == ("the data: AAPL.NASDAQ 1-MINUTE-LAST",)
    other = await fingerprint("a", closes, size=200)
    assert first.changes(other) == ("the spec, or the range it comes to",)

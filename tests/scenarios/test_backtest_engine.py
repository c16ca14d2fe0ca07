"""Our runs against Nautilus' own, and against the clock."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from catalog import workers
from catalog.columns import BarColumns, Floats, concat
from catalog.events import Event, ignore
from core import strategies
from core.backtest.accounting import Marks, equity_curve, round_trips
from core.backtest.data import InstrumentData, RunData
from core.backtest.results import RunStore
from core.backtest.runner import RunProgress, run_backtest
from core.backtest.spec import RunSpec
from core.backtest.task import Task
from tests.scenarios import backtest_bars as market

type Sides = npt.NDArray[np.int64] | Floats

DAY = 1440 * market.MINUTE


def days(count: int) -> BarColumns:
    """Minute bars of `count` sessions of 390 minutes."""
    return concat(
        [market.walk(390, seed, first=market.START + seed * DAY) for seed in range(count)]
    )


async def test_fills_are_those_of_a_bare_script(tmp_path: Path) -> None:
    held = market.instrument(tmp_path, days(4), market.equity())
    data = market.run_of(held)
    spec = market.spec_for(data, "sma_crossover", trade_size=100)
    done = await run_backtest(spec, data, RunStore(tmp_path / "runs"), report=ignore)
    from tests.scenarios import bare_backtest

    bare, balance = await workers.run(
        bare_backtest.crossover_fills, tmp_path, held.definition, held.series[0].bar_type
    )
    assert len(bare) > 50
    assert [(fill.ts, fill.units, fill.price) for fill in done.fills] == bare
    realized = sum(trade.pnl for trade in done.trades if trade.exit_ts is not None)
    assert 100_000 + realized == pytest.approx(balance)


@pytest.mark.parametrize("definition", [market.equity(), market.future()])
async def test_equity_is_nautilus_own_where_it_notes_it(
    tmp_path: Path, definition: market.Definition
) -> None:
    from tests.scenarios import bare_backtest

    bars = days(4)
    held = market.instrument(tmp_path, bars, definition)
    data = market.run_of(held)
    spec = market.spec_for(data, "sma_crossover", "ibkr_fixed", trade_size=2)
    task = Task(spec, spec.parameters, data, tmp_path)
    noted, realized, ended = await workers.run(bare_backtest.snapshots, task)
    multiplier = float(str(definition.get("multiplier", 1)))
    marks = Marks(held.instrument_id, bars.ts, bars.price(bars.close), multiplier)
    ts, value, _ = equity_curve(100_000, [marks], ended.fills)
    row = np.searchsorted(ts, [ts for ts, _ in noted], "right") - 1
    assert len(noted) >= 4
    assert np.ptp(value[row]) > 1
    assert value[row].tolist() == pytest.approx([value for _, value in noted], abs=0.01)
    trades = round_trips([marks], ended.fills)
    settled = sum(trade.net if trade.exit_ts else -trade.fees for trade in trades)
    assert settled == pytest.approx(realized, abs=0.01 * len(ended.fills))


def without_wicks(bars: BarColumns) -> BarColumns:
    """The bars with highs and lows at opens and closes, so that a close can break out."""
    return replace(
        bars, high=np.maximum(bars.open, bars.close), low=np.minimum(bars.open, bars.close)
    )


@pytest.mark.parametrize(
    ("strategy", "parameters"),
    [
        ("sma_crossover", {}),
        ("sma_momentum", {}),
        ("rsi_mean_reversion", {}),
        ("donchian_breakout", {}),
        ("bollinger_reversion", {}),
        ("pairs_spread", {"period": 50}),
        ("buy_and_hold", {}),
    ],
)
async def test_each_strategy_fills_as_in_a_bare_script_in_one_piece(
    tmp_path: Path, strategy: str, parameters: dict[str, object]
) -> None:
    from tests.scenarios import bare_backtest

    ids = ("AAPL.NASDAQ", "MSFT.NASDAQ")[: strategies.describe(strategy).instruments]
    held = [
        market.instrument(tmp_path, without_wicks(market.walk(6_000, seed)), market.equity(one))
        for seed, one in enumerate(ids)
    ]
    data = market.run_of(*held)
    heard: list[Event] = []
    spec = market.spec_for(data, strategy, **parameters)
    done = await run_backtest(spec, data, RunStore(tmp_path / "runs"), report=heard.append)
    assert sum(isinstance(event, RunProgress) for event in heard) > 2, "it streams"
    bare = await workers.run(
        bare_backtest.shipped_fills,
        tmp_path,
        [each.definition for each in held],
        [each.series[0].bar_type for each in held],
        strategy,
        parameters,
    )
    assert [(fill.ts, fill.instrument_id, fill.units, fill.price) for fill in done.fills] == bare
    assert len(bare) == 1 if strategy == "buy_and_hold" else len(bare) > 20


async def test_windows_of_any_size_hold_the_same_bars(tmp_path: Path) -> None:
    from tests.scenarios import bare_backtest

    first, second = market.walk(3_000, 1), market.walk(700, 2)
    data = market.run_of(
        market.instrument(tmp_path, first, market.equity()),
        market.instrument(tmp_path, second, market.equity("IBM.NASDAQ")),
    )
    task = Task(market.spec_for(data, "buy_and_hold"), {}, data, tmp_path)
    whole = await workers.run(bare_backtest.windows_of, task, 1_000_000)
    assert len(whole) == 3_700
    for size in (1, 7, 700, None):
        assert await workers.run(bare_backtest.windows_of, task, size) == whole


async def test_series_are_merged_in_time_order(tmp_path: Path) -> None:
    """The market of each instrument is its own: a run of two gives the fills of two runs."""
    apple = market.instrument(tmp_path, market.walk(12_000, 1), market.equity())
    ibm = market.instrument(
        tmp_path,
        market.walk(9_000, 2, first=market.START + 7 * market.MINUTE),
        market.equity("IBM.NASDAQ"),
    )
    store = RunStore(tmp_path / "runs")

    async def fills(*instruments: InstrumentData) -> set[tuple[int, str, float, float]]:
        data = market.run_of(*instruments)
        spec = market.spec_for(data, "sma_crossover", trade_size=10)
        done = await run_backtest(spec, data, store, report=ignore)
        return {(fill.ts, fill.instrument_id, fill.units, fill.price) for fill in done.fills}

    assert await fills(apple, ibm) == await fills(apple) | await fills(ibm)


async def test_only_bars_of_the_range_run(tmp_path: Path) -> None:
    bars = market.walk(60)
    held = market.instrument(tmp_path, bars, market.equity())
    start = market.START + 10 * market.MINUTE
    data = RunData((held,), (start, start + 20 * market.MINUTE))
    spec = market.spec_for(data, "buy_and_hold")
    done = await run_backtest(spec, data, RunStore(tmp_path / "runs"), report=ignore)
    assert done.equity.ts.tolist() == bars.ts[10:30].tolist()
    assert done.metrics.bars == 20


def crossover(close: Floats) -> Sides:
    fast, slow = averages(close, 10), averages(close, 20)
    apart = np.nan_to_num(fast - slow)
    assert np.abs(apart[19:]).min() > 1e-9, "no tie, which rounding would decide"
    return np.sign(apart)


def momentum(close: Floats) -> Sides:
    average = averages(close, 20)
    before = np.concatenate((np.full(10, np.nan), average[:-10]))
    return np.where(average > before + 1e-9, 1, 0)


def reversion(close: Floats) -> Sides:
    """Long from below 30 to above 70 of Wilder's RSI: averages of 14 ups and downs that begin as
    plain means and then take in 1/14 of each change."""
    change = np.diff(close)
    up, down = np.maximum(change[:14], 0).mean(), np.maximum(-change[:14], 0).mean()
    side, sides = 0, [0] * 14
    for move in (0.0, *change[14:]):
        if len(sides) > 14:
            up, down = up + (max(move, 0) - up) / 14, down + (max(-move, 0) - down) / 14
        strength = 100 * up / (up + down)
        side = 1 if strength < 30 else 0 if strength > 70 else side
        sides.append(side)
    return np.array(sides)


def breakout(close: Floats) -> Sides:
    """Bars are flat here, so highs and lows are closes."""
    side, sides = 0, [0] * 20
    for now in range(20, len(close)):
        month, fortnight = close[now - 20 : now], close[now - 10 : now]
        if close[now] > month.max():
            side = 1
        elif close[now] < month.min():
            side = -1
        elif (side > 0 and close[now] < fortnight.min()) or (
            side < 0 and close[now] > fortnight.max()
        ):
            side = 0
        sides.append(side)
    return np.array(sides)


def bands(close: Floats) -> Sides:
    side, sides = 0, [0] * 19
    for now in range(19, len(close)):
        last = close[now - 19 : now + 1]
        middle, width = last.mean(), 2 * last.std()
        if close[now] < middle - width:
            side = 1
        elif close[now] > middle + width:
            side = -1
        elif side * (middle - close[now]) <= 0:
            side = 0
        sides.append(side)
    return np.array(sides)


def averages(close: Floats, period: int) -> Floats:
    means = np.convolve(close, np.ones(period) / period, "valid")
    return np.concatenate((np.full(period - 1, np.nan), means))


@pytest.mark.parametrize(
    ("strategy", "rule"),
    [
        ("sma_crossover", crossover),
        ("sma_momentum", momentum),
        ("rsi_mean_reversion", reversion),
        ("donchian_breakout", breakout),
        ("bollinger_reversion", bands),
        ("buy_and_hold", np.ones_like),
    ],
)
async def test_every_strategy_trades_by_its_rule(
    tmp_path: Path, strategy: str, rule: Callable[[Floats], Sides]
) -> None:
    bars = market.flat_bars(500 + np.random.default_rng(3).normal(0, 0.5, 600).cumsum())
    data = market.run_of(market.instrument(tmp_path, bars, market.equity()))
    spec = market.spec_for(data, strategy)
    done = await run_backtest(spec, data, RunStore(tmp_path / "runs"), report=ignore)
    close = bars.price(bars.close)
    size = np.floor(95_000 / close[0])
    position = np.cumsum(
        [sum(fill.units for fill in done.fills if fill.ts == ts) for ts in bars.ts.tolist()]
    )
    assert done.metrics.rejected == 0
    assert np.any(position)
    assert position.tolist() == (size * rule(close)).tolist()


async def test_pairs_trade_their_ratio_where_both_have_closed(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    trend = rng.normal(0, 0.3, 500).cumsum()
    first = np.round(400 + trend + rng.normal(0, 1, 500), 2)
    second = np.round(200 + trend / 2, 2)
    gaps = [100, 101, 350]  # minutes the second one has no bar in
    bars = market.flat_bars(second)
    held = [
        market.instrument(tmp_path, market.flat_bars(first), market.equity()),
        market.instrument(
            tmp_path, bars.take(np.delete(np.arange(500), gaps)), market.equity("IBM.NASDAQ")
        ),
    ]
    data = market.run_of(*held)
    spec = market.spec_for(data, "pairs_spread", period=30, entry=1.5, exit=0.25)
    done = await run_backtest(spec, data, RunStore(tmp_path / "runs"), report=ignore)
    both = np.delete(np.arange(500), gaps)
    spread = np.log(first[both] / second[both])
    side, sides = 0, np.zeros(500)
    for row, now in enumerate(both):
        last = spread[max(row - 29, 0) : row + 1]
        if row >= 29:
            score = (spread[row] - last.mean()) / last.std()
            side = -np.sign(score) if abs(score) > 1.5 else 0 if abs(score) < 0.25 else side
        sides[now:] = side
    for instrument_id, sign, close in (("AAPL.NASDAQ", 1, first), ("IBM.NASDAQ", -1, second)):
        fills = [fill for fill in done.fills if fill.instrument_id == instrument_id]
        position = [sum(fill.units for fill in fills if fill.ts <= ts) for ts in bars.ts.tolist()]
        size = np.floor(47_500 / close[0])
        assert len(fills) > 10
        assert position == (sign * size * sides).tolist()


async def test_progress_is_told_and_the_engine_is_not_in_our_process(tmp_path: Path) -> None:
    data = market.run_of(market.instrument(tmp_path, market.walk(25_000), market.equity()))
    heard: list[Event] = []
    spec = market.spec_for(data, "buy_and_hold")
    await run_backtest(spec, data, RunStore(tmp_path / "runs"), report=heard.append)
    told = [event for event in heard if isinstance(event, RunProgress)]
    assert told[-1].done == 25_000
    assert all(before.done < after.done for before, after in itertools.pairwise(told))
    assert all(event.total == 25_000 and event.bars_per_s > 0 for event in told)
    assert told[-1].text.startswith("to 2024-01-19 23:10 UTC, ")


async def cancel(spec: RunSpec, data: RunData, store: RunStore) -> None:
    """Cancel a run at its first progress."""
    running = asyncio.Event()

    def report(event: Event) -> None:
        if isinstance(event, RunProgress):
            running.set()

    run = asyncio.ensure_future(run_backtest(spec, data, store, report=report))
    first = asyncio.ensure_future(running.wait())
    await asyncio.wait([first, run], return_when=asyncio.FIRST_COMPLETED)
    assert not run.done()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


async def test_cancelling_keeps_what_was_done_and_calls_it_partial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.backtest.following.STOP_S", 30)  # a busy machine takes its time
    bars = market.walk(200_000)
    data = market.run_of(market.instrument(tmp_path, bars, market.equity()))
    store = RunStore(tmp_path / "runs")
    spec = market.spec_for(data, "sma_crossover", trade_size=10)
    await cancel(spec, data, store)
    (kept,) = store.list()
    assert kept.result.state == "partial"
    partial = store.load(kept.run_id)
    assert 0 < partial.metrics.bars < 200_000
    assert partial.equity.ts.tolist() == bars.ts[: partial.metrics.bars].tolist()
    assert partial.result.warnings[0].startswith("partial: cancelled at ")
    whole = await run_backtest(spec, data, store, report=ignore)
    assert partial.fills == whole.fills[: len(partial.fills)]
    assert len(partial.fills) < len(whole.fills)
    assert list((tmp_path / "runs").glob(".staging/*/*")) == []


def test_the_dashboard_side_loads_no_engine_and_no_pandas() -> None:
    program = (
        "import sys\nfrom core.backtest import runner, results\n"
        "print([n for n in ('nautilus_trader', 'pandas', 'exchange_calendars', 'textual')"
        " if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr

"""What a run keeps of its strategy's indicators: those that Nautilus feeds and those that the
strategy feeds itself."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import DataUnavailable
from catalog.events import ignore
from core.backtest import recording
from core.backtest.data import RunData
from core.backtest.exporting import export
from core.backtest.indicators import IndicatorLine
from core.backtest.records import INDICATORS
from core.backtest.results import RunStore, StoredRun
from core.backtest.runner import run_backtest
from core.strategies.library import Library
from tests.scenarios import backtest_bars as market
from tests.scenarios.user_strategies import write

BARS = 120
WATCHING = """
    from nautilus_trader.indicators import BollingerBands, RelativeStrengthIndex
    from nautilus_trader.indicators import SimpleMovingAverage
    from nautilus_trader.model import BarType
    from nautilus_trader.trading import Strategy

    class Watching(Strategy):
        def __init__(self, bars: BarType):
            super().__init__()
            self.bars = bars
            self.bands = BollingerBands(20, 2.0)
            self.strengths = [RelativeStrengthIndex(14)]

        def on_start(self):
            self.average = SimpleMovingAverage(10)
            self.register_indicator_for_bars(self.bars, self.average)
            self.subscribe_bars(self.bars)

        def on_bar(self, bar):
            close = bar.close.as_double()
            self.bands.update_raw(close)
            self.strengths[0].update_raw(close)
"""


async def run(
    tmp_path: Path, strategy: str, data: RunData, **parameters: object
) -> tuple[RunStore, StoredRun]:
    store, library = RunStore(tmp_path / "runs"), Library([tmp_path / "mine"])
    spec = market.spec_for(data, strategy, **parameters)
    return store, await run_backtest(spec, data, store, report=ignore, library=library)


def walking(tmp_path: Path, instrument_id: str = "AAPL.NASDAQ", seed: int = 1) -> RunData:
    bars = market.walk(BARS, seed)
    return market.run_of(market.instrument(tmp_path, bars, market.equity(instrument_id)))


def means(closes: np.ndarray, period: int) -> np.ndarray:
    """Simple averages of closes, nan until there are enough."""
    sums = np.convolve(closes, np.ones(period), "valid") / period
    return np.concatenate([np.full(period - 1, np.nan), sums])


async def test_each_value_is_that_of_the_bar_it_stands_at(tmp_path: Path) -> None:
    write(tmp_path / "mine", "watching", WATCHING)
    store, done = await run(tmp_path, "watching", walking(tmp_path))
    lines = {f"{one.name} {one.output}".strip(): one for one in store.indicators(done.run_id)}
    names = [f"BollingerBands(20) {part}" for part in ("upper", "middle", "lower")]
    assert list(lines) == ["SMA(10)", *names, "RSI(14)"]
    assert {line.instrument_id for line in lines.values()} == {"AAPL.NASDAQ"}
    assert [line.on_price for line in lines.values()] == [True] * 4 + [False]
    closes = market.walk(BARS).close / 100
    for name, period in (("SMA(10)", 10), ("BollingerBands(20) middle", 20)):
        assert lines[name].ts.tolist() == market.walk(BARS).ts.tolist()
        assert lines[name].values == pytest.approx(means(closes, period), nan_ok=True)
    spread = lines["BollingerBands(20) upper"].values - lines["BollingerBands(20) middle"].values
    assert spread[19] == pytest.approx(2 * closes[:20].std())
    strength = lines["RSI(14)"].values
    assert np.isnan(strength[:13]).all()
    assert np.isfinite(strength[15:]).all()


async def test_they_are_exported_with_the_other_tables(tmp_path: Path) -> None:
    store, done = await run(
        tmp_path, "sma_crossover", walking(tmp_path), fast_period=3, slow_period=5
    )
    await export(store, done.run_id, "csv", tmp_path / "csv")
    rows = list(csv.DictReader((tmp_path / "csv" / "indicators.csv").open()))
    assert [row["indicator"] for row in rows].count("SMA(3)") == BARS - 2
    assert rows[0]["ts"].startswith("2024-01-02 14:33:00")
    assert float(rows[0]["value"]) == pytest.approx(market.walk(BARS).close[:3].mean() / 100)
    await export(store, done.run_id, "json", tmp_path / "run.json")
    fast, _ = json.loads((tmp_path / "run.json").read_text())["indicators"]
    assert fast["value"][:2] == [None, None]
    assert fast["value"][2] == pytest.approx(float(rows[0]["value"]))


async def test_each_instrument_has_its_own(tmp_path: Path) -> None:
    both = (walking(tmp_path), walking(tmp_path, "IBM.NYSE", seed=2))
    data = market.run_of(*(each.instruments[0] for each in both))
    store, done = await run(tmp_path, "sma_crossover", data, fast_period=3, slow_period=5)
    lines = store.indicators(done.run_id)
    assert [(line.instrument_id, line.name) for line in lines] == [
        (one, name) for one in ("AAPL.NASDAQ", "IBM.NYSE") for name in ("SMA(3)", "SMA(5)")
    ]
    for seed, line in ((1, lines[0]), (2, lines[2])):
        closes = market.walk(BARS, seed).close / 100
        assert line.values == pytest.approx(means(closes, 3), nan_ok=True)


async def test_a_run_without_indicators_has_no_file_of_them(tmp_path: Path) -> None:
    store, done = await run(tmp_path, "buy_and_hold", walking(tmp_path))
    assert store.indicators(done.run_id) == ()
    assert not (store.folder / done.run_id / INDICATORS).exists()


async def test_a_damaged_file_is_told(tmp_path: Path) -> None:
    store, done = await run(tmp_path, "sma_crossover", walking(tmp_path))
    (store.folder / done.run_id / INDICATORS).write_bytes(b"no table")
    with pytest.raises(DataUnavailable, match="cannot be read"):
        store.indicators(done.run_id)


async def test_a_long_run_is_read_at_every_so_many_bars(tmp_path: Path) -> None:
    bars = market.walk(recording.MOST_READINGS + 10_000)
    data = market.run_of(market.instrument(tmp_path, bars, market.equity()))
    store, done = await run(tmp_path, "sma_crossover", data, fast_period=500, slow_period=5_000)
    fast, _ = store.indicators(done.run_id)
    assert fast.every == 2
    assert fast.ts.tolist() == bars.ts[1::2].tolist()
    assert fast.values == pytest.approx(means(bars.close / 100, 500)[1::2], nan_ok=True)


def test_between_two_readings_a_line_is_straight_and_beyond_them_nothing() -> None:
    readings = np.array([np.nan, 10.0, 14.0])
    line = IndicatorLine("AAPL.NASDAQ", "SMA(2)", "", True, 2, np.array([0, 2, 4]), readings)
    expected = [np.nan, np.nan, 10, 12, 14, np.nan]
    assert line.at(np.arange(6)).tolist() == pytest.approx(expected, nan_ok=True)

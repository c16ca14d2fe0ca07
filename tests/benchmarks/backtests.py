"""Backtests through the program against a bare engine with the same strategy on the same bars."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from catalog import workers
from tests.benchmarks import bare_engine
from tests.benchmarks.measure import Measurement
from tests.benchmarks.workspaces import spec_of, workspace_with_minutes

SHORT, LONG = 60, 100_000
ROUNDS = 15
LONG_ROUNDS = 15


def measure() -> list[Measurement]:
    """A run over 60 cached bars, and the speed over 100,000."""
    return asyncio.run(_measure())


async def _measure() -> list[Measurement]:
    with tempfile.TemporaryDirectory() as home:
        short, bare_short = await _short(Path(home) / "short")
        rates, bare_rates = await _long(Path(home) / "long")
    return [
        Measurement(
            "60 cached bars, from request to stored result",
            statistics.median(short),
            "s",
            None,
            0.05,
            note=f"a bare engine in a fresh process: {statistics.median(bare_short):.3f} s",
        ),
        Measurement(
            "100,000 minute bars, against the bare engine",
            statistics.median(rates),
            "bars/s",
            statistics.median(bare_rates),
            0.95,
            higher_is_better=True,
        ),
    ]


async def _short(home: Path) -> tuple[list[float], list[float]]:
    """Seconds of runs over an hour of minutes, ours and bare, by turns."""
    ours, bare = [], []
    async with workspace_with_minutes(home, SHORT) as workspace:
        for _ in range(ROUNDS):
            started = time.perf_counter()
            await workspace.backtest(spec_of(SHORT)).wait()
            ours.append(time.perf_counter() - started)
            started = time.perf_counter()
            await workers.run(bare_engine.bars_per_second, SHORT)
            bare.append(time.perf_counter() - started)
    return ours, bare


async def _long(home: Path) -> tuple[list[float], list[float]]:
    """Bars a second of long runs, ours and bare, by turns."""
    ours, bare = [], []
    async with workspace_with_minutes(home, LONG) as workspace:
        for _ in range(LONG_ROUNDS):
            run = await workspace.backtest(spec_of(LONG)).wait()
            ours.append(run.metrics.bars_per_s)
            bare.append(await workers.run(bare_engine.bars_per_second, LONG))
    return ours, bare

"""How long the event loop is held while a fetch and backtests run beside it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path

import numpy as np

from core.fetch import FetchRequest
from core.options import Options
from core.simulator.process import start_process
from core.workspace import Workspace
from tests.benchmarks.measure import Measurement
from tests.benchmarks.workspaces import SERIES, spec_of, workspace_with_minutes

BARS = 20_000
_TICK_S = 0.002


def measure() -> list[Measurement]:
    """Fetch a year of minutes of two stocks while backtests run, one after another."""
    return asyncio.run(_measure())


async def _measure() -> list[Measurement]:
    simulator = await start_process()
    try:
        with tempfile.TemporaryDirectory() as folder:
            lags, works = await _watch(Path(folder), simulator.port)
    finally:
        await simulator.stop()
    note = f"p99 {np.percentile(lags, 99) * 1000:.1f} ms of {len(lags):,} ticks"
    return [
        Measurement(
            "loop held while fetching and backtesting, longest",
            max(lags) * 1000,
            "ms",
            None,
            50,
            note=note,
        ),
        Measurement(
            "of that at work, not waiting for a processor, longest",
            max(works) * 1000,
            "ms",
            None,
            16,
        ),
    ]


async def _watch(folder: Path, port: int) -> tuple[list[float], list[float]]:
    """Seconds between ticks beyond their own, and of them those the loop's thread worked."""
    fetching = await Workspace.open(Options(home=folder / "fetch", port=port))
    async with workspace_with_minutes(folder / "run", BARS) as running:
        await fetching.connect().wait()
        fetch = fetching.fetch(
            FetchRequest(
                (SERIES.instrument_id, "MSFT"), SERIES.spec, "2025-01-02", "2025-12-31", "regular"
            )
        )
        lags: list[float] = []
        works: list[float] = []
        watching = asyncio.create_task(_tick(lags, works))
        while fetch.running:
            await running.backtest(spec_of(BARS)).wait()
        watching.cancel()
        summary = await fetch.wait()
        assert not summary.failed, summary.failed
    await fetching.close()
    return lags, works


async def _tick(lags: list[float], works: list[float]) -> None:
    while True:
        before, worked = time.perf_counter(), time.thread_time()
        await asyncio.sleep(_TICK_S)
        lags.append(time.perf_counter() - before - _TICK_S)
        works.append(time.thread_time() - worked)

"""How long a fetch takes against what pacing and the gateway's latency allow at best."""

from __future__ import annotations

import asyncio
import math
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from catalog.events import Event
from catalog.series import BarSpec
from core.estimate import FetchEstimated
from core.fetch import FetchRequest
from core.options import Options
from core.simulator.process import start_process
from core.turns import OPEN_REQUESTS
from core.workspace import Workspace
from tests.benchmarks.measure import Measurement

LATENCY_S = 3.0
NOW = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)
REQUEST = FetchRequest(
    ("AAPL", "MSFT", "GOOGL", "NVDA", "SPY"), BarSpec(1, "MINUTE"), "2025-11-17", "2026-11-17"
)


def measure() -> list[Measurement]:
    """Fetch a year of minutes of five stocks from a gateway that answers after three seconds."""
    return asyncio.run(_measure())


async def _measure() -> list[Measurement]:
    simulator = await start_process(now=NOW, latency=LATENCY_S)
    try:
        with tempfile.TemporaryDirectory() as folder:
            began = time.process_time()
            seconds, requests, bars = await _fetch(Path(folder), simulator.port)
            computed = time.process_time() - began
    finally:
        await simulator.stop()
    # The sessions and where the data begin are asked before the bars, each once for all series.
    bound = (2 + math.ceil(requests / OPEN_REQUESTS)) * LATENCY_S
    note = (
        f"{requests} requests, {bars:,} bars, {LATENCY_S:g} s each, {OPEN_REQUESTS} open; "
        f"{computed:.1f} s of processor"
    )
    return [
        Measurement(
            "fetch of five years of minutes, against latency", seconds, "s", bound, 1.1, note=note
        )
    ]


async def _fetch(folder: Path, port: int) -> tuple[float, int, int]:
    workspace = await Workspace.open(Options(home=folder, port=port, now=NOW))
    await asyncio.gather(workspace.connect().wait(), workspace.warm_up())  # as the dashboard does
    began = time.perf_counter()
    job = workspace.fetch(REQUEST)
    events: list[Event] = [event async for event in job.events()]
    summary = await job.wait()
    seconds = time.perf_counter() - began
    await workspace.close()
    assert not summary.failed, summary.failed
    (told,) = [event for event in events if isinstance(event, FetchEstimated)]
    return seconds, told.requests, sum(one.bars for one in summary.series)

"""A fetch of many series while the gateway does everything wrong that gateways do."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest

from catalog.events import Event, Report, ignore
from catalog.series import BarSpec, PriceSide
from catalog.store import BarsPersisted, Catalog
from core import series_fetch
from core.fetch import FetchRequest, FetchSummary, fetch_each
from core.fetch_events import AskedAgain, BarsRejected, BarsReordered, ConnectionAwaited, PacingWait
from core.ibkr.connection import BrokerSession, Endpoint
from core.ibkr.pacing import Pacing
from core.ibkr.requests import historical_bars
from core.simulator.process import Served, start_process

NOW = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)
FAULTS = Path(__file__).with_name("soak_faults.toml")
TRADED = (
    *("AAPL", "MSFT", "GOOGL", "AMD", "NVDA", "TSLA", "IBM.NYSE", "GDX.ARCA", "SPY", "META"),
    *("WMT", "^SPX.CBOE"),
)
QUOTED = ("AAPL", "MSFT", "GOOGL", "AMD", "NVDA", "TSLA", "IBM.NYSE", "EUR/USD")
SERIES: dict[PriceSide, tuple[str, ...]] = {"LAST": TRADED, "MID": QUOTED}
ANSWER_WITHIN_S = 2.0
HELD_AT_MOST_S = 0.05
TICK_S = 0.002


class Watch:
    """How long our own thread computed between two chances of the loop to do something else.

    Processor time, so that other programs on the machine do not count.
    """

    def __init__(self) -> None:
        self.held: list[float] = []

    async def run(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(TICK_S)
            self.held.append(time.thread_time() - before)


async def hurry(seconds: float) -> None:
    """Waits for pacing and restarts that a soak has no time for, a hundredth of them."""
    await asyncio.sleep(seconds / 100)


@asynccontextmanager
async def broker(folder: Path, port: int) -> AsyncIterator[BrokerSession]:
    pacing = Pacing(folder / "pacing.sqlite3", "127.0.0.1", port)
    session = BrokerSession(Endpoint("127.0.0.1", port), pacing=pacing, pause=hurry)
    yield session
    await session.disconnect()
    pacing.close()


async def fetched(
    folder: Path,
    requests: list[FetchRequest],
    *,
    faults: Path | None,
    latency: float,
    report: Report = ignore,
) -> tuple[Catalog, FetchSummary, Served | None]:
    simulator = await start_process(now=NOW, latency=latency, faults=faults)
    catalog = Catalog.open(folder / "catalog")
    async with broker(folder, simulator.port) as session:
        summary = await fetch_each(
            requests,
            catalog=catalog,
            session=session,
            clock=lambda: NOW,
            report=report,
            pause=hurry,
        )
    return catalog, summary, await simulator.stop()


@pytest.mark.parametrize(
    ("start", "latency"),
    [
        pytest.param("2026-10-19", 0.05, id="month", marks=pytest.mark.endurance),
        pytest.param("2026-05-18", 0.4, id="half-year", marks=pytest.mark.endurance),
    ],
)
async def test_everything_is_complete_and_equal_to_a_run_without_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: str, latency: float
) -> None:
    monkeypatch.setattr(
        series_fetch, "historical_bars", partial(historical_bars, timeout=ANSWER_WITHIN_S + latency)
    )
    requests = [
        FetchRequest((typed,), BarSpec(1, "MINUTE", side), start, "2026-11-17")
        for side, ids in SERIES.items()
        for typed in ids
    ]
    events: list[Event] = []
    watch = Watch()
    watching = asyncio.create_task(watch.run())
    memory: list[int] = []

    def report(event: Event) -> None:
        events.append(event)
        if isinstance(event, BarsPersisted):
            memory.append(psutil.Process().memory_info().rss)

    catalog, summary, served = await fetched(
        tmp_path / "soak", requests, faults=FAULTS, latency=latency, report=report
    )

    watching.cancel()
    grown = max(memory) - max(memory[: len(memory) // 2])
    assert not summary.failed
    assert served is not None
    assert served.violations == ()
    told = Counter(type(event) for event in events)
    for kind in (AskedAgain, BarsRejected, BarsReordered, ConnectionAwaited, PacingWait):
        assert told[kind], f"{kind.__name__}: the fault did not happen"
    other, _, _ = await fetched(tmp_path / "calm", requests, faults=None, latency=0.0)
    persisted: Counter[str] = Counter()
    for event in events:
        if isinstance(event, BarsPersisted):
            persisted[str(event.series)] += event.bars
    for one in summary.series:
        assert one.series is not None
        bars = catalog.read_bars(one.series)
        assert bars == other.read_bars(one.series), one.series
        assert persisted[str(one.series)] == len(bars)
    p99, longest = np.percentile(watch.held, 99), max(watch.held)
    print(f"loop held p99 {p99 * 1e3:.1f} ms, longest {longest * 1e3:.1f} ms, {grown / 1e6:.0f} MB")
    assert longest < HELD_AT_MOST_S, f"p99 {p99 * 1e3:.1f} ms, longest {longest * 1e3:.1f} ms"
    assert grown < 50e6
    catalog.close()
    other.close()

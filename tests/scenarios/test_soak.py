"""A fetch of many series while the gateway does everything wrong that gateways do."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
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
from core.ibkr import chunks
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
LAST_FAULT = 221
"""Which request of the script the last fault happens to."""
NIGHT = (
    *("cut", "garbage", "silence", "drip", "hang_up"),
    *("lost", "farm", "restart"),
    *("no_answer", "pacing", "empty", "unknown_contract", "duplicate", "unordered", "unfinished"),
)
# A line that fell silent is found out, by two pings, before a request is given up.
PING_WITHIN_S = 2.0
ANSWER_WITHIN_S = 6.0
BARS_A_REQUEST = 780
"""Two sessions: there must be something left to ask for when the last fault is due."""
TICK_S = 0.002
GROWN_AT_MOST = 150e6


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
    await session.connect()
    session.endpoint = replace(session.endpoint, timeout=PING_WITHIN_S)
    yield session
    await session.disconnect()
    pacing.close()


def script(folder: Path, further: int) -> Path:
    """The script of each fault once, and `further` ones at random, always the same."""
    rng = random.Random(20261118)
    text, nth = FAULTS.read_text(), LAST_FAULT
    for _ in range(further):
        nth += rng.randint(5, 50)
        what, seconds = rng.choice(NIGHT), round(rng.uniform(0.1, 1.0), 1)
        text += f'\n[[fault]]\nwhat = "{what}"\nat = "historical_bars"\nnth = {nth}\n'
        text += f"seconds = {seconds}\n" if what in ("lost", "farm", "restart") else ""
    file = folder / "faults.toml"
    file.write_text(text)
    return file


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
    ("start", "latency", "further"),
    [
        pytest.param("2026-10-19", 0.05, 0, id="month", marks=pytest.mark.timeout(300)),
        pytest.param(
            "2026-05-18",
            *(0.4, 40),
            id="half-year",
            marks=[pytest.mark.endurance, pytest.mark.timeout(900)],
        ),
    ],
)
async def test_everything_is_complete_and_equal_to_a_run_without_faults(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
    start: str,
    latency: float,
    further: int,
) -> None:
    monkeypatch.setattr(
        series_fetch, "historical_bars", partial(historical_bars, timeout=ANSWER_WITHIN_S + latency)
    )
    monkeypatch.setattr(chunks, "BARS_A_REQUEST", BARS_A_REQUEST)
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
        tmp_path / "soak",
        requests,
        faults=script(tmp_path, further),
        latency=latency,
        report=report,
    )

    watching.cancel()
    assert not summary.failed, [(one.typed_id, str(one.error)) for one in summary.failed]
    assert served is not None
    assert served.violations == ()
    assert served.requests["historical_bars"] > LAST_FAULT
    told = Counter(type(event) for event in events)
    for kind in (AskedAgain, BarsRejected, BarsReordered, ConnectionAwaited, PacingWait):
        assert told[kind], f"{kind.__name__}: the fault did not happen"
    monkeypatch.undo()  # in larger requests the bars are the same
    other, _, _ = await fetched(tmp_path / "calm", requests, faults=None, latency=0.0)
    persisted: Counter[str] = Counter()
    for event in events:
        if isinstance(event, BarsPersisted):
            persisted[str(event.series)] += event.bars
    for one in summary.series:
        assert one.series is not None
        bars = catalog.read_bars(one.series)
        assert len(bars) > 0
        assert bars == other.read_bars(one.series), one.series
        assert persisted[str(one.series)] == len(bars)
    catalog.close()
    other.close()
    grown = max(memory) - max(memory[: len(memory) // 2])
    assert grown < GROWN_AT_MOST
    # How long the loop was held is told, not judged: that depends on what else the machine does.
    figures = {
        "loop_held_p99_ms": round(float(np.percentile(watch.held, 99)) * 1e3, 1),
        "loop_held_longest_ms": round(max(watch.held) * 1e3, 1),
        "memory_grown_mb": round(grown / 1e6, 1),
        "requests": served.requests["historical_bars"],
    }
    for name, figure in figures.items():
        record_property(name, figure)
    print(figures)

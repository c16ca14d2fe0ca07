"""The catalog: listing, persisting, checking and reading for a chart, each against the bare way."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from catalog import workers
from catalog.coverage import Interval
from catalog.health import check
from catalog.layout import NANOS_PER_DAY, open_of
from catalog.made_instruments import made_instrument
from catalog.sessions import Sessions
from catalog.store import Catalog
from tests.benchmarks.measure import Measurement
from tests.benchmarks.workspaces import (
    SERIES,
    make_many_series,
    random_minutes,
    spec_of,
    workspace_with_minutes,
)

MANY, FILES = 5_000, 12
SHORT = 60
YEAR = 390 * 252
ROUNDS = 7
_SETTLING_S = 2.5
"""What changed within two seconds is looked at again."""


def measure() -> list[Measurement]:
    """Listing 5,000 series, a run among them, storing and checking 100,000 bars, reading a year of
    minutes."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            *_listing(Path(folder) / "many"),
            asyncio.run(_run_among_many(Path(folder) / "home")),
            *_bars(Path(folder)),
        ]


def _listing(root: Path) -> list[Measurement]:
    make_many_series(root, MANY, FILES)
    time.sleep(_SETTLING_S)
    bare = _median(lambda: _scandir(root / "data" / "bars"))
    catalog = Catalog.open(root)
    first_ever = _seconds(catalog.list_series)
    cold = []
    for _ in range(ROUNDS):
        fresh = Catalog.open(root)  # knows the ledger only, as a new process does
        cold.append(_seconds(fresh.list_series))
        fresh.close()
    catalog.list_series()
    unchanged = _median(catalog.list_series)
    assert len(catalog.list_series()) == MANY
    catalog.close()
    note = f"names by os.scandir alone: {bare:.3f} s"
    what = f"{MANY:,} series x {FILES} files"
    return [
        Measurement(
            f"{what}, listed by a new process",
            statistics.median(cold),
            "s",
            None,
            0.5,
            note=f"{note}; without a ledger, every footer read: {first_ever:.1f} s",
        ),
        Measurement(f"{what}, listed again", unchanged, "s", None, 0.1, note=note),
    ]


async def _run_among_many(home: Path) -> Measurement:
    async with workspace_with_minutes(home, SHORT) as workspace:

        async def median() -> float:
            taken = []
            for _ in range(ROUNDS):
                started = time.perf_counter()
                await workspace.backtest(spec_of(SHORT)).wait()
                taken.append(time.perf_counter() - started)
            return statistics.median(taken)

        alone = await median()
        await asyncio.to_thread(make_many_series, workspace.catalog.root, MANY, FILES)
        return Measurement(
            f"{SHORT} cached bars among {MANY:,} series x {FILES} files, against alone",
            await median(),
            "s",
            alone,
            1.25,
        )


def _checking(root: Path, span: Interval) -> Measurement:
    """With sessions as a broker told them, so that no calendar has to be asked."""
    first, last = span[0] // NANOS_PER_DAY, -(-span[1] // NANOS_PER_DAY)
    days = np.arange(first, last)
    opens = days * NANOS_PER_DAY
    whole = (int(opens[0]), int(opens[-1]) + NANOS_PER_DAY)
    catalog = Catalog.open(root)
    catalog.store_sessions(
        SERIES.instrument_id,
        "all",
        whole,
        Sessions(days, opens, opens + NANOS_PER_DAY, "UTC", "broker"),
    )
    catalog.close()
    files = list((root / "data" / "bars").rglob("*.parquet"))
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    ours = _median(lambda: check(root, now_ns=span[1], full=True))
    bare = _median(lambda: [pq.read_table(path) for path in files])
    return Measurement(
        "a full check of 100,000 bars, against pyarrow reading them",
        megabytes / ours,
        "MB/s",
        megabytes / bare,
        0.1,
        higher_is_better=True,
        note=f"{megabytes:.1f} MB: pages, checksums, order, envelopes, sessions, jumps, hash",
    )


def _bars(folder: Path) -> list[Measurement]:
    bars = random_minutes(100_000)
    opens = open_of(bars.ts, SERIES.spec)
    span = (int(opens[0]), int(opens[-1]) + SERIES.spec.nanos)
    definition = made_instrument(SERIES, "equity", "USD", bars, "UTC")
    ours, theirs = [], []
    for number in range(ROUNDS):
        root = folder / f"ours-{number}"
        catalog = Catalog.open(root)
        catalog.store_instrument(definition, origin="real")
        ours.append(
            _cpu_seconds(
                lambda catalog=catalog: catalog.store_bars(
                    SERIES, bars, asked=span, hours="all", con_id=None, origin="real"
                )
            )
        )
        other = folder / f"theirs-{number}"
        other.mkdir()
        theirs.append(workers.run_blocking(_written_by_nautilus, str(other)))
        catalog.close()
    catalog = Catalog.open(folder / "ours-0")
    year = (span[0], int(opens[YEAR - 1]) + SERIES.spec.nanos)
    files = catalog.files(SERIES, *year)
    chart = _median(lambda: catalog.read_bars(SERIES, *year))
    bare = _median(lambda: [pq.read_table(path) for path in files])
    catalog.close()
    return [
        _checking(folder / "ours-0", span),
        Measurement(
            "100,000 bars stored and read back, CPU time against Nautilus' writer",
            statistics.median(ours),
            "s",
            statistics.median(theirs),
            1.0,
            note="theirs from Bar objects, without reading back or fsync",
        ),
        Measurement(
            "a year of minutes read for a chart",
            chart,
            "s",
            None,
            0.2,
            note=f"the same {len(files)} files by pyarrow alone: {bare:.3f} s",
        ),
    ]


def _written_by_nautilus(root: str) -> float:
    """Seconds of CPU that Nautilus takes to write the bars; for workers."""
    from nautilus_trader.model import Bar, BarType, Price, Quantity
    from nautilus_trader.persistence import ParquetDataCatalog

    bars = random_minutes(100_000)
    bar_type = BarType.from_str(SERIES.bar_type)
    scale = 10 ** (16 - bars.price_precision)
    rows = zip(*(column.tolist() for column in bars.arrays()), strict=True)
    made = [
        Bar(
            bar_type,
            *(Price.from_raw(price * scale, bars.price_precision) for price in prices),
            Quantity(float(volume), 0),
            ts,
            ts,
        )
        for ts, *prices, volume in rows
    ]
    catalog = ParquetDataCatalog(root)
    return _cpu_seconds(lambda: catalog.write_bars(made))


def _scandir(parent: Path) -> int:
    names = 0
    with os.scandir(parent) as folders:
        for folder in folders:
            with os.scandir(folder.path) as files:
                names += sum(1 for _ in files)
    return names


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _cpu_seconds(work: Callable[[], object]) -> float:
    """Of all threads of this process; other programs disturb it less than the clock."""
    started = time.process_time()
    work()
    return time.process_time() - started


def _median(work: Callable[[], object]) -> float:
    return statistics.median(_seconds(work) for _ in range(ROUNDS))

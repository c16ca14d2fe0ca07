"""Long runs: speed against the bare engine in one piece, and memory, which must not grow with
the bars."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from catalog import workers
from catalog.encoding import to_arrow, write_table
from catalog.layout import file_name, series_folder
from core.backtest.data import InstrumentData, RunData
from core.backtest.spec import RunSpec
from core.backtest.task import Task, perform
from tests.benchmarks import bare_engine
from tests.benchmarks.measure import Measurement
from tests.benchmarks.workspaces import FIRST, SERIES, definition, random_minutes

LONG, LONGEST = 1_000_000, 5_000_000
_A_FILE = 43_200
_STRATEGY = "sma_crossover"
# Nautilus keeps every order, 10 KB each: a strategy that trades at each wiggle would measure that.
_PARAMETERS: dict[str, Any] = {"fast_period": 200, "slow_period": 1_000}


def measure() -> list[Measurement]:
    """Bars a second at one and at five million bars, and the most memory of the longer run."""
    return asyncio.run(_measure())


async def _measure() -> list[Measurement]:
    found = []
    with tempfile.TemporaryDirectory() as home:
        data = _stored(Path(home), LONGEST)
        for count, rounds in ((LONG, 5), (LONGEST, 1)):
            rates, bare_rates = [], []
            for number in range(rounds):
                task = _task(data, count, Path(home) / f"{count}-{number}")
                rate, peak = await workers.run(_run, task, on_message=lambda _: None)
                rates.append(rate)
                bare_rates.append(
                    await workers.run(bare_engine.bars_per_second, count, _PARAMETERS)
                )
            found.append(
                Measurement(
                    f"{count:,} minute bars, against the bare engine",
                    statistics.median(rates),
                    "bars/s",
                    statistics.median(bare_rates),
                    0.95,
                    higher_is_better=True,
                )
            )
    found.append(Measurement(f"memory of the run of {LONGEST:,} bars", peak, "MB", None, 600))
    return found


def _run(task: Task, *, send: Callable[[Any], None]) -> tuple[float, float]:
    """Bars a second and the most memory in MB, of a worker."""
    outcome = perform(task, send=send)
    status = Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return outcome.metrics.bars_per_s, peak


def _task(data: RunData, count: int, folder: Path) -> Task:
    folder.mkdir()
    spec = RunSpec(
        _STRATEGY,
        _PARAMETERS,
        (SERIES.instrument_id,),
        SERIES.spec,
        cash="1000000 USD",
        fees="zero",
    )
    first = data.interval[0]
    part = RunData(data.instruments, (first, first + count * SERIES.spec.nanos))
    return Task(spec, _PARAMETERS, part, folder)


def _stored(home: Path, count: int) -> RunData:
    bars = random_minutes(count)
    folder = home / series_folder(SERIES)
    folder.mkdir(parents=True)
    files = []
    for row in range(0, count, _A_FILE):
        part = bars.take(slice(row, row + _A_FILE))
        files.append(folder / file_name(int(part.ts[0]), int(part.ts[-1])))
        write_table(to_arrow(SERIES, part), files[-1])
    first = int(FIRST.timestamp()) * 1_000_000_000
    held = InstrumentData(SERIES.instrument_id, definition(), (SERIES,), tuple(files))
    return RunData((held,), (first, first + count * SERIES.spec.nanos))

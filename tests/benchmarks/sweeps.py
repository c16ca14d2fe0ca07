"""A sweep of 64 runs on two workers against the same sweep on one, and what one run costs."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from catalog import workers
from core.backtest.sweep import Axis, SweepSpec
from core.workspace import Workspace
from tests.benchmarks.measure import Measurement
from tests.benchmarks.workspaces import spec_of, workspace_with_minutes

BARS = 20_000
RUNS = 64
ROUNDS = 3
_COUNTED = 20_000_000


def measure() -> list[Measurement]:
    """The time of one worker over that of two, by turns, medians."""
    return asyncio.run(_measure())


async def _measure() -> list[Measurement]:
    with tempfile.TemporaryDirectory() as home:
        async with workspace_with_minutes(Path(home), BARS) as workspace:
            one, two, machine = [], [], []
            for round_number in range(ROUNDS):
                machine.append(await _of_the_machine())
                one.append(await _seconds(workspace, 1, round_number))
                two.append(await _seconds(workspace, 2, round_number))
    alone, together = statistics.median(one), statistics.median(two)
    return [
        Measurement(
            f"a sweep of {RUNS} runs of {BARS:,} bars, two workers against one",
            RUNS / together,
            "runs/s",
            RUNS / alone,
            1.8,
            higher_is_better=True,
            note=f"two processes that only count: {statistics.median(machine):.2f} x",
        )
    ]


async def _seconds(workspace: Workspace, count: int, round_number: int) -> float:
    # Other cash makes another sweep of it, so that no run is there already.
    sweep = SweepSpec(
        replace(spec_of(BARS), cash=f"{1_000_000 + 10 * round_number + count} USD"),
        (Axis("fast_period", tuple(range(2, 10))), Axis("slow_period", tuple(range(20, 100, 10)))),
        count,
    )
    started = time.perf_counter()
    result = await workspace.sweep(sweep).wait()
    elapsed = time.perf_counter() - started
    assert len(result.runs) == RUNS
    assert not any(run.error for run in result.runs)
    return elapsed


async def _of_the_machine() -> float:
    """What a second process is worth here and now, with nothing of ours in it."""
    started = time.perf_counter()
    await workers.run(_count)
    alone = time.perf_counter() - started
    started = time.perf_counter()
    await asyncio.gather(workers.run(_count), workers.run(_count))
    return 2 * alone / (time.perf_counter() - started)


def _count() -> int:
    return sum(number * number for number in range(_COUNTED))

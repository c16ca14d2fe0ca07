"""A sweep of 64 runs on two cores against the same sweep on one."""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import psutil

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
    """The time on one core over that on two, by turns, medians."""
    return asyncio.run(_measure())


async def _measure() -> list[Measurement]:
    with tempfile.TemporaryDirectory() as home:
        async with workspace_with_minutes(Path(home), BARS) as workspace:
            one_core, one_worker, two, machine = [], [], [], []
            for round_number in range(ROUNDS):
                machine.append(await _of_the_machine())
                with _on_one_core():
                    one_core.append(await _seconds(workspace, 1, 3 * round_number))
                one_worker.append(await _seconds(workspace, 1, 3 * round_number + 1))
                two.append(await _seconds(workspace, 2, 3 * round_number + 2))
    together = statistics.median(two)
    return [
        Measurement(
            f"a sweep of {RUNS} runs of {BARS:,} bars, on two cores against one",
            RUNS / together,
            "runs/s",
            RUNS / statistics.median(one_core),
            1.8,
            higher_is_better=True,
            note=(
                f"against one worker, all else on a core of its own: "
                f"{statistics.median(one_worker) / together:.2f} x; "
                f"two processes that only count: {statistics.median(machine):.2f} x"
            ),
        )
    ]


@contextmanager
def _on_one_core() -> Iterator[None]:
    """All of this process, of the forkserver and of what comes from it on one core."""
    cores = os.sched_getaffinity(0)
    _keep_to({min(cores)})
    try:
        yield
    finally:
        _keep_to(cores)


def _keep_to(cores: set[int]) -> None:
    here = psutil.Process()
    for process in (here, *here.children(recursive=True)):
        with suppress(psutil.NoSuchProcess, ProcessLookupError):  # a worker that has just ended
            for thread in process.threads():
                os.sched_setaffinity(thread.id, cores)


async def _seconds(workspace: Workspace, count: int, number: int) -> float:
    # Other cash makes another sweep of it, so that no run is there already.
    sweep = SweepSpec(
        replace(spec_of(BARS), cash=f"{1_000_000 + number} USD"),
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

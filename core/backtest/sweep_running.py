"""Runs a sweep: each combination in a process of its own, several at a time, each kept as it
ends."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Self

from catalog.errors import QuarterdeckError, WrongInput
from catalog.events import Event, Level, Report
from core.backtest.checks import refuse_unsound
from core.backtest.currencies import with_cash
from core.backtest.data import RunData
from core.backtest.fingerprint import Fingerprint, data_hashes
from core.backtest.metrics import Metrics
from core.backtest.results import RunStore, RunSummary
from core.backtest.run_index import Search
from core.backtest.spec import RunSpec
from core.backtest.sweep import SweepResult, SweepRun, SweepSpec
from core.backtest.sweep_sharing import share
from core.jobs import JobProgress


@dataclass(frozen=True, slots=True)
class SweepStarted(Event):
    """A sweep begins: so many runs, of which so many are held from before, and so many were
    refused, as the strategy cannot work with their parameters."""

    channel = "run"

    sweep_id: str
    runs: int
    held: int
    refused: int

    def __str__(self) -> str:
        before = f", {self.held:,} are there already" if self.held else ""
        refused = f", {self.refused:,} cannot be" if self.refused else ""
        return f"sweep {self.sweep_id} of {self.runs:,} runs{before}{refused}"


@dataclass(frozen=True, slots=True)
class SweepRunEnded(Event):
    """One run of a sweep has ended, or was there already."""

    channel = "run"

    sweep_id: str
    run_id: str
    parameters: dict[str, object]
    metrics: dict[str, object]

    @classmethod
    def of(
        cls, sweep_id: str, run_id: str, parameters: dict[str, object], metrics: Metrics
    ) -> Self:
        """The event of a run with these figures."""
        return cls(sweep_id, run_id, parameters, asdict(metrics))

    @property
    def run(self) -> SweepRun:
        """What became of it."""
        return SweepRun(self.parameters, self.run_id, Metrics.from_json(self.metrics))

    def __str__(self) -> str:
        sharpe = self.metrics["sharpe"]
        told = f"return {self.metrics['total_return']:+.2%}"
        return f"{_words(self.parameters)}: {told}" + (f", Sharpe {sharpe:.2f}" if sharpe else "")


@dataclass(frozen=True, slots=True)
class SweepRunFailed(Event):
    """One run of a sweep failed, or was refused before it ran; the others go on."""

    level = Level.WARNING
    channel = "run"

    sweep_id: str
    parameters: dict[str, object]
    reason: str
    refused: bool = False

    @property
    def run(self) -> SweepRun:
        """What became of it."""
        return SweepRun(self.parameters, None, None, self.reason, self.refused)

    def __str__(self) -> str:
        return f"{_words(self.parameters)}: {self.reason}"


def _words(parameters: dict[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in parameters.items())


type Check = Callable[[RunSpec], object]
"""Raises `WrongInput` for parameters a strategy cannot work with; blocking."""
type Run = Callable[[RunSpec, RunData], Awaitable[RunSummary]]
"""Runs a spec on its data and stores it under the sweep's id."""


type Prepare = Callable[[RunSpec], Awaitable[RunData]]
"""Gets the data of a run ready, files checked."""


async def run_sweep(
    sweep: SweepSpec,
    store: RunStore,
    source: str,
    *,
    check: Check,
    prepare: Prepare,
    run: Run,
    report: Report,
) -> SweepResult:
    """Run all combinations on the same data; `source` is the hash of the strategy's source.

    A combination that was run before in the same sweep, on the same data and source, is taken as
    it is. One that is refused, fails or dies is told and leaves the others alone. Cancelling keeps
    the runs that have ended. Raises `WrongInput` where all are refused, for themselves or for their
    data, and what `prepare` raises.
    """
    specs = sweep.specs()
    refused = await asyncio.to_thread(_refusals, specs, check)
    sound = [spec for number, spec in enumerate(specs) if number not in refused]
    if not sound:
        raise refused[0]
    data = await prepare(sound[0])
    refuse_unsound(with_cash(sound[0], data.instruments), data)
    data = replace(data, hashes=await asyncio.to_thread(data_hashes, data))
    sweeping = _Sweeping(sweep, [with_cash(one, data.instruments) for one in specs], report)
    held = await asyncio.to_thread(sweeping.held, store, data, source)
    sweeping.begin(held, refused)
    staging = await asyncio.to_thread(store.begin, datetime.now(UTC))
    try:
        shared = await asyncio.to_thread(share, data, staging)
        free = asyncio.Semaphore(sweep.workers or os.cpu_count() or 1)

        async def one(number: int) -> None:
            async with free:
                await sweeping.run(number, shared, run)

        async with asyncio.TaskGroup() as group:
            for number in sweeping.missing:
                group.create_task(one(number))
    finally:
        await asyncio.to_thread(store.discard, staging)
    return sweeping.result


def _refusals(specs: Sequence[RunSpec], check: Check) -> dict[int, WrongInput]:
    found = {}
    for number, spec in enumerate(specs):
        try:
            check(spec)
        except WrongInput as refusal:
            found[number] = refusal
    return found


class _Sweeping:
    """The runs of one sweep, as far as they have ended."""

    def __init__(self, sweep: SweepSpec, specs: Sequence[RunSpec], report: Report) -> None:
        self._sweep = sweep
        self._specs = specs
        self._report = report
        self._ended: dict[int, SweepRun] = {}

    def held(self, store: RunStore, data: RunData, source: str) -> dict[int, RunSummary]:
        """The runs that are there from before, by their number; blocking."""
        before = [
            (run.result.fingerprint, run)
            for run in store.list(Search(sweep=self._sweep.id))
            if run.result.state == "done" and run.result.fingerprint is not None
        ]
        if not before:
            return {}
        now = Fingerprint.of(self._specs[0], data, source)
        same = {
            fingerprint.spec: run
            for fingerprint, run in before
            if replace(fingerprint, spec=now.spec) == now
        }
        wanted = enumerate(now.for_spec(spec, data).spec for spec in self._specs)
        return {number: same[one] for number, one in wanted if one in same}

    def begin(self, held: dict[int, RunSummary], refused: dict[int, WrongInput]) -> None:
        """Take in what is there from before and what cannot be run."""
        self._report(SweepStarted(self._sweep.id, len(self._specs), len(held), len(refused)))
        for number, refusal in refused.items():
            self._failed(number, refusal)
        for number, run in held.items():
            self._succeeded(number, run)

    @property
    def missing(self) -> list[int]:
        """The numbers of the runs that have not ended."""
        return [number for number in range(len(self._specs)) if number not in self._ended]

    @property
    def result(self) -> SweepResult:
        """All of them, when none is missing."""
        runs = tuple(self._ended[number] for number in range(len(self._specs)))
        return SweepResult(self._sweep.id, self._sweep.axes, runs)

    async def run(self, number: int, data: RunData, run: Run) -> None:
        """Run one, whatever comes of it."""
        try:
            stored = await run(self._specs[number], data)
        except QuarterdeckError as error:
            self._failed(number, error)
        else:
            self._succeeded(number, stored)

    def _succeeded(self, number: int, run: RunSummary) -> None:
        metrics, parameters = run.result.metrics, self._varied(number)
        assert metrics is not None, "a run that is done has figures"
        self._note(number, SweepRun(parameters, run.run_id, metrics))
        self._report(SweepRunEnded.of(self._sweep.id, run.run_id, parameters, metrics))

    def _failed(self, number: int, error: QuarterdeckError) -> None:
        refused = isinstance(error, WrongInput)
        told = SweepRunFailed(self._sweep.id, self._varied(number), str(error), refused)
        self._note(number, told.run)
        self._report(told)

    def _note(self, number: int, run: SweepRun) -> None:
        self._ended[number] = run
        self._report(JobProgress(len(self._ended), len(self._specs), "runs"))

    def _varied(self, number: int) -> dict[str, object]:
        parameters = self._specs[number].parameters
        return {axis.name: parameters[axis.name] for axis in self._sweep.axes}

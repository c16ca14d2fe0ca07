"""Runs a backtest in a worker process: checked before, followed on its way, kept afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from catalog import workers
from catalog.errors import QuarterdeckError, WrongInput
from catalog.events import Event, Level, Report, as_record, ignore
from catalog.origin import is_simulated
from catalog.series import NANOS_PER_SECOND
from core.backtest.checks import refuse_unsound, warnings_before
from core.backtest.currencies import with_cash
from core.backtest.data import InstrumentData as InstrumentData
from core.backtest.data import RunData as RunData
from core.backtest.following import follow
from core.backtest.limits import Limits
from core.backtest.results import RunResult, RunStore, RunSummary, StoredRun
from core.backtest.spec import RunSpec, plain_value
from core.backtest.task import Outcome, Progress, Task
from core.backtest.venues import VenueDetected, detect_venue
from core.jobs import JobProgress, LogLine
from core.strategies.library import SHIPPED, Library
from core.strategies.shipped import STRATEGIES

workers.preload("core.backtest.engine", *(each.module for each in STRATEGIES.values()))


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    """A run begins."""

    channel = "run"

    run_id: str
    strategy: str
    instruments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.strategy} on {', '.join(self.instruments)} started as {self.run_id}"


@dataclass(frozen=True, slots=True)
class RunProgress(JobProgress):
    """How many bars of how many the engine has processed, how fast, and where it is: the stamp of
    the last bar, ns UTC."""

    bars_per_s: float = 0.0
    reached: int = 0


@dataclass(frozen=True, slots=True)
class RunNote(Event):
    """What is so in every run of its kind."""

    channel = "run"

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class RunWarning(Event):
    """What the reader of a result has to know."""

    level = Level.WARNING
    channel = "run"

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """A run is done and stored."""

    channel = "run"

    run_id: str
    total_return: float
    bars: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"done in {self.seconds:.2f} s, {self.bars:,} bars, return {self.total_return:+.2%}, "
            f"stored as {self.run_id}"
        )


@dataclass(frozen=True, slots=True)
class RunFailed(Event):
    """A run failed, or was refused; it is stored with the reason."""

    channel = "run"

    run_id: str

    def __str__(self) -> str:
        return f"failed, kept in the history as {self.run_id}"


async def run_backtest(
    spec: RunSpec,
    data: RunData,
    store: RunStore,
    *,
    report: Report,
    library: Library = SHIPPED,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    before: Sequence[LogLine] = (),
) -> StoredRun:
    """Run the spec on the data, whose files were checked, and store what comes out. What was told
    `before`, of its data, is kept in its log.

    Raises `WrongInput` for a run that would not be sound, and what ends a run on its way:
    `DataUnavailable` for a strategy that raises or meets a limit, `WorkerDied`. Either is stored as
    a failed run. Cancelling ends the engine at once; what it did so far is stored as a partial run.
    """
    task = await _begun(spec, data, store, "", library, limits)
    kept = await _performed(task, store, _Log(report, before))
    return await asyncio.to_thread(store.load, kept.run_id)


async def run_of_sweep(
    spec: RunSpec,
    data: RunData,
    store: RunStore,
    sweep: str,
    *,
    library: Library = SHIPPED,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
) -> RunSummary:
    """As `run_backtest`, under the id of a sweep. What it left is not read: of hundreds of runs
    that would take as long as all else this process does.

    Nothing is stored of a run that is refused, as those of a sweep are together, or cancelled.
    """
    task = await _begun(spec, data, store, sweep, library, limits)
    return await _performed(task, store, _Log(ignore, ()))


async def _begun(
    spec: RunSpec, data: RunData, store: RunStore, sweep: str, library: Library, limits: Limits
) -> Task:
    info = await asyncio.to_thread(library.find, spec.strategy)
    spec = with_cash(replace(spec, strategy=info.name), data.instruments)
    parameters = await asyncio.to_thread(library.read, spec.strategy, spec.parameters)
    staging = await asyncio.to_thread(store.begin, datetime.now(UTC))
    defaults = {
        one.name: plain_value(one.default) for one in info.parameters if one.default is not None
    }
    return Task(spec, parameters, data, staging, sweep, library.folders, limits, defaults)


async def _performed(task: Task, store: RunStore, log: _Log) -> RunSummary:
    try:
        return await _run(task, store, log)
    except (asyncio.CancelledError, WrongInput):
        await _to_the_end(asyncio.to_thread(store.discard, task.folder))
        raise


async def keep_refused(
    spec: RunSpec,
    refusal: QuarterdeckError,
    store: RunStore,
    *,
    report: Report,
    simulated: bool,
    before: Sequence[LogLine] = (),
) -> None:
    """Store a run that was refused before it had its data as a failed one, so that it can be looked
    up, corrected and run again."""
    now = datetime.now(UTC)
    staging = await asyncio.to_thread(store.begin, now)
    result = RunResult(
        staging.name,
        "failed",
        *(now.isoformat(), now.isoformat()),
        simulated=simulated,
        error=refusal.as_record(),
    )
    log = _Log(report, before)
    log.report(RunFailed(staging.name))
    await _to_the_end(asyncio.to_thread(store.keep, staging, spec, result, log.lines))


async def _run(task: Task, store: RunStore, log: _Log) -> RunSummary:
    started = datetime.now(UTC)
    venues: list[VenueDetected] = []

    async def keep(outcome: Outcome | QuarterdeckError) -> RunSummary:
        result = _result(task, started, venues, outcome)
        return await _to_the_end(
            asyncio.to_thread(store.keep, task.folder, task.spec, result, log.lines)
        )

    try:
        refuse_unsound(task.spec, task.data)
        venues += [detect_venue(each.definition, each.series[0]) for each in task.data.instruments]
        log.report(RunStarted(task.folder.name, task.spec.strategy, task.spec.instruments))
        before = tuple(warnings_before(task.spec, task.data))
        for told in (*venues, *map(RunWarning, before)):
            log.report(told)
        outcome, cancelled = await follow(task, log.progress)
    except QuarterdeckError as error:
        if not (task.sweep and isinstance(error, WrongInput)):
            log.report(RunFailed(task.folder.name))
            await keep(error)
        raise
    if cancelled and task.sweep:  # a sweep goes on with whole runs
        raise asyncio.CancelledError
    for text in outcome.notes:
        log.report(RunNote(text))
    for text in outcome.warnings:
        log.report(RunWarning(text))
    metrics = outcome.metrics
    done = RunFinished(task.folder.name, metrics.total_return, metrics.bars, metrics.seconds)
    log.take(done)
    kept = await keep(replace(outcome, warnings=(*before, *outcome.warnings)))
    log.pass_on(done)
    if cancelled:
        raise asyncio.CancelledError
    return kept


async def _to_the_end[T](step: Coroutine[Any, Any, T]) -> T:
    """Await a step that writes: cancelled, it is finished first, then the cancel goes on."""
    writing = asyncio.ensure_future(step)
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait([writing])
        raise


def _result(
    task: Task,
    started: datetime,
    venues: Sequence[VenueDetected],
    outcome: Outcome | QuarterdeckError,
) -> RunResult:
    run_id, simulated = task.folder.name, is_simulated(task.data.origin)
    times = started.isoformat(), datetime.now(UTC).isoformat()
    if isinstance(outcome, QuarterdeckError):
        return RunResult(
            run_id,
            "failed",
            *times,
            tuple(venues),
            simulated,
            error=outcome.as_record(),
            interval=task.data.interval,
            sweep=task.sweep,
        )
    return RunResult(
        run_id,
        "partial" if outcome.stopped else "done",
        *times,
        tuple(venues),
        simulated,
        outcome.warnings,
        outcome.metrics,
        notes=outcome.notes,
        interval=task.data.interval,
        fingerprint=outcome.fingerprint,
        sweep=task.sweep,
        defaults={**task.defaults},
    )


class _Log:
    """Passes events on and keeps them for the run's log."""

    def __init__(self, pass_on: Report, before: Sequence[LogLine]) -> None:
        self.pass_on = pass_on
        self.lines = [_as_json(line) for line in before]

    def take(self, event: Event) -> None:
        self.lines.append(_as_json(LogLine(datetime.now(UTC), event)))

    def report(self, event: Event) -> None:
        self.take(event)
        self.pass_on(event)

    def progress(self, so_far: Progress) -> None:
        rate = so_far.done / so_far.seconds if so_far.seconds else 0.0
        reached = datetime.fromtimestamp(so_far.reached // NANOS_PER_SECOND, UTC)
        text = f"to {reached:%Y-%m-%d %H:%M} UTC, {rate:,.0f} bars/s"
        self.pass_on(RunProgress(so_far.done, so_far.total, "bars", text, rate, so_far.reached))


def _as_json(line: LogLine) -> dict[str, Any]:
    told = {"time": line.time.isoformat(), "channel": line.event.channel}
    return {**told, **as_record(line.event)}

"""Runs and sweeps as jobs: their data made ready, run, kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from catalog import workers
from catalog.errors import QuarterdeckError, WrongInput
from catalog.events import Report, ignore
from catalog.origin import is_simulated
from catalog.store import Catalog
from core.backtest.data import RunData
from core.backtest.fingerprint import strategy_hash
from core.backtest.limits import Limits
from core.backtest.preparing import prepare, refuse_mistyped
from core.backtest.queueing import RunQueue
from core.backtest.reproducing import Reproduction, judge
from core.backtest.results import RunStore, RunSummary, StoredRun
from core.backtest.runner import keep_refused, run_backtest, run_of_sweep
from core.backtest.spec import RunSpec
from core.backtest.sweep import MOST_RUNS, SweepResult, SweepSpec
from core.backtest.sweep_running import run_sweep
from core.ibkr.connection import BrokerSession
from core.identity import Clock
from core.jobs import KEPT_LINES, Job, Jobs
from core.ranges import spell_out
from core.settings import Settings
from core.strategies.library import SHIPPED, Library


class RunJobs:
    """Starts backtests and sweeps on a catalog; their results go to the store."""

    def __init__(
        self,
        jobs: Jobs,
        *,
        catalog: Catalog,
        broker: BrokerSession,
        runs: RunStore,
        clock: Clock,
        settings: Callable[[], Settings],
        library: Library = SHIPPED,
        limits: Limits = Limits(),  # noqa: B008 (frozen)
    ) -> None:
        self._jobs = jobs
        self._catalog = catalog
        self._broker = broker
        self._runs = runs
        self._clock = clock
        self._settings = settings
        self._library = library
        self._limits = limits
        self._queue = RunQueue()

    def backtest(self, spec: RunSpec) -> Job[StoredRun]:
        """Get the data of a run ready (fetching what is missing when the source is `auto`), run
        it in a process of its own, and keep its result. Without fees it has those of the settings.

        What cannot be run is kept as a failed run; what is only mistyped is not.
        """

        async def work(job: Job[StoredRun]) -> StoredRun:
            return await self._kept_run(await asyncio.to_thread(self._spelled_out, spec), job)

        return self._jobs.start("backtest", _title(spec), work)

    def reproduce(self, run_id: str) -> Job[Reproduction]:
        """Run the spec of a stored run again, keep that too, and compare the two."""

        async def work(job: Job[Reproduction]) -> Reproduction:
            original = await asyncio.to_thread(self._runs.load, run_id)
            if original.result.metrics is None:
                raise WrongInput(
                    f"{run_id} cannot be reproduced",
                    "it failed: there is nothing to compare with",
                    f"run it again: quarterdeck backtest rerun {run_id}",
                )
            return judge(original, await self._kept_run(original.spec, job))

        return self._jobs.start("backtest", f"reproduce {run_id}", work)

    def sweep(self, sweep: SweepSpec) -> Job[SweepResult]:
        """Run a grid of parameters, each run a process of its own, several at a time.

        The same sweep asked again goes on where it stopped. The job's log has a `SweepRunEnded`
        or `SweepRunFailed` for each run. Without fees, or without a number of workers, it has those
        of the settings.
        """

        async def work(job: Job[SweepResult]) -> SweepResult:
            base = await asyncio.to_thread(self._spelled_out, sweep.base)
            usual = await asyncio.to_thread(self._settings)
            wanted = replace(sweep, base=base, workers=sweep.workers or usual.workers)
            return await run_sweep(
                wanted,
                self._runs,
                await workers.run(strategy_hash, base.strategy, base.fees, self._library.folders),
                check=self._refuse_mistyped,
                prepare=lambda spec: self._prepared(spec, job.report),
                run=lambda spec, data: self._run_of_sweep(spec, data, wanted.id),
                report=job.report,
            )

        # Its lines are its result as far as it is, and those held from before come all at once.
        keep = MOST_RUNS + KEPT_LINES
        return self._jobs.start("backtest", f"sweep {_title(sweep.base)}", work, keep=keep)

    def _spelled_out(self, spec: RunSpec) -> RunSpec:
        """The spec with the whole name of its strategy, its fees, and dates in place of `ytd` and
        `-30d`, so that it says the same tomorrow."""
        now = self._clock()
        return replace(
            spec,
            strategy=self._library.find(spec.strategy).name,
            fees=spec.fees or self._settings().fees,
            start=spell_out(spec.start, now),
            end=spell_out(spec.end, now, end=True),
        )

    def _refuse_mistyped(self, spec: RunSpec) -> None:
        refuse_mistyped(spec, self._library, self._clock())

    async def _kept_run(self, spec: RunSpec, job: Job[Any]) -> StoredRun:
        await asyncio.to_thread(self._refuse_mistyped, spec)
        try:
            data = await self._prepared(spec, job.report)
        except QuarterdeckError as refusal:
            origin = await asyncio.to_thread(lambda: self._catalog.origin)
            await keep_refused(
                spec,
                refusal,
                self._runs,
                report=job.report,
                simulated=is_simulated(origin),
                before=job.log.since(0),
            )
            raise
        async with self._queue.slot(job.report):
            return await run_backtest(
                spec,
                data,
                self._runs,
                report=job.report,
                library=self._library,
                limits=self._limits,
                before=job.log.since(0),
            )

    async def _run_of_sweep(self, spec: RunSpec, data: RunData, sweep: str) -> RunSummary:
        async with self._queue.slot(ignore):
            return await run_of_sweep(
                spec, data, self._runs, sweep, library=self._library, limits=self._limits
            )

    async def _prepared(self, spec: RunSpec, report: Report) -> RunData:
        return await prepare(
            spec,
            catalog=self._catalog,
            session=self._broker,
            clock=self._clock,
            report=report,
            library=self._library,
        )


def _title(spec: RunSpec) -> str:
    return f"{spec.strategy} {' '.join(spec.instruments)} {spec.bars}"

"""Runs and sweeps as jobs: their data made ready, run, kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from catalog import workers
from catalog.events import Report, ignore
from catalog.store import Catalog
from core.backtest.data import RunData
from core.backtest.fingerprint import strategy_hash
from core.backtest.limits import Limits
from core.backtest.preparing import prepare
from core.backtest.queueing import RunQueue
from core.backtest.reproducing import Reproduction, judge
from core.backtest.results import RunStore, StoredRun
from core.backtest.runner import run_backtest
from core.backtest.spec import RunSpec
from core.backtest.sweep import SweepResult, SweepSpec
from core.backtest.sweep_running import run_sweep
from core.ibkr.connection import BrokerSession
from core.identity import Clock
from core.jobs import Job, Jobs, LogLine
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
        """

        async def work(job: Job[StoredRun]) -> StoredRun:
            wanted = await asyncio.to_thread(self._with_fees, spec)
            return await self._prepared_run(wanted, job)

        return self._jobs.start("backtest", _title(spec), work)

    def reproduce(self, run_id: str) -> Job[Reproduction]:
        """Run the spec of a stored run again, keep that too, and compare the two."""

        async def work(job: Job[Reproduction]) -> Reproduction:
            original = await asyncio.to_thread(self._runs.load, run_id)
            return judge(original, await self._prepared_run(original.spec, job))

        return self._jobs.start("backtest", f"reproduce {run_id}", work)

    def sweep(self, sweep: SweepSpec) -> Job[SweepResult]:
        """Run a grid of parameters, each run a process of its own, several at a time.

        The same sweep asked again goes on where it stopped. The job's log has a `SweepRunEnded`
        or `SweepRunFailed` for each run. Without fees, or without a number of workers, it has those
        of the settings.
        """

        async def work(job: Job[SweepResult]) -> SweepResult:
            library = self._library
            name = (await asyncio.to_thread(library.find, sweep.base.strategy)).name
            base = await asyncio.to_thread(self._with_fees, replace(sweep.base, strategy=name))
            usual = await asyncio.to_thread(self._settings)
            wanted = replace(sweep, base=base, workers=sweep.workers or usual.workers)
            return await run_sweep(
                wanted,
                self._runs,
                await workers.run(strategy_hash, name, base.fees, library.folders),
                check=lambda spec: library.read(name, spec.parameters),
                prepare=lambda spec: self._prepared(spec, job.report),
                run=lambda spec, data: self._run(spec, data, ignore, wanted.id),
                report=job.report,
            )

        return self._jobs.start("backtest", f"sweep {_title(sweep.base)}", work)

    def _with_fees(self, spec: RunSpec) -> RunSpec:
        return spec if spec.fees else replace(spec, fees=self._settings().fees)

    async def _prepared_run(self, spec: RunSpec, job: Job[Any]) -> StoredRun:
        data = await self._prepared(spec, job.report)
        return await self._run(spec, data, job.report, before=job.log.since(0))

    async def _prepared(self, spec: RunSpec, report: Report) -> RunData:
        return await prepare(
            spec,
            catalog=self._catalog,
            session=self._broker,
            clock=self._clock,
            report=report,
            library=self._library,
        )

    async def _run(
        self,
        spec: RunSpec,
        data: RunData,
        report: Report,
        sweep: str = "",
        before: Sequence[LogLine] = (),
    ) -> StoredRun:
        async with self._queue.slot(report):
            return await run_backtest(
                spec,
                data,
                self._runs,
                report=report,
                sweep=sweep,
                library=self._library,
                limits=self._limits,
                before=before,
            )


def _title(spec: RunSpec) -> str:
    return f"{spec.strategy} {' '.join(spec.instruments)} {spec.bars}"

"""Checking, mending, importing, exporting and deleting as jobs, for screens."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.coverage import Interval
from catalog.deleting import delete_bars
from catalog.events import Event, Report
from catalog.exchange import Transaction
from catalog.health import CheckProgress, CheckReport
from catalog.repair import Step, StepDone
from catalog.series import Series
from catalog.store import Catalog
from core.backfilling import Backfilled, backfill
from core.ibkr.connection import BrokerSession
from core.identity import Clock
from core.instrument_updates import InstrumentUpdates, update_instruments
from core.jobs import Job, JobProgress, Jobs
from core.mending import check_catalog, mend_catalog, undo_last
from core.writing import write

if TYPE_CHECKING:
    from catalog.exporting import Format
    from catalog.importing import ImportPlan

type Range = tuple[Series, Interval | None]
"""Bars of a series by their opens (ns); None stands for all of them."""

_MB = 1e6


class CatalogJobs:
    """What is done to the catalog of one workspace beside fetching into it."""

    def __init__(
        self, jobs: Jobs, *, catalog: Catalog, broker: BrokerSession, clock: Clock
    ) -> None:
        self._jobs = jobs
        self._catalog = catalog
        self._broker = broker
        self._clock = clock

    def check(self) -> Job[CheckReport]:
        """Find everything that is wrong in the catalog; only what is new in it is read."""

        async def work(job: Job[CheckReport]) -> CheckReport:
            return await check_catalog(self._catalog, self._clock, report=_counted(job.report))

        return self._jobs.start("check", "check the catalog", work)

    def repair(self, steps: Sequence[Step]) -> Job[CheckReport]:
        """Do the steps of a plan and those that they make possible; gives what is wrong then."""

        async def work(job: Job[CheckReport]) -> CheckReport:
            mended = await mend_catalog(self._catalog, self._clock, steps, _counted(job.report))
            return mended.left

        return self._jobs.start("repair", "repair the catalog", work)

    def backfill(self) -> Job[Backfilled]:
        """Ask the broker for the instruments of all bars that have none."""

        async def work(job: Job[Backfilled]) -> Backfilled:
            return await backfill(self._catalog, self._broker, self._clock, job.report)

        return self._jobs.start("backfill", "instruments for bars without one", work)

    def update_instruments(self) -> Job[InstrumentUpdates]:
        """Ask the broker for every stored instrument; one that differs becomes a new version."""

        async def work(job: Job[InstrumentUpdates]) -> InstrumentUpdates:
            return await update_instruments(self._catalog, self._broker, self._clock, job.report)

        return self._jobs.start("instruments", "update all instruments", work)

    def import_bars(self, plan: ImportPlan) -> Job[int]:
        """Do what the plan of an import says; gives how many bars came."""
        from catalog.importing import import_bars

        async def work(job: Job[int]) -> int:
            return await write(partial(import_bars, self._catalog, plan), job.report)

        return self._jobs.start("import", f"import {plan.request.series}", work)

    def delete(self, ranges: Sequence[Range]) -> Job[int]:
        """Move bars into the trash; gives how many."""

        async def work(job: Job[int]) -> int:
            bars = 0
            for one, span in ranges:
                bars += await write(partial(delete_bars, self._catalog, one, span), job.report)
            return bars

        return self._jobs.start("delete", f"delete {_named(ranges)}", work)

    def export(
        self, ranges: Sequence[Range], folder: Path, kind: Format, *, replace: bool = False
    ) -> Job[int]:
        """Write bars to files in a folder, one for each series; gives how many. Files that exist
        stay, and the job fails, unless `replace` is set."""

        async def work(job: Job[int]) -> int:
            from catalog.exporting import export_bars, export_name

            bars = 0
            for done, (one, span) in enumerate(ranges):
                job.report(JobProgress(done, len(ranges), "series", str(one)))
                path = folder / export_name(one, kind)
                step = partial(
                    export_bars, self._catalog, one, path, kind, span=span, replace=replace
                )
                bars += await write(step, job.report)
            return bars

        return self._jobs.start("export", f"export {_named(ranges)}", work)

    def undo(self) -> Job[Transaction]:
        """Take the last repair step, deletion or import back."""

        async def work(job: Job[Transaction]) -> Transaction:
            return await undo_last(self._catalog, job.report)

        return self._jobs.start("undo", "undo", work)


def _named(ranges: Sequence[Range]) -> str:
    return str(ranges[0][0]) if len(ranges) == 1 else f"{len(ranges):,} series"


def _counted(report: Report) -> Report:
    """Reports progress of checks and repairs as that of the job."""

    def tell(event: Event) -> None:
        match event:
            case CheckProgress(done=done, total=total):
                report(JobProgress(done / _MB, total / _MB, "MB"))
            case StepDone(done=done, total=total):
                report(JobProgress(done, total, "steps"))
                report(event)
            case _:
                report(event)

    return tell

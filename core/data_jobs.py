"""Fetches and updates as jobs: entered in the journal, and told to the user's own command."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial
from typing import Any
from uuid import uuid4

from catalog.errors import CatalogUnusable, DataUnavailable, QuarterdeckError
from catalog.series import BarSpec, Series
from catalog.store import Catalog
from core.deriving import derive
from core.fetch import FetchPlan, FetchRequest, FetchSummary, fetch_all, plan_all
from core.ibkr.connection import BrokerSession
from core.identity import Clock
from core.jobs import Job, Jobs
from core.journal import EntryState, Journal, JournalEntry, JournalKind
from core.settings import Home, Settings
from core.updating import rebuild, stored_series, update_all
from core.watchlists import expand

_COMMAND_SECONDS = 10.0
_PROGRESS_SECONDS = 2.0
_NAMED = 3  # ids in the title of a job; of the others it says how many

type Work = Callable[[Job[FetchSummary]], Awaitable[FetchSummary]]


class DataJobs:
    """The fetches and updates of one workspace."""

    def __init__(
        self,
        jobs: Jobs,
        *,
        home: Home,
        profile: str,
        catalog: Catalog,
        broker: BrokerSession,
        clock: Clock,
    ) -> None:
        self.journal = Journal(home.state / "journal.sqlite")
        self._jobs = jobs
        self._home = home
        self._profile = profile
        self._catalog = catalog
        self._broker = broker
        self._clock = clock
        self._closing = False
        self._again: dict[int, Callable[[], Job[FetchSummary]]] = {}
        self._entered: set[str] = set()

    def fetch(self, request: FetchRequest) -> Job[FetchSummary]:
        """Fetch what the catalog lacks of each series asked for, several at once."""

        async def work(job: Job[FetchSummary]) -> FetchSummary:
            return await fetch_all(await self._expanded(request), **self._at_hand(job))

        return self._start("fetch", _title(request), _as_json(request), work)

    def plan(self, request: FetchRequest) -> Job[FetchPlan]:
        """Find out what a fetch would ask for and what it would take."""

        async def work(job: Job[FetchPlan]) -> FetchPlan:
            return await plan_all(await self._expanded(request), **self._at_hand(job))

        return self._jobs.start("plan", _title(request), work)

    def update(self, ids: tuple[str, ...] = ()) -> Job[FetchSummary]:
        """Bring the stored series of these ids to now; all without ids."""

        async def work(job: Job[FetchSummary]) -> FetchSummary:
            named = await asyncio.to_thread(self._expand, ids)
            return await update_all(named, **self._at_hand(job))

        title = f"update {_few(ids) or 'all series'}"
        return self._start("update", title, {"ids": ids}, work)

    def rebuild(self, series: Series) -> Job[FetchSummary]:
        """Fetch a stored series anew and put it in place of what is stored."""

        async def work(job: Job[FetchSummary]) -> FetchSummary:
            return FetchSummary((await rebuild(series, **self._at_hand(job)),))

        return self._start("rebuild", f"rebuild {series}", {"series": series.bar_type}, work)

    def derive(self, ids: tuple[str, ...], spec: BarSpec, source: BarSpec) -> Job[int]:
        """Make the bars of `spec` of the stored `source` bars of these ids, without the broker;
        gives how many are new."""

        async def work(job: Job[int]) -> int:
            found = await asyncio.to_thread(lambda: stored_series(self._catalog, self._expand(ids)))
            series = [one for one in found if one.spec == source]
            if not series:
                raise DataUnavailable(
                    f"no {source} bars of {', '.join(ids)} are stored",
                    f"{spec} bars are made of them",
                    "name with --from what is stored: quarterdeck catalog list",
                )
            made = [
                await derive(one, spec, catalog=self._catalog, report=job.report) for one in series
            ]
            return sum(made)

        return self._jobs.start("derive", f"{_few(ids)} {spec} from {source}", work)

    def can_repeat(self, job: Job[Any]) -> bool:
        """Whether `repeat` can: a fetch, update or rebuild that was begun here and has ended."""
        return not job.running and job.id in self._again

    def repeat(self, job: Job[Any]) -> Job[FetchSummary]:
        """Ask for the same as an ended job of this workspace did."""
        return self._again[job.id]()

    def elsewhere(self) -> tuple[JournalEntry, ...]:
        """The latest of this profile that are no jobs of this workspace, newest first. Blocking."""
        return tuple(
            entry
            for entry in self.journal.entries()
            if entry.profile == self._profile and entry.id not in self._entered
        )

    def resume(self, entry: JournalEntry) -> Job[FetchSummary] | None:
        """Go on with an unfinished job of the journal; None when another process does. Blocking
        for an instant."""
        if not self.journal.take_up(entry):
            return None
        match entry.kind:
            case "fetch":
                return self.fetch(_from_json(entry.request))
            case "update":
                return self.update(tuple(entry.request["ids"]))
            case "rebuild":
                return self.rebuild(Series.from_bar_type(entry.request["series"]))

    async def unfinished(self) -> tuple[JournalEntry, ...]:
        """The jobs of this profile that ended with their process."""
        return await asyncio.to_thread(self.journal.unfinished, self._profile)

    def closing(self) -> None:
        """From now on a job that is cancelled was interrupted by the end of the process."""
        self._closing = True

    def _start(
        self, kind: JournalKind, title: str, request: dict[str, Any], work: Work
    ) -> Job[FetchSummary]:
        entry = uuid4().hex
        self._entered.add(entry)

        async def entered(job: Job[FetchSummary]) -> FetchSummary:
            state, note = EntryState.FAILED, ""
            entering = asyncio.ensure_future(
                asyncio.to_thread(self.journal.begin, entry, kind, self._profile, title, request)
            )
            telling = asyncio.create_task(self._tell_progress(entry, job))
            try:
                await asyncio.shield(entering)
                summary = await work(job)
                failed = len(summary.failed)
                state = EntryState.FAILED if failed else EntryState.DONE
                note = f"{failed} of {len(summary.series)} series failed" if failed else ""
                return summary
            except asyncio.CancelledError:
                state = EntryState.INTERRUPTED if self._closing else EntryState.CANCELLED
                raise
            except QuarterdeckError as error:
                note = str(error)
                raise
            finally:
                telling.cancel()
                await asyncio.wait({entering})
                await asyncio.to_thread(self.journal.end, entry, state, note)
                if not self._closing:
                    await self._tell_user(title, state)

        job = self._jobs.start("fetch", title, entered)
        self._again[job.id] = partial(self._start, kind, title, request, work)
        return job

    async def _tell_progress(self, entry: str, job: Job[FetchSummary]) -> None:
        """Let other processes see how far a job is, every few seconds until cancelled."""
        told = 0.0
        while True:
            await asyncio.sleep(_PROGRESS_SECONDS)
            if (fraction := job.snapshot.fraction) != told:
                with suppress(CatalogUnusable):  # the end of the job will tell
                    await asyncio.to_thread(self.journal.progress, entry, fraction)
                    told = fraction

    async def _tell_user(self, title: str, state: EntryState) -> None:
        """Run the user's command, which finds the job in its environment."""
        settings = await asyncio.to_thread(Settings.load, self._home.settings_file)
        if not settings.on_job_end:
            return
        process = await asyncio.create_subprocess_shell(
            settings.on_job_end,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "QUARTERDECK_JOB": title, "QUARTERDECK_STATE": state},
        )
        try:
            await asyncio.wait_for(process.wait(), _COMMAND_SECONDS)
        except TimeoutError:
            process.kill()

    async def _expanded(self, request: FetchRequest) -> FetchRequest:
        return replace(request, ids=await asyncio.to_thread(self._expand, request.ids))

    def _expand(self, ids: tuple[str, ...]) -> tuple[str, ...]:
        if not any(typed.startswith("@") for typed in ids):
            return ids
        return expand(ids, Settings.load(self._home.settings_file).watchlists)

    def _at_hand(self, job: Job[Any]) -> dict[str, Any]:
        """What every piece of this work is given."""
        return {
            "catalog": self._catalog,
            "session": self._broker,
            "clock": self._clock,
            "report": job.report,
        }


def _title(request: FetchRequest) -> str:
    return f"{_few(request.ids)} {request.bars}{' adjusted' if request.adjusted else ''}"


def _few(ids: tuple[str, ...]) -> str:
    more = len(ids) - _NAMED
    return " ".join(ids[:_NAMED]) + (f" +{more}" if more > 0 else "")


def _as_json(request: FetchRequest) -> dict[str, Any]:
    return {**asdict(request), "bars": str(request.bars)}


def _from_json(fields: dict[str, Any]) -> FetchRequest:
    fixed = {"ids": tuple(fields["ids"]), "bars": BarSpec.parse(fields["bars"])}
    return FetchRequest(**{**fields, **fixed})

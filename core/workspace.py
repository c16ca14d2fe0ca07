"""Everything one process works with: profile, catalog, broker session, run store, jobs.

The dashboard, the command line and a notebook all stand on this one object.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from catalog import workers
from catalog.series import Series
from catalog.store import Catalog
from core.backtest.preparing import prepare
from core.backtest.results import RunStore, StoredRun
from core.backtest.runner import run_backtest
from core.backtest.spec import RunSpec
from core.fetch import FetchPlan, FetchRequest, FetchSummary, fetch_all, plan_all
from core.ibkr.connection import BrokerSession, Endpoint
from core.jobs import Job, Jobs
from core.options import Options
from core.settings import Home, Profile, Settings, adapted
from core.updating import rebuild, update_all

type Clock = Callable[[], datetime]


def chosen_profile(options: Options) -> tuple[Home, Profile]:
    """The home folder and the profile that the options and the settings file name.

    Reads the settings file. Raises `WrongInput` when something in either cannot be used.
    """
    home = Home.find(options.home)
    profile = adapted(
        Settings.load(home.settings_file).choose(options.profile),
        host=options.host,
        port=options.port,
        client_id=options.client_id,
        catalog=options.catalog,
    )
    return home, profile


class Workspace:
    """The open workspace of one profile. Make it with `open`, end it with `close`."""

    def __init__(
        self,
        home: Home,
        profile: Profile,
        catalog: Catalog,
        broker: BrokerSession,
        runs: RunStore,
        clock: Clock,
    ) -> None:
        self.home = home
        self.profile = profile
        self.catalog = catalog
        self.broker = broker
        self.runs = runs
        self.clock = clock
        self.jobs = Jobs()

    @classmethod
    async def open(cls, options: Options) -> Workspace:
        """Read the settings, open or make the catalog, touch no broker.

        Raises `WrongInput` for settings, profile, port or folders that cannot be used.
        """
        return await asyncio.to_thread(cls._open, options)

    @classmethod
    def _open(cls, options: Options) -> Workspace:
        home, profile = chosen_profile(options)
        home.create()
        now = options.now
        return cls(
            home,
            profile,
            Catalog.open(profile.catalog_root(home)),
            BrokerSession(Endpoint(profile.host, profile.port, profile.client_id, profile.timeout)),
            RunStore(profile.runs_folder(home)),
            (lambda: now) if now is not None else (lambda: datetime.now(UTC)),
        )

    async def close(self) -> None:
        """Cancel what runs, let a step that is writing finish, disconnect."""
        await self.jobs.stop()
        await self.broker.disconnect()
        await asyncio.to_thread(self.catalog.close)

    def connect(self) -> Job[None]:
        """Connect to the profile's gateway."""

        async def work(job: Job[None]) -> None:
            await self.broker.connect(job.report)

        return self.jobs.start("connect", f"connect to {self.broker.endpoint}", work)

    async def disconnect(self) -> None:
        """Leave the gateway."""
        await self.broker.disconnect()

    def fetch(self, request: FetchRequest) -> Job[FetchSummary]:
        """Fetch what the catalog lacks of each series asked for, several at once.

        A series that fails does not stop the others.
        """

        async def work(job: Job[FetchSummary]) -> FetchSummary:
            return await fetch_all(
                request,
                catalog=self.catalog,
                session=self.broker,
                clock=self.clock,
                report=job.report,
            )

        return self.jobs.start("fetch", f"{' '.join(request.ids)} {request.bars}", work)

    def plan(self, request: FetchRequest) -> Job[FetchPlan]:
        """Find out what a fetch would ask for and what it would take."""

        async def work(job: Job[FetchPlan]) -> FetchPlan:
            return await plan_all(
                request,
                catalog=self.catalog,
                session=self.broker,
                clock=self.clock,
                report=job.report,
            )

        return self.jobs.start("plan", f"{' '.join(request.ids)} {request.bars}", work)

    def update(self, ids: tuple[str, ...] = ()) -> Job[FetchSummary]:
        """Bring the stored series of these ids to now; all without ids."""

        async def work(job: Job[FetchSummary]) -> FetchSummary:
            return await update_all(
                ids,
                catalog=self.catalog,
                session=self.broker,
                clock=self.clock,
                report=job.report,
            )

        return self.jobs.start("fetch", f"update {' '.join(ids) or 'all series'}", work)

    def rebuild(self, series: Series) -> Job[FetchSummary]:
        """Fetch a stored series anew and put it in place of what is stored."""

        async def work(job: Job[FetchSummary]) -> FetchSummary:
            fetched = await rebuild(
                series,
                catalog=self.catalog,
                session=self.broker,
                clock=self.clock,
                report=job.report,
            )
            return FetchSummary((fetched,))

        return self.jobs.start("fetch", f"rebuild {series}", work)

    def backtest(self, spec: RunSpec) -> Job[StoredRun]:
        """Get the data of a run ready (fetching what is missing when the source is `auto`), run
        it in a process of its own, and keep its result."""

        async def work(job: Job[StoredRun]) -> StoredRun:
            data = await prepare(
                spec,
                catalog=self.catalog,
                session=self.broker,
                clock=self.clock,
                report=job.report,
            )
            return await run_backtest(spec, data, self.runs, report=job.report)

        title = f"{spec.strategy} {' '.join(spec.instruments)} {spec.bars}"
        return self.jobs.start("backtest", title, work)

    async def warm_up(self) -> None:
        """Have the process ready that runs start from, so that the first one is fast too."""
        await asyncio.to_thread(workers.warm_up)

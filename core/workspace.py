"""Everything one process works with: profile, catalog, broker session, run store, jobs.

The dashboard, the command line and a notebook all stand on this one object.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from catalog import workers
from catalog.series import BarSpec, Series
from catalog.store import Catalog
from core.backtest.limits import Limits
from core.backtest.presets import Presets
from core.backtest.reproducing import Reproduction
from core.backtest.results import RunStore, StoredRun
from core.backtest.spec import RunSpec
from core.backtest.sweep import SweepResult, SweepSpec
from core.catalog_jobs import CatalogJobs
from core.data_jobs import DataJobs
from core.fetch import FetchPlan, FetchRequest, FetchSummary
from core.ibkr.connection import BrokerSession, Endpoint
from core.ibkr.diagnosis import diagnose
from core.ibkr.pacing import Pacing
from core.ibkr.session_events import LiveAccount
from core.jobs import Job, Jobs
from core.journal import JournalEntry
from core.options import Options
from core.preferences import load_or_last_good
from core.run_jobs import RunJobs
from core.settings import Home, Profile, Settings, adapted
from core.strategies.library import SHIPPED, Library
from core.strategies.parameters import StrategyInfo

logger = logging.getLogger(__name__)

CLOSING_S = 3.0
"""How long a step that is writing is waited for."""

type Clock = Callable[[], datetime]


def chosen_profile(options: Options) -> tuple[Home, Profile]:
    """The home folder and the profile that the options and the settings file name.

    Reads the settings file. Raises `WrongInput` when something in either cannot be used.
    """
    home = Home.find(options.home)
    profile = adapted(
        _settings(home, options).choose(options.profile),
        host=options.host,
        port=options.port,
        client_id=options.client_id,
        catalog=options.catalog,
    )
    return home, profile


def _settings(home: Home, options: Options) -> Settings:
    if options.last_good:
        return load_or_last_good(home)[0]
    return Settings.load(home.settings_file)


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
        library: Library = SHIPPED,
        limits: Limits = Limits(),  # noqa: B008 (frozen)
    ) -> None:
        self.home = home
        self.profile = profile
        self.catalog = catalog
        self.broker = broker
        self.runs = runs
        self.clock = clock
        self.jobs = Jobs()
        self.data = DataJobs(
            self.jobs,
            home=home,
            profile=profile.name,
            catalog=catalog,
            broker=broker,
            clock=clock,
        )
        self.care = CatalogJobs(self.jobs, catalog=catalog, broker=broker, clock=clock)
        self.library = library
        self.presets = Presets(home.presets_file, old=home.data / "presets.json")
        self.tests = RunJobs(
            self.jobs,
            catalog=catalog,
            broker=broker,
            runs=runs,
            clock=clock,
            settings=self.settings,
            library=library,
            limits=limits,
        )
        broker.report = self.jobs.log.write
        self._closed = False

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
        now, settings = options.now, _settings(home, options)
        return cls(
            home,
            profile,
            Catalog.open(profile.catalog_root(home)),
            BrokerSession(
                Endpoint(profile.host, profile.port, profile.client_id, profile.timeout),
                pacing=Pacing(home.state / "pacing.sqlite3", profile.host, profile.port),
            ),
            RunStore(profile.runs_folder(home)),
            (lambda: now) if now is not None else (lambda: datetime.now(UTC)),
            Library(settings.strategy_folders, own=home.strategies),
            Limits.of(memory_gb=settings.run_memory_gb, silence_s=settings.run_silence_s),
        )

    async def close(self) -> None:
        """Cancel what runs, let a step that is writing finish, disconnect. Closed twice is closed.

        What does not end in time is left to end with the process, whose end may come at any moment
        of a write: the catalog stays whole.
        """
        if self._closed:
            return
        self._closed = True
        try:
            async with asyncio.timeout(CLOSING_S):
                self.data.closing()
                await self.jobs.stop()
                await self.broker.disconnect()
                await asyncio.to_thread(self._release)
        except TimeoutError:
            logger.warning("closing took longer than %s s and was given up", CLOSING_S)

    def _release(self) -> None:
        if self.broker.pacing is not None:
            self.broker.pacing.close()
        self.catalog.close()

    def settings(self) -> Settings:
        """What the settings file says now, or said before where it cannot be used. Blocking."""
        return load_or_last_good(self.home)[0]

    def connect(self) -> Job[None]:
        """Connect to the profile's gateway."""

        async def work(job: Job[None]) -> None:
            await self.broker.connect(job.report)
            state = self.broker.state
            if state.live and not self.profile.live:
                job.report(LiveAccount(self.profile.name, state.masked_accounts))

        return self.jobs.start("connect", f"connect to {self.broker.endpoint}", work)

    def diagnose(self) -> Job[None]:
        """Connect, and try step by step whether the broker answers; fails at the step that does."""

        async def work(job: Job[None]) -> None:
            await diagnose(self.broker, job.report)

        return self.jobs.start("connect", f"diagnose {self.broker.endpoint}", work)

    async def disconnect(self) -> None:
        """Leave the gateway."""
        await self.broker.disconnect()

    def fetch(self, request: FetchRequest) -> Job[FetchSummary]:
        """Fetch what the catalog lacks of each series asked for, several at once.

        A series that fails does not stop the others.
        """
        return self.data.fetch(request)

    def plan(self, request: FetchRequest) -> Job[FetchPlan]:
        """Find out what a fetch would ask for and what it would take."""
        return self.data.plan(request)

    def update(self, ids: tuple[str, ...] = ()) -> Job[FetchSummary]:
        """Bring the stored series of these ids to now; all without ids."""
        return self.data.update(ids)

    def rebuild(self, series: Series) -> Job[FetchSummary]:
        """Fetch a stored series anew and put it in place of what is stored."""
        return self.data.rebuild(series)

    def derive(self, ids: tuple[str, ...], spec: BarSpec, source: BarSpec) -> Job[int]:
        """Make longer bars of stored ones, without the broker; gives how many are new."""
        return self.data.derive(ids, spec, source)

    async def journal(self) -> tuple[JournalEntry, ...]:
        """The latest fetches and updates of all processes, newest first."""
        return await asyncio.to_thread(self.data.journal.entries)

    async def journal_elsewhere(self) -> tuple[JournalEntry, ...]:
        """Those of this profile by other processes, and by this one before the workspace."""
        return await asyncio.to_thread(self.data.elsewhere)

    async def unfinished(self) -> tuple[JournalEntry, ...]:
        """The fetches and updates of this profile that ended with their process."""
        return await self.data.unfinished()

    def resume(self, entry: JournalEntry) -> Job[FetchSummary] | None:
        """Go on with one of those; None when another process does."""
        return self.data.resume(entry)

    def backtest(self, spec: RunSpec) -> Job[StoredRun]:
        """Get the data of a run ready (fetching what is missing when the source is `auto`), run
        it in a process of its own, and keep its result."""
        return self.tests.backtest(spec)

    def reproduce(self, run_id: str) -> Job[Reproduction]:
        """Run the spec of a stored run again, keep that too, and compare the two."""
        return self.tests.reproduce(run_id)

    def sweep(self, sweep: SweepSpec) -> Job[SweepResult]:
        """Run a grid of parameters, each run a process of its own, several at a time.

        The same sweep asked again goes on where it stopped. The job's log has a `SweepRunEnded`
        or `SweepRunFailed` for each run.
        """
        return self.tests.sweep(sweep)

    async def strategies(self) -> tuple[StrategyInfo, ...]:
        """All strategies, the shipped ones first; those that cannot be used carry their error."""
        return await asyncio.to_thread(self.library.list)

    async def warm_up(self) -> None:
        """Have the process ready that runs start from, so that the first one is fast too."""
        await asyncio.to_thread(workers.warm_up)

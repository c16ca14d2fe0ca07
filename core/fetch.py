"""Fetch several series at once: all are planned, the disk is looked at, then all are fetched.

A series that fails does not stop the others.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import astuple, dataclass, replace
from functools import cache
from itertools import chain

from catalog.errors import CatalogUnusable, QuarterdeckError
from catalog.events import Event, Report, ignore
from catalog.series import Series
from catalog.store import Catalog
from core.asking import JobLine, PatientBroker, Pause
from core.estimate import Estimate, FetchEstimated, estimate, require_space
from core.fetch_plan import FetchRequest, SeriesPlan
from core.ibkr.connection import BrokerSession
from core.identity import Clock, backfill_instrument
from core.jobs import JobProgress
from core.series_fetch import SeriesFetch, SeriesFetched

__all__ = [
    "FetchPlan",
    "FetchRequest",
    "FetchSummary",
    "SeriesFetched",
    "SeriesOutlook",
    "backfill_instrument",
    "fetch_all",
    "fetch_series",
    "plan_all",
]

SERIES_AT_ONCE = 10
"""Enough to keep all requests of a gateway open, few enough to see each one move."""

LONG_S = 60.0
"""Seconds of work from which on every series is tried out before any is fetched whole."""


@dataclass(frozen=True, slots=True)
class FetchSummary:
    """What became of each series of a fetch, in the order asked."""

    series: tuple[SeriesFetched, ...]

    @property
    def failed(self) -> tuple[SeriesFetched, ...]:
        """Those that could not be fetched."""
        return tuple(one for one in self.series if one.error is not None)


@dataclass(frozen=True, slots=True)
class SeriesOutlook:
    """What a fetch would ask for of one series, or why it could not."""

    typed_id: str
    plan: SeriesPlan | None
    error: QuarterdeckError | None

    @property
    def estimate(self) -> Estimate:
        """What it would take."""
        return estimate([self.plan] if self.plan else [])


@dataclass(frozen=True, slots=True)
class FetchPlan:
    """What a fetch would ask for, series by series and in all; `refusal` is why it would not
    start."""

    series: tuple[SeriesOutlook, ...]
    estimate: Estimate
    refusal: QuarterdeckError | None


async def fetch_all(
    request: FetchRequest,
    *,
    catalog: Catalog,
    session: BrokerSession,
    clock: Clock,
    report: Report = ignore,
    pause: Pause = asyncio.sleep,
) -> FetchSummary:
    """Fetch what the catalog lacks of each series asked for. `session` is connected only if it is
    needed.

    What goes wrong with a series is told in its result. Cancelling lets a chunk that is being
    stored finish.
    """
    return await fetch_each(
        _one_by_one(request),
        catalog=catalog,
        session=session,
        clock=clock,
        report=report,
        pause=pause,
    )


async def fetch_each(
    requests: Sequence[FetchRequest],
    *,
    catalog: Catalog,
    session: BrokerSession,
    clock: Clock,
    report: Report = ignore,
    pause: Pause = asyncio.sleep,
) -> FetchSummary:
    """As `fetch_all`, for requests of one id each."""
    fetches, again = await _prepared(requests, catalog, session, clock, report, pause)
    _settle_heap()
    outlook = estimate(fetch.plan for fetch in fetches if fetch.plan)
    if outlook.requests:
        report(FetchEstimated(*astuple(outlook)))
    try:
        await asyncio.to_thread(require_space, catalog.root, outlook)
    except CatalogUnusable as error:
        for fetch in fetches:
            if fetch.plan and fetch.plan.chunks:
                fetch.give_up(error)
    first = [fetch for fetch in fetches if fetch not in again]
    if outlook.seconds > LONG_S:
        await at_once(fetch.try_out for fetch in first)
        first.sort(key=lambda fetch: fetch.error is None)  # what cannot be had is told at once
    ended = [await at_once(fetch.run for fetch in part) for part in (first, again)]
    results = dict(zip(first + again, chain(*ended), strict=True))
    return FetchSummary(tuple(results[fetch] for fetch in fetches))


async def fetch_series(
    typed_id: str,
    request: FetchRequest,
    *,
    catalog: Catalog,
    session: BrokerSession,
    clock: Clock,
    report: Report = ignore,
    pause: Pause = asyncio.sleep,
) -> SeriesFetched:
    """Fetch what the catalog lacks of one series, as `fetch_all` does."""
    summary = await fetch_all(
        replace(request, ids=(typed_id,)),
        catalog=catalog,
        session=session,
        clock=clock,
        report=report,
        pause=pause,
    )
    return summary.series[0]


async def plan_all(
    request: FetchRequest,
    *,
    catalog: Catalog,
    session: BrokerSession,
    clock: Clock,
    report: Report = ignore,
    pause: Pause = asyncio.sleep,
) -> FetchPlan:
    """What `fetch_all` would ask for. Instruments and sessions that the catalog does not know are
    asked for and kept, no bars."""
    fetches, _ = await _prepared(_one_by_one(request), catalog, session, clock, report, pause)
    outlook = estimate(fetch.plan for fetch in fetches if fetch.plan)
    refusal: QuarterdeckError | None = None
    try:
        await asyncio.to_thread(require_space, catalog.root, outlook)
    except CatalogUnusable as error:
        refusal = error
    return FetchPlan(
        tuple(SeriesOutlook(fetch.typed_id, fetch.plan, fetch.error) for fetch in fetches),
        outlook,
        refusal,
    )


@cache
def _settle_heap() -> None:
    """Leave all that is loaded by now to itself: a garbage collection that walks through it holds
    the loop for 90 ms."""
    gc.freeze()


def _one_by_one(request: FetchRequest) -> list[FetchRequest]:
    return [replace(request, ids=(typed_id,)) for typed_id in request.ids]


async def _prepared(
    requests: Sequence[FetchRequest],
    catalog: Catalog,
    session: BrokerSession,
    clock: Clock,
    report: Report,
    pause: Pause,
) -> tuple[list[SeriesFetch], list[SeriesFetch]]:
    """The series of the requests, planned; and those among them that were asked for before."""
    line = JobLine(session, tuple(requests), pause)
    progress = _Progress(report)
    fetches = [
        SeriesFetch(
            request,
            catalog=catalog,
            broker=PatientBroker(line, report, request.bars),
            clock=clock,
            report=progress.part(),
        )
        for request in requests
    ]
    await at_once(fetch.prepare for fetch in fetches)
    return fetches, _typed_again(fetches)


async def at_once[T](works: Iterable[Callable[[], Awaitable[T]]]) -> list[T]:
    """Do works side by side, some at a time; gives their results in order."""
    room = asyncio.Semaphore(SERIES_AT_ONCE)

    async def one(work: Callable[[], Awaitable[T]]) -> T:
        async with room:
            return await work()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(work)) for work in works]
    return [task.result() for task in tasks]


def _typed_again(fetches: list[SeriesFetch]) -> list[SeriesFetch]:
    """Those whose series is another one's too, under another name: they have nothing to ask for."""
    seen: set[Series] = set()
    again = []
    for fetch in fetches:
        if fetch.plan is None:
            continue
        if fetch.plan.series in seen:
            fetch.plan = replace(fetch.plan, chunks=(), barren=())
            again.append(fetch)
        seen.add(fetch.plan.series)
    return again


class _Progress:
    """The progress of all parts of a job as one."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._parts: list[JobProgress] = []

    def part(self) -> Report:
        """A report for one part; its progress is told as part of the whole."""
        index = len(self._parts)
        self._parts.append(JobProgress(0, 0, ""))

        def report(event: Event) -> None:
            if not isinstance(event, JobProgress):
                self._report(event)
                return
            self._parts[index] = event
            done = sum(part.done for part in self._parts)
            total = sum(part.total for part in self._parts)
            self._report(JobProgress(done, total, event.unit, event.text))

        return report

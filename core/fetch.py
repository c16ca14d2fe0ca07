"""Fetch one series: what is missing of a range is requested, checked and stored, chunk by chunk.

The instrument comes first: it is resolved, stored and read back before any bar. Where the catalog
holds everything, the broker is not even connected to.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from catalog.columns import BarColumns
from catalog.coverage import Interval
from catalog.errors import DataUnavailable, QuarterdeckError
from catalog.events import Report, ignore
from catalog.series import Series
from catalog.store import Catalog
from core.asking import PatientBroker, Pause
from core.fetch_events import (
    BarsRejected,
    BarsRounded,
    ChunkEmpty,
    ChunkReceived,
    ChunkRequested,
    FetchPlanned,
    NothingToDo,
    SeriesDone,
    SeriesFailed,
)
from core.fetch_plan import FetchRequest, SeriesPlan, plan_series
from core.ibkr.bars import BarsRead, Reject, first_open, read_bars, scale_of
from core.ibkr.chunks import Chunk, bar_size, before, reached, what_to_show
from core.ibkr.connection import BrokerSession
from core.ibkr.requests import Bars, Empty, Failure, as_error, historical_bars
from core.identity import Clock, InstrumentLookup, backfill_instrument
from core.jobs import JobProgress
from core.writing import write

__all__ = ["FetchRequest", "SeriesFetched", "backfill_instrument", "fetch_series"]

type Outcome = Literal["stored", "nothing to do", "no data", "failed"]

REQUESTS_IN_FLIGHT = 4


@dataclass(frozen=True, slots=True)
class SeriesFetched:
    """What became of one series.

    `requests` were sent to the broker, `bars` are new in the catalog, `held` is how many it has in
    the range now. `error` says why something failed; what was stored before stays. `series` is
    None when it failed before it was known what to ask for.
    """

    series: Series | None
    typed_id: str
    requests: int
    bars: int
    held: int
    outcome: Outcome
    error: QuarterdeckError | None = None
    rejects: tuple[Reject, ...] = ()


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
    """Fetch what the catalog lacks of one series. `session` is connected only if it is needed.

    What goes wrong is told in the result. Cancelling lets a chunk that is being stored finish.
    """
    broker = PatientBroker(session, report, pause)
    try:
        lookup = InstrumentLookup(
            typed_id, catalog=catalog, broker=broker, clock=clock, report=report
        )
        plan = await plan_series(
            lookup, request, catalog=catalog, broker=broker, clock=clock, report=report
        )
    except QuarterdeckError as error:
        report(SeriesFailed(typed_id, error.title, error.reason))
        return SeriesFetched(None, typed_id, broker.requests, 0, 0, "failed", error)
    fetch = _Fetch(plan, lookup, catalog, broker, report)
    await fetch.run()
    held = await asyncio.to_thread(_count_held, catalog, plan)
    if fetch.error is not None:
        report(SeriesFailed(typed_id, fetch.error.title, fetch.error.reason))
    elif fetch.outcome == "nothing to do":
        reason = "the market was closed" if plan.wanted is None else f"{held:,} bars are held"
        report(NothingToDo(plan.series, reason))
    else:
        report(SeriesDone(plan.series, fetch.stored, held, broker.requests))
    return SeriesFetched(
        plan.series,
        typed_id,
        broker.requests,
        fetch.stored,
        held,
        fetch.outcome,
        fetch.error,
        tuple(fetch.rejects),
    )


@dataclass
class _Fetch:
    """The requests of one plan under way: a few in flight, each stored as it arrives.

    The first failure ends it, after the requests in flight are stored.
    """

    plan: SeriesPlan
    lookup: InstrumentLookup
    catalog: Catalog
    broker: PatientBroker
    report: Report
    stored: int = 0
    received: int = 0
    error: QuarterdeckError | None = None
    rejects: list[Reject] = field(default_factory=list)

    @property
    def outcome(self) -> Outcome:
        if self.error is not None:
            return "failed"
        if not self.plan.chunks and not self.plan.barren:
            return "nothing to do"
        return "stored" if self.stored else "no data"

    async def run(self) -> None:
        plan = self.plan
        waiting = deque(plan.chunks)
        if waiting:
            self.report(FetchPlanned(plan.series, len(plan.chunks), plan.bars))
        try:
            for interval in plan.barren:
                await self._store(self._no_bars(), interval)
            if waiting:
                await self.lookup.ask()
        except QuarterdeckError as error:
            self.error = error
            return
        async with asyncio.TaskGroup() as group:
            for _ in range(min(REQUESTS_IN_FLIGHT, len(waiting))):
                group.create_task(self._work(waiting))

    async def _work(self, waiting: deque[Chunk]) -> None:
        while waiting and self.error is None:
            chunk = waiting.popleft()
            try:
                rest = await self._fetch(chunk)
            except QuarterdeckError as error:
                self.error = self.error or error
            else:
                if rest is not None:
                    waiting.appendleft(rest)

    async def _fetch(self, chunk: Chunk) -> Chunk | None:
        """Request, check and store one chunk; gives the part the answer does not speak for."""
        series = self.plan.series
        self.report(ChunkRequested(series, chunk.start, chunk.end))
        started = time.monotonic()
        answer = await self._request(chunk)
        start, bars = chunk.start, self._no_bars()
        if isinstance(answer, Bars):
            read = await asyncio.to_thread(
                read_bars, answer.bars, series.spec, scale_of(self.lookup.definition)
            )
            self._tell_flaws(read)
            if len(read.columns):
                first = first_open(read.columns, series.spec)
                start = reached(chunk, first, series.spec, self.plan.sessions)
                bars = read.columns.between(start, chunk.end)
            seconds = time.monotonic() - started
            self.report(ChunkReceived(series, start, chunk.end, len(bars), seconds))
        elif isinstance(answer, Empty):
            self.report(ChunkEmpty(series, chunk.start, chunk.end, answer.text))
        else:
            raise as_error(answer, f"fetch {series}")
        await self._store(bars, (start, chunk.end))
        self.received += len(bars)
        self.report(
            JobProgress(self.received, max(self.plan.bars, self.received), "bars", str(series))
        )
        return before(chunk, start, series.spec, self.plan.sessions)

    async def _request(self, chunk: Chunk) -> Bars | Failure:
        plan, resolved = self.plan, await self.lookup.ask()
        return await self.broker.ask(
            lambda session: historical_bars(
                session,
                resolved.contract,
                end=chunk.until_time,
                duration=chunk.duration,
                bar_size=bar_size(plan.series.spec),
                what=what_to_show(plan.series.spec, self.lookup.info["sec_type"]),
                regular_hours=plan.hours == "regular",
            )
        )

    async def _store(self, bars: BarColumns, asked: Interval) -> None:
        store = partial(
            self.catalog.store_bars,
            self.plan.series,
            bars,
            asked=asked,
            hours=self.plan.hours,
            con_id=int(self.lookup.info["con_id"]),
            origin=self.lookup.origin,
        )
        new = await write(lambda tell: store(report=tell), self.report)
        self.stored += new  # not before the await: other chunks count meanwhile

    def _no_bars(self) -> BarColumns:
        scale = scale_of(self.lookup.definition)
        return BarColumns.empty(scale.price_precision, scale.size_precision)

    def _tell_flaws(self, read: BarsRead) -> None:
        series = self.plan.series
        if read.rejects:
            first = read.rejects[0]
            self.rejects.extend(read.rejects)
            self.report(BarsRejected(series, len(read.rejects), first.stamp, first.reason))
        if read.rounded_prices or read.rounded_volumes:
            self.report(BarsRounded(series, read.rounded_prices, read.rounded_volumes))


def _count_held(catalog: Catalog, plan: SeriesPlan) -> int:
    if plan.wanted is None:
        return 0
    try:
        return len(catalog.read_bars(plan.series, *plan.wanted))
    except DataUnavailable:
        return 0

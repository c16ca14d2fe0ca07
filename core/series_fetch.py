"""One series of a fetch: what is missing of a range is requested, checked and stored by chunks.

The instrument comes first: it is resolved, stored and read back before any bar. Where the catalog
holds everything, the broker is not even connected to.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Literal

from catalog.columns import BarColumns
from catalog.coverage import Interval, intersect
from catalog.errors import DataUnavailable, QuarterdeckError
from catalog.events import Report, ignore
from catalog.files import Asked
from catalog.rewriting import Rewrite
from catalog.series import Series
from catalog.store import Catalog
from core.asking import PatientBroker
from core.batches import Batches
from core.fetch_events import (
    BarsRejected,
    BarsReordered,
    BarsRevised,
    BarsRounded,
    ChunkEmpty,
    ChunkReceived,
    ChunkRequested,
    NothingToDo,
    SeriesDone,
    SeriesFailed,
    SeriesStale,
    VolumesInLots,
)
from core.fetch_plan import FetchRequest, SeriesPlan, plan_series
from core.ibkr.bars import BarsRead, Reject, first_open, read_bars, scale_of
from core.ibkr.chunks import Chunk, bar_size, before, once_more, reached, what_to_show
from core.ibkr.connection import BrokerSession
from core.ibkr.requests import Bars, Empty, Failure, as_error, historical_bars
from core.identity import Clock, InstrumentLookup
from core.jobs import JobProgress
from core.revisions import Revision, compare
from core.turns import OPEN_REQUESTS, SMALL_BAR
from core.writing import write

type Outcome = Literal["stored", "nothing to do", "no data", "failed"]


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


class SeriesFetch:
    """A request for one id: `prepare` it, `try_out` its first chunk if it will take long, `run` it.

    Its requests are stored as they are answered. The first failure ends it, after the requests
    that are open are stored.
    """

    def __init__(
        self,
        request: FetchRequest,
        *,
        catalog: Catalog,
        broker: PatientBroker,
        clock: Clock,
        report: Report = ignore,
    ) -> None:
        (self.typed_id,) = request.ids
        self.request = request
        self.plan: SeriesPlan | None = None
        """None until `prepare` has succeeded."""
        self.error: QuarterdeckError | None = None
        self._catalog = catalog
        self._broker = broker
        self._clock = clock
        self._report = report
        self._lookup: InstrumentLookup | None = None
        self._batches: Batches | None = None
        self._waiting: deque[Chunk] = deque()
        self._stored = 0
        self._answered = 0
        self._rejects: list[Reject] = []
        self._told_of_lots = False

    async def prepare(self) -> None:
        """Find out what to ask for. What goes wrong is kept in `error`."""
        try:
            self._lookup = InstrumentLookup(
                self.typed_id,
                catalog=self._catalog,
                broker=self._broker,
                clock=self._clock,
                adjusted=self.request.adjusted,
                report=self._report,
            )
            self.plan = await plan_series(
                self._lookup,
                self.request,
                catalog=self._catalog,
                broker=self._broker,
                clock=self._clock,
                report=self._report,
            )
        except QuarterdeckError as error:
            self.give_up(error)
        else:
            self._tell_progress(self.plan)

    def give_up(self, error: QuarterdeckError) -> None:
        """Fail before anything was asked for."""
        self.plan, self.error = None, error
        self._tell_failure(error)

    async def try_out(self) -> None:
        """Fetch the first chunk of the plan alone: where the broker gives no such bars, as without
        the permission for them, that is known before a long job starts."""
        if self.plan is not None:
            await self._begin(self.plan)
            await self._fetch_next(self.plan)

    async def run(self) -> SeriesFetched:
        """Fetch what was planned; gives what became of it."""
        if self.plan is None:
            requests = self._broker.requests
            return SeriesFetched(None, self.typed_id, requests, 0, 0, "failed", self.error)
        await self._fetch_all(self.plan)
        held = await asyncio.to_thread(_count_held, self._catalog, self.plan)
        self._tell_end(self.plan, held)
        return SeriesFetched(
            self.plan.series,
            self.typed_id,
            self._broker.requests,
            self._stored,
            held,
            self._outcome(self.plan),
            self.error,
            tuple(self._rejects),
        )

    async def _fetch_all(self, plan: SeriesPlan) -> None:
        await self._begin(plan)

        async def work() -> None:
            while self._waiting and self.error is None:
                await self._fetch_next(plan)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(OPEN_REQUESTS, len(self._waiting))):
                group.create_task(work())

    async def _begin(self, plan: SeriesPlan) -> None:
        """Do what goes before the chunks that can be asked for side by side; once."""
        if self._batches is not None:
            return
        self._tell_progress(plan)
        self._batches = Batches(partial(self._store, plan), plan.sessions, plan.series.spec)
        self._waiting.extend(plan.chunks)
        try:
            for interval in plan.barren:
                await self._store(plan, self._no_bars(), interval)
            if self._waiting:
                await self._known.ask()
        except QuarterdeckError as error:
            self.error = error
        recheck = plan.recheck
        while self._waiting and recheck and self._waiting[0].start < recheck[1] and not self.error:
            # One by one, and before anything is added to what may be stale.
            await self._fetch_next(plan)

    async def _fetch_next(self, plan: SeriesPlan) -> None:
        """Fetch the next chunk, if any; its rest, if any, comes next. Keeps the first error."""
        if not self._waiting or self.error is not None:
            return
        try:
            rest = await self._fetch(plan, self._waiting.popleft())
        except QuarterdeckError as error:
            self.error = self.error or error
        else:
            self._waiting.extendleft([rest] if rest else [])

    async def _fetch(self, plan: SeriesPlan, chunk: Chunk) -> Chunk | None:
        """Request, check and store one chunk; gives the part the answer does not speak for."""
        series = plan.series
        answer, seconds = await self._request(plan, chunk)
        start, bars = chunk.start, self._no_bars()
        if isinstance(answer, BarsRead):
            self._tell_flaws(series, answer)
            if len(answer.columns):
                first = first_open(answer.columns, series.spec)
                start = reached(chunk, first, series.spec, plan.sessions)
                bars = answer.columns.between(start, chunk.end)
            self._report(ChunkReceived(series, start, chunk.end, len(bars), seconds))
        elif isinstance(answer, Empty):
            self._report(ChunkEmpty(series, chunk.start, chunk.end, answer.text))
        else:
            raise as_error(answer, f"fetch {series}")
        if plan.recheck:
            await self._revise(plan, bars, intersect([plan.recheck], [(start, chunk.end)]))
        assert self._batches is not None, "there are some for a plan"
        await self._batches.add(bars, (start, chunk.end))
        rest = before(chunk, start, series.spec, plan.sessions)
        self._answered += chunk.bars - (rest.bars if rest else 0)
        self._tell_progress(plan)
        return rest

    async def _request(self, plan: SeriesPlan, chunk: Chunk) -> tuple[BarsRead | Failure, float]:
        """The answer to a chunk, and how many seconds the broker took for it."""
        answer, seconds = await self._ask(plan, chunk)
        if isinstance(answer, Empty):
            # It will not be asked for again: said twice, it is believed.
            spec = plan.series.spec
            again = once_more(chunk, spec) if spec.nanos <= SMALL_BAR else chunk
            answer, seconds = await self._ask(plan, again)
        return answer, seconds

    async def _ask(self, plan: SeriesPlan, chunk: Chunk) -> tuple[BarsRead | Failure, float]:
        """As `_request`, once. The broker's own bars are not kept longer than this: with those of
        fifty answers about, each garbage collection would hold the loop for 100 ms."""
        resolved, seconds = await self._known.ask(), 0.0

        async def ask(session: BrokerSession) -> Bars | Failure:
            nonlocal seconds
            self._report(ChunkRequested(plan.series, chunk.start, chunk.end))
            sent = time.monotonic()
            answer = await historical_bars(
                session,
                resolved.contract,
                end=chunk.until_time,
                duration=chunk.duration,
                bar_size=bar_size(plan.series.spec),
                what=what_to_show(
                    plan.series.spec,
                    self._known.info["sec_type"],
                    adjusted=self.request.adjusted,
                ),
                regular_hours=plan.hours == "regular",
                report=self._report,
            )
            seconds = time.monotonic() - sent
            return answer

        answer = await self._broker.ask(ask, known=True)
        if not isinstance(answer, Bars):
            return answer, seconds
        scale, in_lots = scale_of(self._known.definition), self._broker.session.volumes_in_lots
        read = await asyncio.to_thread(
            read_bars, answer.bars, plan.series.spec, scale, in_lots=in_lots
        )
        return read, seconds

    async def _revise(self, plan: SeriesPlan, bars: BarColumns, held: list[Interval]) -> None:
        """Compare what is held with the broker's bars of now; replace what was corrected.

        Raises `DataUnavailable` when the broker tells another history than the stored one.
        """
        for span in held if len(bars) else ():
            revision = await asyncio.to_thread(self._compare, plan, bars.between(*span), span)
            if revision.kind == "corrected":
                await self._replace(plan, bars.between(*span), span)
                self._report(BarsRevised(plan.series, revision.bars, revision.first))
            elif revision.kind != "none":
                error = await asyncio.to_thread(self._mark_stale, plan.series, revision)
                self._report(SeriesStale(plan.series, error.reason))
                raise error

    def _compare(self, plan: SeriesPlan, fresh: BarColumns, span: Interval) -> Revision:
        open_times = intersect(plan.sessions.open_times(plan.series.spec), [span])
        stored = self._catalog.read_bars(plan.series, *span)
        return compare(stored, fresh, open_times[-1][0])

    async def _replace(self, plan: SeriesPlan, bars: BarColumns, span: Interval) -> None:
        answer = Asked(
            (span,),
            plan.hours,
            self._known.con_id,
            self._known.origin,
            self._clock().isoformat(),
        )
        title = f"corrected bars of {plan.series}"
        rewrite = Rewrite(plan.series, title, without=[span], bars=bars, answer=answer)
        await write(lambda _: self._catalog.rewrite_bars(rewrite), self._report)

    def _mark_stale(self, series: Series, revision: Revision) -> DataUnavailable:
        self._catalog.take_note(series, "stale", str(revision))
        return DataUnavailable(
            f"{series} is stale",
            f"{revision}: the broker now tells another history than the stored one",
            f"fetch all of it anew: quarterdeck update --rebuild {series.bar_type}",
        )

    async def _store(self, plan: SeriesPlan, bars: BarColumns, asked: Interval) -> None:
        store = partial(
            self._catalog.store_bars,
            plan.series,
            bars,
            asked=asked,
            hours=plan.hours,
            con_id=self._known.con_id,
            origin=self._known.origin,
            fetched=self._clock(),
        )
        new = await write(lambda tell: store(report=tell), self._report)
        self._stored += new  # not before the await: other chunks count meanwhile

    @property
    def _known(self) -> InstrumentLookup:
        assert self._lookup is not None, "a fetch is prepared before it is run"
        return self._lookup

    def _no_bars(self) -> BarColumns:
        scale = scale_of(self._known.definition)
        return BarColumns.empty(scale.price_precision, scale.size_precision)

    def _outcome(self, plan: SeriesPlan) -> Outcome:
        if self.error is not None:
            return "failed"
        if self._stored:
            return "stored"
        without_bars = plan.chunks or plan.barren or plan.gone
        return "nothing to do" if plan.recheck or not without_bars else "no data"

    def _tell_progress(self, plan: SeriesPlan) -> None:
        """By the bars that were expected: of some spans there are fewer, which are answered too."""
        self._report(JobProgress(self._answered, plan.bars, "bars", str(plan.series)))

    def _tell_end(self, plan: SeriesPlan, held: int) -> None:
        if self.error is not None:
            self._tell_failure(self.error)
        elif self._outcome(plan) == "nothing to do":
            reason = "the market was closed" if plan.wanted is None else f"{held:,} bars are held"
            self._report(NothingToDo(plan.series, reason))
        else:
            self._report(SeriesDone(plan.series, self._stored, held, self._broker.requests))

    def _tell_failure(self, error: QuarterdeckError) -> None:
        bars = self.request.bars
        failed = SeriesFailed(self.typed_id, bars, error.title, error.reason, error.steps)
        self._report(failed)

    def _tell_flaws(self, series: Series, read: BarsRead) -> None:
        if read.in_lots:
            self._broker.session.volumes_in_lots = True
            if not self._told_of_lots:
                self._report(VolumesInLots(series))
            self._told_of_lots = True
        if read.rejects:
            first = read.rejects[0]
            self._rejects.extend(read.rejects)
            self._report(BarsRejected(series, len(read.rejects), first.stamp, first.reason))
        if read.reordered:
            self._report(BarsReordered(series, read.reordered))
        if read.rounded_prices or read.rounded_volumes:
            self._report(BarsRounded(series, read.rounded_prices, read.rounded_volumes))


def _count_held(catalog: Catalog, plan: SeriesPlan) -> int:
    if plan.wanted is None:
        return 0
    try:
        return len(catalog.read_bars(plan.series, *plan.wanted))
    except DataUnavailable:
        return 0

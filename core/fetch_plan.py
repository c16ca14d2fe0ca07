"""What a fetch will ask for: the wanted range on the market's sessions, less what is held."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from catalog import coverage, workers
from catalog.coverage import Interval, intersect, subtract
from catalog.errors import DataUnavailable, WrongInput
from catalog.events import Report
from catalog.origin import is_adjusted
from catalog.refusals import must_not_mix
from catalog.series import NANOS_PER_SECOND, BarSpec, Series
from catalog.sessions import Hours, Sessions, calendar_sessions
from catalog.store import Catalog
from core.asking import PatientBroker
from core.fetch_events import CalendarUsed, DataBegin, FetchPlanned, NoLongerKept
from core.ibkr.chunks import (
    BARS_A_REQUEST,
    Chunk,
    bar_size,
    kept_since,
    plan,
    plan_until_now,
    what_to_show,
)
from core.ibkr.contracts import parse_id
from core.ibkr.requests import Empty, Pacing, Timeout, as_error, head_timestamp
from core.ibkr.schedule import broker_sessions
from core.ibkr.weekly_hours import weekly_sessions
from core.identity import Clock, InstrumentLookup
from core.ranges import TypedRange, read_range, resolve_range

_SIDES = {"CASH": ("MID", "BID", "ASK"), "IND": ("LAST",)}
"""The prices there are, where not all four exist."""

_AROUND_THE_CLOCK = ("FUT", "CONTFUT", "CASH", "CRYPTO")
"""Whose bars are of all hours, unless said otherwise."""

_RECHECKED = {True: 2, False: 5}
"""How many of the last sessions, or bars of a day and longer, are compared again."""

_OVERLAP = timedelta(days=7)

_NANOS_PER_DAY = 86_400 * NANOS_PER_SECOND
# From this many requests on it pays to ask first where the broker's data begin.
_WORTH_A_HEAD_TIMESTAMP = 10


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What to fetch, as it was typed. `hours` None are those of the stored bars, else what suits
    the kind of instrument.

    With `recheck` the last stored bars are asked for again and compared. `adjusted` asks for prices
    adjusted for dividends, which only a catalog of their own holds.
    """

    ids: tuple[str, ...]
    bars: BarSpec
    start: str | None
    end: str | None
    hours: Hours | None = None
    recheck: bool = False
    adjusted: bool = False


@dataclass(frozen=True, slots=True)
class SeriesPlan:
    """The requests for one series. `wanted` is None when the market was closed in all of the
    range; `barren` is what lies before the broker's first data, `gone` what it keeps no longer, of
    which nobody says that there was none; `recheck` is what is held and asked for again."""

    series: Series
    hours: Hours
    sessions: Sessions
    wanted: Interval | None
    chunks: tuple[Chunk, ...] = ()
    barren: tuple[Interval, ...] = ()
    gone: tuple[Interval, ...] = ()
    recheck: Interval | None = None

    @property
    def bars(self) -> int:
        """How many bars are expected."""
        return sum(chunk.bars for chunk in self.chunks)


async def plan_series(
    lookup: InstrumentLookup,
    request: FetchRequest,
    *,
    catalog: Catalog,
    broker: PatientBroker,
    clock: Clock,
    report: Report,
) -> SeriesPlan:
    """Find the instrument, the sessions and what is missing. Only what the catalog does not know
    is asked of the broker.

    Raises `WrongInput` for ids, ranges and bars that there are not, `BrokerUnavailable`,
    `DataUnavailable`.
    """
    bar_size(request.bars)
    now = clock()
    typed = read_range(request.start, request.end, request.bars, now)
    origin = await asyncio.to_thread(lambda: catalog.origin)
    if origin is not None and is_adjusted(origin) != request.adjusted:
        raise _would_mix(catalog, adjusted=request.adjusted)
    if request.adjusted:
        _require_adjustable(lookup.typed_id, parse_id(lookup.typed_id).sec_type, request.bars)
    await lookup.find()
    if request.adjusted:
        _require_adjustable(lookup.id, lookup.info["sec_type"], request.bars)
        covered = await asyncio.to_thread(catalog.covered, Series(lookup.id, request.bars))
        typed = _overlapping(typed, covered)
    _require_price(lookup, request.bars)
    hours = await asyncio.to_thread(_hours, catalog, lookup, request)
    plan = await _Planning(lookup, request, hours, typed, now, catalog, broker, report).plan()
    if plan.chunks:
        report(FetchPlanned(plan.series, len(plan.chunks), plan.bars))
    return plan


@dataclass(frozen=True, slots=True)
class _Planning:
    """A plan being made."""

    lookup: InstrumentLookup
    request: FetchRequest
    hours: Hours
    typed: TypedRange
    now: datetime
    catalog: Catalog
    broker: PatientBroker
    report: Report

    @property
    def series(self) -> Series:
        return Series(self.lookup.id, self.request.bars)

    @property
    def _ends_now(self) -> bool:
        """Whether requests can name no end."""
        return self.request.adjusted or self.lookup.info["sec_type"] == "CONTFUT"

    async def plan(self) -> SeriesPlan:
        spec, sessions = self.request.bars, await self._sessions()
        wanted = resolve_range(self.typed, spec, sessions, self.now)
        nothing = SeriesPlan(self.series, self.hours, sessions, wanted)
        if wanted is None:
            return nothing
        covered = await asyncio.to_thread(self._covered)
        open_times = sessions.open_times(spec)
        complete = not coverage.missing(wanted, covered, open_times)
        compared = self.request.recheck or (self.request.adjusted and not complete)
        recheck = self._recheck(covered, wanted, sessions) if compared else None
        known = subtract(covered, [recheck]) if recheck else covered
        missing = coverage.missing(wanted, known, open_times)
        since = kept_since(spec, self.now)
        gone = tuple(intersect(missing, [(0, since)]))
        if gone:
            self.report(NoLongerKept(self.series, since))
            missing = subtract(missing, list(gone))
        nothing = replace(nothing, recheck=recheck, gone=gone)
        if self._ends_now:
            chunks = plan_until_now(missing, spec, sessions, self.now)
            return replace(nothing, chunks=tuple(chunks))
        everything = replace(nothing, chunks=tuple(plan(missing, spec, sessions)))
        if len(everything.chunks) < _WORTH_A_HEAD_TIMESTAMP:
            return everything
        begin = await self._data_begin()
        barren = intersect(missing, [(wanted[0], begin)])
        if not barren:
            return everything
        self.report(DataBegin(self.series, begin))
        chunks = plan(subtract(missing, barren), spec, sessions)
        return replace(everything, chunks=tuple(chunks), barren=tuple(barren))

    def _covered(self) -> list[Interval]:
        """What the catalog holds of the series, unless it must not grow."""
        if reason := self.catalog.note(self.series, "stale"):
            raise DataUnavailable(
                f"{self.series} is stale",
                f"{reason}: new bars would not fit the stored ones",
                f"fetch all of it anew: quarterdeck update --rebuild {self.series.bar_type}",
            )
        return self.catalog.covered(self.series)

    def _recheck(
        self, covered: list[Interval], wanted: Interval, sessions: Sessions
    ) -> Interval | None:
        """The last sessions (of days and longer: bars) of the range that are held, or as much of
        the last one as goes with new bars into one request."""
        spec = self.request.bars
        held = intersect(intersect(covered, [wanted]), sessions.open_times(spec))
        if not held:
            return None
        end = held[-1][1]
        for start, _ in held[-_RECHECKED[spec.intraday] :]:
            if sessions.expected_bars((start, end), spec) <= BARS_A_REQUEST:
                return start, end
        return end - BARS_A_REQUEST // 2 * spec.nanos, end

    async def _sessions(self) -> Sessions:
        """The sessions the range can touch: remembered, else told by the broker, else of a
        calendar."""
        lookup, hours = self.lookup, self.hours
        span = self.typed.span(lookup.info["time_zone"])
        known = await asyncio.to_thread(self.catalog.sessions, lookup.id, hours, span)
        if known is not None:
            return known
        contract = (await lookup.ask()).contract
        answer = await self.broker.ask(
            lambda session: broker_sessions(session, contract, span, hours, self.now)
        )
        if isinstance(answer, Pacing | Timeout):
            raise as_error(answer, f"learn when {lookup.id} was traded")
        if isinstance(answer, Sessions):
            sessions = answer
        else:
            sessions = await self._stand_in(span)
            self.report(CalendarUsed(lookup.id, sessions.source, answer.text))
        if isinstance(answer, Sessions | Empty):  # after another failure it may tell next time
            settled = _settled(span, sessions, self.now)
            await asyncio.to_thread(
                self.catalog.store_sessions, lookup.id, hours, settled, sessions
            )
        return sessions

    async def _stand_in(self, span: Interval) -> Sessions:
        """Sessions that the broker does not tell: of a calendar, else as in the week it lists."""
        try:
            return await workers.run(calendar_sessions, self.series.venue, span, self.hours)
        except DataUnavailable:
            info = self.lookup.info
            listed = info["liquid_hours"] if self.hours == "regular" else info["trading_hours"]
            return weekly_sessions(str(listed or ""), info["time_zone"], span)

    async def _data_begin(self) -> int:
        """The first open of the broker's data in the coordinate of the series; 0 if not told.

        Where few such questions are left, some requests for nothing cost less than to wait.
        """
        known = await asyncio.to_thread(self.catalog.note, self.series, "begin")
        if known is not None:
            return int(known)
        pacing = self.broker.session.pacing
        if pacing is not None and await pacing.is_scarce():
            return 0
        contract = (await self.lookup.ask()).contract
        head = await self.broker.ask(
            lambda session: head_timestamp(
                session,
                contract,
                what=what_to_show(self.request.bars, self.lookup.info["sec_type"]),
                regular_hours=self.hours == "regular",
                report=self.report,
            )
        )
        if not isinstance(head, datetime):
            return 0
        moment = int(head.timestamp()) * NANOS_PER_SECOND
        if not self.request.bars.intraday:
            moment = moment // _NANOS_PER_DAY * _NANOS_PER_DAY
        await asyncio.to_thread(self.catalog.take_note, self.series, "begin", str(moment))
        return moment


def _hours(catalog: Catalog, lookup: InstrumentLookup, request: FetchRequest) -> Hours:
    series = Series(lookup.id, request.bars)
    held = catalog.hours(series)
    if held and request.hours and held != request.hours:
        raise must_not_mix(series, f"{held} hours", f"{request.hours} hours")
    usual: Hours = "all" if lookup.info["sec_type"] in _AROUND_THE_CLOCK else "regular"
    return request.hours or held or usual


def _require_price(lookup: InstrumentLookup, spec: BarSpec) -> None:
    sides = _SIDES.get(lookup.info["sec_type"])
    if sides and spec.side not in sides:
        raise WrongInput(
            f"{lookup.id} has no {spec.side} bars",
            f"the broker has {', '.join(sides)} for it",
            f"ask for {spec.with_side('MID' if 'MID' in sides else 'LAST')}",
        )


def _would_mix(catalog: Catalog, *, adjusted: bool) -> WrongInput:
    wanted, held = ("adjusted", "raw") if adjusted else ("raw", "adjusted")
    return WrongInput(
        f"the catalog {catalog.root} holds {held} prices",
        f"{wanted} ones must not mix with them",
        "name another catalog with --catalog",
        f"or fetch {held} prices, {'without' if adjusted else 'with'} --adjusted",
    )


def _require_adjustable(name: str, sec_type: str, spec: BarSpec) -> None:
    """Raise `WrongInput` where IBKR has no ADJUSTED_LAST; an empty `sec_type` is not known yet."""
    if sec_type not in ("STK", "") or spec.side != "LAST" or spec.unit in ("WEEK", "MONTH"):
        raise WrongInput(
            f"{name} has no adjusted {spec} bars",
            "the broker adjusts the LAST prices of stocks, in bars up to a day",
            "fetch raw prices into a catalog of their own, without --adjusted",
        )


def _overlapping(typed: TypedRange, covered: list[Interval]) -> TypedRange:
    """A range widened to the last days that are held of an adjusted series: a dividend that was
    paid meanwhile changed their prices, and shows there before anything is added to them."""
    if not covered:
        return typed
    since, held = (
        datetime.fromtimestamp(moment // NANOS_PER_SECOND, UTC).date()
        for moment in (covered[-1][0], covered[-1][1] - 1)
    )
    since = max(since, held - _OVERLAP)
    first, last = (
        moment.date() if isinstance(moment, datetime) else moment
        for moment in (typed.start, typed.end)
    )
    return TypedRange(
        typed.start if first <= since else since,
        typed.end if last > held else held,
    )


def _settled(span: Interval, sessions: Sessions, now: datetime) -> Interval:
    """The part of a span whose sessions will not change any more.

    It may reach a little into the future, to the end of today. That is settled when today's
    session is among the answers; else the broker may still come to know of it.
    """
    start, end = span
    last = datetime.fromtimestamp((end - 1) // NANOS_PER_SECOND, ZoneInfo(sessions.zone)).date()
    moment = int(now.timestamp()) * NANOS_PER_SECOND
    told = len(sessions) and int(sessions.dates[-1]) >= (last - date(1970, 1, 1)).days
    return span if end <= moment or told else (start, max(start, moment))

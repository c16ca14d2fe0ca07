"""What a fetch will ask for: the wanted range on the market's sessions, less what is held."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from catalog import workers
from catalog.coverage import Interval, intersect, subtract
from catalog.errors import WrongInput
from catalog.events import Report
from catalog.series import NANOS_PER_SECOND, BarSpec, Series
from catalog.sessions import Hours, Sessions, calendar_sessions
from catalog.store import Catalog
from core.asking import PatientBroker
from core.fetch_events import CalendarUsed, DataBegin
from core.ibkr.chunks import Chunk, bar_size, plan
from core.ibkr.requests import Empty, Pacing, Timeout, as_error, head_timestamp
from core.ibkr.schedule import broker_sessions
from core.identity import Clock, InstrumentLookup
from core.ranges import TypedRange, read_range, resolve_range

_SIDES = {"CASH": ("MID", "BID", "ASK"), "IND": ("LAST",)}
"""The prices there are, where not all four exist."""

_AROUND_THE_CLOCK = ("FUT", "CASH")
_NANOS_PER_DAY = 86_400 * NANOS_PER_SECOND
# From this many requests on it pays to ask first where the broker's data begin.
_WORTH_A_HEAD_TIMESTAMP = 10


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What to fetch, as it was typed. `hours` None is what suits the kind of instrument."""

    ids: tuple[str, ...]
    bars: BarSpec
    start: str | None
    end: str | None
    hours: Hours | None = None


@dataclass(frozen=True, slots=True)
class SeriesPlan:
    """The requests for one series. `wanted` is None when the market was closed in all of the
    range; `barren` is what lies before the broker's first data."""

    series: Series
    hours: Hours
    sessions: Sessions
    wanted: Interval | None
    chunks: tuple[Chunk, ...] = ()
    barren: tuple[Interval, ...] = ()

    @property
    def bars(self) -> int:
        """How many bars are expected."""
        return sum(chunk.bars for chunk in self.chunks)


def what_to_show(spec: BarSpec) -> str:
    """IBKR's word for the price bars are made of."""
    return {"LAST": "TRADES", "MID": "MIDPOINT", "BID": "BID", "ASK": "ASK"}[spec.side]


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
    spec = request.bars
    bar_size(spec)
    typed = read_range(request.start, request.end, spec, clock())
    await lookup.find()
    _require_price(lookup, spec)
    series = Series(lookup.id, spec)
    around_the_clock = lookup.info["sec_type"] in _AROUND_THE_CLOCK
    hours = request.hours or ("all" if around_the_clock else "regular")
    sessions = await _sessions(lookup, hours, typed, catalog, broker, clock(), report)
    wanted = resolve_range(typed, spec, sessions, clock())
    if wanted is None:
        return SeriesPlan(series, hours, sessions, None)
    missing = await asyncio.to_thread(catalog.missing, series, wanted, sessions)
    chunks = plan(missing, spec, sessions)
    if len(chunks) < _WORTH_A_HEAD_TIMESTAMP:
        return SeriesPlan(series, hours, sessions, wanted, tuple(chunks))
    begin = await _data_begin(lookup, spec, hours, broker)
    if begin is None:
        return SeriesPlan(series, hours, sessions, wanted, tuple(chunks))
    before = [(wanted[0], min(max(begin, wanted[0]), wanted[1]))]
    barren = intersect(missing, before)
    if barren:
        report(DataBegin(series, begin))
    chunks = plan(subtract(missing, before), spec, sessions)
    return SeriesPlan(series, hours, sessions, wanted, tuple(chunks), tuple(barren))


def _require_price(lookup: InstrumentLookup, spec: BarSpec) -> None:
    sides = _SIDES.get(lookup.info["sec_type"])
    if sides and spec.side not in sides:
        raise WrongInput(
            f"{lookup.id} has no {spec.side} bars",
            f"the broker has {', '.join(sides)} for it",
            f"ask for {spec.with_side('MID' if 'MID' in sides else 'LAST')}",
        )


async def _sessions(
    lookup: InstrumentLookup,
    hours: Hours,
    typed: TypedRange,
    catalog: Catalog,
    broker: PatientBroker,
    now: datetime,
    report: Report,
) -> Sessions:
    span = typed.span(lookup.info["time_zone"])
    known = await asyncio.to_thread(catalog.sessions, lookup.id, hours, span)
    if known is not None:
        return known
    resolved = await lookup.ask()
    answer = await broker.ask(
        lambda session: broker_sessions(session, resolved.contract, span, hours)
    )
    if isinstance(answer, Pacing | Timeout):
        raise as_error(answer, f"learn when {lookup.id} was traded")
    if isinstance(answer, Sessions):
        sessions = answer
    else:
        reason = as_error(answer, "").reason
        report(CalendarUsed(lookup.id, reason))
        venue = Series(lookup.id, BarSpec(1, "DAY")).venue
        sessions = await workers.run(calendar_sessions, venue, span, hours)
    if isinstance(answer, Sessions | Empty):  # after another failure it may tell next time
        settled = _settled(span, sessions, now)
        await asyncio.to_thread(catalog.store_sessions, lookup.id, hours, settled, sessions)
    return sessions


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


async def _data_begin(
    lookup: InstrumentLookup, spec: BarSpec, hours: Hours, broker: PatientBroker
) -> int | None:
    """The first open of the broker's data in the coordinate of the series; None if not told."""
    resolved = await lookup.ask()
    head = await broker.ask(
        lambda session: head_timestamp(
            session,
            resolved.contract,
            what=what_to_show(spec),
            regular_hours=hours == "regular",
        )
    )
    if not isinstance(head, datetime):
        return None
    moment = int(head.timestamp()) * NANOS_PER_SECOND
    return moment if spec.intraday else moment // _NANOS_PER_DAY * _NANOS_PER_DAY

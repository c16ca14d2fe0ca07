"""One instrument of a run: its bars fetched where they are missing, its files checked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from catalog import workers
from catalog.coverage import Interval, intersect
from catalog.errors import BrokerUnavailable, DataUnavailable, QuarterdeckError, WrongInput
from catalog.events import Event, Level, Report
from catalog.instruments import Definition
from catalog.origin import is_adjusted
from catalog.series import NANOS_PER_SECOND, BarSpec, PriceSide, Series
from catalog.sessions import Hours, Sessions, calendar_sessions
from catalog.store import Catalog
from core.backtest.data import InstrumentData
from core.backtest.spec import RunSpec
from core.fetch import FetchRequest, fetch_series
from core.ibkr.connection import BrokerSession
from core.identity import Clock
from core.ranges import read_range, resolve_range

_OTHER_SIDE: dict[PriceSide, PriceSide] = {"BID": "ASK", "ASK": "BID"}
_TOLD = 5
_LONGEST_TO_PART = 1_800 * NANOS_PER_SECOND


@dataclass(frozen=True, slots=True)
class DataReady(Event):
    """All bars of a series that a run will read are held, and their files are sound."""

    channel = "data"

    series: Series
    files: int

    def __str__(self) -> str:
        files = "1 file" if self.files == 1 else f"{self.files:,} files"
        return f"{self.series}: complete in the catalog, {files} checked"


@dataclass(frozen=True, slots=True)
class BrokerNotAsked(Event):
    """The broker could not be asked about an instrument whose bars are all held."""

    channel = "data"
    level = Level.WARNING

    instrument_id: str
    reason: str

    def __str__(self) -> str:
        return f"{self.instrument_id} is not stored as an instrument; {self.reason}"


@dataclass(frozen=True, slots=True)
class InstrumentChosen(Event):
    """The version of an instrument that is in force at the start of a run, by when it was stored;
    the first one counts for all time before it."""

    channel = "data"

    instrument_id: str
    version: str

    def __str__(self) -> str:
        return f"{self.instrument_id}: as the instrument was stored on {self.version} UTC"


@dataclass(frozen=True, slots=True)
class SessionsUnknown(Event):
    """Nobody knows when the market of a series was open: the bars that are held run."""

    channel = "data"

    series: Series

    def __str__(self) -> str:
        return (
            f"{self.series}: the sessions of {self.series.venue} are not known, so that a gap "
            "cannot be told from closed time"
        )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Bars over a range as it is typed."""

    bars: BarSpec
    start: str
    end: str

    @classmethod
    def within(cls, bars: BarSpec, interval: Interval) -> _Wanted | None:
        """The bars of an interval, from the one that is open at its start on. Days, weeks and
        months are asked for by date, the last that is over at its end; None where none is."""
        start, end = interval
        if bars.intraday:
            return cls(bars, _iso(start // bars.nanos * bars.nanos), _iso(end))
        # A day is stamped a nanosecond before its end.
        first, last = _day(start), _day(end + 1) - timedelta(days=1)
        return cls(bars, str(first), str(last)) if first <= last else None


class Gathering:
    """Gathers the data of one run from the catalog, and from the broker what it lacks."""

    def __init__(
        self,
        spec: RunSpec,
        catalog: Catalog,
        session: BrokerSession,
        clock: Clock,
        report: Report,
    ) -> None:
        self._spec = spec
        self._own = _Wanted(spec.bars, spec.start, spec.end)
        self.catalog = catalog
        self._session = session
        self._clock = clock
        self._report = report

    async def instrument(self, typed_id: str) -> tuple[InstrumentData, Interval]:
        """One instrument with its files, and its range."""
        data, interval = await self._gathered(typed_id, self._own)
        if data.definition is not None:
            self._report(InstrumentChosen(data.instrument_id, _stored_at(data.definition)))
        if data.definition is not None and data.definition["type"] == "CurrencyPair":
            data = await self._with_quotes(data, interval)
        return data, interval

    async def longer(
        self, each: InstrumentData, bars: BarSpec, interval: Interval
    ) -> InstrumentData:
        """The instrument with its bars of a longer span too, those that close in an interval."""
        wanted = _Wanted.within(bars, interval)
        if wanted is None:
            return replace(each, longer=(*each.longer, Series(each.instrument_id, bars)))
        found, _ = await self._gathered(each.instrument_id, wanted)
        return replace(
            each, longer=(*each.longer, *found.series), files=(*each.files, *found.files)
        )

    async def fetch(self, typed_id: str, bars: BarSpec, interval: Interval) -> None:
        """Fetch what is missing in an interval beside the range of the run, where that is wanted
        and possible; the log tells what was not."""
        if (wanted := _Wanted.within(bars, interval)) is not None:
            await self._asked(typed_id, wanted)

    async def _gathered(self, typed_id: str, wanted: _Wanted) -> tuple[InstrumentData, Interval]:
        """Bars of an instrument with their files, and their range."""
        refusal = await self._fetch(typed_id, wanted)
        try:
            data, interval = await asyncio.to_thread(self._stored, typed_id, wanted)
        except DataUnavailable as lacking:
            if refusal is None:
                raise
            raise BrokerUnavailable(
                lacking.title, f"{lacking.reason}; {refusal}", *refusal.steps
            ) from lacking
        if refusal is not None:
            self._report(BrokerNotAsked(data.instrument_id, str(refusal)))
        self._report(DataReady(data.series[0], len(data.files)))
        if data.sessions is None:
            self._report(SessionsUnknown(data.series[0]))
        return data, interval

    async def _fetch(self, typed_id: str, wanted: _Wanted) -> BrokerUnavailable | None:
        """Fetch what is missing, where that is wanted; gives why the broker could not be asked."""
        error = await self._asked(typed_id, wanted)
        if error is None or isinstance(error, BrokerUnavailable):
            return error
        raise error

    async def _asked(self, typed_id: str, wanted: _Wanted) -> QuarterdeckError | None:
        """Fetch, unless the run is to use the catalog alone; gives what went wrong."""
        if self._spec.source == "catalog":
            return None
        # An adjusted catalog takes no raw prices, so that is what is asked for.
        adjusted = is_adjusted(await asyncio.to_thread(lambda: self.catalog.origin))
        hours = await asyncio.to_thread(self._hours_to_fetch, typed_id, wanted.bars)
        request = FetchRequest(
            (typed_id,), wanted.bars, wanted.start, wanted.end, hours, adjusted=adjusted
        )
        fetched = await fetch_series(
            typed_id,
            request,
            catalog=self.catalog,
            session=self._session,
            clock=self._clock,
            report=self._report,
        )
        return fetched.error

    def _hours_to_fetch(self, typed_id: str, bars: BarSpec) -> Hours | None:
        """The hours of the run for a series that is not there yet; what is there goes on as it is,
        and regular hours are taken out of it."""
        known = self.catalog.alias(typed_id.strip().upper())
        held = self.catalog.hours(Series(known, bars)) if known else None
        if held or bars != self._spec.bars or self._spec.hours == "stored":
            return None
        return self._spec.hours

    def _stored(self, typed_id: str, wanted: _Wanted) -> tuple[InstrumentData, Interval]:
        instrument_id = self.catalog.alias(typed_id.strip().upper())
        if instrument_id is None:
            raise _lacking(typed_id, wanted, "the catalog holds nothing of it")
        series = Series(instrument_id, wanted.bars)
        if not self.catalog.files(series):
            raise _lacking(instrument_id, wanted, f"the catalog holds no {series.spec} bars of it")
        only_sessions = self._only_sessions(series)
        typed = read_range(wanted.start, wanted.end, wanted.bars, self._clock())
        definition = self.catalog.instrument(instrument_id)
        info = (definition or {}).get("info") or {}
        span = typed.span(str(info.get("time_zone", "UTC")))
        sessions = self.sessions(series, span)
        if sessions is None:
            interval = self._held(series, span)
        else:
            interval = resolve_range(typed, wanted.bars, sessions, self._clock())
        if interval is None:
            raise DataUnavailable(
                f"There are no bars of {instrument_id} in this range",
                "its market was closed in all of it, or no bar of it is closed yet",
                "choose another range",
            )
        missing = self.catalog.missing(series, interval, sessions)
        if missing and sessions is not None:
            raise _lacking(instrument_id, wanted, f"{series.spec} misses {_in_words(missing)}")
        if definition is not None:
            # Bars have the tick of the newest version, all else is as it was then.
            tick = {key: definition[key] for key in ("price_precision", "price_increment")}
            definition = {**(self.catalog.instrument(instrument_id, at=interval[0]) or {}), **tick}
        files = self.catalog.checked_files(series, *interval)
        data = InstrumentData(
            instrument_id, definition, (series,), tuple(files), sessions, only_sessions
        )
        return data, interval

    def _only_sessions(self, series: Series) -> bool:
        """Whether bars outside regular hours are left out. Raises `WrongInput` for hours that the
        stored bars cannot give."""
        held, wanted = self.catalog.hours(series) or "regular", self._spec.hours
        if series.spec != self._spec.bars or wanted in ("stored", held):
            return False
        if wanted == "all":
            raise WrongInput(
                f"the bars of {series} are of regular hours",
                "a run on all hours needs bars of all hours",
                "fetch those into another catalog with --hours all",
            )
        if series.spec.nanos > _LONGEST_TO_PART:
            raise WrongInput(
                f"the bars of {series} are of all hours",
                "bars of more than 30 minutes may begin before the market opens and end after",
                "run on shorter bars, or leave --hours out",
            )
        return True

    def _held(self, series: Series, span: Interval) -> Interval | None:
        """From the first bar held in a span to the last."""
        held = intersect([span], self.catalog.covered(series))
        return (held[0][0], held[-1][1]) if held else None

    def sessions(self, series: Series, span: Interval) -> Sessions | None:
        """The remembered sessions of a span (ns UTC), else those of the venue's calendar; None
        where neither is known."""
        hours: Hours = self.catalog.hours(series) or "regular"
        if self._only_sessions(series):
            hours = "regular"
        known = self.catalog.sessions(series.instrument_id, hours, span)
        if known is not None:
            return known
        try:
            return workers.run_blocking(calendar_sessions, series.venue, span, hours)
        except DataUnavailable:
            return None

    async def _with_quotes(self, data: InstrumentData, interval: Interval) -> InstrumentData:
        """The instrument with the BID and ASK bars that orders on a currency are filled on.

        A run on one of the two sides needs the other; a run on MID uses them where both are held.
        """
        main = data.series[0]
        if main.spec.side in _OTHER_SIDE:
            sides = [_OTHER_SIDE[main.spec.side]]
            other = replace(self._own, bars=main.spec.with_side(sides[0]))
            await self._fetch(data.instrument_id, other)
        else:
            sides = list(_OTHER_SIDE)
        return await asyncio.to_thread(self._add_held, data, sides, interval)

    def _add_held(
        self, data: InstrumentData, sides: Sequence[PriceSide], interval: Interval
    ) -> InstrumentData:
        main = data.series[0]
        series = [Series(main.instrument_id, main.spec.with_side(side)) for side in sides]
        if any(self.catalog.missing(one, interval, data.sessions) for one in series):
            return data
        files = [file for one in series for file in self.catalog.checked_files(one, *interval)]
        return replace(data, series=(main, *series), files=(*data.files, *files))


def _lacking(instrument_id: str, wanted: _Wanted, reason: str) -> DataUnavailable:
    command = f"quarterdeck fetch {instrument_id} --bars {wanted.bars} --start {wanted.start}"
    return DataUnavailable(
        f"Data for {instrument_id} is missing",
        reason,
        f"fetch it: {command} --end {wanted.end}",
        "or run with --source auto, which fetches it first",
    )


def _stored_at(definition: Definition) -> str:
    return _utc(int(str(definition["ts_init"])))


def _in_words(missing: Sequence[Interval]) -> str:
    """The first few missing pieces, UTC."""
    pieces = [f"{_utc(start)}..{_utc(end)}" for start, end in missing[:_TOLD]]
    more = len(missing) - len(pieces)
    return ", ".join(pieces) + (f" and {more:,} more pieces" if more > 0 else "") + " (UTC)"


def _iso(nanos: int) -> str:
    return datetime.fromtimestamp(nanos // NANOS_PER_SECOND, UTC).isoformat()


def _day(nanos: int) -> date:
    return datetime.fromtimestamp(nanos // NANOS_PER_SECOND, UTC).date()


def _utc(nanos: int) -> str:
    return f"{datetime.fromtimestamp(nanos // NANOS_PER_SECOND, UTC):%Y-%m-%d %H:%M}"

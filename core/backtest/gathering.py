"""One instrument of a run: its bars fetched where they are missing, its files checked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from catalog import workers
from catalog.coverage import Interval, intersect
from catalog.errors import BrokerUnavailable, DataUnavailable, QuarterdeckError
from catalog.events import Event, Level, Report
from catalog.instruments import Definition
from catalog.origin import is_adjusted
from catalog.series import NANOS_PER_SECOND, BarSpec, PriceSide, Series
from catalog.sessions import Sessions, calendar_sessions
from catalog.store import Catalog
from core.backtest.data import InstrumentData
from core.backtest.spec import RunSpec
from core.fetch import FetchRequest, fetch_series
from core.ibkr.connection import BrokerSession
from core.identity import Clock
from core.ranges import TypedRange, resolve_range

_OTHER_SIDE: dict[PriceSide, PriceSide] = {"BID": "ASK", "ASK": "BID"}
_TOLD = 5


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


class Gathering:
    """Gathers the data of one run from the catalog, and from the broker what it lacks."""

    def __init__(
        self,
        spec: RunSpec,
        typed: TypedRange,
        catalog: Catalog,
        session: BrokerSession,
        clock: Clock,
        report: Report,
    ) -> None:
        self._spec = spec
        self._typed = typed
        self.catalog = catalog
        self._session = session
        self._clock = clock
        self._report = report

    async def instrument(self, typed_id: str) -> tuple[InstrumentData, Interval]:
        """One instrument with its files, and its range."""
        refusal = await self._fetch(typed_id, self._spec.bars)
        try:
            data, interval = await asyncio.to_thread(self._stored, typed_id)
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
        if data.definition is not None:
            self._report(InstrumentChosen(data.instrument_id, _stored_at(data.definition)))
        if data.definition is not None and data.definition["type"] == "CurrencyPair":
            data = await self._with_quotes(data, interval)
        return data, interval

    async def fetch(self, typed_id: str, bars: BarSpec, interval: Interval) -> None:
        """Fetch what is missing in an interval beside the range of the run, where that is wanted
        and possible; the log tells what was not."""
        first, last = (datetime.fromtimestamp(ns // NANOS_PER_SECOND, UTC) for ns in interval)
        start, end = first.isoformat(), last.isoformat()
        if not bars.intraday:
            start, end = str(first.date()), str(last.date() - timedelta(days=1))
        await self._asked(FetchRequest((typed_id,), bars, start, end))

    async def _fetch(self, typed_id: str, bars: BarSpec) -> BrokerUnavailable | None:
        """Fetch what is missing, where that is wanted; gives why the broker could not be asked."""
        spec = self._spec
        error = await self._asked(FetchRequest((typed_id,), bars, spec.start, spec.end))
        if error is None or isinstance(error, BrokerUnavailable):
            return error
        raise error

    async def _asked(self, request: FetchRequest) -> QuarterdeckError | None:
        """Fetch, unless the run is to use the catalog alone; gives what went wrong."""
        if self._spec.source == "catalog":
            return None
        # An adjusted catalog takes no raw prices, so that is what is asked for.
        adjusted = is_adjusted(await asyncio.to_thread(lambda: self.catalog.origin))
        request = replace(request, adjusted=adjusted)
        fetched = await fetch_series(
            request.ids[0],
            request,
            catalog=self.catalog,
            session=self._session,
            clock=self._clock,
            report=self._report,
        )
        return fetched.error

    def _stored(self, typed_id: str) -> tuple[InstrumentData, Interval]:
        instrument_id = self.catalog.alias(typed_id.strip().upper())
        if instrument_id is None:
            raise self._lacking(typed_id, "the catalog holds nothing of it")
        series = Series(instrument_id, self._spec.bars)
        if not self.catalog.files(series):
            raise self._lacking(instrument_id, f"the catalog holds no {series.spec} bars of it")
        definition = self.catalog.instrument(instrument_id)
        info = (definition or {}).get("info") or {}
        span = self._typed.span(str(info.get("time_zone", "UTC")))
        sessions = self.sessions(series, span)
        if sessions is None:
            interval = self._held(series, span)
        else:
            interval = resolve_range(self._typed, self._spec.bars, sessions, self._clock())
        if interval is None:
            raise DataUnavailable(
                f"There are no bars of {instrument_id} in this range",
                "its market was closed in all of it, or no bar of it is closed yet",
                "choose another range",
            )
        missing = self.catalog.missing(series, interval, sessions)
        if missing and sessions is not None:
            raise self._lacking(instrument_id, f"{series.spec} misses {_in_words(missing)}")
        if definition is not None:
            definition = self.catalog.instrument(instrument_id, at=interval[0])
        files = self.catalog.checked_files(series, *interval)
        return InstrumentData(
            instrument_id, definition, (series,), tuple(files), sessions
        ), interval

    def _held(self, series: Series, span: Interval) -> Interval | None:
        """From the first bar held in a span to the last."""
        held = intersect([span], self.catalog.covered(series))
        return (held[0][0], held[-1][1]) if held else None

    def sessions(self, series: Series, span: Interval) -> Sessions | None:
        """The remembered sessions of a span (ns UTC), else those of the venue's calendar; None
        where neither is known."""
        hours = self.catalog.hours(series) or "regular"
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
            wanted = [_OTHER_SIDE[main.spec.side]]
            await self._fetch(data.instrument_id, main.spec.with_side(wanted[0]))
        else:
            wanted = list(_OTHER_SIDE)
        return await asyncio.to_thread(self._add_held, data, wanted, interval)

    def _add_held(
        self, data: InstrumentData, sides: Sequence[PriceSide], interval: Interval
    ) -> InstrumentData:
        main = data.series[0]
        series = [Series(main.instrument_id, main.spec.with_side(side)) for side in sides]
        if any(self.catalog.missing(one, interval, data.sessions) for one in series):
            return data
        files = [file for one in series for file in self.catalog.checked_files(one, *interval)]
        return replace(data, series=(main, *series), files=(*data.files, *files))

    def _lacking(self, instrument_id: str, reason: str) -> DataUnavailable:
        spec = self._spec
        command = f"quarterdeck fetch {instrument_id} --bars {spec.bars} --start {spec.start}"
        return DataUnavailable(
            f"Data for {instrument_id} is missing",
            reason,
            f"fetch it: {command} --end {spec.end}",
            "or run with --source auto, which fetches it first",
        )


def _stored_at(definition: Definition) -> str:
    return _utc(int(str(definition["ts_init"])))


def _in_words(missing: Sequence[Interval]) -> str:
    """The first few missing pieces, UTC."""
    pieces = [f"{_utc(start)}..{_utc(end)}" for start, end in missing[:_TOLD]]
    more = len(missing) - len(pieces)
    return ", ".join(pieces) + (f" and {more:,} more pieces" if more > 0 else "") + " (UTC)"


def _utc(nanos: int) -> str:
    return f"{datetime.fromtimestamp(nanos // NANOS_PER_SECOND, UTC):%Y-%m-%d %H:%M}"

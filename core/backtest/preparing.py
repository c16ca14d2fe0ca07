"""Get the data of a run ready: ids, range, bars, instruments; what is missing is fetched first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from catalog import workers
from catalog.coverage import Interval
from catalog.errors import BrokerUnavailable, DataUnavailable
from catalog.events import Event, Level, Report
from catalog.instruments import Definition
from catalog.series import NANOS_PER_SECOND, BarSpec, PriceSide, Series
from catalog.sessions import Sessions, calendar_sessions
from catalog.store import Catalog
from core import strategies
from core.backtest.data import InstrumentData, RunData
from core.backtest.spec import RunSpec
from core.fetch import FetchRequest, fetch_series
from core.ibkr.connection import BrokerSession
from core.identity import Clock
from core.ranges import TypedRange, read_range, resolve_range

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


async def prepare(
    spec: RunSpec, *, catalog: Catalog, session: BrokerSession, clock: Clock, report: Report
) -> RunData:
    """The data of a run, complete and checked.

    With source `auto` what is missing is fetched first; the broker is not connected to when
    nothing is. Raises `DataUnavailable` where the catalog lacks bars that were not to be fetched
    or that the broker does not have, `BrokerUnavailable` where they could not be asked for (both
    list what is missing), `WrongInput` for an id, a range, a strategy or a parameter that cannot be
    used, before anything is fetched.
    """
    spec.check()
    strategies.parameters_of(spec.strategy, spec.parameters)
    typed = read_range(spec.start, spec.end, spec.bars, clock())
    gathering = _Gathering(spec, typed, catalog, session, clock, report)
    found = [await gathering.instrument(typed_id) for typed_id in spec.instruments]
    intervals = [interval for _, interval in found]
    return RunData(
        tuple(each for each, _ in found),
        (min(start for start, _ in intervals), max(end for _, end in intervals)),
        await asyncio.to_thread(lambda: catalog.origin),
    )


class _Gathering:
    """The data of one run being gathered."""

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
        self._catalog = catalog
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
        if data.definition is not None and data.definition["type"] == "CurrencyPair":
            data = await self._with_quotes(data, interval)
        return data, interval

    async def _fetch(self, typed_id: str, bars: BarSpec) -> BrokerUnavailable | None:
        """Fetch what is missing, where that is wanted; gives why the broker could not be asked."""
        if self._spec.source == "catalog":
            return None
        fetched = await fetch_series(
            typed_id,
            FetchRequest((typed_id,), bars, self._spec.start, self._spec.end),
            catalog=self._catalog,
            session=self._session,
            clock=self._clock,
            report=self._report,
        )
        if fetched.error is None or isinstance(fetched.error, BrokerUnavailable):
            return fetched.error
        raise fetched.error

    def _stored(self, typed_id: str) -> tuple[InstrumentData, Interval]:
        instrument_id = self._catalog.alias(typed_id.strip().upper())
        if instrument_id is None:
            raise self._lacking(typed_id, "the catalog holds nothing of it")
        series = Series(instrument_id, self._spec.bars)
        if not self._catalog.files(series):
            raise self._lacking(instrument_id, f"the catalog holds no {series.spec} bars of it")
        definition = self._catalog.instrument(instrument_id)
        sessions = self._sessions(series, definition)
        interval = resolve_range(self._typed, self._spec.bars, sessions, self._clock())
        if interval is None:
            raise DataUnavailable(
                f"There are no bars of {instrument_id} in this range",
                "its market was closed in all of it, or no bar of it is closed yet",
                "choose another range",
            )
        missing = self._catalog.missing(series, interval, sessions)
        if missing:
            raise self._lacking(instrument_id, f"{series.spec} misses {_in_words(missing)}")
        if definition is not None:
            definition = self._catalog.instrument(instrument_id, at=interval[0])
        files = self._catalog.checked_files(series, *interval)
        return InstrumentData(
            instrument_id, definition, (series,), tuple(files), sessions
        ), interval

    def _sessions(self, series: Series, definition: Definition | None) -> Sessions:
        """The remembered sessions of the range, else those of the venue's calendar."""
        info = (definition or {}).get("info") or {}
        span = self._typed.span(str(info.get("time_zone", "UTC")))
        hours = self._catalog.hours(series) or "regular"
        known = self._catalog.sessions(series.instrument_id, hours, span)
        return known or workers.run_blocking(calendar_sessions, series.venue, span, hours)

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
        if any(self._catalog.missing(one, interval, data.sessions) for one in series):
            return data
        files = [file for one in series for file in self._catalog.checked_files(one, *interval)]
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


def _in_words(missing: Sequence[Interval]) -> str:
    """The first few missing pieces, UTC."""
    pieces = [f"{_utc(start)}..{_utc(end)}" for start, end in missing[:_TOLD]]
    more = len(missing) - len(pieces)
    return ", ".join(pieces) + (f" and {more:,} more pieces" if more > 0 else "") + " (UTC)"


def _utc(nanos: int) -> str:
    return f"{datetime.fromtimestamp(nanos // NANOS_PER_SECOND, UTC):%Y-%m-%d %H:%M}"

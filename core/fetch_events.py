"""What a fetch reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from catalog.events import Event, Level
from catalog.series import NANOS_PER_SECOND, BarSpec, Series
from catalog.sessions import Source
from catalog.wording import counted
from core.ibkr.session_events import PacingWait as PacingWait


@dataclass(frozen=True, slots=True)
class FetchEvent(Event):
    """Something that happens to a fetch."""

    channel: ClassVar[str] = "fetch"


@dataclass(frozen=True, slots=True)
class FetchWarning(FetchEvent):
    """Something of it that a person should look at."""

    level: ClassVar[Level] = Level.WARNING


@dataclass(frozen=True, slots=True)
class IdCorrected(FetchEvent):
    """What was typed is known by another id."""

    typed: str
    canonical: str

    def __str__(self) -> str:
        return f"{self.typed} is {self.canonical}"


@dataclass(frozen=True, slots=True)
class FetchPlanned(FetchEvent):
    """What will be asked for. Bars are as many as there are if every bar of each session exists."""

    series: Series
    requests: int
    bars: int

    def __str__(self) -> str:
        requests = "1 request" if self.requests == 1 else f"{self.requests:,} requests"
        return f"{self.series}: {requests} for about {self.bars:,} bars"


@dataclass(frozen=True, slots=True)
class NothingToDo(FetchEvent):
    """No request is needed, and why."""

    series: Series
    reason: str

    def __str__(self) -> str:
        return f"{self.series}: nothing to do, {self.reason}"


@dataclass(frozen=True, slots=True)
class DataBegin(FetchEvent):
    """The broker's data of a series begin only here, ns UTC; nothing before is asked for."""

    series: Series
    begin: int

    def __str__(self) -> str:
        return f"{self.series}: the broker's data begin {_moment(self.begin):%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class NoLongerKept(FetchWarning):
    """The broker keeps bars this short only from here on, ns UTC; none before are asked for, and
    what lies there does not count as answered."""

    series: Series
    begin: int

    def __str__(self) -> str:
        return (
            f"{self.series}: the broker keeps bars of 30 seconds and less for six months, "
            f"from {_moment(self.begin):%Y-%m-%d} on: those before are not asked for"
        )


@dataclass(frozen=True, slots=True)
class CalendarUsed(FetchWarning):
    """The broker told no sessions of an instrument: those of a calendar stand in, or the hours that
    its contract details list for some days."""

    instrument_id: str
    source: Source
    reason: str

    def __str__(self) -> str:
        what = "a calendar" if self.source == "calendar" else "its hours of one week"
        return f"{self.instrument_id}: sessions from {what}, the broker says: {self.reason}"


@dataclass(frozen=True, slots=True)
class ChunkRequested(FetchEvent):
    """One request was sent for the bars that open in [start, end), ns UTC."""

    level: ClassVar[Level] = Level.DEBUG

    series: Series
    start: int
    end: int

    def __str__(self) -> str:
        return f"{_asked(self.series, self.start, self.end)} requested"


@dataclass(frozen=True, slots=True)
class ChunkReceived(FetchEvent):
    """One answer: the bars of it that were asked for, and how long it took."""

    series: Series
    start: int
    end: int
    bars: int
    seconds: float

    def __str__(self) -> str:
        return (
            f"{_asked(self.series, self.start, self.end)} received {self.bars:,} bars "
            f"in {self.seconds:.1f} s"
        )


@dataclass(frozen=True, slots=True)
class ChunkEmpty(FetchEvent):
    """The broker says that there is nothing in [start, end); kept, so as not to ask again."""

    series: Series
    start: int
    end: int
    reason: str

    def __str__(self) -> str:
        return f"{_asked(self.series, self.start, self.end)} has no bars: {self.reason}"


@dataclass(frozen=True, slots=True)
class BarsRejected(FetchWarning):
    """Bars that were not stored, with the reason of the first."""

    series: Series
    count: int
    first_stamp: int
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.series}: {self.count:,} bars rejected, the first of "
            f"{_moment(self.first_stamp):%Y-%m-%d %H:%M} UTC: {self.reason}"
        )


@dataclass(frozen=True, slots=True)
class BarsRounded(FetchEvent):
    """Bars whose prices were off the tick or whose volumes were fractions."""

    series: Series
    prices: int
    volumes: int

    def __str__(self) -> str:
        return (
            f"{self.series}: prices of {self.prices:,} and volumes of {self.volumes:,} bars rounded"
        )


@dataclass(frozen=True, slots=True)
class VolumesInLots(FetchEvent):
    """The gateway sends volumes of US stocks in lots of 100."""

    series: Series

    def __str__(self) -> str:
        return f"{self.series}: volumes came in lots of 100, they are stored as shares"


@dataclass(frozen=True, slots=True)
class BarsReordered(FetchWarning):
    """Bars of one answer that were not in order of time; they are now."""

    series: Series
    count: int

    def __str__(self) -> str:
        return f"{self.series}: {self.count:,} bars of an answer came out of order"


@dataclass(frozen=True, slots=True)
class BarsRevised(FetchWarning):
    """The broker corrected bars of the last session, or volumes; the stored ones are replaced."""

    series: Series
    count: int
    first_stamp: int

    def __str__(self) -> str:
        return (
            f"{self.series}: {self.count:,} stored bars were corrected by the broker, the first "
            f"of {_moment(self.first_stamp):%Y-%m-%d %H:%M} UTC; replaced"
        )


@dataclass(frozen=True, slots=True)
class SeriesStale(FetchWarning):
    """The broker's history no longer fits the stored bars; nothing is added until a rebuild."""

    series: Series
    reason: str

    def __str__(self) -> str:
        return f"{self.series} is stale: {self.reason}"


@dataclass(frozen=True, slots=True)
class SeriesSkipped(FetchWarning):
    """A series is not updated, and why."""

    series: Series
    reason: str

    def __str__(self) -> str:
        return f"{self.series} is skipped: {self.reason}"


@dataclass(frozen=True, slots=True)
class AskedAgain(FetchWarning):
    """A request got no answer, or one that passes; it is sent again after so many seconds."""

    reason: str
    seconds: float

    def __str__(self) -> str:
        when = f"in {self.seconds:g} s" if self.seconds else "now"
        return f"asking again {when}: {self.reason}"


@dataclass(frozen=True, slots=True)
class ConnectionAwaited(FetchWarning):
    """The connection is lost; the fetch waits for it and goes on by itself."""

    reason: str

    def __str__(self) -> str:
        return f"waiting for the connection: {self.reason}"


@dataclass(frozen=True, slots=True)
class ConnectionBack(FetchEvent):
    """The connection is there again; the fetch goes on."""

    def __str__(self) -> str:
        return "the connection is back, asking again"


@dataclass(frozen=True, slots=True)
class SeriesDone(FetchEvent):
    """A series is fetched as far as it goes."""

    series: Series
    bars: int
    held: int
    requests: int

    def __str__(self) -> str:
        return (
            f"{self.series}: {self.bars:,} new bars, {self.held:,} held in the range, "
            f"{counted(self.requests, 'request')}"
        )


@dataclass(frozen=True, slots=True)
class SeriesFailed(FetchEvent):
    """A series could not be fetched in full; what was stored before is kept. `steps` say what to
    do about it, its line the first of them."""

    level: ClassVar[Level] = Level.ERROR

    typed_id: str
    bars: BarSpec
    title: str
    reason: str
    steps: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = f"{self.typed_id} {self.bars}: {self.title}: {self.reason}"
        return " -> ".join([told, *self.steps[:1]])


def _moment(nanos: int) -> datetime:
    return datetime.fromtimestamp(nanos // NANOS_PER_SECOND, UTC)


def _asked(series: Series, start: int, end: int) -> str:
    """A series and a span of it over opens: moments, or the first and the last date."""
    first = _moment(start)
    if not series.spec.intraday:
        return f"{series} {first:%Y-%m-%d}..{_moment(end - 1):%Y-%m-%d}"
    last = _moment(end)
    until = f"{last:%H:%M}" if last.date() == first.date() else f"{last:%Y-%m-%d %H:%M}"
    return f"{series} {first:%Y-%m-%d %H:%M}..{until} UTC"

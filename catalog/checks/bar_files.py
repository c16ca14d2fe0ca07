"""One file of bars, read whole: can it be read, is it what was written, can its bars be true?

Nothing of Nautilus reads a file before it went through here: its Rust core is silent about, or
dies of, much of what is told here in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.checks.findings import Finding, moment
from catalog.checks.prices import jumps
from catalog.columns import BarColumns
from catalog.coverage import Interval
from catalog.encoding import SCHEMA, content_hash, from_arrow, int64s, read_table
from catalog.errors import QuarterdeckError
from catalog.files import FOOTER_KEY, Asked, DamagedFile, held
from catalog.layout import folder_name, named_range, open_of
from catalog.legacy import is_legacy, read_legacy
from catalog.series import Series, is_nautilus_bar_type
from catalog.sessions import Hours, Sessions, Source
from catalog.stretches import describe

type SessionsOf = Callable[[Series, Hours | None, Interval], Sessions | None]
"""The sessions of a series that touch a span, as far as anybody knows them."""

_TOLD_BY: dict[Source, str] = {
    "broker": "the broker's schedule",
    "calendar": "the calendar",
    "week": "one week",
}

REFUSALS = (
    OSError,
    pa.ArrowException,
    QuarterdeckError,
    KeyError,
    ValueError,
    TypeError,
    OverflowError,
    MemoryError,
)
"""What pyarrow, JSON and NumPy raise for bytes that are not what they should be."""

_MOST_JUMPS = 5
"""Where there are more in a file, it is not of splits."""

_NEVER_NEGATIVE = ("Equity", "CurrencyPair", "IndexInstrument", "OptionContract")


@dataclass(frozen=True, slots=True)
class FileHealth:
    """What a check remembers of one file.

    `series` is None when the bars cannot be read; all that follows then says nothing. `first` and
    `last` are the lowest and the highest stamp, `first_open` and `last_close` prices in units of
    10**-price_precision, `covered` what was asked or, for a foreign file, the very bars it holds.
    """

    path: str
    findings: tuple[Finding, ...]
    series: Series | None = None
    rows: int = 0
    first: int = 0
    last: int = 0
    price_precision: int = 0
    size_precision: int = 0
    first_open: int = 0
    last_close: int = 0
    asked: Asked | None = None
    covered: tuple[Interval, ...] = ()

    def as_fields(self) -> dict[str, Any]:
        """The health as JSON keeps it."""
        return asdict(self) | {
            "series": self.series.bar_type if self.series else None,
            "asked": self.asked.to_json() if self.asked else None,
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """What `as_fields` gave."""
        series, asked = fields["series"], fields["asked"]
        return cls(
            **{
                **fields,
                "findings": tuple(map(Finding.from_fields, fields["findings"])),
                "series": Series.from_bar_type(series) if series else None,
                "asked": Asked.from_json(asked) if asked else None,
                "covered": tuple((start, end) for start, end in fields["covered"]),
            }
        )


def claimed_span(path: Path) -> Interval | None:
    """From the first to the last open that a file claims by its name and folder, if it does; the
    bars of one that cannot be read."""
    claimed = named_range(path.name)
    try:
        spec = Series.from_bar_type(path.parent.name).spec
    except QuarterdeckError:
        return None
    return (open_of(claimed[0], spec), open_of(claimed[1], spec) + 1) if claimed else None


class Unusable(Exception):
    """A file whose bars cannot be had; `kind` is the finding it is."""

    def __init__(self, kind: str, reason: object) -> None:
        super().__init__(kind, reason)
        self.kind = kind
        self.reason = str(reason)


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """The bars of a sound file in the order of their rows, and what the file says of them."""

    series: Series
    bars: BarColumns
    asked: Asked | None = None
    other_event_stamps: int = 0
    legacy: bool = False


def examine(
    path: Path, root: Path, instrument_class: Callable[[Series], str], known: SessionsOf
) -> FileHealth:
    """Read a file whole and tell all that is wrong with it. `instrument_class` gives Nautilus'
    name of the class of a series' instrument, or nothing.

    Raises `FileNotFoundError` when it is gone.
    """
    place = str(path.relative_to(root))
    try:
        loaded = load(path)
    except Unusable as flaw:
        finding = Finding(flaw.kind, path.parent.name, flaw.reason, place, claimed_span(path))
        return FileHealth(place, (finding,))
    series, bars = loaded.series, loaded.bars
    order = np.argsort(bars.ts, kind="stable")
    in_order = bars.take(order)
    covered = loaded.asked.intervals if loaded.asked else held(in_order.ts, series.spec)
    health = FileHealth(
        path=place,
        findings=(),
        series=series,
        rows=len(bars),
        first=int(in_order.ts[0]),
        last=int(in_order.ts[-1]),
        price_precision=bars.price_precision,
        size_precision=bars.size_precision,
        first_open=int(in_order.open[0]),
        last_close=int(in_order.close[-1]),
        asked=loaded.asked,
        covered=covered,
    )
    found = [
        *_place_findings(path, loaded, health),
        *_row_findings(bars, in_order),
        *_price_findings(in_order, series, instrument_class(series)),
        *_session_findings(in_order, health, known),
    ]
    subject = series.bar_type
    return replace(
        health, findings=tuple(replace(one, subject=subject, file=place) for one in found)
    )


def load(path: Path) -> LoadedFile:
    """Read a file of bars as it is, also one of 1.x, every page decoded, checksums and hash
    verified.

    Raises `Unusable`, and `FileNotFoundError` when it is gone.
    """
    schema = _readable_schema(path)
    if is_legacy(schema):
        return _load_legacy(path)
    metadata = schema.metadata or {}
    for field in SCHEMA:
        if field.name not in schema.names or schema.field(field.name).type != field.type:
            raise Unusable("wrong_schema", f"no column '{field.name}' of {field.type}")
    try:
        bar_type = metadata[b"bar_type"].decode()
        if _is_of_others(bar_type, metadata):
            raise Unusable("other_bars", path.name)
        series = Series.from_bar_type(bar_type)
        if metadata.get(b"instrument_id", b"").decode() != series.instrument_id:
            raise ValueError(f"the instrument id is not that of {series}")
        if not 0 <= int(metadata[b"price_precision"]) <= 16:
            raise ValueError("a price precision over 16")
    except REFUSALS as error:
        raise Unusable("wrong_metadata", _said(error)) from error
    try:
        asked = Asked.from_metadata(metadata)
        table = read_table(path)
        bars = from_arrow(table)
        event_stamps = int64s(table["ts_event"])
    except FileNotFoundError:
        raise
    except REFUSALS as error:
        raise Unusable("damaged", _said(error)) from error
    if asked and content_hash(bars) != asked.sha256:
        raise Unusable("damaged", "the bars are not those that were written")
    return LoadedFile(series, bars, asked, int(np.sum(event_stamps != bars.ts)))


def _readable_schema(path: Path) -> pa.Schema:
    try:
        if not path.stat().st_size:
            raise Unusable("unreadable", "the file has 0 bytes")
        with pq.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
    except FileNotFoundError:
        raise
    except REFUSALS as error:
        raise Unusable("unreadable", _said(error)) from error
    if not rows:
        raise Unusable("empty_file", "0 rows")
    return schema


def _is_of_others(bar_type: str, metadata: Mapping[bytes, bytes]) -> bool:
    """Whether Nautilus knows such bars and we do not; a file of ours never holds any."""
    if FOOTER_KEY.encode() in metadata or not is_nautilus_bar_type(bar_type):
        return False
    try:
        Series.from_bar_type(bar_type)
    except QuarterdeckError:
        return True
    return False


def _load_legacy(path: Path) -> LoadedFile:
    try:
        series, bars = read_legacy(path)
    except DamagedFile as error:
        raise Unusable("damaged", error.reason) from error
    return LoadedFile(series, bars, legacy=True)


def _place_findings(path: Path, loaded: LoadedFile, health: FileHealth) -> Iterator[Finding]:
    if path.parent.name != folder_name(loaded.series.bar_type):
        yield Finding("misplaced", "", f"{path.parent.name} holds a file of {loaded.series}")
    claimed = named_range(path.name)
    if claimed != (health.first, health.last):
        says = f"{moment(claimed[0])} to {moment(claimed[1])}" if claimed else "nothing of a range"
        detail = f"the name says {says}, the bars are {moment(health.first)}"
        yield Finding("misnamed", "", f"{detail} to {moment(health.last)}")
    if loaded.legacy:
        yield Finding("legacy", "", f"{health.rows:,} bars in the schema of NautilusTrader 1.x")
    if loaded.other_event_stamps:
        detail = f"{loaded.other_event_stamps:,} bars with another ts_event than ts_init"
        yield Finding("event_stamps", "", detail, count=loaded.other_event_stamps)


def _row_findings(bars: BarColumns, in_order: BarColumns) -> Iterator[Finding]:
    backwards = int(np.sum(np.diff(bars.ts) < 0))
    if backwards:
        detail = f"the time goes back {backwards:,} times over the rows"
        yield Finding("unordered", "", detail, count=backwards)
    again = np.diff(in_order.ts) == 0
    if repeated := int(np.sum(again)):
        differ = np.zeros(len(again), dtype=np.bool_)
        for column in in_order.arrays():
            differ |= column[1:] != column[:-1]
        detail = f"{len(bars):,} rows, {len(bars) - repeated:,} distinct"
        if others := int(np.sum(again & differ)):
            detail += f"; {others:,} of the repeated ones have other values"
        yield Finding("duplicates", "", detail, count=repeated)


def _price_findings(bars: BarColumns, series: Series, instrument_class: str) -> Iterator[Finding]:
    highest = np.maximum(bars.open, bars.close)
    lowest = np.minimum(bars.open, bars.close)
    wrong = (bars.high < highest) | (bars.low > lowest) | (bars.volume < 0)
    yield from _counted("impossible", bars, wrong, "bars that cannot be")
    if instrument_class in _NEVER_NEGATIVE:
        yield from _counted("non_positive", bars, bars.low <= 0, "bars at zero or below")
    for jump in islice(jumps(bars, series.spec), _MOST_JUMPS):
        yield Finding("jump", "", str(jump), span=(jump.at, jump.at))


def _session_findings(bars: BarColumns, health: FileHealth, known: SessionsOf) -> Iterator[Finding]:
    series = health.series
    if series is None or not health.covered or series.spec.unit in ("WEEK", "MONTH"):
        return
    opens = open_of(bars.ts, series.spec)
    span = (
        min(health.covered[0][0], int(opens[0])),
        max(health.covered[-1][1], int(opens[-1]) + 1),
    )
    hours = health.asked.hours if health.asked else None
    sessions = known(series, hours, span)
    if sessions is None:
        return
    outside = np.ones(len(opens), dtype=np.bool_)
    if len(sessions):
        open_times = np.array(sessions.open_times(series.spec))
        at = np.searchsorted(open_times[:, 0], opens, side="right") - 1
        outside = (at < 0) | (opens >= open_times[at, 1])
    told_by = _TOLD_BY[sessions.source]
    yield from _counted("outside_sessions", bars, outside, f"bars outside the hours of {told_by}")
    if hours is not None:
        holes = describe(series.spec, bars.ts, health.covered, span, sessions).holes
        if holes:
            lacking = sum(hole.bars for hole in holes)
            times = ", ".join(moment(hole.start) for hole in holes[:3])
            detail = f"{lacking:,} bars fewer than {told_by} has room for, first at {times}"
            whole = (holes[0].start, holes[-1].end)
            yield Finding("holes", "", detail, span=whole, count=lacking)


def _counted(
    kind: str, bars: BarColumns, rows: np.ndarray[Any, np.dtype[np.bool_]], what: str
) -> Iterator[Finding]:
    if count := int(np.sum(rows)):
        stamps = bars.ts[rows]
        span = (int(stamps[0]), int(stamps[-1]))
        yield Finding(kind, "", f"{count:,} {what}, first at {moment(span[0])}", None, span, count)


def _said(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0] if lines else type(error).__name__

"""Importing bars from files of other programs: read and checked first, then stored as one change.

`plan_import` changes nothing: it says what an import would do. `import_bars` does it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np

from catalog import workers
from catalog.columns import BarColumns
from catalog.coverage import Interval, intersect, subtract, union
from catalog.errors import DataUnavailable, WrongInput
from catalog.events import Event, Level, Report, ignore
from catalog.files import Asked
from catalog.importing_files import read_raw
from catalog.importing_rows import NOT_POSITIVE, Reading, Reject, Rows, Stamps, read_rows
from catalog.importing_values import Mask
from catalog.instruments import Definition, contract_id, usual_hours
from catalog.layout import NANOS_PER_DAY, open_of
from catalog.made_instruments import Kind, made_instrument
from catalog.rewriting import Rewrite
from catalog.series import NANOS_PER_SECOND, BarSpec, Series
from catalog.sessions import Hours, calendar_sessions
from catalog.store import Catalog

type Overlap = Literal["skip", "overwrite", "merge"]
"""What becomes of time that the series covers already: it stays as it is; the files' bars take its
place; or they fill its holes, a stored bar staying before one of the same time."""

_ALWAYS_POSITIVE = ("Equity", "CurrencyPair", "OptionContract")
_TOLD_ROWS = 5
_SHORTEST_NIGHT = 4 * 3_600 * NANOS_PER_SECOND
_NO_VENUE = "SIM"
_TYPED = re.compile(r"(?P<id>.+?)-(?P<spec>\d+-[A-Za-z]+(-[A-Za-z]+)?)(-EXTERNAL)?")


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What to import, and what the files do not say.

    `paths` hold bars of one series. `columns` maps fields to the names of columns that are not
    found by name. `kind` makes an instrument of that class where none is stored.
    """

    paths: tuple[Path, ...]
    series: Series
    zone: str | None = None
    stamps: Stamps | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    time_format: str | None = None
    hours: Hours | None = None
    overlap: Overlap | None = None
    kind: Kind | None = None
    currency: str = "USD"
    skip_bad_rows: bool = False


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """What an import will do. Counts are of bars.

    `new` are at times that are not stored, `same` are stored already, `different` are stored with
    other values; `replaced` stored bars will go. `definition` is an instrument to be made.
    `undecided` is set where the files overlap what is stored and nobody said what is to become of
    it.
    """

    request: ImportRequest
    names: dict[str, str]
    rows: Rows
    hours: Hours
    rewrite: Rewrite
    definition: Definition | None
    has_instrument: bool
    new: int
    same: int
    different: int
    replaced: int
    undecided: bool

    @property
    def adding(self) -> int:
        """How many bars will be added."""
        match self.request.overlap:
            case "overwrite":
                return len(self.rows.bars)
            case "skip":
                return len(self.rewrite.bars or ())
            case _:
                return self.new


@dataclass(frozen=True, slots=True)
class RowsRejected(Event):
    """Rows of imported files are no bars and were left out."""

    level: ClassVar[Level] = Level.WARNING
    channel: ClassVar[str] = "catalog"

    series: Series
    rejects: tuple[Reject, ...]

    def __str__(self) -> str:
        return f"{self.series}: {len(self.rejects):,} rows left out: {_first(self.rejects)}"


@dataclass(frozen=True, slots=True)
class BarsImported(Event):
    """Bars of files are in the catalog, read back and compared."""

    channel: ClassVar[str] = "catalog"

    series: Series
    bars: int
    replaced: int

    def __str__(self) -> str:
        gone = f", {self.replaced:,} replaced" if self.replaced else ""
        return f"{self.series}: {self.bars:,} bars imported{gone}; `catalog undo` takes them out"


def plan_import(catalog: Catalog, request: ImportRequest) -> ImportPlan:
    """Read the files and find out what importing them would do; nothing is changed.

    Raises `WrongInput` when an option is needed to understand the files, when rows are no bars,
    when bars must not mix with those stored, or when the catalog holds simulated bars.
    """
    catalog.require_origin("real")
    series = canonical(catalog, request.series)
    request = replace(request, series=series)
    stored = catalog.instrument(series.instrument_id)
    raw = [read_raw(path, request.columns) for path in request.paths]
    reading = _reading(catalog, request, stored)
    rows = read_rows(raw, reading)
    if rows.rejects and not request.skip_bad_rows:
        raise _bad_rows(request, rows.rejects, reading.signed)
    if not len(rows.bars):
        raise WrongInput(f"there are no bars in {_names(request.paths)}")
    made = None
    if stored is None and request.kind is not None:
        made = made_instrument(series, request.kind, request.currency, rows.bars, request.zone)
    hours = _hours(catalog, request, stored or made, rows.bars)
    held = catalog.read_bars(series) if catalog.files(series) else rows.bars.take(slice(0))
    common, ours, theirs = np.intersect1d(
        rows.bars.ts, held.ts, assume_unique=True, return_indices=True
    )
    same = int(_equal(rows.bars.take(ours), held.take(theirs)).sum())
    covered, answered = catalog.covered(series), answered_spans(rows.bars, series.spec)
    rewrite = _rewrite(catalog, request, rows.bars, hours, stored)
    return ImportPlan(
        request=request,
        names=raw[0].names,
        rows=rows,
        hours=hours,
        rewrite=rewrite,
        definition=made,
        has_instrument=stored is not None or made is not None,
        new=len(rows.bars) - len(common),
        same=same,
        different=len(common) - same,
        replaced=sum(len(held.between(*span)) for span in rewrite.without),
        undecided=bool(request.overlap is None and intersect(covered, answered)),
    )


def import_bars(catalog: Catalog, plan: ImportPlan, report: Report = ignore) -> int:
    """Do what a plan says, as one transaction that `undo` takes back; gives how many bars came.

    Raises `WrongInput` as `plan_import`, and when the catalog may only be read.
    """
    catalog.require_writable()
    require_decision(plan)
    if plan.definition is not None:
        catalog.store_instrument(plan.definition, origin="real", report=report)
    catalog.rewrite_bars(plan.rewrite)
    if plan.rows.rejects:
        report(RowsRejected(plan.request.series, plan.rows.rejects))
    report(BarsImported(plan.request.series, plan.adding, plan.replaced))
    return plan.adding


def require_decision(plan: ImportPlan) -> None:
    """Raise `WrongInput` while nobody said what is to become of bars that are stored already."""
    if plan.undecided:
        raise WrongInput(
            f"{plan.request.series} holds bars of this time already",
            f"{plan.same:,} bars are stored as they are in the files, {plan.different:,} have "
            f"other values, {plan.new:,} are not stored",
            "leave what is stored as it is: --overlap skip",
            "replace it: --overlap overwrite",
            "fill its holes only: --overlap merge",
        )


def canonical(catalog: Catalog, series: Series) -> Series:
    """The series under the id that its instrument is stored by, where the typed one is known to
    mean another: `GDX.NASDAQ` is `GDX.ARCA`."""
    return Series(catalog.alias(series.instrument_id) or series.instrument_id, series.spec)


def typed_series(text: str) -> Series:
    """The series a user names for an import: `X-1-DAY`, which names no venue, is one of `X.SIM`.

    Raises `WrongInput`.
    """
    match = _TYPED.fullmatch(text.strip())
    if match is None:
        raise WrongInput(
            f"'{text}' is not a series",
            "a series is ID-STEP-UNIT-SIDE",
            "write for example AAPL.NASDAQ-1-MINUTE-LAST",
        )
    name = match["id"]
    return Series(name if "." in name else f"{name}.{_NO_VENUE}", BarSpec.parse(match["spec"]))


def _reading(catalog: Catalog, request: ImportRequest, stored: Definition | None) -> Reading:
    precision = None if stored is None else int(stored["price_precision"])
    if precision is None and catalog.files(request.series):
        precision = catalog.read_bars(request.series).price_precision
    if stored is not None:
        signed = stored["type"] not in _ALWAYS_POSITIVE
    else:
        signed = request.kind in ("index", "commodity")
    return Reading(
        spec=request.series.spec,
        zone=request.zone,
        stamps=request.stamps,
        time_format=request.time_format,
        price_precision=precision,
        size_precision=int((stored or {}).get("size_precision") or 0),
        signed=signed,
    )


def _hours(
    catalog: Catalog, request: ImportRequest, definition: Definition | None, bars: BarColumns
) -> Hours:
    """The hours the bars are of: as said, as the series has them, as is usual.

    Raises `WrongInput` when bars lie outside the usual ones.
    """
    series, spec = request.series, request.series.spec
    if told := request.hours or catalog.hours(series):
        return told
    hours = usual_hours(definition)
    if hours == "all" or not spec.intraday:
        return hours
    opens = open_of(bars.ts, spec)
    span = (int(opens[0]), int(opens[-1]) + spec.nanos)
    try:
        sessions = workers.run_blocking(calendar_sessions, series.venue, span, "regular")
    except DataUnavailable:
        return hours
    outside = len(bars) - len(_inside(bars, sessions.intervals()))
    if outside:
        raise WrongInput(
            f"{outside:,} bars of {series} open outside regular hours",
            "regular and all hours do not mix in one series",
            "say that they are of all hours: --hours all",
            "or that you call them regular: --hours regular",
        )
    return hours


def _rewrite(
    catalog: Catalog,
    request: ImportRequest,
    bars: BarColumns,
    hours: Hours,
    stored: Definition | None,
) -> Rewrite:
    series = request.series
    answered, covered = answered_spans(bars, series.spec), catalog.covered(series)
    without: list[Interval] = []
    if request.overlap == "overwrite":
        without = [(answered[0][0], answered[-1][1])]
    elif request.overlap == "skip":
        answered = subtract(answered, covered)
        bars = _inside(bars, answered)
    con_id = None if stored is None else contract_id(stored)
    return Rewrite(
        series,
        f"import of {_names(request.paths)} into {series}",
        without,
        bars,
        Asked(tuple(answered), hours, con_id, "real", datetime.now(UTC).isoformat()),
    )


def answered_spans(bars: BarColumns, spec: BarSpec) -> list[Interval]:
    """What imported bars cover, over opens: from one to the next where they are as near to one
    another as bars of one session. Nobody says that there are none in the time between."""
    opens = open_of(bars.ts, spec)
    span = spec.nanos if spec.intraday else NANOS_PER_DAY
    if spec.unit in ("WEEK", "MONTH"):
        return [(int(opens[0]), int(opens[-1]) + span)]
    breaks = np.flatnonzero(np.diff(opens) > max(span, _SHORTEST_NIGHT if spec.intraday else 0))
    starts = opens[np.concatenate(([0], breaks + 1))]
    ends = opens[np.concatenate((breaks, [len(opens) - 1]))] + span
    return union(zip(starts.tolist(), ends.tolist(), strict=True))


def _inside(bars: BarColumns, intervals: Sequence[Interval]) -> BarColumns:
    keep: Mask = np.zeros(len(bars), dtype=np.bool_)
    for start, end in intervals:
        first, last = np.searchsorted(bars.ts, (start, end), side="right")
        keep[int(first) : int(last)] = True
    return bars.take(keep)


def _equal(these: BarColumns, those: BarColumns) -> Mask:
    """Which rows of two tables of one length say the same."""
    equal: Mask = np.ones(len(these), dtype=np.bool_)
    for mine, theirs in zip(these.arrays(), those.arrays(), strict=True):
        equal &= mine == theirs
    return equal


def _bad_rows(request: ImportRequest, rejects: Sequence[Reject], signed: bool) -> WrongInput:
    steps = ["correct the rows and try again", "or leave them out: --skip-bad-rows"]
    if not signed and any(one.reason.endswith(NOT_POSITIVE) for one in rejects):
        steps.append("or say what has prices of zero and less: --as commodity or --as index")
    return WrongInput(
        f"{_names(request.paths)} has rows that are no bars: {len(rejects):,}",
        _first(rejects),
        *steps,
    )


def _first(rejects: Sequence[Reject]) -> str:
    told = "; ".join(map(str, rejects[:_TOLD_ROWS]))
    more = len(rejects) - _TOLD_ROWS
    return f"{told}; and {more:,} more" if more > 0 else told


def _names(paths: Sequence[Path]) -> str:
    names = [path.name for path in paths]
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"

"""Bringing a catalog of NautilusTrader 1.x over: its bars and its instruments, the old untouched.

Nautilus' own migration stops at futures and options, and takes overlapping files as they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from catalog.appending import merge
from catalog.columns import BarColumns, concat
from catalog.errors import QuarterdeckError, WrongInput
from catalog.events import Event, Level, Report, ignore
from catalog.files import Asked, damaged
from catalog.importing import answered_spans
from catalog.instrument_encoding import encode
from catalog.instruments import CLASS_FOLDERS, Definition, contract_id, usual_hours
from catalog.inventory import subfolders
from catalog.layout import NANOS_PER_DAY
from catalog.legacy import LEGACY_BARS, read_legacy
from catalog.rewriting import Rewrite
from catalog.series import Series
from catalog.sessions import Hours
from catalog.store import Catalog

_DATA = Path("data")
_FEES = ("maker_fee", "taker_fee")
_ABSENT: Definition = {"tick_scheme": None, "margin_init": "0", "margin_maint": "0"}
"""What 2.x wants of every instrument and 1.x did not always store."""


@dataclass(frozen=True, slots=True)
class SeriesMigrated(Event):
    """The bars of a series were brought over: `bars` different ones of `rows` in `files`, of which
    `new` were not in the catalog. `differences` says what is not as it was."""

    channel: ClassVar[str] = "catalog"

    series: Series
    files: int
    rows: int
    bars: int
    new: int
    differences: tuple[str, ...]

    def __str__(self) -> str:
        told = "; ".join(("", *self.differences))
        files = "a file" if self.files == 1 else f"{self.files:,} files"
        return f"{self.series}: {self.bars:,} bars of {files}, {self.new:,} new{told}"


@dataclass(frozen=True, slots=True)
class InstrumentMigrated(Event):
    """A version of an instrument was brought over; `differences` says what is not as it was."""

    channel: ClassVar[str] = "catalog"

    instrument_id: str
    differences: tuple[str, ...]

    def __str__(self) -> str:
        return f"instrument {self.instrument_id}{'; '.join(('', *self.differences))}"


@dataclass(frozen=True, slots=True)
class NotMigrated(Event):
    """Something of the old catalog was left where it is."""

    level: ClassVar[Level] = Level.WARNING
    channel: ClassVar[str] = "catalog"

    what: str
    reason: str

    def __str__(self) -> str:
        return f"{self.what} left behind: {self.reason}"


@dataclass(frozen=True, slots=True)
class Migration:
    """What became of an old catalog."""

    instruments: tuple[InstrumentMigrated, ...]
    series: tuple[SeriesMigrated, ...]
    left: tuple[NotMigrated, ...]


def migrate(
    catalog: Catalog,
    old: Path,
    report: Report = ignore,
    *,
    hours: Hours | None = None,
    dry_run: bool = False,
) -> Migration:
    """Bring the bars and instruments of a 1.x catalog into this one; with `dry_run` only tell.

    Each series is one transaction that `undo` takes back; bars that are stored already stay. Of
    bars that stand in several files the one of the newest file comes over. `hours` says which hours
    the bars are of; None takes those that are usual for the instrument. What cannot be brought over
    is told and left. Doing it twice changes nothing. Raises `WrongInput` when `old` is no catalog
    of 1.x, or when this one holds simulated bars or may only be read.
    """
    old = old.expanduser().absolute()
    _require_legacy(old)
    catalog.require_origin("real")
    if not dry_run:
        catalog.require_writable()
    migrating = _Migrating(catalog, old, hours, dry_run, report)
    migrating.bring_instruments()
    migrating.bring_bars()
    migrating.tell_the_rest()
    return Migration(tuple(migrating.instruments), tuple(migrating.series), tuple(migrating.left))


def _require_legacy(old: Path) -> None:
    if not (old / _DATA).is_dir():
        raise WrongInput(f"{old} is no catalog", "there is no folder 'data' in it")
    folders = set(subfolders(old / _DATA))
    if "bars" in folders and LEGACY_BARS.name not in folders:
        raise WrongInput(
            f"{old} is a catalog of NautilusTrader 2.x",
            "it needs no migration",
            f"open it as it is: --catalog {old}",
        )


class _Migrating:
    def __init__(
        self, catalog: Catalog, old: Path, hours: Hours | None, dry_run: bool, report: Report
    ) -> None:
        self.instruments: list[InstrumentMigrated] = []
        self.series: list[SeriesMigrated] = []
        self.left: list[NotMigrated] = []
        self._catalog = catalog
        self._old = old
        self._hours = hours
        self._dry_run = dry_run
        self._report = report
        self._definitions: dict[str, Definition] = {}

    def bring_instruments(self) -> None:
        versions = [
            (path, definition)
            for parent in CLASS_FOLDERS
            for path in sorted((self._old / parent).glob("*/*.parquet"))
            for definition in self._read_instrument(path)
        ]
        for path, definition in sorted(versions, key=lambda one: int(one[1]["ts_init"])):
            self._bring_instrument(path, definition)

    def bring_bars(self) -> None:
        for folder in sorted((self._old / LEGACY_BARS).glob("*/")):
            parts: dict[Series, list[tuple[Path, BarColumns]]] = {}
            for path in sorted(folder.glob("*.parquet"), key=_age):
                try:
                    series, bars = read_legacy(path)
                except QuarterdeckError as error:
                    self._leave(path, error)
                else:
                    parts.setdefault(series, []).append((path, bars))
            for series, files in parts.items():
                try:
                    self._bring_series(series, files)
                except QuarterdeckError as error:
                    self._leave(folder, error)

    def tell_the_rest(self) -> None:
        """What holds neither bars nor instruments."""
        known = {LEGACY_BARS, *CLASS_FOLDERS}
        for name in sorted(subfolders(self._old / _DATA)):
            files = sum(1 for _ in (self._old / _DATA / name).rglob("*.parquet"))
            if _DATA / name not in known and files:
                reason = "neither bars nor instruments that backtests of bars can use"
                self._tell_left(NotMigrated(str(_DATA / name), reason))

    def _read_instrument(self, path: Path) -> list[Definition]:
        try:
            return list(_definitions(path))
        except QuarterdeckError as error:
            self._leave(path, error)
            return []

    def _bring_instrument(self, path: Path, definition: Definition) -> None:
        fees = [f"{name} {definition.pop(name)}" for name in _FEES if _nonzero(definition, name)]
        definition = {name: value for name, value in definition.items() if name not in _FEES}
        lost = (f"2.x instruments have no fees: {', '.join(fees)} dropped",) if fees else ()
        try:
            if self._dry_run:
                encode(definition)
            else:
                self._catalog.store_instrument(definition, origin="real")
        except QuarterdeckError as error:
            self._leave(path, error)
            return
        self._definitions[str(definition["id"])] = definition
        told = InstrumentMigrated(str(definition["id"]), lost)
        self.instruments.append(told)
        self._report(told)

    def _bring_series(self, series: Series, files: Sequence[tuple[Path, BarColumns]]) -> None:
        definition = self._definitions.get(series.instrument_id) or self._catalog.instrument(
            series.instrument_id
        )
        differences: list[str] = []
        parts = _of_one_precision([bars for _, bars in files], definition, differences)
        bars = _deduplicated(parts, differences)
        bars = _stamped(series, bars, [path for path, _ in files], differences)
        if definition is None:
            differences.append("no instrument: an orphan until it is backfilled")
        if not len(bars):
            return
        held = self._catalog.read_bars(series).ts if self._catalog.files(series) else bars.ts[:0]
        if not self._dry_run:
            self._store(series, bars, definition)
        told = SeriesMigrated(
            series=series,
            files=len(files),
            rows=sum(map(len, parts)),
            bars=len(bars),
            new=int(np.isin(bars.ts, held, assume_unique=True, invert=True).sum()),
            differences=tuple(differences),
        )
        self.series.append(told)
        self._report(told)

    def _store(self, series: Series, bars: BarColumns, definition: Definition | None) -> None:
        hours = self._hours or self._catalog.hours(series) or usual_hours(definition)
        con_id = None if definition is None else contract_id(definition)
        spans = tuple(answered_spans(bars, series.spec))
        answer = Asked(spans, hours, con_id, "real", datetime.now(UTC).isoformat())
        title = f"migration of {series} from {self._old}"
        self._catalog.rewrite_bars(Rewrite(series, title, bars=bars, answer=answer))

    def _leave(self, path: Path, error: QuarterdeckError) -> None:
        self._tell_left(NotMigrated(str(path.relative_to(self._old)), str(error)))

    def _tell_left(self, told: NotMigrated) -> None:
        self.left.append(told)
        self._report(told)


def _age(path: Path) -> tuple[int, str]:
    """Newest first; files copied at once follow their names, the later range first."""
    return -path.stat().st_mtime_ns, "".join(chr(0x10FFFF - ord(char)) for char in path.name)


def _definitions(path: Path) -> Iterator[Definition]:
    """The versions in a 1.x file of instruments.

    Raises `DamagedFile` when it cannot be read.
    """
    try:
        table = pq.read_table(path, partitioning=None)
        kind = table.schema.metadata[b"class"].decode()
        for row in table.to_pylist():
            info = json.loads(row.pop("info", None) or "null") or {}
            row["info"] = {**info, "source": "real", "migrated": True}
            yield _ABSENT | {"type": kind} | row
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise damaged(path, error) from error


def _nonzero(definition: dict[str, Any], name: str) -> bool:
    return float(definition.get(name) or 0) != 0


def _of_one_precision(
    parts: Sequence[BarColumns], definition: Definition | None, differences: list[str]
) -> list[BarColumns]:
    """The bars with the decimals of the finest file, or of the instrument where it has more."""
    prices = {bars.price_precision for bars in parts}
    if definition is not None:
        prices.add(int(definition["price_precision"]))
    sizes = {bars.size_precision for bars in parts}
    if len({bars.price_precision for bars in parts}) > 1 or len(sizes) > 1:
        differences.append(f"files of {sorted(prices)} decimals now all have {max(prices)}")
    return [_rescaled(bars, max(prices), max(sizes)) for bars in parts]


def _rescaled(bars: BarColumns, price_precision: int, size_precision: int) -> BarColumns:
    finer = 10 ** (price_precision - bars.price_precision)
    return BarColumns(
        bars.ts,
        bars.open * finer,
        bars.high * finer,
        bars.low * finer,
        bars.close * finer,
        bars.volume * 10 ** (size_precision - bars.size_precision),
        price_precision,
        size_precision,
    )


def _deduplicated(parts: Sequence[BarColumns], differences: list[str]) -> BarColumns:
    """Each bar once, in order; of two the first part's."""
    bars, rows = merge(parts), concat(list(parts))
    if repeated := len(rows) - len(bars):
        kept = bars.take(np.searchsorted(bars.ts, rows.ts))
        other = np.zeros(len(rows), dtype=np.bool_)
        for mine, theirs in zip(kept.arrays(), rows.arrays(), strict=True):
            other |= mine != theirs
        revised = int(other.sum())
        values = f"{revised:,} of them with other values" if revised else "all the same"
        differences.append(f"{repeated:,} bars stood in several files, {values}: the newest stay")
    return bars


def _stamped(
    series: Series, bars: BarColumns, paths: Sequence[Path], differences: list[str]
) -> BarColumns:
    """The bars with the stamps of this catalog."""
    if series.spec.unit in ("WEEK", "MONTH"):
        midnights = bars.ts % NANOS_PER_DAY == 0
        differences.append(f"{int(midnights.sum()):,} stamps moved from midnight to the day's end")
        return replace(bars, ts=np.where(midnights, bars.ts + NANOS_PER_DAY - 1, bars.ts))
    if not series.spec.intraday:
        odd = int(np.sum(bars.ts % NANOS_PER_DAY != NANOS_PER_DAY - 1))
        if odd:
            differences.append(f"{odd:,} days are not stamped at their end; they stay so")
    if any(_stamped_at_open(path) for path in paths):
        differences.append("ts_event was the open of a bar and is its close now")
    return bars


def _stamped_at_open(path: Path) -> bool:
    table = pq.read_table(path, columns=["ts_event", "ts_init"], partitioning=None)
    return not bool(pc.all(pc.equal(table["ts_event"], table["ts_init"])).as_py())

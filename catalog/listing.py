"""What the catalog holds, series by series: from file names and footers, never from pages."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

from catalog import coverage
from catalog.coverage import Interval
from catalog.errors import WrongInput
from catalog.events import Event, Level, Report, ignore
from catalog.files import BarFile
from catalog.instruments import CLASS_FOLDERS
from catalog.inventory import Inventory
from catalog.layout import BARS
from catalog.ledger import Ledger
from catalog.series import Series
from catalog.sessions import Hours, Sessions
from catalog.watching import FolderWatch

_TOLD_EVERY_S = 1.0

type _Record = dict[str, Any]
type _Found = tuple[list[list[SeriesSummary]], set[str], dict[str, str], dict[str, str]]
"""The series of each folder, the ids of all instruments; by bar type why series are stale, and
their flags."""


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """One series of the catalog in a line.

    `first` and `last` are stamps, ns UTC; both are 0 when no file can be read. `bytes` is the space
    on disk. `hours` is None when no file says what was asked. `gaps` counts the pieces of session
    time that were never answered between the first and the last that were; None when the market's
    sessions are not known, and so is `zone`, the exchange's (IANA). `updated` is when the broker
    was last asked for any of it, ISO 8601; None when nobody says. `damaged` counts files that
    cannot be read. `stale` says why the stored history is no longer the broker's, as after a split;
    `flags` are what changed it before, such as a split it was rebuilt after.
    """

    series: Series
    first: int
    last: int
    rows: int
    bytes: int
    files: int
    hours: Hours | None
    price_precision: int
    has_instrument: bool
    covered: tuple[Interval, ...]
    gaps: int | None
    zone: str | None
    updated: str | None
    damaged: int
    stale: str | None
    flags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoldersRead(Event):
    """A listing takes its time, as the first one without a ledger does: so many folders of `what`
    were looked at."""

    level: ClassVar[Level] = Level.DEBUG
    channel: ClassVar[str] = "catalog"

    what: str
    done: int
    total: int

    def __str__(self) -> str:
        return f"reading the catalog: {self.done:,} of {self.total:,} folders of {self.what}"


class Listing:
    """What a catalog holds, kept up with its folders; all calls may block on the disk.

    A folder is read once for each change, then remembered here and in the ledger.
    """

    def __init__(self, root: Path, inventory: Inventory, ledger: Ledger) -> None:
        self._inventory = inventory
        self._ledger = ledger
        self._series = FolderWatch(root, ledger, [BARS], self._read_series, _decode_series)
        self._ids = FolderWatch(root, ledger, CLASS_FOLDERS, self._read_ids, json.loads)
        self._found: _Found = ([], set(), {}, {})
        self._sorted: list[SeriesSummary] = []
        self._guard = threading.Lock()

    def series(self, report: Report = ignore) -> list[SeriesSummary]:
        """All series that have files, sorted by instrument and bars; tells how far it is, once a
        second."""
        notes = self._ledger.notes("stale"), self._ledger.notes("flags")
        tell = _Patience(report)
        found = self._series.contents(tell.of("bars")), self._known_ids(tell), *notes
        with self._guard:
            if found != self._found:  # fast: what did not change is the same object
                self._found, self._sorted = found, _sorted(*found)
            return list(self._sorted)

    def instrument_ids(self) -> list[str]:
        """The ids of all stored instruments, sorted; damaged files are passed over."""
        return sorted(self._known_ids(_Patience(ignore)))

    def _known_ids(self, tell: _Patience) -> set[str]:
        contents = self._ids.contents(tell.of("instruments"))
        return {instrument_id for ids in contents for instrument_id in ids}

    def _read_ids(self, folder: Path) -> str:
        return json.dumps(self._inventory.ids_in(folder))

    def _read_series(self, folder: Path) -> str:
        content = self._inventory.folder(folder)
        by_series = sorted(content.files, key=lambda file: (file.series, file.first))
        damaged = len(content.damaged)
        records = [
            self._record(series, list(files), damaged)
            for series, files in groupby(by_series, key=lambda file: file.series)
        ]
        if damaged and not records:
            with suppress(WrongInput):
                records = [self._record(Series.from_bar_type(folder.name), [], damaged)]
        return json.dumps(records)

    def _record(self, series: Series, files: Sequence[BarFile], damaged: int) -> _Record:
        empties = [empty.interval for empty in self._ledger.empties(series)]
        covered = coverage.union([*empties, *(one for file in files for one in file.covered)])
        answers = [file.asked for file in files if file.asked]
        hours = answers[0].hours if answers else None
        sessions = _sessions(series, covered, hours, self._ledger)
        return {
            "bar_type": series.bar_type,
            "first": min((file.first for file in files), default=0),
            "last": max((file.last for file in files), default=0),
            "rows": sum(file.rows for file in files),
            "bytes": sum(file.size for file in files),
            "files": len(files),
            "hours": hours,
            "price_precision": files[-1].price_precision if files else 0,
            "covered": covered,
            "gaps": None if sessions is None else _gaps(series, covered, sessions),
            "zone": None if sessions is None else sessions.zone,
            "updated": max((answer.fetched_at for answer in answers), default=None),
            "damaged": damaged,
        }


class _Patience:
    """Tells how far a listing is, at most once a second."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._told = time.monotonic()

    def of(self, what: str) -> Callable[[int, int], None]:
        """What is told of one kind of folders."""

        def tell(done: int, total: int) -> None:
            now = time.monotonic()
            if now - self._told >= _TOLD_EVERY_S:
                self._told = now
                self._report(FoldersRead(what, done, total))

        return tell


def _sorted(
    found: list[list[SeriesSummary]], ids: set[str], stale: dict[str, str], flags: dict[str, str]
) -> list[SeriesSummary]:
    def told(one: SeriesSummary) -> SeriesSummary:
        has_instrument = one.series.instrument_id in ids
        reason = stale.get(one.series.bar_type) if stale else None
        marks = flags.get(one.series.bar_type, "") if flags else ""
        if has_instrument and reason is None and not marks:
            return one  # as it is for nearly all: making another one takes time
        return dataclasses.replace(
            one, has_instrument=has_instrument, stale=reason, flags=tuple(marks.splitlines())
        )

    everything = (told(one) for summaries in found for one in summaries)
    return sorted(everything, key=lambda one: one.series.bar_type)


def _decode_series(text: str) -> list[SeriesSummary]:
    return [
        SeriesSummary(
            series=Series.from_bar_type(record.pop("bar_type")),
            covered=tuple((start, end) for start, end in record.pop("covered")),
            has_instrument=True,
            stale=None,
            flags=(),
            **record,
        )
        for record in json.loads(text)
    ]


def _sessions(
    series: Series, covered: Sequence[Interval], hours: Hours | None, ledger: Ledger
) -> Sessions | None:
    if hours is None or not covered:
        return None
    return ledger.sessions(series.instrument_id, hours, (covered[0][0], covered[-1][1]))


def _gaps(series: Series, covered: Sequence[Interval], sessions: Sessions) -> int:
    span = (covered[0][0], covered[-1][1])
    return len(coverage.missing(span, covered, sessions.open_times(series.spec)))

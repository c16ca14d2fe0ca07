"""The check: everything that can be wrong in a catalog, found without ever failing on it.

A file is read whole once for each change of it; what was found is remembered in the ledger, so
that the next check reads only what is new. Bits that rot change neither size nor time: a full
check reads everything again.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from catalog.checks.bar_files import FileHealth, examine
from catalog.checks.findings import SEVERITIES, Finding, by_weight
from catalog.checks.folders import SERIES_PARENTS, folder_findings
from catalog.checks.hours import SessionBook
from catalog.checks.instruments import InstrumentFile, examine_instrument
from catalog.checks.memory import CheckMemory, SeenFile
from catalog.checks.reading import CheckProgress, CheckStopped, Examination, FileReader
from catalog.checks.remembered import ledger_findings, soundness
from catalog.checks.series import SeriesState, series_findings
from catalog.coverage import Interval, missing
from catalog.errors import CatalogUnusable
from catalog.events import Report, ignore
from catalog.instruments import CLASS_FOLDERS, Definition
from catalog.inventory import parquet_files, subfolders
from catalog.layout import NANOS_PER_DAY, named_range
from catalog.ledger import Ledger
from catalog.root import PRIVATE, prepare_root
from catalog.series import NANOS_PER_SECOND, Series
from catalog.wording import counted

__all__ = ["CheckProgress", "CheckReport", "CheckStopped", "Finding", "check"]

_RULES = "2"
"""Another value with each change of what the checks look for: older results are forgotten."""

_ROUNDS = 3
_CALENDARS_FROM = 315_532_800 * NANOS_PER_SECOND  # 1980


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found, the worst first.

    `files` stand in the catalog, of which `files_read` with `bytes_read` had to be read in
    `seconds`.
    """

    findings: tuple[Finding, ...]
    files: int
    files_read: int
    bytes_read: int
    seconds: float

    def count(self, severity: str) -> int:
        """How many findings are of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    @property
    def totals(self) -> str:
        """How many findings of each severity there are, in words."""
        if not self.findings:
            return "nothing is wrong"
        counts = [(self.count(severity), severity) for severity in SEVERITIES]
        return ", ".join(counted(count, severity) for count, severity in counts)


def check(
    root: Path,
    *,
    now_ns: int,
    full: bool = False,
    report: Report = ignore,
    stopped: Callable[[], bool] = lambda: False,
) -> CheckReport:
    """Check the catalog in a folder; takes as long as reading what is new in it. No file of the
    catalog is changed.

    `full` reads also what has not changed since the last check. `now_ns` is the time by which the
    end of a series is judged. `stopped` is asked between files and between series. Raises
    `WrongInput` when there is no such folder, `CheckStopped`.
    """
    root, writable = prepare_root(root, create=False)
    look = partial(_look, root, now_ns=now_ns, full=full, report=report, stopped=stopped)
    path = root / PRIVATE / "ledger.sqlite"
    if not writable:
        return look(None)
    broken = _unsound(path) if path.exists() else None
    if broken is None:
        try:
            return look(path)
        except CatalogUnusable as error:
            broken = Finding("ledger", "ledger", error.reason)
    found = look(None)
    return replace(found, findings=tuple(sorted((*found.findings, broken), key=by_weight)))


def _look(
    root: Path,
    ledger_path: Path | None,
    *,
    now_ns: int,
    full: bool,
    report: Report,
    stopped: Callable[[], bool],
) -> CheckReport:
    """One check with a ledger, or without one's memory."""
    started = time.monotonic()
    with closing(Ledger(ledger_path)) as ledger:
        reader = FileReader(
            CheckMemory(root, ledger), root, full=full, report=report, stopped=stopped
        )
        for _ in range(_ROUNDS):
            before = _folder_times(root)
            files = _listing(root, SERIES_PARENTS), _listing(root, CLASS_FOLDERS)
            findings = [*_findings(root, ledger, reader, *files, now_ns)]
            if _folder_times(root) == before:
                break  # else a writer was at work, and what was seen may be of two moments
    return CheckReport(
        tuple(sorted(findings, key=by_weight)),
        sum(map(len, files)),
        reader.files_read,
        reader.bytes_read,
        time.monotonic() - started,
    )


def _findings(
    root: Path,
    ledger: Ledger,
    reader: FileReader,
    bar_files: Sequence[SeenFile],
    instrument_files: Sequence[SeenFile],
    now_ns: int,
) -> Iterator[Finding]:
    instruments = reader.results(
        instrument_files,
        Examination(
            partial(examine_instrument, root=root, ledger=ledger),
            InstrumentFile.from_fields,
            lambda _: _RULES,
        ),
    )
    definitions = _latest(instruments)
    book = SessionBook(ledger, _span(bar_files, now_ns))
    files = reader.results(bar_files, _of_bars(root, definitions, book))
    states = _states(files, definitions, ledger)
    covered = {state.series: state.covered for state in states}
    yield from (finding for file in files for finding in file.findings)
    yield from (finding for file in instruments for finding in file.findings)
    for state in states:
        reader.go_on()
        yield from series_findings(state, root, book, now_ns)
    yield from _instrument_findings(instruments, covered.keys())
    answered = {state.series: state.answered for state in states}
    yield from ledger_findings(root, ledger, files, instruments, answered)
    for finding in folder_findings(root):
        if finding.kind != "quarantined" or _still_missing(finding, states, book):
            yield finding


def _of_bars(
    root: Path, definitions: Mapping[str, Definition], book: SessionBook
) -> Examination[FileHealth]:
    def instrument_class(series: Series) -> str:
        return str(definitions.get(series.instrument_id, {}).get("type", ""))

    def context(health: FileHealth) -> str:
        if health.series is None:
            return _RULES
        hours = health.asked.hours if health.asked else None
        span = (health.covered[0][0], health.covered[-1][1])
        told_by = "broker" if book.told(health.series, hours, span) else "calendar"
        return f"{_RULES} {told_by} {instrument_class(health.series)}"

    return Examination(
        partial(examine, root=root, instrument_class=instrument_class, known=book),
        FileHealth.from_fields,
        context,
    )


def _states(
    files: Iterable[FileHealth], definitions: Mapping[str, Definition], ledger: Ledger
) -> list[SeriesState]:
    by_series: dict[Series, list[FileHealth]] = {}
    for file in files:
        if file.series is not None:
            by_series.setdefault(file.series, []).append(file)
    states = []
    revisions = ledger.notes("stale")
    for series in sorted(by_series):
        alias = ledger.alias(series.instrument_id)
        states.append(
            SeriesState(
                series,
                sorted(by_series[series], key=lambda file: (file.first, file.path)),
                ledger.empties(series),
                definitions.get(series.instrument_id),
                alias[0] if alias and alias[0] in definitions else None,
                revisions.get(series.bar_type),
            )
        )
    return states


def _latest(instruments: Iterable[InstrumentFile]) -> dict[str, Definition]:
    versions = (one for file in instruments for one in file.definitions)
    return {str(one["id"]): one for one in sorted(versions, key=lambda one: int(one["ts_init"]))}


def _instrument_findings(
    instruments: Iterable[InstrumentFile], held: Iterable[Series]
) -> Iterator[Finding]:
    with_bars = {series.instrument_id for series in held}
    classes: dict[str, set[str]] = {}
    for file in instruments:
        for definition in file.definitions:
            classes.setdefault(str(definition["id"]), set()).add(str(definition["type"]))
    for instrument_id, kinds in sorted(classes.items()):
        if len(kinds) > 1:
            yield Finding("two_classes", instrument_id, " and ".join(sorted(kinds)))
        if instrument_id not in with_bars:
            yield Finding("no_bars", instrument_id, "no bars of it are stored")


def _still_missing(finding: Finding, states: Iterable[SeriesState], book: SessionBook) -> bool:
    """Whether some open time of what was put aside was not asked for again."""
    state = next((one for one in states if one.series == finding.series), None)
    if state is None or finding.span is None:
        return True
    sessions = book(state.series, state.hours, finding.span)
    open_times = None if sessions is None else sessions.open_times(state.series.spec)
    return bool(missing(finding.span, state.covered, open_times))


def _span(files: Iterable[SeenFile], now_ns: int) -> Interval:
    """The time that calendars must know, as far as names of files tell."""
    named = [claimed for one in files if (claimed := named_range(one.path.name))]
    # A day is named by its end.
    first = min((start - NANOS_PER_DAY for start, _ in named), default=now_ns)
    last = max((end for _, end in named), default=now_ns)
    return max(min(first, now_ns), _CALENDARS_FROM), max(min(last, now_ns), now_ns)


def _listing(root: Path, parents: Sequence[Path]) -> list[SeenFile]:
    return [
        SeenFile(path, size, mtime_ns)
        for parent in parents
        for folder in sorted(subfolders(root / parent))
        for path, size, mtime_ns in sorted(parquet_files(root / parent / folder))
    ]


def _folder_times(root: Path) -> dict[Path, int]:
    folders = [
        root / parent / folder
        for parent in (*SERIES_PARENTS, *CLASS_FOLDERS)
        for folder in subfolders(root / parent)
    ]
    return {folder: folder.stat().st_mtime_ns for folder in folders if folder.exists()}


def _unsound(path: Path) -> Finding | None:
    """What is wrong with the ledger's file."""
    try:
        # Not by `Ledger` at first, which would put a damaged one aside: a check changes nothing.
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return Finding("ledger", "ledger", f"SQLite says: {error}")
    with closing(Ledger(path)) as ledger:
        return soundness(ledger)

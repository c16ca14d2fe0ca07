"""What the ledger remembers and the disk no longer says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from catalog.checks.bar_files import FileHealth
from catalog.checks.findings import Finding, moment
from catalog.checks.instruments import InstrumentFile
from catalog.coverage import Interval, subtract
from catalog.errors import CatalogUnusable
from catalog.files import BarFile
from catalog.ledger import Ledger
from catalog.ledger_rows import LostFile
from catalog.series import Series


def ledger_findings(
    root: Path,
    ledger: Ledger,
    files: Sequence[FileHealth],
    instruments: Sequence[InstrumentFile],
    answered: Mapping[Series, Sequence[Interval]],
) -> Iterator[Finding]:
    """Files of ours that are gone, or that another program wrote anew without what was asked, and
    descriptions of files that are not theirs. `answered` is what our files still say."""
    foreign = [file for file in files if file.series and file.asked is None]
    ledger.note_lost(root, [file.path for file in foreign])
    for lost in ledger.lost():
        series = Series.from_bar_type(lost.bar_type)
        if not subtract(lost.asked.intervals, answered.get(series, ())):
            ledger.forget_lost(path=lost.path)  # it was only renamed, or fetched again
            continue
        heir = next((file for file in foreign if _holds(file, series, lost)), None)
        if heir is not None:
            yield Finding(
                "footer_dropped",
                lost.bar_type,
                f"{Path(heir.path).name} no longer says what was asked for it",
                heir.path,
                (lost.first, lost.last),
            )
        elif not (root / lost.path).exists():
            span = f"{moment(lost.first)} to {moment(lost.last)}"
            detail = f"{lost.rows:,} bars, {span}: {Path(lost.path).name} is gone"
            yield Finding(
                "lost", lost.bar_type, detail, lost.path, (lost.first, lost.last), lost.rows
            )
    yield from _contradictions(root, ledger, files)
    yield from _other_definitions(root, ledger, instruments)


def soundness(ledger: Ledger) -> Finding | None:
    """Whether SQLite finds the ledger whole."""
    try:
        said = ledger.rows("PRAGMA quick_check(1)")[0][0]
    except CatalogUnusable as error:
        said = error.reason
    return None if said == "ok" else Finding("ledger", "ledger", f"SQLite says: {said}")


def _holds(file: FileHealth, series: Series, lost: LostFile) -> bool:
    return file.series == series and file.first <= lost.first and file.last >= lost.last


def _contradictions(root: Path, ledger: Ledger, files: Sequence[FileHealth]) -> Iterator[Finding]:
    remembered = ledger.all_bar_files(root)
    for file in files:
        known = remembered.get(file.path)
        if known is None or file.series is None:
            continue
        if (known.series, known.first, known.last, known.rows, known.asked, known.covered) != (
            file.series,
            file.first,
            file.last,
            file.rows,
            file.asked,
            file.covered,
        ) and _is_as_on_disk(known):
            detail = f"the ledger remembers {known.rows:,} bars of {known.series}"
            yield Finding("ledger", file.series.bar_type, detail, file.path)


def _is_as_on_disk(known: BarFile) -> bool:
    """Whether nobody wrote the file since the ledger learnt of it."""
    try:
        status = known.path.stat()
    except FileNotFoundError:
        return False
    return (status.st_size, status.st_mtime_ns) == (known.size, known.mtime_ns)


def _other_definitions(
    root: Path, ledger: Ledger, instruments: Sequence[InstrumentFile]
) -> Iterator[Finding]:
    for instrument in instruments:
        place = Path(instrument.path)
        remembered = ledger.definitions(place.parent).get(place.name)
        if remembered is None or not instrument.definitions:
            continue
        size, mtime_ns, definitions = remembered
        with suppress(FileNotFoundError):
            status = (root / place).stat()
            unchanged = (status.st_size, status.st_mtime_ns) == (size, mtime_ns)
            if unchanged and definitions != list(instrument.definitions):
                detail = "the ledger remembers another definition"
                yield Finding("ledger", place.parent.name, detail, instrument.path)

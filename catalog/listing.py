"""What the catalog holds, series by series: from file names and footers, never from pages."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from catalog import coverage
from catalog.coverage import Interval
from catalog.errors import WrongInput
from catalog.files import BarFile
from catalog.inventory import Inventory, subfolders
from catalog.layout import BARS
from catalog.ledger import Ledger
from catalog.series import Series
from catalog.sessions import Hours


@dataclass(frozen=True, slots=True)
class SeriesSummary:
    """One series of the catalog in a line.

    `first` and `last` are stamps, ns UTC; both are 0 when no file can be read. `bytes` is the
    space on disk. `hours` is None when no file says what was asked. `gaps` counts the pieces of
    session time that were never answered between the first and the last that were; None when the
    market's sessions are not known. `damaged` counts files that cannot be read.
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
    damaged: int


def list_series(root: Path, inventory: Inventory, ledger: Ledger) -> list[SeriesSummary]:
    """All series that have files, sorted by instrument and bars."""
    instruments = frozenset(inventory.instrument_ids())
    summaries: list[SeriesSummary] = []
    for folder in subfolders(root / BARS):
        content = inventory.folder(BARS / folder)
        by_series = sorted(content.files, key=lambda file: (file.series, file.first))
        for series, files in groupby(by_series, key=lambda file: file.series):
            summaries.append(
                _summary(series, list(files), len(content.damaged), instruments, ledger)
            )
        if content.damaged and not content.files:
            with suppress(WrongInput):
                series = Series.from_bar_type(folder)
                summaries.append(_summary(series, [], len(content.damaged), instruments, ledger))
    return sorted(summaries, key=lambda summary: summary.series)


def _summary(
    series: Series,
    files: Sequence[BarFile],
    damaged: int,
    instruments: frozenset[str],
    ledger: Ledger,
) -> SeriesSummary:
    empties = [empty.interval for empty in ledger.empties(series)]
    covered = coverage.union([*empties, *(one for file in files for one in file.covered)])
    hours = next((file.asked.hours for file in files if file.asked), None)
    return SeriesSummary(
        series=series,
        first=min((file.first for file in files), default=0),
        last=max((file.last for file in files), default=0),
        rows=sum(file.rows for file in files),
        bytes=sum(file.size for file in files),
        files=len(files),
        hours=hours,
        price_precision=files[-1].price_precision if files else 0,
        has_instrument=series.instrument_id in instruments,
        covered=tuple(covered),
        gaps=_gaps(series, covered, hours, ledger),
        damaged=damaged,
    )


def _gaps(
    series: Series, covered: Sequence[Interval], hours: Hours | None, ledger: Ledger
) -> int | None:
    if hours is None or not covered:
        return None
    span = (covered[0][0], covered[-1][1])
    sessions = ledger.sessions(series.instrument_id, hours, span)
    if sessions is None:
        return None
    return len(coverage.missing(span, covered, sessions.open_times(series.spec)))

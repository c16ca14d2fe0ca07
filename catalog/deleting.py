"""Deleting bars: into the trash, from where `undo` puts them back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from catalog.commit import writing
from catalog.coverage import Interval
from catalog.events import Event, Level, Report, ignore
from catalog.exchange import Change
from catalog.files import DamagedFile, inspect
from catalog.layout import series_folder
from catalog.refusals import unknown_series
from catalog.rewriting import Rewrite
from catalog.series import Series
from catalog.store import Catalog


@dataclass(frozen=True, slots=True)
class BarsDeleted(Event):
    """Bars were taken out of the catalog and lie in its trash."""

    level: ClassVar[Level] = Level.WARNING
    channel: ClassVar[str] = "catalog"

    series: Series
    bars: int

    def __str__(self) -> str:
        return f"{self.series}: {self.bars:,} bars deleted; `catalog undo` puts them back"


def count_bars(catalog: Catalog, series: Series, span: Interval | None = None) -> int:
    """How many bars deleting a span (over opens, ns) or all of the series would take out.

    Raises `DataUnavailable` when nothing of the series is stored; `DamagedFile` when a span is
    asked about and a file of the series cannot be read.
    """
    if span is not None:
        return len(catalog.read_bars(series, *span))
    readable, damaged = _files(catalog, series)
    if not readable and not damaged:
        raise unknown_series(series)
    return sum(readable.values())


def delete_bars(
    catalog: Catalog, series: Series, span: Interval | None = None, report: Report = ignore
) -> int:
    """Move the bars that open in a span (ns), or the whole series, into the trash; gives how many.

    What was asked for in the span is not covered afterwards: an update fetches it again. With the
    whole series its unreadable files go too. One transaction. Raises as `count_bars`, and
    `WrongInput` when the catalog may only be read.
    """
    catalog.require_writable()
    bars = count_bars(catalog, series, span)
    if span is not None:
        catalog.rewrite_bars(Rewrite(series, f"delete {bars:,} bars of {series}", without=[span]))
    else:
        bars = _delete_all(catalog, series)
    report(BarsDeleted(series, bars))
    return bars


def _delete_all(catalog: Catalog, series: Series) -> int:
    with writing(catalog.root) as staging:
        readable, damaged = _files(catalog, series)
        staging.exchange(
            Change(
                f"delete {series}",
                removes=[*readable, *damaged],
                empties={series: []},
                notes={series: {"stale": "", "flags": ""}},  # of the bars that are gone
            )
        )
    return sum(readable.values())


def _files(catalog: Catalog, series: Series) -> tuple[dict[Path, int], list[Path]]:
    """The files of a series with their rows, and the files in its folder that cannot be read."""
    readable: dict[Path, int] = {}
    damaged: list[Path] = []
    for path in sorted((catalog.root / series_folder(series)).glob("*.parquet")):
        try:
            file = inspect(path)
        except DamagedFile:
            damaged.append(path)
        except FileNotFoundError:
            continue
        else:
            if file is None or file.series == series:
                readable[path] = file.rows if file else 0
    return readable, damaged

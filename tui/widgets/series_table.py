"""The table of what the catalog holds: one row for each series of bars."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from tui.widgets.header import EXCHANGE_ZONE
from tui.widgets.result_table import Cell, Column, ResultTable, Row

if TYPE_CHECKING:
    from catalog.listing import SeriesSummary
    from catalog.series import BarSpec

_COLUMNS = (
    Column("instrument", flexible=True),
    Column("bars"),
    Column("from"),
    Column("to"),
    Column("rows", number=True),
    Column("gaps", number=True),
    Column("health"),
    Column("size", number=True),
)
"""The last one is left out where the table is narrow."""

_WIDE = 92

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ListedSeries(NamedTuple):
    """A series, its rows for a wide and for a narrow table (keyed by its bar type), and what a
    filter looks into."""

    summary: SeriesSummary
    wide: Row
    narrow: Row
    searched: str


class SeriesTable(ResultTable):
    """Shows sizes too where it is wide enough. Dates of intraday bars are New York's."""

    def __init__(self, *, id: str) -> None:
        super().__init__(*_COLUMNS, empty="reading the catalog ...", id=id, filters=False)
        self._series: Sequence[ListedSeries] = ()

    def show_series(self, series: Sequence[ListedSeries], empty: str) -> None:
        """Show these series, or the text when there are none."""
        self._series = series
        self._show_fitting(empty)

    def on_resize(self) -> None:
        # Textual calls the handler of the base class as well.
        if self._series:
            self._show_fitting()

    def _show_fitting(self, empty: str | None = None) -> None:
        wide = self.size.width >= _WIDE
        columns = _COLUMNS if wide else _COLUMNS[:-1]
        self.show([one.wide if wide else one.narrow for one in self._series], *columns, empty=empty)


def listed(summaries: Sequence[SeriesSummary]) -> tuple[ListedSeries, ...]:
    """The rows of many series; takes a while for thousands, so call it in a thread."""
    return tuple(_listed(summary) for summary in summaries)


def _listed(summary: SeriesSummary) -> ListedSeries:
    key, cells = summary.series.bar_type, _cells(summary)
    searched = str(summary.series).lower()
    return ListedSeries(summary, Row(key, cells), Row(key, cells[:-1]), searched)


def size_text(size: int) -> str:
    """A size on disk: `812 B`, `1.4 kB`, `2.1 MB`."""
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def _cells(summary: SeriesSummary) -> tuple[Cell, ...]:
    spec = summary.series.spec
    return (
        Cell(summary.series.instrument_id),
        Cell(str(spec).removesuffix("-LAST")),
        Cell(_date(summary.first, spec)),
        Cell(_date(summary.last, spec)),
        Cell(f"{summary.rows:,}"),
        _gaps(summary),
        _health(summary),
        Cell(size_text(summary.bytes)),
    )


def _gaps(summary: SeriesSummary) -> Cell:
    if summary.gaps is None:
        return Cell("?", "dim")
    return Cell(f"{summary.gaps:,}", "warning" if summary.gaps else "")


def _health(summary: SeriesSummary) -> Cell:
    if summary.damaged:
        return Cell("DAMAGED", "bad")
    return Cell("ok", "good") if summary.has_instrument else Cell("ORPHAN", "bad")


def _date(stamp: int, spec: BarSpec) -> str:
    """The trading date of a bar's stamp (ns UTC), in New York for intraday bars; a moment before
    its close the market was still open. A stamp of 0 stands for none."""
    if not stamp:
        return "-"
    time = _EPOCH + timedelta(microseconds=(stamp - 1) // 1000)
    return f"{time.astimezone(EXCHANGE_ZONE) if spec.intraday else time:%Y-%m-%d}"

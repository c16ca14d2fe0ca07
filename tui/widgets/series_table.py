"""The table of what the catalog holds: one row for each series of bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text
from textual import events

from tui.widgets.header import EXCHANGE_ZONE
from tui.widgets.table import RowTable, cut_in_the_middle, left, right

if TYPE_CHECKING:
    from catalog.listing import SeriesSummary
    from catalog.series import BarSpec

MOST_ROWS = 2_000
"""More than this Textual's table gets slow; the filter finds the others."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WIDE = 96


class _Column(NamedTuple):
    title: str
    width: int
    numeric: bool = False


_NARROW_COLUMNS = (
    _Column("instrument", 16),
    _Column("bars", 12),
    _Column("from", 10),
    _Column("to", 10),
    _Column("rows", 9, numeric=True),
    _Column("gaps", 5, numeric=True),
    _Column("health", 7),
)
_WIDE_COLUMNS = (
    _NARROW_COLUMNS[0]._replace(width=32),
    *_NARROW_COLUMNS[1:6],
    _Column("size", 8, numeric=True),
    _NARROW_COLUMNS[6],
)


class SeriesTable(RowTable):
    """Rows are keyed by the series' bar type; the cursor stays on its series over a change.

    Dates of intraday bars are New York's.
    """

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._shown: tuple[SeriesSummary, ...] = ()
        self._columns: tuple[_Column, ...] = ()

    def show(self, rows: tuple[SeriesSummary, ...]) -> None:
        """Show these series, at most `MOST_ROWS`; the same ones again cost nothing."""
        if rows != self._shown:
            self._shown = rows
            self._fill()

    def on_resize(self, event: events.Resize) -> None:
        columns = _WIDE_COLUMNS if event.size.width >= _WIDE else _NARROW_COLUMNS
        if columns != self._columns:
            self._columns = columns
            self._fill()

    def _fill(self) -> None:
        if not self._columns:
            return  # not laid out yet: `on_resize` fills it
        selected = self.selected_key
        self.clear(columns=True)
        for column in self._columns:
            title = right(column.title) if column.numeric else left(column.title)
            self.add_column(title, width=column.width + 1, key=column.title)
        for row in self._shown[:MOST_ROWS]:
            self.add_row(*self._cells(row), key=row.series.bar_type)
        if selected is not None and selected in self.rows:
            self.move_cursor(row=self.get_row_index(selected), animate=False)

    def _cells(self, row: SeriesSummary) -> list[Text]:
        spec = row.series.spec
        cells = {
            "instrument": left(cut_in_the_middle(row.series.instrument_id, self._columns[0].width)),
            "bars": left(str(spec).removesuffix("-LAST")),
            "from": left(_date(row.first, spec)),
            "to": left(_date(row.last, spec)),
            "rows": right(f"{row.rows:,}"),
            "gaps": right("-" if row.gaps is None else f"{row.gaps:,}"),
            "size": right(size_text(row.bytes)),
            "health": _health(row),
        }
        return [cells[column.title] for column in self._columns]


def size_text(size: int) -> str:
    """A size on disk: `812 B`, `1.4 kB`, `2.1 MB`."""
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def _health(row: SeriesSummary) -> Text:
    if row.damaged:
        return left("DAMAGED", "bold red")
    return left("ok", "green") if row.has_instrument else left("ORPHAN", "bold red")


def _date(stamp: int, spec: BarSpec) -> str:
    """The trading date of a bar's stamp (ns UTC); a moment before its close it was still open.

    A stamp of 0 stands for none.
    """
    if not stamp:
        return "-"
    time = _EPOCH + timedelta(microseconds=(stamp - 1) // 1000)
    return f"{time.astimezone(EXCHANGE_ZONE) if spec.intraday else time:%Y-%m-%d}"

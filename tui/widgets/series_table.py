"""The table of what the catalog holds: one row for each series of bars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, ClassVar, NamedTuple
from zoneinfo import ZoneInfo

from textual.binding import Binding, BindingType

from tui.keys import named
from tui.widgets.header import EXCHANGE_ZONE
from tui.widgets.result_table import Cell, Column, ResultTable, Row, Sheet

if TYPE_CHECKING:
    from catalog.listing import SeriesSummary

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
_FOLDED = ("size", "from", "rows", "gaps")
"""What is left out, one after the other, where an id would be cut else."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_cell = lru_cache(5_000)(Cell)
"""For cells that say what others say: thousands of series share a few hundred of them."""


class Listed(NamedTuple):
    """All series by their bar types, and the sheets that show them, each narrower than the one
    before."""

    summaries: dict[str, SeriesSummary]
    sheets: tuple[Sheet, ...]


class SeriesTable(ResultTable):
    """Shows as many columns as leave the ids whole. Dates of intraday bars are those of their
    exchange."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        "table", Binding("enter", "open", "large chart", show=False)
    )

    def __init__(self, *, id: str) -> None:
        super().__init__(*_COLUMNS, empty="reading the catalog ...", id=id, marks=True)
        self._listed: Listed | None = None

    def show_series(self, series: Listed | None, empty: str) -> None:
        """Show these series, or the text when there are none."""
        self._listed = series
        self._show_fitting(empty)

    def on_resize(self) -> None:
        # Textual calls the handler of the base class as well.
        self._show_fitting()

    def _show_fitting(self, empty: str | None = None) -> None:
        if self._listed is not None:
            sheets, room = self._listed.sheets, self.scrollable_size.width
            fitting = (sheet for sheet in sheets if sheet.width <= room)
            self.show_sheet(next(fitting, sheets[-1]), empty=empty)
        elif empty is not None:
            self.show((), empty=empty)


def listed(summaries: Sequence[SeriesSummary], now: datetime, found: Mapping[str, int]) -> Listed:
    """The rows of many series; takes a while for thousands, so call it in a thread.

    `found` says how many errors and warnings the last check had for a bar type.
    """
    by_name = {one.series.bar_type: one for one in summaries}
    rows = [Row(name, _cells(one, now, found.get(name, 0))) for name, one in by_name.items()]
    sheets = [Sheet.of(_COLUMNS, rows)]
    for title in _FOLDED:
        sheets.append(sheets[-1].without(title))
    return Listed(by_name, tuple(sheets))


def size_text(size: int) -> str:
    """A size on disk: `812 B`, `1.4 kB`, `2.1 MB`."""
    amount = float(size)
    for unit in ("B", "kB", "MB"):
        if amount < 1000:
            return f"{amount:.0f} B" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"


def _cells(summary: SeriesSummary, now: datetime, found: int) -> tuple[Cell, ...]:
    return (
        Cell(summary.series.instrument_id),
        _cell(str(summary.series.spec).removesuffix("-LAST")),
        _cell(_date(summary.first, summary)),
        _cell(_date(summary.last, summary)),
        Cell(f"{summary.rows:,}"),
        _gaps(summary),
        _health(summary, now, found),
        Cell(size_text(summary.bytes), order=summary.bytes),
    )


def _gaps(summary: SeriesSummary) -> Cell:
    if summary.gaps is None:
        return _cell("?", "dim")
    return _cell(f"{summary.gaps:,}", "warning" if summary.gaps else "")


def _health(summary: SeriesSummary, now: datetime, found: int) -> Cell:
    if summary.damaged:
        return _cell("DAMAGED", "bad")
    if not summary.has_instrument:
        return _cell("ORPHAN", "bad")
    if summary.stale:
        return _cell(f"STALE {summary.stale}", "bad")
    if found:
        return _cell(f"{found:,} finding{'s' * (found > 1)}", "warning")
    if stale := _stale_days(summary, now):
        return _cell(f"stale {stale:,}d", "warning")
    flag = summary.flags[-1].partition(",")[0] if summary.flags else ""
    return _cell(f"ok, {flag}" if flag else "ok", "good")


def _stale_days(summary: SeriesSummary, now: datetime) -> int:
    """The weekdays before today that were never asked for, since the last that was."""
    import numpy as np

    if not summary.covered:
        return 0
    asked = date.fromisoformat(_date(summary.covered[-1][1], summary))
    today = now.astimezone(_zone(summary)).date()
    return max(int(np.busday_count(asked + timedelta(days=1), today)), 0)


def _zone(summary: SeriesSummary) -> tzinfo:
    """The exchange's, or the screen's where nobody told it."""
    return ZoneInfo(summary.zone) if summary.zone else EXCHANGE_ZONE


def _date(stamp: int, summary: SeriesSummary) -> str:
    """The date of a bar's stamp (ns UTC), by the exchange's clock for intraday bars; a moment
    before its close the market was still open. A stamp of 0 stands for none."""
    if not stamp:
        return "-"
    time = _EPOCH + timedelta(microseconds=(stamp - 1) // 1000)
    return f"{time.astimezone(_zone(summary)) if summary.series.spec.intraday else time:%Y-%m-%d}"

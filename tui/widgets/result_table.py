"""A table of text that draws only the lines in view, for any number of rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from textwrap import wrap
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.strip import Strip

from tui.keys import named
from tui.widgets.filtering import FilteredView
from tui.widgets.table import (
    GAP,
    Cell,
    Column,
    Order,
    Row,
    Sheet,
    arranged,
    cut_in_the_middle,
    fitted,
    gain,
)

__all__ = ["Cell", "Column", "ResultTable", "Row", "Sheet", "gain"]

_ARRANGED_AT_ONCE = 2_000
"""More rows than this are filtered and sorted in a thread."""


class ResultTable(FilteredView):
    """Rows under titles that stay in view, with a cursor that keeps to its row by key.

    Where it `opens`, enter tells which row; `/` filters and, where it `sorts`, `o` and `O` order
    the rows; where it `marks`, space marks rows, and `marked_keys` says which.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--title",
        "table--cursor",
        "table--dim",
        "table--good",
        "table--bad",
        "table--warning",
    }
    BINDINGS: ClassVar[list[BindingType]] = named(
        "table",
        Binding("enter", "open", "open"),
        Binding("space", "mark", "mark", tooltip="Mark the row; keys act on all marked ones"),
        Binding("o", "sort", "sort", show=False, tooltip="Sort by the next column"),
        Binding("O", "reverse", "reverse", show=False, tooltip="Turn the order"),
        Binding("Y", "copy_row", "copy row", show=False, tooltip="Copy the row"),
    )

    @dataclass
    class _AboutRow(Message):
        table: ResultTable
        key: str

        @property
        def control(self) -> ResultTable:
            return self.table

    class Opened(_AboutRow):
        """Enter was pressed on a row."""

    class Reached(_AboutRow):
        """The cursor came to a row."""

    def __init__(
        self,
        *columns: Column,
        empty: str = "",
        id: str | None = None,
        classes: str | None = None,
        filters: bool = True,
        sorts: bool = True,
        marks: bool = False,
        opens: bool = True,
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._offers = {
            "filter": filters,
            "sort": sorts,
            "reverse": sorts,
            "mark": marks,
            "open": opens,
        }
        self._sheet = Sheet.of(columns, ())
        self._rows: tuple[Row, ...] = ()
        self._empty = empty
        self._widths: list[int] = []
        self._cursor = 0
        self._order: Order | None = None
        self._marked: set[str] = set()
        self._arranging: asyncio.Task[None] | None = None
        self._wanted = ""

    @property
    def cursor_key(self) -> str | None:
        """What the row under the cursor stands for; None when there are no rows."""
        return self._rows[self._cursor].key if self._rows else None

    @property
    def cursor_row(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self._cursor] if self._rows else None

    @property
    def marked_keys(self) -> tuple[str, ...]:
        """What the marked rows stand for, in their order; also those the filter hides."""
        return tuple(row.key for row in self._sheet.rows if row.key in self._marked)

    @property
    def chosen_keys(self) -> tuple[str, ...]:
        """What an action is about: the marked rows, else the one under the cursor."""
        key = self.cursor_key
        return self.marked_keys or (() if key is None else (key,))

    def unmark(self) -> None:
        """Take all marks away."""
        self._marked.clear()
        self.refresh()

    def show(self, rows: Sequence[Row], *columns: Column, empty: str | None = None) -> None:
        """Show these rows, under other columns if some are given; draws only lines that differ."""
        self.show_sheet(Sheet.of(columns or self._sheet.columns, rows), empty=empty)

    def show_sheet(self, sheet: Sheet, *, empty: str | None = None) -> None:
        """Show what was measured before; draws only lines that differ."""
        empty = self._empty if empty is None else empty
        if sheet.columns == self._columns and len(sheet.rows) == len(self._sheet.rows):
            sheet = self._as_wide_as_before(sheet)
        if (sheet, empty) == (self._sheet, self._empty):
            return
        if sheet.columns != self._columns:
            self._order = self._order and self._order.among(self._columns, sheet.columns)
            self.refresh(Region(0, 0, self.size.width, 1))
        self._sheet, self._empty = sheet, empty
        self._marked &= {row.key for row in sheet.rows} if self._marked else set()
        self._arrange()

    def point_at(self, key: str) -> None:
        """Move the cursor to the row of that key; to one that is still to come, when it comes."""
        self._wanted = "" if self._sheet.rows else key
        for at, row in enumerate(self._rows):
            if row.key == key:
                self._go(at)

    def filter_changed(self) -> None:
        self._arrange()

    def told(self) -> list[str]:
        shown, total = len(self._rows), len(self._sheet.rows)
        count = [f"{shown:,} of {total:,}"] if self.words else []
        return count + ([f"{len(self._marked):,} marked"] if self._marked else [])

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what this table does."""
        return self._offers.get(action, True) and super().check_action(action, parameters)

    def action_move(self, step: int) -> None:
        """Move the cursor by rows."""
        self._go(self._cursor + step)

    def action_page(self, step: int) -> None:
        """Move the cursor by pages."""
        self._go(self._cursor + step * max(self._shown - 1, 1))

    def action_edge(self, edge: int) -> None:
        """Move the cursor to the first or the last row."""
        self._go(0 if edge == 0 else len(self._rows) - 1)

    def action_open(self) -> None:
        """Tell that the row was opened."""
        if (key := self.cursor_key) is not None:
            self.post_message(self.Opened(self, key))

    def action_mark(self) -> None:
        """Mark the row under the cursor, or not, and go on to the next."""
        if (key := self.cursor_key) is not None:
            self._marked ^= {key}
            self.refresh()
            self.action_move(1)

    def action_sort(self) -> None:
        """Sort by the next column; after the last one as the rows came."""
        column = 0 if self._order is None else self._order.column + 1
        self._sort_by(Order(column) if column < len(self._columns) else None)

    def action_reverse(self) -> None:
        """Turn the order of the rows."""
        column, descending = self._order or Order(0)
        self._sort_by(Order(column, not descending))

    def action_copy_row(self) -> None:
        """Copy the row under the cursor, its cells with tabs between."""
        if (row := self.cursor_row) is not None:
            self.app.copy_to_clipboard(row.text)
            self.notify("the row is in the clipboard", timeout=3)

    def on_click(self, event: events.Click) -> None:
        row = event.y - self.gutter.top - self._title_lines + self.scroll_offset.y
        if 0 <= row < len(self._rows):
            self._go(row)

    def on_resize(self) -> None:
        self._fit()
        self._scroll_to_cursor()
        self.refresh()

    def watch_show_vertical_scrollbar(self) -> None:
        self.call_after_refresh(self.on_resize)

    def on_unmount(self) -> None:
        if self._arranging is not None:
            self._arranging.cancel()

    def render_row(self, y: int) -> Strip:
        width, plain = self.size.width, self.rich_style
        row = y - self._title_lines + self.scroll_offset.y
        if not self._rows:
            text = self._empty
            if self.words and self._sheet.rows:
                text = "nothing contains these words; esc shows all"
            lines = [part for line in text.splitlines() for part in wrap(line, max(width, 1))]
            told = lines[y] if y < len(lines) else ""
            segments = [Segment(told, self.get_component_rich_style("table--dim"))]
        elif y < self._title_lines:
            segments = self._titles(self.get_component_rich_style("table--title"))
        elif row < len(self._rows):
            at_cursor = self.has_focus and row == self._cursor
            plain = self.get_component_rich_style("table--cursor") if at_cursor else plain
            signs = ">" if row == self._cursor else " "
            signs += "*" if self._rows[row].key in self._marked else " "
            segments = [Segment(signs, plain), *self._line(self._rows[row].cells, plain)[1:]]
        else:
            segments = []
        return Strip(segments).crop_extend(0, width, plain)

    @property
    def _columns(self) -> tuple[Column, ...]:
        return self._sheet.columns

    @property
    def _title_lines(self) -> int:
        return 1 if any(column.title for column in self._columns) else 0

    @property
    def _shown(self) -> int:
        return max(self.rows_in_view - self._title_lines, 1)

    def _titles(self, style: Style) -> list[Segment]:
        titles = [column.title for column in self._columns]
        if self._order is not None and self._order.column < len(titles):
            titles[self._order.column] += self._order.sign
        more = " …" if len(self._widths) < len(titles) else ""
        return [*self._line([Cell(title) for title in titles], style), Segment(more, style)]

    def unsort(self) -> None:
        """Show the rows in the order they come in."""
        self._sort_by(None)

    def _sort_by(self, order: Order | None) -> None:
        self._order = order
        self._arrange()
        self.refresh()

    def _arrange(self) -> None:
        """Filter and sort; what is shown stays until that is done."""
        if self._arranging is not None:
            self._arranging.cancel()
            self._arranging = None
        wanted = (self._sheet, self.words, self._order)
        if len(self._sheet.rows) <= _ARRANGED_AT_ONCE or not (self.words or self._order):
            self._show_rows(arranged(*wanted))
        else:
            self._arranging = asyncio.create_task(self._arrange_beside(*wanted))

    async def _arrange_beside(self, sheet: Sheet, words: list[str], order: Order | None) -> None:
        self._show_rows(await asyncio.to_thread(arranged, sheet, words, order))

    def _show_rows(self, rows: tuple[Row, ...]) -> None:
        key, before, widths, height = self.cursor_key, self._rows, self._widths, self._shown
        wanted, self._wanted = self._wanted or key, "" if rows else self._wanted
        self._rows = rows
        self._cursor = next((at for at, row in enumerate(rows) if row.key == wanted), 0)
        self._fit()
        same_place = key == self.cursor_key and height == self._shown
        if not (rows and same_place) or len(rows) != len(before) or widths != self._widths:
            self._scroll_to_cursor()
            lines = max(len(rows), len(before)) + self._title_lines if rows else self.size.height
            self.refresh(Region(0, 0, self.size.width, min(lines, self.size.height)))
            if self.cursor_key is not None and before and key != self.cursor_key:
                self.post_message(self.Reached(self, self.cursor_key))
            return
        top = self.scroll_offset.y
        for at, (old, new) in enumerate(zip(before, rows, strict=True)):
            if old != new:
                start, end = self._difference(old.cells, new.cells)
                self.refresh(Region(start, at + self._title_lines - top, end - start, 1))

    def _difference(self, old: tuple[Cell, ...], new: tuple[Cell, ...]) -> tuple[int, int]:
        """The cells of the screen between which two rows differ."""
        if len(old) != len(new):
            return 0, self.size.width
        ends = list(accumulate(width + GAP for width in self._widths))
        changed = [at for at in range(min(len(ends), len(old))) if old[at] != new[at]]
        if not changed:  # what the row stands for differs: its mark may
            return 0, self.size.width
        start = ends[changed[0]] - self._widths[changed[0]] - GAP
        to_the_end = changed[-1] == len(new) - 1 < len(self._columns) - 1
        return start, self.size.width if to_the_end else ends[changed[-1]] + GAP

    def _as_wide_as_before(self, sheet: Sheet) -> Sheet:
        """The sheet in columns that do not shrink, unless only narrower ones hold it whole.

        A column that became narrower and wider again would have all lines drawn each time; where
        rows come or go they are drawn anyway.
        """
        wide = replace(sheet, widths=tuple(map(max, sheet.widths, self._sheet.widths)))
        room = self.scrollable_size.width
        return sheet if sheet.width <= room < wide.width else wide

    def _fit(self) -> None:
        """Give the flexible column what the others leave, and leave out what there is no room
        for."""
        widths = list(self._sheet.widths)
        if self._order is not None and self._order.column < len(widths):
            title = self._columns[self._order.column].title
            widths[self._order.column] = max(widths[self._order.column], len(title) + 1)
        for at, column in enumerate(self._columns):
            if column.flexible:
                others = sum(widths) - widths[at] + GAP * len(widths)
                widths[at] = max(self.scrollable_size.width - others, 8)
        self._widths = fitted(self._columns, widths, self.scrollable_size.width)
        told = self.size.height - self.rows_in_view
        height = len(self._rows) + self._title_lines + told
        self.virtual_size = Size(self.scrollable_size.width, height)

    def _line(self, cells: Sequence[Cell], plain: Style) -> list[Segment]:
        segments = [Segment("  ", plain)]
        whole = len(cells) == len(self._columns)
        own = cells if whole else cells[:-1]
        for column, width, cell in zip(self._columns, self._widths, own, strict=False):
            text = cut_in_the_middle(cell.text, width)
            text = text.rjust(width) if column.number else text.ljust(width)
            segments += [Segment(text, self._toned(cell, plain)), Segment(" " * GAP, plain)]
        if whole:
            return segments[:-1]
        room = self.scrollable_size.width - sum(len(one.text) for one in segments)
        text = cells[-1].text
        text = text if len(text) <= room else f"{text[: room - 1]}…"
        return [*segments, Segment(text, self._toned(cells[-1], plain))]

    def _toned(self, cell: Cell, plain: Style) -> Style:
        if not cell.tone:
            return plain
        tone = self.get_component_rich_style(f"table--{cell.tone}")
        return plain + Style(color=tone.color)

    def _go(self, row: int) -> None:
        row = max(0, min(row, len(self._rows) - 1))
        if row == self._cursor or not self._rows:
            return
        before, self._cursor = self._cursor, row
        top = self.scroll_offset.y
        self.refresh_line(before + self._title_lines - top)
        self.refresh_line(row + self._title_lines - top)
        self._scroll_to_cursor()
        self.post_message(self.Reached(self, self._rows[row].key))

    def _scroll_to_cursor(self) -> None:
        top = self.scroll_offset.y
        if self._cursor < top:
            self.scroll_to(y=self._cursor, animate=False)
        elif self._cursor >= top + self._shown:
            self.scroll_to(y=self._cursor - self._shown + 1, animate=False)

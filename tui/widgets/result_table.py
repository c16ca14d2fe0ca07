"""A table of text that draws only the lines in view, for any number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.widgets.table import cut_in_the_middle

_GAP = 2


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, and whether it holds numbers, which stand to the right.

    The `flexible` one takes what width the others leave; long texts in it are cut in the middle.
    """

    title: str
    number: bool = False
    flexible: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """A text in a `tone`: "", dim, good, bad or warning. The text says it without colour too."""

    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what it stands for, and a cell for each column, the last ones may be missing.

    A single cell takes the whole line.
    """

    key: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Sheet:
    """All a table shows, measured: `widths` are those of the widest text of each column.

    Make it with `of`; for many rows in a thread, as it reads every cell.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    widths: tuple[int, ...]

    @classmethod
    def of(cls, columns: Sequence[Column], rows: Sequence[Row]) -> Sheet:
        """The sheet of these rows."""
        widths = [len(column.title) for column in columns]
        for row in rows:
            for at, cell in enumerate(row.cells if len(row.cells) > 1 else ()):
                widths[at] = max(widths[at], len(cell.text))
        return cls(tuple(columns), tuple(rows), tuple(widths))


def gain(value: float | None, text: str) -> Cell:
    """A figure with the tone of its sign; `text` shows the sign itself."""
    return Cell(text, "" if not value else "good" if value > 0 else "bad")


class ResultTable(ScrollView, can_focus=True):
    """Rows under titles that stay in view, with a cursor that keeps to its row by key."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "table--title",
        "table--cursor",
        "table--dim",
        "table--good",
        "table--bad",
        "table--warning",
    }
    ALLOW_SELECT: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", show=False),
        Binding("k,up", "move(-1)", show=False),
        Binding("pagedown,ctrl+d", "page(1)", show=False),
        Binding("pageup,ctrl+u", "page(-1)", show=False),
        Binding("g,home", "edge(0)", show=False),
        Binding("G,end", "edge(-1)", show=False),
        Binding("enter", "open", "open"),
    ]

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
    ) -> None:
        super().__init__(id=id, classes=classes)
        self._sheet = Sheet.of(columns, ())
        self._empty = empty
        self._widths: list[int] = []
        self._cursor = 0

    @property
    def cursor_key(self) -> str | None:
        """What the row under the cursor stands for; None when there are no rows."""
        return self._rows[self._cursor].key if self._rows else None

    def show(self, rows: Sequence[Row], *columns: Column, empty: str | None = None) -> None:
        """Show these rows, under other columns if some are given; draws only lines that differ."""
        self.show_sheet(Sheet.of(columns or self._sheet.columns, rows), empty=empty)

    def show_sheet(self, sheet: Sheet, *, empty: str | None = None) -> None:
        """Show what was measured before; draws only lines that differ."""
        empty = self._empty if empty is None else empty
        if (sheet, empty) == (self._sheet, self._empty):
            return
        key, before, widths = self.cursor_key, self._rows, self._widths
        self._sheet, self._empty = sheet, empty
        self._cursor = next((at for at, row in enumerate(sheet.rows) if row.key == key), 0)
        self._fit()
        if len(sheet.rows) != len(before) or widths != self._widths or key != self.cursor_key:
            self._scroll_to_cursor()
            self.refresh()
            return
        top = self.scroll_offset.y
        for at, (old, new) in enumerate(zip(before, sheet.rows, strict=True)):
            if old != new:
                self.refresh_line(at + self._title_lines - top)

    def point_at(self, key: str) -> None:
        """Move the cursor to the row of that key, if there is one."""
        for at, row in enumerate(self._rows):
            if row.key == key:
                self._go(at)

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

    def on_click(self, event: events.Click) -> None:
        row = event.y - self.gutter.top - self._title_lines + self.scroll_offset.y
        if 0 <= row < len(self._rows):
            self._go(row)

    def on_resize(self) -> None:
        self._fit()
        self._scroll_to_cursor()

    def render_line(self, y: int) -> Strip:
        width, plain = self.size.width, self.rich_style
        row = y - self._title_lines + self.scroll_offset.y
        if not self._rows:
            text = self._empty if y == 0 else ""
            segments = [Segment(text, self.get_component_rich_style("table--dim"))]
        elif y < self._title_lines:
            style = self.get_component_rich_style("table--title")
            titles = [Cell(column.title) for column in self._columns]
            segments = self._line(titles, style)
        elif row < len(self._rows):
            at_cursor = self.has_focus and row == self._cursor
            plain = self.get_component_rich_style("table--cursor") if at_cursor else plain
            mark = ">" if row == self._cursor else " "
            segments = [
                Segment(f"{mark} ", plain),
                *self._line(self._rows[row].cells, plain)[1:],
            ]
        else:
            segments = []
        return Strip(segments).crop_extend(0, width, plain)

    @property
    def _columns(self) -> tuple[Column, ...]:
        return self._sheet.columns

    @property
    def _rows(self) -> tuple[Row, ...]:
        return self._sheet.rows

    @property
    def _title_lines(self) -> int:
        return 1 if any(column.title for column in self._columns) else 0

    @property
    def _shown(self) -> int:
        return max(self.size.height - self._title_lines, 1)

    def _fit(self) -> None:
        """Give the flexible column what the others leave."""
        widths = list(self._sheet.widths)
        for at, column in enumerate(self._columns):
            if column.flexible:
                others = sum(widths) - widths[at] + _GAP * len(widths)
                widths[at] = max(self.size.width - others, 8)
        self._widths = widths
        self.virtual_size = Size(self.size.width, len(self._rows) + self._title_lines)

    def _line(self, cells: Sequence[Cell], plain: Style) -> list[Segment]:
        segments = [Segment("  ", plain)]
        if len(cells) == 1 < len(self._columns):
            return [*segments, Segment(cells[0].text, self._toned(cells[0], plain))]
        for column, width, cell in zip_longest(self._columns, self._widths, cells):
            text = cut_in_the_middle(cell.text if cell else "", width)
            text = text.rjust(width) if column.number else text.ljust(width)
            segments += [Segment(text, self._toned(cell, plain)), Segment(" " * _GAP, plain)]
        return segments[:-1]

    def _toned(self, cell: Cell | None, plain: Style) -> Style:
        if cell is None or not cell.tone:
            return plain
        tone = self.get_component_rich_style(f"table--{cell.tone}")
        return plain + Style(color=tone.color)

    def _go(self, row: int) -> None:
        row = max(0, min(row, len(self._rows) - 1))
        if row == self._cursor:
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

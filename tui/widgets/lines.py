"""A panel of dated lines that grows at its end: the log, and the broker's notices."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.strip import Strip

from catalog.events import Level
from tui.keys import named
from tui.pager import read_in_pager
from tui.widgets.filtering import FilteredView

_KEPT = 1_000
_WORDS = {Level.WARNING: "WARNING ", Level.ERROR: "ERROR "}
_LEVELS = {
    Level.INFO: "",
    Level.WARNING: "warnings and errors",
    Level.ERROR: "errors",
}
"""What is shown from each level on, in words."""

_WEIGHTS = {level: weight for weight, level in enumerate(Level)}


class Line(NamedTuple):
    """A line: when and from where, what, and how much it matters."""

    head: str
    text: str
    level: Level

    def __str__(self) -> str:
        return f"{self.head} {_WORDS.get(self.level, '')}{self.text}"


class _Drawn(NamedTuple):
    line: Line
    strips: list[Strip]


class _Look(NamedTuple):
    """What lines are drawn in: so many cells, whether there is room for more rows than one, and
    styles of heads and of texts by level."""

    width: int
    wraps: bool
    head: Style
    text: Style
    marked: dict[Level, Style]

    def drawn(self, line: Line) -> _Drawn:
        """The line in as many rows as it takes."""
        style = self.marked.get(line.level, self.text)
        room = max(self.width - len(line.head) - 2, 20)
        text = _WORDS.get(line.level, "") + line.text
        rows = textwrap.wrap(text, room) if self.wraps and len(text) > room else [text]
        starts = [line.head] + [" " * len(line.head)] * (len(rows) - 1)
        strips = [
            Strip([Segment(f"{start} ", self.head), Segment(row, style)])
            for start, row in zip(starts, rows, strict=True)
        ]
        return _Drawn(line, strips)


class LinePanel(FilteredView):
    """Follows its last line unless the reader moved up or stopped it.

    Long lines wrap beside their head. Warnings and errors carry the word as well as the colour.
    Text is never read as markup. In focus one line is lit, with a `>` before it, to be copied.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line--dim",
        "line--warning",
        "line--error",
        "line--cursor",
    }
    BINDINGS: ClassVar[list[BindingType]] = named(
        "log",
        Binding("v", "level", "level", tooltip="Only warnings, only errors, all"),
        Binding("F", "follow", "follow", tooltip="Follow the last line, or not"),
        Binding("y", "copy_line", "copy line", tooltip="Copy the line"),
        Binding("o", "pager", "pager", tooltip="Read all lines in a pager"),
    )

    FOLLOWS: ClassVar[bool] = True
    """Whether it begins at its end."""

    def __init__(self, title: str, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="panel")
        self.border_title = title
        self._lines: list[Line] = []
        self._shown: list[_Drawn] = []
        self._strips: list[Strip] = []
        self._cursor = 0
        self._drawn_width = 0
        self._drawn_in: _Look | None = None
        self._following = self.FOLLOWS
        self._from = Level.INFO

    def add(self, lines: Iterable[Line]) -> None:
        """Append lines, all in one repaint."""
        fresh = list(lines)[-_KEPT:]
        if not fresh:
            return
        self._lines += fresh
        del self._lines[:-_KEPT]
        if not self.size.width:
            return  # not laid out yet: `on_resize` draws them
        at_end = self.is_vertical_scroll_end
        look = self._look()
        self._append(look.drawn(line) for line in fresh if self._passes(line))
        self._show(to_the_end=self._following and at_end)

    def show(self, lines: Iterable[Line]) -> None:
        """Show these lines in place of those before."""
        self._lines = list(lines)[-_KEPT:]
        self._cursor, self._following = 0, self.FOLLOWS
        self._draw_again()
        if not self._following:
            self.scroll_home(animate=False)

    def told(self) -> list[str]:
        parts = [f"{len(self._shown):,} of {len(self._lines):,} lines"] if self.words else []
        paused = self.FOLLOWS and not self._following
        return [*parts, *filter(None, [_LEVELS[self._from], "not following" if paused else ""])]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to follow only where lines are added."""
        return (action != "follow" or self.FOLLOWS) and super().check_action(action, parameters)

    def filter_changed(self) -> None:
        self._draw_again()

    def action_move(self, step: int) -> None:
        """Light the next line, or the one before."""
        self._go(self._cursor + step)

    def action_page(self, step: int) -> None:
        """Move by as many lines as are in view."""
        self._go(self._cursor + step * max(self.rows_in_view - 1, 1))

    def action_edge(self, edge: int) -> None:
        """Go to the first line, or to the last and follow it."""
        self._go(0 if edge == 0 else len(self._shown) - 1)

    def action_level(self) -> None:
        """Show from the next level on."""
        levels = list(_LEVELS)
        self._from = levels[(levels.index(self._from) + 1) % len(levels)]
        self._draw_again()

    def action_follow(self) -> None:
        """Follow the last line, or stay."""
        self._following = not self._following
        if self._following:
            self._cursor = max(len(self._shown) - 1, 0)
        self._show(to_the_end=self._following)

    def action_copy_line(self) -> None:
        """Copy the lit line."""
        if self._shown:
            self.app.copy_to_clipboard(str(self._shown[self._cursor].line))
            self.notify("the line is in the clipboard", timeout=3)

    async def action_pager(self) -> None:
        """Read the lines in the user's pager, beginning at the end."""
        await read_in_pager(self.app, "\n".join(str(drawn.line) for drawn in self._shown))

    def on_mouse_scroll_up(self) -> None:
        self._following = False

    def on_mouse_scroll_down(self) -> None:
        self._following = self.FOLLOWS and self.is_vertical_scroll_end

    def on_resize(self, _event: events.Resize) -> None:
        self._draw_again()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        # Most updates are of the focus: of the border alone.
        if self._drawn_in is not None and self._look() != self._drawn_in:
            self._draw_again()

    def render_row(self, y: int) -> Strip:
        row = y + self.scroll_offset.y
        width, style = self.size.width, self.rich_style
        if row >= len(self._strips):
            return Strip.blank(width, style)
        strip = self._strips[row].crop_extend(0, width, style)
        top, bottom = self._rows_of(self._cursor)
        if not (self.has_focus and top <= row < bottom):
            return strip
        if row == top:  # where there are no colours it is seen by a sign
            at = len(self._shown[self._cursor].line.head)
            sign = Strip([Segment(">", style)])
            strip = Strip.join([strip.crop(0, at), sign, strip.crop(at + 1)])
        return strip.apply_style(self.get_component_rich_style("line--cursor", partial=True))

    def _passes(self, line: Line) -> bool:
        if self._from is not Level.INFO and _WEIGHTS[line.level] < _WEIGHTS[self._from]:
            return False
        words = self.words
        return not words or all(word.lower() in str(line).lower() for word in words)

    def _draw_again(self) -> None:
        if not self.size.width:
            return
        self._shown, self._strips = [], []
        look = self._drawn_in = self._look()
        self._append(look.drawn(line) for line in self._lines if self._passes(line))
        self._show(to_the_end=self._following)

    def _append(self, drawn: Iterable[_Drawn]) -> None:
        at_last = self._cursor >= len(self._shown) - 1
        self._shown += drawn
        gone = max(len(self._shown) - _KEPT, 0)
        del self._shown[:gone]
        self._strips = [strip for one in self._shown for strip in one.strips]
        last = max(len(self._shown) - 1, 0)
        follows = self._following and at_last
        self._cursor = last if follows else min(max(self._cursor - gone, 0), last)

    def _show(self, *, to_the_end: bool) -> None:
        told = self.size.height - self.rows_in_view
        self.virtual_size = Size(self.scrollable_size.width, len(self._strips) + told)
        if to_the_end:  # forced: the first overflow comes before the scrollbar is there
            self.scroll_end(animate=False, immediate=True, force=True)
        self._refresh_lines()

    def watch_scroll_y(self, _before: float, now: float) -> None:
        if self.show_vertical_scrollbar:
            self.vertical_scrollbar.position = now
        self._refresh_lines()

    def _refresh_lines(self) -> None:
        """Draw again as far as text goes, and not the border: that halves the bytes."""
        width, height = self.size
        rows = self._strips[self.scroll_offset.y :][:height]
        widest = max((row.cell_length for row in rows), default=0)
        drawn, self._drawn_width = max(widest, self._drawn_width), widest
        whole = self.has_focus or self.rows_in_view < height
        self.refresh(Region(0, 0, width if whole else min(drawn, width), height))

    def _go(self, line: int) -> None:
        self._cursor = max(0, min(line, len(self._shown) - 1))
        self._following = self.FOLLOWS and self._cursor >= len(self._shown) - 1
        top, bottom = self._rows_of(self._cursor)
        if top < self.scroll_offset.y:
            self.scroll_to(y=top, animate=False)
        elif bottom > self.scroll_offset.y + self.rows_in_view:
            self.scroll_to(y=bottom - self.rows_in_view, animate=False)
        self._show(to_the_end=self._following)

    def _rows_of(self, line: int) -> tuple[int, int]:
        top = sum(len(drawn.strips) for drawn in self._shown[:line])
        return top, top + (len(self._shown[line].strips) if self._shown else 0)

    def _look(self) -> _Look:
        marked = {level: self.get_component_rich_style(f"line--{level}") for level in _WORDS}
        head = self.get_component_rich_style("line--dim")
        width, wraps = self.scrollable_size.width, self.size.height > 1
        return _Look(width, wraps, head, self.rich_style, marked)

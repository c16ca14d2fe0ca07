"""A panel of dated lines that grows at its end: the log, and the broker's notices."""

from __future__ import annotations

import textwrap
from collections import deque
from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from catalog.events import Level

_KEPT = 1_000
_WORDS = {Level.WARNING: "WARNING ", Level.ERROR: "ERROR "}


class Line(NamedTuple):
    """A line: when and from where, what, and how much it matters."""

    head: str
    text: str
    level: Level


class LinePanel(ScrollView):
    """Follows its last line unless the reader scrolled up.

    Long lines wrap beside their head. Warnings and errors carry the word as well as the colour.
    Text is never read as markup.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"line--dim", "line--warning", "line--error"}
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "scroll_down", show=False),
        Binding("k", "scroll_up", show=False),
        Binding("g", "scroll_home", show=False),
        Binding("G", "scroll_end", show=False),
    ]

    def __init__(self, title: str, *, id: str | None = None) -> None:
        super().__init__(id=id, classes="panel")
        self.border_title = title
        self._lines: deque[Line] = deque(maxlen=_KEPT)
        self._strips: list[Strip] = []

    def add(self, lines: Iterable[Line]) -> None:
        """Append lines, all in one repaint."""
        fresh = list(lines)[-_KEPT:]
        if not fresh:
            return
        following = self.is_vertical_scroll_end
        self._lines.extend(fresh)
        if not self.size.width:
            return  # not laid out yet: `on_resize` draws them
        self._strips += [strip for line in fresh for strip in self._drawn(line)]
        del self._strips[: max(len(self._strips) - _KEPT, 0)]
        self._show(to_the_end=following)

    def render_line(self, y: int) -> Strip:
        row = y + self.scroll_offset.y
        width = self.size.width
        if row >= len(self._strips):
            return Strip.blank(width, self.rich_style)
        return self._strips[row].crop_extend(0, width, self.rich_style)

    def on_resize(self, _event: events.Resize) -> None:
        self._draw_again()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._draw_again()

    def _draw_again(self) -> None:
        if self.size.width:
            self._strips = [strip for line in self._lines for strip in self._drawn(line)][-_KEPT:]
            self._show(to_the_end=True)

    def _show(self, *, to_the_end: bool) -> None:
        self.virtual_size = Size(self.size.width, len(self._strips))
        if to_the_end:  # forced: the first overflow comes before the scrollbar is there
            self.scroll_end(animate=False, immediate=True, force=True)
        self.refresh()

    def _drawn(self, line: Line) -> list[Strip]:
        dim = self.get_component_rich_style("line--dim")
        word = _WORDS.get(line.level, "")
        style = self.get_component_rich_style(f"line--{line.level}") if word else self.rich_style
        room = max(self.size.width - len(line.head) - 2, 20)
        rows = textwrap.wrap(word + line.text, room) or [""]
        starts = [line.head] + [" " * len(line.head)] * (len(rows) - 1)
        return [
            Strip([Segment(f"{start} ", dim), Segment(row, style)])
            for start, row in zip(starts, rows, strict=True)
        ]

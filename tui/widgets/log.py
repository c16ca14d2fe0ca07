"""The log panel: one line for each event of any job, the newest last."""

from __future__ import annotations

import textwrap
from datetime import tzinfo
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from catalog.events import Level
from tui.widgets.header import EXCHANGE_ZONE

if TYPE_CHECKING:
    from core.jobs import EventLog, LogLine

_KEPT_LINES = 1_000
_SOURCE_WIDTH = 8
_WORDS = {Level.WARNING: "WARNING ", Level.ERROR: "ERROR "}


class LogPanel(ScrollView):
    """Shows an `EventLog`, read at each `tick`; stays where the reader scrolled to.

    Times are New York's. Warnings and errors carry the word as well as the colour, and are
    wrapped, since they say what to do; other lines are cut at the edge.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"log--dim", "log--warning", "log--error"}

    def __init__(self, *, id: str | None = None, zone: tzinfo = EXCHANGE_ZONE) -> None:
        super().__init__(id=id)
        self._log: EventLog | None = None
        self._seen = 0
        self._zone = zone
        self._strips: list[Strip] = []
        self.border_title = "Log"

    def follow(self, log: EventLog) -> None:
        """Show this log from its first kept line on."""
        if log is not self._log:
            self._log = log
            self._draw_again()

    def tick(self) -> None:
        """Take over the lines written since the last tick, all in one repaint."""
        if self._log is None or self._log.total == self._seen or not self.size.width:
            return
        following = self.is_vertical_scroll_end
        lines = self._log.since(self._seen)[-_KEPT_LINES:]
        self._seen = self._log.total
        for line in lines:
            self._strips += self._drawn(line)
        del self._strips[: max(len(self._strips) - _KEPT_LINES, 0)]
        self._resize_content()
        if following:
            self.scroll_end(animate=False, immediate=True)
        self.refresh()

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
        self._seen = 0
        self._strips.clear()
        self.tick()
        self.scroll_end(animate=False, immediate=True)

    def _resize_content(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._strips))

    def _drawn(self, line: LogLine) -> list[Strip]:
        event = line.event
        plain = self.rich_style
        dim = self.get_component_rich_style("log--dim")
        head = f"{line.time.astimezone(self._zone):%H:%M:%S} {event.source:<{_SOURCE_WIDTH}} "
        text = " ".join(str(event).split())
        style, rows = plain, [text]
        if word := _WORDS.get(event.level):
            style = self.get_component_rich_style(f"log--{event.level}")
            room = max(self.size.width - len(head) - 1, 20)
            rows = textwrap.wrap(word + text, room, break_long_words=True)
        starts = [head, *(" " * len(head) for _ in islice(rows, 1, None))]
        return [
            Strip([Segment(start, dim), Segment(row, style)])
            for start, row in zip(starts, rows, strict=True)
        ]

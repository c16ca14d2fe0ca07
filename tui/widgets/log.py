"""The log panel: one line for each event of any job, the newest last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.widgets.header import EXCHANGE_ZONE
from tui.widgets.lines import Line, LinePanel

if TYPE_CHECKING:
    from core.jobs import EventLog, LogLine

_CHANNEL_WIDTH = 8


class LogPanel(LinePanel):
    """Shows the shared log of the jobs; times are in the zone of the header."""

    def __init__(self) -> None:
        super().__init__("Log", id="log")
        self._seen = 0

    def catch_up(self, log: EventLog) -> None:
        """Show what was written since the last call."""
        if log.total != self._seen:
            lines = log.since(self._seen)
            self._seen = log.total
            self.add(_line(line) for line in lines)


def _line(line: LogLine) -> Line:
    time = line.time.astimezone(EXCHANGE_ZONE)
    head = f"{time:%H:%M:%S} {line.event.channel:<{_CHANNEL_WIDTH}}"
    return Line(head, " ".join(str(line.event).split()), line.event.level)

"""All that one job reported, line by line, as it comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen

from tui.widgets.header import EXCHANGE_ZONE
from tui.widgets.lines import Line, LinePanel

if TYPE_CHECKING:
    from core.jobs import Job, LogLine

_REFRESH_S = 0.5


class JobLog(ModalScreen[None]):
    """The lines of a job; with `words` those that contain them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "close"),
    ]

    def __init__(self, job: Job[object], words: str = "") -> None:
        super().__init__()
        self._job = job
        self._words = words
        self._seen = 0

    def compose(self) -> ComposeResult:
        panel = LinePanel("", id="job-log")
        panel.border_title = Content(f"{self._job.title} {self._words}".rstrip())
        panel.border_subtitle = "esc close"
        yield panel

    def on_mount(self) -> None:
        self.query_one(LinePanel).focus()
        self._catch_up()
        self.set_interval(_REFRESH_S, self._catch_up)

    def _catch_up(self) -> None:
        lines = self._job.log.since(self._seen)
        self._seen = self._job.log.total
        self.query_one(LinePanel).add(
            _line(line) for line in lines if self._words in str(line.event)
        )


def _line(line: LogLine) -> Line:
    return Line(
        f"{line.time.astimezone(EXCHANGE_ZONE):%H:%M:%S}",
        " ".join(str(line.event).split()),
        line.event.level,
    )

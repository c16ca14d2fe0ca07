"""All that one job reported, line by line, as it comes."""

from __future__ import annotations

import re
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
_PUNCTUATION = re.compile("[:,']")


class JobLog(ModalScreen[None]):
    """The lines of a job; with `ids` those that name one of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "close"),
    ]

    def __init__(self, job: Job[object], ids: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._job = job
        self._ids = ids
        self._seen = 0

    def compose(self) -> ComposeResult:
        panel = LinePanel("", id="job-log")
        panel.border_title = Content(": ".join([self._job.title, *self._ids[:1]]))
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
            _line(line)
            for line in lines
            if not self._ids or any(_names(str(line.event), one) for one in self._ids)
        )


def _names(text: str, name: str) -> bool:
    """Whether a text has an id as a word of its own: SPY is not SPYG."""
    words, wanted = (f" {_PUNCTUATION.sub(' ', one)} " for one in (text, name))
    return wanted in words


def _line(line: LogLine) -> Line:
    return Line(
        f"{line.time.astimezone(EXCHANGE_ZONE):%H:%M:%S}",
        " ".join(str(line.event).split()),
        line.event.level,
    )

"""All that one job reported, line by line, as it comes."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content

from catalog.events import Event
from core.fetch_events import SeriesFailed
from core.jobs import JobFailed
from tui.keys import named
from tui.screens.dialog import Dialog
from tui.widgets.header import EXCHANGE_ZONE
from tui.widgets.lines import Line, LinePanel

if TYPE_CHECKING:
    from core.jobs import Job

_REFRESH_S = 0.5
_PUNCTUATION = re.compile("[:,']")


class JobLog(Dialog[None]):
    """The lines of a job, with `ids` those that name one of them, and the error it ended with."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        "dialog",
        Binding("escape,q,enter", "dismiss", "close"),
    )

    def __init__(self, job: Job[object], ids: tuple[str, ...] = ()) -> None:
        super().__init__()
        self._job = job
        self._ids = ids
        self._seen = 0
        self._ended = False

    def compose(self) -> ComposeResult:
        panel = LinePanel("", id="job-log").add_class("dialog")
        panel.border_title = Content(": ".join([self._job.title, *self._ids[:1]]))
        yield panel

    def on_mount(self) -> None:
        self.query_one(LinePanel).focus()
        self._catch_up()
        self.set_interval(_REFRESH_S, self._catch_up)

    def _catch_up(self) -> None:
        lines = [
            _line(line.time, line.event)
            for line in self._job.log.since(self._seen)
            if not self._ids or any(_names(str(line.event), one) for one in self._ids)
        ]
        self._seen = self._job.log.total
        if not self._ended and (ended := self._job.snapshot.finished) is not None:
            self._ended = True
            if (error := self._job.snapshot.error) is not None:
                lines.append(_line(ended, JobFailed(error.title, error.reason, error.steps)))
        self.query_one(LinePanel).add(lines)


def _names(text: str, name: str) -> bool:
    """Whether a text has an id as a word of its own: SPY is not SPYG."""
    words, wanted = (f" {_PUNCTUATION.sub(' ', one)} " for one in (text, name))
    return wanted in words


def _line(time: datetime, event: Event) -> Line:
    """An event with all that can be done about it: its own line names the first step alone."""
    text = str(event)
    if isinstance(event, SeriesFailed | JobFailed):
        text = " -> ".join([text, *event.steps[1:]])
    return Line(f"{time.astimezone(EXCHANGE_ZONE):%H:%M:%S}", " ".join(text.split()), event.level)

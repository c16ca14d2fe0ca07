"""All that the journal has of a job of another process, or of one before this."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.keys import named
from tui.screens.dialog import Dialog
from tui.widgets.fields import Field, Fields
from tui.widgets.header import EXCHANGE_ZONE
from tui.widgets.reading import Reading
from tui.widgets.result_progress import percent

if TYPE_CHECKING:
    from core.journal import JournalEntry


class JournalDetails(Dialog[None]):
    """What was asked for, by which process, and how it went."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        "dialog", Binding("escape,q,enter", "dismiss", "close")
    )

    def __init__(self, entry: JournalEntry) -> None:
        super().__init__()
        self._entry = entry

    def compose(self) -> ComposeResult:
        with Reading(id="journal-details", classes="dialog") as dialog:
            dialog.border_title = self._entry.title
            fields = Fields(self._entry.kind, id="its-entry")
            fields.fields = tuple(_fields(self._entry))
            yield fields

    def on_mount(self) -> None:
        self.query_one(Reading).focus()


def _fields(entry: JournalEntry) -> Iterator[Field]:
    state = f"{entry.state} {percent(entry.fraction)}" if entry.finished is None else entry.state
    yield Field("state", state)
    if entry.note:
        yield Field("because", entry.note)
    yield Field("started", _moment(entry.started))
    if entry.finished is not None:
        yield Field("ended", _moment(entry.finished))
    yield Field("process", f"{entry.pid}")
    for name, value in entry.request.items():
        told = " ".join(value) if isinstance(value, list) else value
        if told not in (None, "", False):
            yield Field(name, f"{told}")


def _moment(time: datetime) -> str:
    return f"{time.astimezone(EXCHANGE_ZONE):%Y-%m-%d %H:%M:%S} {EXCHANGE_ZONE.word}"

"""Fetches of other processes, and of those before this one, as lines of a table."""

from __future__ import annotations

from datetime import datetime

from core.journal import EntryState, JournalEntry
from tui.widgets.header import EXCHANGE_ZONE
from tui.widgets.result_progress import percent
from tui.widgets.result_table import Cell, Row

_TONES = {
    EntryState.DONE: "good",
    EntryState.FAILED: "bad",
    EntryState.CANCELLED: "warning",
}
_TOLD = {
    EntryState.INTERRUPTED: Cell("unfinished: R goes on", "warning"),
    EntryState.RESUMED: Cell("went on later", "dim"),
}


def journal_row(entry: JournalEntry, now: datetime) -> Row:
    """A job of the journal: what, and how and when it ended."""
    note = f": {entry.note}" if entry.note else ""
    if entry.state is EntryState.RUNNING:
        state = Cell(f"running elsewhere {percent(entry.fraction)}")
    else:
        state = _TOLD.get(entry.state) or _end(entry, now)
    return Row(entry.id, (Cell(f"{entry.title}{note}"), state, Cell("")))


def _end(entry: JournalEntry, now: datetime) -> Cell:
    ended = (entry.finished or entry.started).astimezone(EXCHANGE_ZONE)
    today = ended.date() == now.astimezone(EXCHANGE_ZONE).date()
    when = f"{ended:%H:%M}" if today else f"{ended:%m-%d %H:%M}"
    return Cell(f"{entry.state} {when}", _TONES[entry.state])

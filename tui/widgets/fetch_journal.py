"""Fetches of other processes, and of those before this one, as lines of a table."""

from __future__ import annotations

from datetime import datetime

from core.journal import EntryState, JournalEntry
from tui.widgets.header import EXCHANGE_ZONE
from tui.widgets.result_table import Cell, Row

_TOLD = {
    EntryState.RUNNING: Cell("runs in another process"),
    EntryState.DONE: Cell("done", "good"),
    EntryState.FAILED: Cell("failed", "bad"),
    EntryState.CANCELLED: Cell("cancelled", "warning"),
    EntryState.INTERRUPTED: Cell("unfinished: R goes on", "warning"),
    EntryState.RESUMED: Cell("went on later", "dim"),
}


def journal_row(entry: JournalEntry, now: datetime) -> Row:
    """A job of the journal: when, what, and how it ended."""
    started = entry.started.astimezone(EXCHANGE_ZONE)
    today = started.date() == now.astimezone(EXCHANGE_ZONE).date()
    when = f"{started:%H:%M}" if today else f"{started:%m-%d %H:%M}"
    note = f": {entry.note}" if entry.note else ""
    return Row(entry.id, (Cell(f"{when}  {entry.title}{note}"), _TOLD[entry.state]))

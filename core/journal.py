"""The journal of fetches and updates: shared by all processes of a user, and kept after a crash.

A job is entered before it begins. One that still stands as running when its process is gone, or
that was interrupted because its process ended, is unfinished: asked for again, it goes on where it
stopped, since only what the catalog lacks is requested.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from catalog.errors import CatalogUnusable

type JournalKind = Literal["fetch", "update", "rebuild"]

_MIGRATIONS = (
    """CREATE TABLE jobs (
        id TEXT PRIMARY KEY, kind TEXT, profile TEXT, title TEXT, request TEXT, state TEXT,
        started TEXT, finished TEXT, pid INTEGER, born TEXT, note TEXT
    )""",
    "ALTER TABLE jobs ADD COLUMN fraction REAL NOT NULL DEFAULT 0",
)
"""How each version of the schema comes from the one before; the first from nothing."""

_BUSY_SECONDS = 30.0
_KEPT = 1_000
_SHOWN = 100


class EntryState(StrEnum):
    """How far a job of the journal is."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    """Its process ended before it did."""
    RESUMED = "resumed"
    """Another entry goes on with it."""


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One job of this or another process. Times are aware UTC; `note` says how it ended,
    `fraction`, 0 to 1, how much was done when its process last told."""

    id: str
    kind: JournalKind
    profile: str
    title: str
    request: dict[str, Any]
    state: EntryState
    started: datetime
    finished: datetime | None
    pid: int
    note: str
    fraction: float = 0.0


class Journal:
    """The journal in one file. All calls may block on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(
        self, entry_id: str, kind: JournalKind, profile: str, title: str, request: dict[str, Any]
    ) -> None:
        """Enter a job of this process as running."""
        with self._open() as connection:
            connection.execute(
                "INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?, ?, '', 0)",
                (
                    entry_id,
                    kind,
                    profile,
                    title,
                    json.dumps(request),
                    EntryState.RUNNING,
                    datetime.now(UTC).isoformat(),
                    os.getpid(),
                    _born(os.getpid()),
                ),
            )
            connection.execute(
                "DELETE FROM jobs WHERE id NOT IN"
                " (SELECT id FROM jobs ORDER BY started DESC LIMIT ?)",
                (_KEPT,),
            )

    def progress(self, entry_id: str, fraction: float) -> None:
        """Say how much of a running job is done, 0 to 1."""
        with self._open() as connection:
            connection.execute("UPDATE jobs SET fraction = ? WHERE id = ?", (fraction, entry_id))

    def end(self, entry_id: str, state: EntryState, note: str = "") -> None:
        """Say how a job ended."""
        with self._open() as connection:
            connection.execute(
                "UPDATE jobs SET state = ?, finished = ?, note = ? WHERE id = ?",
                (state, datetime.now(UTC).isoformat(), note, entry_id),
            )

    def take_up(self, entry: JournalEntry) -> bool:
        """Claim an unfinished job, to go on with it; False when another process was faster."""
        with self._open() as connection:
            changed = connection.execute(
                "UPDATE jobs SET state = ? WHERE id = ? AND state NOT IN (?, ?)",
                (EntryState.RESUMED, entry.id, EntryState.RESUMED, EntryState.DONE),
            )
            return changed.rowcount == 1

    def entries(self, limit: int = _SHOWN) -> tuple[JournalEntry, ...]:
        """The latest jobs of all processes, newest first."""
        with self._open() as connection:
            rows = connection.execute(
                "SELECT * FROM jobs ORDER BY started DESC LIMIT ?", (limit,)
            ).fetchall()
        return tuple(_entry(row) for row in rows)

    def unfinished(self, profile: str) -> tuple[JournalEntry, ...]:
        """The jobs of a profile that ended with their process, oldest first."""
        return tuple(
            entry
            for entry in reversed(self.entries(_KEPT))
            if entry.profile == profile and entry.state is EntryState.INTERRUPTED
        )

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            connection = self._connect()
            try:
                with connection:
                    yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise CatalogUnusable(
                f"the journal {self._path} cannot be used",
                str(error),
                "look at the disk: is it full, is it there?",
                "a damaged journal can be moved away: no data is in it",
            ) from error

    def _connect(self) -> sqlite3.Connection:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self._path, timeout=_BUSY_SECONDS)
        try:
            _migrate(connection, self._path)
        except BaseException:
            connection.close()
            raise
        return connection


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection) == len(_MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")  # another process may be making the journal just now
    with connection:
        version = _version(connection)
        if version > len(_MIGRATIONS):
            raise CatalogUnusable(
                f"the journal {path} is of a newer Quarterdeck",
                f"its schema is version {version}, this program knows {len(_MIGRATIONS)}",
                "update Quarterdeck, or choose another home with --home",
            )
        if version:
            shutil.copy2(path, path.with_suffix(f".v{version}"))
        for statement in _MIGRATIONS[version:]:
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _entry(row: tuple[Any, ...]) -> JournalEntry:
    entry_id, kind, profile, title, request, told, started, finished, pid, born, note, fraction = (
        row
    )
    state = EntryState(told)
    if state is EntryState.RUNNING and _born(pid) != born:
        state = EntryState.INTERRUPTED
    return JournalEntry(
        entry_id,
        kind,
        profile,
        title,
        json.loads(request),
        state,
        datetime.fromisoformat(started),
        datetime.fromisoformat(finished) if finished else None,
        pid,
        note,
        fraction,
    )


def _born(pid: int) -> str:
    """When a process began, so that another one of the same number is told apart; empty when
    there is none. Ticks since the boot where the system tells them."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    return "" if state == "Z" else f"{fields[18]} {_boot()}"


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()

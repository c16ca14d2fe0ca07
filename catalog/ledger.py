"""The ledger: what the files say of themselves, remembered; and what no file can say.

A SQLite file in the catalog's private folder. What it holds of files and folders is a cache and
can be deleted: it is read again from the footers. Alone it holds the spans the broker answered
with no bars at all, the ids people typed, and the sessions of markets.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from catalog.coverage import Interval, subtract, union
from catalog.errors import CatalogUnusable
from catalog.files import BarFile
from catalog.layout import BARS, folder_name, series_folder
from catalog.ledger_rows import (
    Empty,
    LostFile,
    NameSource,
    Note,
    bar_file,
    bar_row,
    lost_file,
    sound,
)
from catalog.ledger_schema import ALONE_HERE, CACHES, connect, put_aside
from catalog.series import Series
from catalog.sessions import Hours, Sessions

_FORGOTTEN = "folders forgotten"
"""A fact: how often something that stands in no folder changed what a folder means."""

_LOSE = (
    "INSERT OR REPLACE INTO lost SELECT path, bar_type, rows, first, last, asked"
    " FROM bar_files WHERE path = ? AND asked IS NOT NULL"
)


class Ledger:
    """One connection, safe to use from several threads; several processes share the file."""

    def __init__(self, path: Path | None) -> None:
        """Open the ledger, make it, or bring it to this version's schema.

        `None` keeps it in memory, for a catalog that may only be read. A ledger that SQLite
        finds damaged is put aside and begun anew. Raises `CatalogUnusable` when a newer
        Quarterdeck wrote it.
        """
        self._path = path
        self._guard = threading.RLock()
        try:
            self._connection = connect(path)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if path is None or isinstance(error, sqlite3.OperationalError):
                raise CatalogUnusable(f"the ledger {path} cannot be opened", str(error)) from error
            put_aside(path)
            self._connection = connect(path)
        self._wal = self._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)

    def close(self) -> None:
        """Give the file back; the ledger cannot be used after it."""
        with self._guard:
            self._connection.close()

    @contextmanager
    def transaction(self, *, lasting: bool = True) -> Iterator[sqlite3.Connection]:
        """All statements inside are kept, or none; one inside another belongs to the outer.

        What is not `lasting` does not wait for the disk: a power cut may take it back, whole. That
        is for what the files say again.
        """
        with self._guard, self._told():
            if self._connection.in_transaction:
                yield self._connection
                return
            level = "FULL" if lasting or not self._wal else "NORMAL"
            self._connection.execute(f"PRAGMA synchronous = {level}")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows a query gives; nobody is kept waiting by it."""
        with self._guard, self._told():
            return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise CatalogUnusable(
                f"the ledger {self._path or 'in memory'} cannot be used",
                str(error),
                "look at the disk: is it full, is it there?",
            ) from error

    def forget_files(self) -> None:
        """Let go of all that the files say themselves."""
        with self.transaction() as connection:
            for table in CACHES:
                connection.execute(f"DELETE FROM {table}")

    def salvage(self) -> dict[str, list[tuple[Any, ...]]]:
        """What can still be read of a damaged ledger and stands in no file, by table."""
        found: dict[str, list[tuple[Any, ...]]] = {}
        for table in ALONE_HERE:
            with suppress(CatalogUnusable):
                found[table] = self.rows(f"SELECT * FROM {table}")
        return found

    def take_over(self, found: dict[str, list[tuple[Any, ...]]]) -> None:
        """Take over what `salvage` gave."""
        with self.transaction() as connection:
            for table, rows in found.items():
                for row in rows:
                    places = ", ".join("?" * len(row))
                    connection.execute(f"INSERT OR REPLACE INTO {table} VALUES ({places})", row)

    def fact(self, name: str) -> str | None:
        """A remembered fact about the whole catalog."""
        rows = self.rows("SELECT value FROM facts WHERE name = ?", name)
        return rows[0][0] if rows else None

    def remember_fact(self, name: str, value: str) -> None:
        """Keep a fact about the whole catalog."""
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def notes(self, name: Note) -> dict[str, str]:
        """What was noted under a name about series, by bar type."""
        beginning = f"{name} "
        found = self.rows(
            "SELECT name, value FROM facts WHERE substr(name, 1, ?) = ? AND value != ''",
            len(beginning),
            beginning,
        )
        return {noted.removeprefix(beginning): text for noted, text in found}

    def take_note(self, bar_type: str, name: Note, text: str) -> None:
        """Note something of a series; with an empty text that it is so no longer."""
        self.remember_fact(f"{name} {bar_type}", text)

    def bar_files(self, root: Path, folder: Path) -> dict[str, tuple[BarFile, bool]]:
        """What is remembered of the files in a folder, by name, and whether each one was read
        whole and found right."""
        rows = self.rows("SELECT * FROM bar_files WHERE folder = ?", str(folder))
        return {
            file.path.name: (file, bool(row[-1]))
            for row in rows
            if (file := sound(lambda row: bar_file(root, row), row))
        }

    def remember_bar_files(
        self, root: Path, files: Iterable[BarFile], gone: Iterable[Path] = (), checked: bool = False
    ) -> None:
        """Take over what files say now, and forget the paths that are gone.

        `checked` says that the files were read whole and found right, and that it was us who
        removed what is gone; else what a file of ours said before it went, or lost its footer, is
        kept as lost.
        """
        files = list(files)
        removed = [(str(path.relative_to(root)),) for path in gone]
        unsigned = [(str(one.path.relative_to(root)),) for one in files if one.asked is None]
        with self.transaction(lasting=checked) as connection:
            if not checked:
                connection.executemany(_LOSE, removed + unsigned)
            connection.executemany("DELETE FROM bar_files WHERE path = ?", removed)
            connection.executemany(
                f"INSERT OR REPLACE INTO bar_files VALUES ({', '.join('?' * 13)})",
                [(*bar_row(root, file), checked) for file in files],
            )

    def mark(self) -> str | None:
        """A value that is another one after a folder was forgotten, by this process or not."""
        return self.fact(_FORGOTTEN)

    def folders(self, parents: Iterable[Path]) -> dict[str, tuple[str, str]]:
        """State and content of the remembered folders inside the parents, by path."""
        return {
            path: (state, content)
            for parent in parents
            for path, state, content in self.rows(
                "SELECT path, state, content FROM folders WHERE parent = ?", str(parent)
            )
        }

    def remember_folders(
        self, fresh: Iterable[tuple[str, str, str]], gone: Iterable[str], mark: str | None
    ) -> None:
        """Take over path, state and content of folders as they were read since the `mark`, and
        drop those that are gone; nothing when a folder was forgotten meanwhile."""
        with self.transaction() as connection:
            if self.mark() != mark:
                return
            connection.executemany("DELETE FROM folders WHERE path = ?", [(path,) for path in gone])
            connection.executemany(
                "INSERT OR REPLACE INTO folders VALUES (?, ?, ?, ?)",
                [(path, str(Path(path).parent), state, text) for path, state, text in fresh],
            )

    def _forget_folders(self, beginning: str) -> None:
        """What is remembered of folders with such paths is no longer so."""
        with self.transaction() as connection:
            connection.execute(
                "DELETE FROM folders WHERE substr(path, 1, ?) = ?", (len(beginning), beginning)
            )
            connection.execute(
                "INSERT INTO facts VALUES (?, 1)"
                " ON CONFLICT (name) DO UPDATE SET value = value + 1",
                (_FORGOTTEN,),
            )

    def definitions(self, folder: Path) -> dict[str, tuple[int, int, list[dict[str, Any]]]]:
        """Size, mtime and definitions of the instrument files in a folder, by name."""
        rows = self.rows(
            "SELECT path, size, mtime_ns, definitions FROM instrument_files WHERE folder = ?",
            str(folder),
        )
        return {
            Path(path).name: (*stamp, definitions)
            for path, *stamp, text in rows
            if (definitions := sound(json.loads, text)) is not None
        }

    def remember_definitions(
        self, path: Path, size: int, mtime_ns: int, definitions: list[dict[str, Any]]
    ) -> None:
        """Take over what an instrument file holds; `path` is relative to the root."""
        with self.transaction(lasting=False) as connection:
            connection.execute(
                "INSERT OR REPLACE INTO instrument_files VALUES (?, ?, ?, ?, ?)",
                (str(path), str(path.parent), size, mtime_ns, json.dumps(definitions)),
            )

    def all_bar_files(self, root: Path) -> dict[str, BarFile]:
        """What is remembered of every file, by path relative to the root."""
        rows = self.rows("SELECT * FROM bar_files")
        files = (sound(lambda row: bar_file(root, row), row) for row in rows)
        return {str(file.path.relative_to(root)): file for file in files if file}

    def lost(self) -> list[LostFile]:
        """The files of ours that were found gone, or without their footer."""
        rows = self.rows("SELECT * FROM lost ORDER BY path")
        files = (sound(lost_file, row) for row in rows)
        return [file for file in files if file]

    def note_lost(self, root: Path, unsigned: Iterable[str] = ()) -> None:
        """Keep as lost what is remembered of files of ours that are not there, and of those at
        the paths (relative to the root) where a file without our footer stands now."""
        remembered = self.rows("SELECT path FROM bar_files WHERE asked IS NOT NULL")
        ours = {path for (path,) in remembered}
        lost = [(path,) for path in ours if not (root / path).exists()]
        lost += [(path,) for path in ours.intersection(unsigned)]
        with self.transaction() as connection:
            connection.executemany(_LOSE, lost)
            connection.executemany("DELETE FROM bar_files WHERE path = ?", lost)

    def forget_lost(self, *, path: str = "", bar_type: str = "") -> None:
        """Let go of a lost file, or of all those of a series."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM lost WHERE path = ? OR bar_type = ?", (path, bar_type))

    def instrument_hash(self, path: Path) -> str | None:
        """The SHA-256 of an instrument file as it was stored or first seen; `path` is relative to
        the root. Nothing in the file itself protects its values."""
        rows = self.rows("SELECT sha256 FROM instrument_hashes WHERE path = ?", str(path))
        return rows[0][0] if rows else None

    def remember_instrument_hash(self, path: Path, sha256: str) -> None:
        """Keep what `instrument_hash` gives."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO instrument_hashes VALUES (?, ?)", (str(path), sha256)
            )

    def empties(self, series: Series) -> list[Empty]:
        """The spans that were answered with no bars and stand in no file."""
        rows = self.rows(
            "SELECT start, end, hours, con_id, origin FROM empties WHERE bar_type = ?",
            series.bar_type,
        )
        return [Empty((start, end), *rest) for start, end, *rest in rows]

    def replace_empties(self, series: Series, empties: Iterable[Empty]) -> None:
        """Make these the empty spans of the series."""
        with self.transaction() as connection:
            self._forget_folders(str(series_folder(series)))
            connection.execute("DELETE FROM empties WHERE bar_type = ?", (series.bar_type,))
            connection.executemany(
                "INSERT INTO empties VALUES (?, ?, ?, ?, ?, ?)",
                [
                    (series.bar_type, *empty.interval, empty.hours, empty.con_id, empty.origin)
                    for empty in empties
                ],
            )

    def alias(self, typed: str) -> tuple[str, int | None] | None:
        """The canonical id and contract id that a typed id was found to mean."""
        rows = self.rows("SELECT instrument_id, con_id FROM aliases WHERE typed = ?", typed)
        return rows[0] if rows else None

    def aliases(self, instrument_id: str) -> dict[str, NameSource | None]:
        """The ids that were found to mean this instrument, sorted, and whose words they are."""
        statement = "SELECT typed, source FROM aliases WHERE instrument_id = ? ORDER BY typed"
        return dict(self.rows(statement, instrument_id))

    def remember_alias(
        self, typed: str, instrument_id: str, con_id: int | None, source: NameSource
    ) -> None:
        """Keep what a typed id means."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO aliases VALUES (?, ?, ?, ?)",
                (typed, instrument_id, con_id, source),
            )

    def sessions(self, instrument_id: str, hours: Hours, span: Interval) -> Sessions | None:
        """The sessions that touch `span`, or None unless all of it is known."""
        if subtract([span], self._session_spans(instrument_id, hours)):
            return None
        rows = self.rows(
            "SELECT date, open, close, zone, source FROM sessions WHERE instrument_id = ?"
            " AND hours = ? AND close > ? AND open < ? ORDER BY open",
            instrument_id,
            hours,
            *span,
        )
        dates, opens, closes, zones, sources = zip(*rows, strict=True) if rows else ((),) * 5
        return Sessions(
            np.array(dates, dtype=np.int64),
            np.array(opens, dtype=np.int64),
            np.array(closes, dtype=np.int64),
            zone=zones[-1] if zones else "UTC",
            source="broker" if set(sources) <= {"broker"} else "calendar",
        )

    def remember_sessions(
        self, instrument_id: str, hours: Hours, span: Interval, sessions: Sessions
    ) -> None:
        """Make these the sessions that touch `span`, all of which is known from now on."""
        with self.transaction() as connection:
            self._forget_folders(f"{BARS / folder_name(instrument_id)}-")
            connection.execute(
                "DELETE FROM sessions WHERE instrument_id = ? AND hours = ? AND close > ?"
                " AND open < ?",
                (instrument_id, hours, *span),
            )
            connection.executemany(
                "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (instrument_id, hours, *session, sessions.zone, sessions.source)
                    for session in zip(
                        sessions.dates.tolist(),
                        sessions.opens.tolist(),
                        sessions.closes.tolist(),
                        strict=True,
                    )
                ],
            )
            known = union([span, *self._session_spans(instrument_id, hours)])
            connection.execute(
                "DELETE FROM session_spans WHERE instrument_id = ? AND hours = ?",
                (instrument_id, hours),
            )
            connection.executemany(
                "INSERT INTO session_spans VALUES (?, ?, ?, ?)",
                [(instrument_id, hours, *interval) for interval in known],
            )

    def session_spans(self) -> dict[tuple[str, Hours], list[Interval]]:
        """The spans in which all sessions are known, by instrument id and hours."""
        known: dict[tuple[str, Hours], list[Interval]] = {}
        for instrument_id, hours, *span in self.rows("SELECT * FROM session_spans ORDER BY start"):
            known.setdefault((instrument_id, hours), []).append((span[0], span[1]))
        return known

    def _session_spans(self, instrument_id: str, hours: Hours) -> list[Interval]:
        statement = "SELECT start, end FROM session_spans WHERE instrument_id = ? AND hours = ?"
        return [(start, end) for start, end in self.rows(statement, instrument_id, hours)]

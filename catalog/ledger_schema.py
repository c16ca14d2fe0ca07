"""The tables of the ledger, and how an older ledger comes to have them."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from catalog.errors import CatalogUnusable

_MIGRATIONS = (
    """
    CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT);
    CREATE TABLE bar_files (
        path TEXT PRIMARY KEY, folder TEXT, bar_type TEXT, rows INTEGER, first INTEGER,
        last INTEGER, price_precision INTEGER, size_precision INTEGER, size INTEGER,
        mtime_ns INTEGER, asked TEXT, covered TEXT, checked INTEGER DEFAULT 0
    );
    CREATE INDEX bar_files_of_folder ON bar_files (folder);
    CREATE TABLE instrument_files (
        path TEXT PRIMARY KEY, folder TEXT, size INTEGER, mtime_ns INTEGER, definitions TEXT
    );
    CREATE INDEX instrument_files_of_folder ON instrument_files (folder);
    CREATE TABLE empties (
        bar_type TEXT, start INTEGER, end INTEGER, hours TEXT, con_id INTEGER, origin TEXT
    );
    CREATE INDEX empties_of_series ON empties (bar_type);
    CREATE TABLE aliases (typed TEXT PRIMARY KEY, instrument_id TEXT, con_id INTEGER);
    CREATE TABLE sessions (
        instrument_id TEXT, hours TEXT, date INTEGER, open INTEGER, close INTEGER, zone TEXT,
        source TEXT, PRIMARY KEY (instrument_id, hours, open)
    );
    CREATE TABLE session_spans (instrument_id TEXT, hours TEXT, start INTEGER, end INTEGER);
    """,
    "CREATE TABLE folders (path TEXT PRIMARY KEY, parent TEXT, state TEXT, content TEXT)",
    """
    CREATE TABLE lost (
        path TEXT PRIMARY KEY, bar_type TEXT, rows INTEGER, first INTEGER, last INTEGER, asked TEXT
    );
    CREATE TABLE checks (
        path TEXT PRIMARY KEY, size INTEGER, mtime_ns INTEGER, context TEXT, result TEXT
    );
    CREATE TABLE instrument_hashes (path TEXT PRIMARY KEY, sha256 TEXT);
    """,
    "ALTER TABLE aliases ADD COLUMN source TEXT",
    "DELETE FROM folders",  # its contents tell more
)
"""How each version of the schema comes from the one before; the first from nothing."""

CACHES = ("bar_files", "instrument_files", "folders", "checks")
"""The tables that are read again from the files when they are empty."""

ALONE_HERE = ("facts", "empties", "aliases", "sessions", "session_spans", "instrument_hashes")
"""The tables of what no file can say."""

_NETWORK_FILE_SYSTEMS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "ceph"}
_BUSY_SECONDS = 30.0


def put_aside(path: Path) -> Path:
    """Move a damaged ledger out of the way, so that a new one can be made; gives where it lies."""
    damaged = path.replace(path.with_suffix(".damaged"))
    for name in (f"{path.name}-wal", f"{path.name}-shm"):
        path.with_name(name).unlink(missing_ok=True)
    return damaged


def connect(path: Path | None) -> sqlite3.Connection:
    """Open the ledger's file, made or brought to this version's schema when needed; None is in
    memory.

    Raises `CatalogUnusable` when a newer Quarterdeck wrote it, `sqlite3.DatabaseError` when it is
    damaged.
    """
    connection = sqlite3.connect(
        path or ":memory:", timeout=_BUSY_SECONDS, check_same_thread=False, isolation_level=None
    )
    try:
        mode = "TRUNCATE" if path and on_network(path) else "WAL"
        connection.execute(f"PRAGMA journal_mode = {mode}")
        _migrate(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection, path: Path | None) -> None:
    if _version(connection) == len(_MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")  # another process may be making the ledger just now
    try:
        version = _version(connection)
        if version > len(_MIGRATIONS):
            raise CatalogUnusable(
                f"the ledger {path} is of a newer Quarterdeck",
                f"its schema is version {version}, this program knows {len(_MIGRATIONS)}",
                "update Quarterdeck, or choose another catalog",
            )
        if version and path:
            shutil.copy2(path, path.with_suffix(f".v{version}"))
        for script in _MIGRATIONS[version:]:
            for statement in script.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def on_network(path: Path) -> bool:
    """Whether the file system cannot share the memory that SQLite's WAL needs."""
    try:
        mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    except OSError:
        return False
    folder = path.parent.resolve()
    holding = [(len(at), kind) for at, kind in mounts if folder.is_relative_to(at)]
    return bool(holding) and max(holding)[1] in _NETWORK_FILE_SYSTEMS

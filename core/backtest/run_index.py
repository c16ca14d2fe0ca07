"""An index over the folders of runs: what is looked for and in which order, in one query.

A cache: each row says which state of its folder it was read from, and is read again when that
changes. Deleted or damaged, it is built anew.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from core.backtest.metrics import LOWER_IS_BETTER, check_metric
from core.backtest.run_files import Remarks, RunResult, RunSummary, read_summary
from core.backtest.spec import RunSpec

_VERSION = 2


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for among the runs.

    Every word of `text` stands somewhere in a run's id, spec, instruments, state, sweep, note or
    tags. `sort` is a metric, the best run first and those without it last; without it the newest
    is first. `most` of them are given.
    """

    text: str = ""
    sort: str = ""
    starred: bool = False
    sweep: str = ""
    most: int | None = None


class RunIndex:
    """The index of the folders beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: dict[str, tuple[int, RunSummary]] = {}
        """The runs that were looked for before, and the state of their folders then."""

    def find(self, search: Search) -> list[RunSummary]:
        """The runs looked for. Raises `WrongInput` for a metric that does not exist."""
        conditions, values = ["TRUE"], []
        for word in search.text.lower().split():
            conditions.append("instr(words, ?)")
            values.append(word)
        if search.starred:
            conditions.append("remarks ->> 'starred'")
        if search.sweep:
            conditions.append("result ->> 'sweep' = ?")
            values.append(search.sweep)
        query = (
            f"SELECT run_id, changed FROM run WHERE {' AND '.join(conditions)}"
            f" ORDER BY {_order(search.sort)} run_id DESC LIMIT ?"
        )
        with contextlib.closing(self._connect()) as index:
            with index:
                self._catch_up(index)
            most = -1 if search.most is None else search.most
            found = index.execute(query, (*values, most)).fetchall()
            return [self._summary(index, run_id, changed) for run_id, changed in found]

    def _summary(self, index: sqlite3.Connection, run_id: str, changed: int) -> RunSummary:
        """A run of the index, the same object as long as its folder does not change."""
        before = self._read.get(run_id)
        if before is not None and before[0] == changed:
            return before[1]
        query = "SELECT spec, result, remarks FROM run WHERE run_id = ?"
        spec, result, remarks = map(json.loads, index.execute(query, (run_id,)).fetchone())
        summary = RunSummary(
            RunSpec.from_json(spec), RunResult.from_json(result), Remarks.from_json(remarks)
        )
        self._read[run_id] = changed, summary
        return summary

    def _connect(self) -> sqlite3.Connection:
        try:
            return _index_at(self._path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # damaged: it holds nothing that the folders do not
            self._path.unlink()
            return _index_at(self._path)

    def _catch_up(self, index: sqlite3.Connection) -> None:
        """Take in folders that came or changed and drop those that went."""
        known = dict(index.execute("SELECT run_id, changed FROM run"))
        there = {
            entry.name: entry.stat().st_mtime_ns
            for entry in os.scandir(self._path.parent)
            if entry.is_dir() and not entry.name.startswith(".")
        }
        for gone in known.keys() - there.keys():
            index.execute("DELETE FROM run WHERE run_id = ?", (gone,))
            self._read.pop(gone, None)
        for run_id, changed in there.items():
            if known.get(run_id) != changed:
                with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                    run = read_summary(self._path.parent / run_id)
                    index.execute(
                        "INSERT OR REPLACE INTO run VALUES (?, ?, ?, ?, ?, ?)", _row(run, changed)
                    )


def _order(metric: str) -> str:
    if not metric:
        return ""
    check_metric(metric)
    direction = "ASC" if metric in LOWER_IS_BETTER else "DESC"
    return f"result ->> '$.metrics.{metric}' {direction} NULLS LAST,"


def _row(run: RunSummary, changed: int) -> tuple[str, int, str, str, str, str]:
    spec, result, remarks = (
        json.dumps(one.to_json()) for one in (run.spec, run.result, run.remarks)
    )
    words = [
        run.run_id,
        run.result.state,
        run.result.sweep,
        *(str(value) for value in run.spec.to_json().values()),
        *(venue.instrument_id for venue in run.result.venues),
        run.remarks.note,
        *run.remarks.tags,
    ]
    return run.run_id, changed, " ".join(words).lower(), spec, result, remarks


def _index_at(path: Path) -> sqlite3.Connection:
    index = sqlite3.connect(path, timeout=10)
    if index.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
        with index:
            index.execute("DROP TABLE IF EXISTS run")
            index.execute(
                "CREATE TABLE run (run_id TEXT PRIMARY KEY, changed INTEGER, words TEXT,"
                " spec TEXT, result TEXT, remarks TEXT)"
            )
            index.execute(f"PRAGMA user_version = {_VERSION}")
    return index

"""The runs that were made, each a folder of its own, and an index that finds them fast.

A folder is written whole or not at all: beside the others first, then renamed among them. The
index is a cache; deleted, it is built again from the folders.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Self, cast
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.columns import Floats, Ints
from catalog.errors import CatalogUnusable, DataUnavailable, WrongInput
from core.backtest.accounting import Equity, Fill, Trade
from core.backtest.metrics import Metrics
from core.backtest.records import ENGINE_LOG, EQUITY, FILLS, ORDERS, TRADES, Order
from core.backtest.spec import RunSpec
from core.backtest.tables import read_rows
from core.backtest.venues import VenueDetected

type RunState = Literal["done", "failed"]

_SPEC, _RESULT, _LOG = "spec.json", "result.json", "log.jsonl"
_STAGING = ".staging"
_INDEX = "index.sqlite"
_INDEX_VERSION = 1
_ENGINE_LINES = 500


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended. Without `metrics` it failed, for the reason in `error`."""

    run_id: str
    state: RunState
    started: str
    finished: str
    venues: tuple[VenueDetected, ...] = ()
    simulated: bool = False
    """Whether the bars came from the simulator."""
    warnings: tuple[str, ...] = ()
    metrics: Metrics | None = None
    error: dict[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        """The result as one JSON-able object."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """The result that `to_json` gave."""
        metrics = record["metrics"]
        return cls(
            **{
                **record,
                "venues": tuple(VenueDetected(**venue) for venue in record["venues"]),
                "warnings": tuple(record["warnings"]),
                "metrics": None if metrics is None else Metrics(**metrics),
            }
        )


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run as a line of the history."""

    spec: RunSpec
    result: RunResult

    @property
    def run_id(self) -> str:
        """Its name: when it was started, and something to tell apart those of one second."""
        return self.result.run_id

    @property
    def simulated(self) -> bool:
        """Whether it ran on simulated bars."""
        return self.result.simulated

    @property
    def synthetic(self) -> bool:
        """Whether an instrument was made up for it."""
        return any(venue.synthetic for venue in self.result.venues)


@dataclass(frozen=True, slots=True, eq=False)
class StoredRun(RunSummary):
    """A run with all it left. The tables of a failed run are empty.

    `log` has one JSON object a line: `time`, `level`, `message` and what else is known.
    """

    equity: Equity
    fills: tuple[Fill, ...]
    trades: tuple[Trade, ...]
    orders: tuple[Order, ...]
    log: tuple[dict[str, Any], ...]

    @property
    def metrics(self) -> Metrics:
        """The figures. Raises `DataUnavailable` for a run that failed."""
        if self.result.metrics is None:
            error = self.result.error or {}
            raise DataUnavailable(
                f"run {self.run_id} has no figures", str(error.get("title", "it failed"))
            )
        return self.result.metrics


class RunStore:
    """All runs below one folder. Every method does file work: call them in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def begin(self, now: datetime) -> Path:
        """Make the folder a run writes into until it is kept or discarded; its name is the run's
        id. Folders of processes that died are swept away.

        Raises `CatalogUnusable` when nothing can be written.
        """
        run_id = f"{now:%Y%m%d-%H%M%S}-{uuid4().hex[:6]}"
        staging = self.folder / _STAGING / str(os.getpid()) / run_id
        try:
            self._sweep()
            staging.mkdir(parents=True)
        except OSError as error:
            raise CatalogUnusable(
                "runs cannot be stored",
                f"{self.folder}: {error.strerror}",
                "make the folder writable, or name another with --home",
            ) from error
        return staging

    def keep(
        self, staging: Path, spec: RunSpec, result: RunResult, log: Sequence[dict[str, Any]]
    ) -> StoredRun:
        """Let the run stand among the others."""
        _write_json(staging / _SPEC, spec.to_json())
        _write_json(staging / _RESULT, result.to_json())
        (staging / _LOG).write_text("".join(json.dumps(line) + "\n" for line in log))
        staging.rename(self.folder / result.run_id)
        with self._index() as index:
            _remember(index, spec, result)
        return self.load(result.run_id)

    def discard(self, staging: Path) -> None:
        """Leave nothing of a run that was not finished."""
        shutil.rmtree(staging, ignore_errors=True)

    def list(self) -> list[RunSummary]:
        """All runs, the newest first."""
        if not self.folder.is_dir():
            return []
        with self._index() as index:
            self._catch_up(index)
            rows = index.execute("SELECT spec, result FROM run ORDER BY run_id DESC").fetchall()
        return [
            RunSummary(RunSpec.from_json(json.loads(spec)), RunResult.from_json(json.loads(result)))
            for spec, result in rows
        ]

    def load(self, run_id: str) -> StoredRun:
        """One run with its tables.

        Raises `WrongInput` for an unknown id, `DataUnavailable` when its files are damaged.
        """
        folder = self.folder / run_id
        if not run_id or folder.parent != self.folder or not (folder / _RESULT).is_file():
            newest = ", ".join(run.run_id for run in self.list()[:5]) or "none yet"
            raise WrongInput(
                f"there is no run '{run_id}'", f"the newest are {newest}", "choose one of them"
            )
        try:
            spec, result = _read_json(folder)
            done = result.state == "done"
            return StoredRun(
                spec,
                result,
                _read_equity(folder / EQUITY) if done else _no_equity(),
                tuple(read_rows(folder / FILLS, Fill)) if done else (),
                tuple(read_rows(folder / TRADES, Trade)) if done else (),
                tuple(read_rows(folder / ORDERS, Order)) if done else (),
                tuple(_read_log(folder)),
            )
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise DataUnavailable(
                f"run {run_id} cannot be read", str(error), "run it again", f"or delete {folder}"
            ) from error

    def _sweep(self) -> None:
        staging = self.folder / _STAGING
        if staging.is_dir():
            for owner in staging.iterdir():
                if not Path(f"/proc/{owner.name}").exists():
                    shutil.rmtree(owner, ignore_errors=True)

    @contextlib.contextmanager
    def _index(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(self._open_index()) as index, index:
            yield index

    def _open_index(self) -> sqlite3.Connection:
        path = self.folder / _INDEX
        try:
            return _index_at(path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:  # damaged: it holds nothing that the folders do not
            path.unlink()
            return _index_at(path)

    def _catch_up(self, index: sqlite3.Connection) -> None:
        """Take in folders that came and drop those that went without the index."""
        known = {row[0] for row in index.execute("SELECT run_id FROM run")}
        there = {
            entry.name
            for entry in os.scandir(self.folder)
            if entry.is_dir() and not entry.name.startswith(".")
        }
        for gone in known - there:
            index.execute("DELETE FROM run WHERE run_id = ?", (gone,))
        for new in there - known:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                _remember(index, *_read_json(self.folder / new))


def _index_at(path: Path) -> sqlite3.Connection:
    index = sqlite3.connect(path, timeout=10)
    if index.execute("PRAGMA user_version").fetchone()[0] != _INDEX_VERSION:
        with index:
            index.execute("DROP TABLE IF EXISTS run")
            index.execute(
                "CREATE TABLE IF NOT EXISTS run (run_id TEXT PRIMARY KEY, spec TEXT, result TEXT)"
            )
            index.execute(f"PRAGMA user_version = {_INDEX_VERSION}")
    return index


def _remember(index: sqlite3.Connection, spec: RunSpec, result: RunResult) -> None:
    index.execute(
        "INSERT OR REPLACE INTO run VALUES (?, ?, ?)",
        (result.run_id, json.dumps(spec.to_json()), json.dumps(result.to_json())),
    )


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")


def _read_json(folder: Path) -> tuple[RunSpec, RunResult]:
    return (
        RunSpec.from_json(json.loads((folder / _SPEC).read_text())),
        RunResult.from_json(json.loads((folder / _RESULT).read_text())),
    )


def _read_equity(path: Path) -> Equity:
    with pq.ParquetFile(path) as file:
        table = file.read()
    # Not `to_numpy`: it imports pandas into the dashboard, 0.7 s.
    ts, value, gross = (
        np.from_dlpack(cast(Any, table[name].combine_chunks())) for name in ("ts", "value", "gross")
    )
    return Equity(cast(Ints, ts), cast(Floats, value), cast(Floats, gross))


def _no_equity() -> Equity:
    return Equity(np.empty(0, np.int64), np.empty(0), np.empty(0))


def _read_log(folder: Path) -> Iterator[dict[str, Any]]:
    """Our lines, then the engine's, whose times are those of the simulation."""
    for line in (folder / _LOG).read_text().splitlines():
        yield json.loads(line)
    engine_log = folder / ENGINE_LOG
    if engine_log.exists():
        for line in engine_log.read_text().splitlines()[:_ENGINE_LINES]:
            said = json.loads(line)
            yield {
                "time": said["timestamp"],
                "level": "warning" if said["level"] == "WARN" else said["level"].lower(),
                "channel": "engine",
                "message": said["message"],
            }

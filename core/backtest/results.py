"""The runs that were made, each a folder of its own, and an index that finds them fast.

A folder is written whole or not at all: beside the others first, then renamed among them. The
index is a cache; deleted, it is built again from the folders.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pyarrow as pa

from catalog.errors import CatalogUnusable, DataUnavailable, WrongInput
from catalog.layout import NANOS_PER_DAY
from core.backtest.accounting import Equity, Fill, Position, Trade
from core.backtest.indicators import IndicatorLine, read_lines
from core.backtest.metrics import Metrics
from core.backtest.records import (
    ACCOUNTS,
    ENGINE_LOG,
    EQUITY,
    FILLS,
    INDICATORS,
    ORDERS,
    POSITIONS,
    TRADES,
    Balance,
    Order,
)
from core.backtest.run_files import (
    LOG,
    REMARKS,
    RESULT,
    SPEC,
    Remarks,
    read_remarks,
    read_summary,
    replace_json,
    sync,
    sync_files,
    write_json,
)
from core.backtest.run_files import RunResult as RunResult
from core.backtest.run_files import RunSummary as RunSummary
from core.backtest.run_index import RunIndex, Search
from core.backtest.spec import RunSpec
from core.backtest.tables import read_columns, read_rows

_STAGING = ".staging"
_INDEX = "index.sqlite"
_ENGINE_LINES = 500


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
    positions: tuple[Position, ...] = ()
    balances: tuple[Balance, ...] = ()

    @property
    def metrics(self) -> Metrics:
        """The figures. Raises `DataUnavailable` for a run that failed."""
        if self.result.metrics is None:
            why = f"it failed: {self.result.failure.title}"
            raise DataUnavailable(f"run {self.run_id} has no figures", why)
        return self.result.metrics


class RunStore:
    """All runs below one folder. Every method does file work: call them in a thread."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index = RunIndex(folder / _INDEX)

    def begin(self, now: datetime) -> Path:
        """Make the folder a run writes into until it is kept or discarded; its name is the run's
        id, by which runs sort in the order they began, to the millisecond. Folders of processes
        that died are swept away.

        Raises `CatalogUnusable` when nothing can be written.
        """
        run_id = f"{now:%Y%m%d-%H%M%S}-{now.microsecond // 1000:03}{uuid4().hex[:4]}"
        return self._staging(run_id)

    def keep(
        self, staging: Path, spec: RunSpec, result: RunResult, log: Sequence[dict[str, Any]]
    ) -> RunSummary:
        """Let the run stand among the others, on the disk before it is seen there."""
        write_json(staging / SPEC, spec.to_json())
        write_json(staging / RESULT, result.to_json())
        (staging / LOG).write_text("".join(json.dumps(line) + "\n" for line in log))
        sync_files(staging)
        sync(staging)
        staging.rename(self.folder / result.run_id)
        sync(self.folder)
        return RunSummary(spec, result, Remarks())

    def discard(self, staging: Path) -> None:
        """Leave nothing of a run that was not finished."""
        shutil.rmtree(staging, ignore_errors=True)

    def list(self, search: Search = Search()) -> list[RunSummary]:  # noqa: B008 (frozen)
        """The runs that are looked for; all of them, the newest first, unless said otherwise.

        Raises `WrongInput` for a metric that does not exist.
        """
        if not self.folder.is_dir():
            return []
        return self._index.find(search)

    def load(self, run_id: str) -> StoredRun:
        """One run with its tables.

        Raises `WrongInput` for an unknown id, `DataUnavailable` when its files are damaged.
        """
        folder = self._folder_of(run_id)
        try:
            summary = read_summary(folder)
            log = tuple(_read_log(folder))
            about = summary.spec, summary.result, summary.remarks
            if summary.result.metrics is None:
                return StoredRun(*about, _no_equity(), (), (), (), log)
            return StoredRun(
                *about,
                _read_equity(folder / EQUITY),
                _rows(folder / FILLS, Fill),
                _rows(folder / TRADES, Trade),
                _rows(folder / ORDERS, Order),
                log,
                _rows_if_any(folder / POSITIONS, Position),
                _rows_if_any(folder / ACCOUNTS, Balance),
            )
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise _unreadable(folder, error) from error

    def indicators(self, run_id: str) -> tuple[IndicatorLine, ...]:
        """What the indicators of a run said; empty where its strategy had none, or the run is older
        than this.

        Raises as `load`.
        """
        path = self._folder_of(run_id) / INDICATORS
        try:
            return read_lines(path) if path.exists() else ()
        except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
            raise _unreadable(path.parent, error) from error

    def remark(self, run_id: str, change: Callable[[Remarks], Remarks]) -> Remarks:
        """Change what a person says of a run; gives what is said now.

        Raises `WrongInput` for an unknown id.
        """
        folder = self._folder_of(run_id)
        remarks = change(read_remarks(folder))
        replace_json(folder / REMARKS, remarks.to_json())
        return remarks

    def delete(self, run_id: str) -> None:
        """Remove a run with all its files. Raises `WrongInput` for an unknown id."""
        folder = self._folder_of(run_id)
        # Away at once and whole; what is left of it when we die is swept.
        gone = self._staging(f"deleted-{uuid4().hex[:6]}")
        folder.rename(gone / run_id)
        sync(self.folder)
        self.discard(gone)

    def _folder_of(self, run_id: str) -> Path:
        folder = self.folder / run_id
        if not run_id or folder.parent != self.folder or not (folder / RESULT).is_file():
            newest = ", ".join(run.run_id for run in self.list(Search(most=5))) or "none yet"
            raise WrongInput(
                f"there is no run '{run_id}'", f"the newest ones: {newest}", "choose one of them"
            )
        return folder

    def _staging(self, name: str) -> Path:
        folder = self.folder / _STAGING / str(os.getpid()) / name
        try:
            self._sweep()
            folder.mkdir(parents=True)
        except OSError as error:
            raise CatalogUnusable(
                "runs cannot be stored",
                f"{self.folder}: {error.strerror}",
                "make the folder writable, or name another with --home",
            ) from error
        return folder

    def _sweep(self) -> None:
        staging = self.folder / _STAGING
        if staging.is_dir():
            for owner in staging.iterdir():
                if not Path(f"/proc/{owner.name}").exists():
                    shutil.rmtree(owner, ignore_errors=True)


def _unreadable(folder: Path, error: Exception) -> DataUnavailable:
    return DataUnavailable(
        f"run {folder.name} cannot be read", str(error), "run it again", f"or delete {folder}"
    )


def _rows[T](path: Path, kind: type[T]) -> tuple[T, ...]:
    return tuple(read_rows(path, kind))


def _rows_if_any[T](path: Path, kind: type[T]) -> tuple[T, ...]:
    """The rows of a table that the first runs did not have."""
    return _rows(path, kind) if path.exists() else ()


def _read_equity(path: Path) -> Equity:
    columns = read_columns(path)
    columns.setdefault("benchmark", np.empty(0))
    columns.setdefault("date", columns["ts"] // NANOS_PER_DAY)  # the first runs did not have it
    return Equity(*(columns[name] for name in ("ts", "value", "gross", "date", "benchmark")))


def _no_equity() -> Equity:
    none = np.empty(0, np.int64)
    return Equity(none, np.empty(0), np.empty(0), none, np.empty(0))


def _read_log(folder: Path) -> Iterator[dict[str, Any]]:
    """Our lines, then the engine's, whose times are those of the simulation."""
    for line in (folder / LOG).read_text().splitlines():
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

"""What is known of a run besides its tables, as JSON files of its folder."""

from __future__ import annotations

import dataclasses
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

from catalog.coverage import Interval
from catalog.errors import QuarterdeckError
from core.backtest.fingerprint import Fingerprint
from core.backtest.metrics import Metrics
from core.backtest.spec import RunSpec
from core.backtest.venues import VenueDetected

type RunState = Literal["done", "partial", "failed"]
"""`partial`: it was cancelled, and has the figures of what had run until then."""

_SYNCED_AT_ONCE = 8
SPEC, RESULT, LOG, REMARKS = "spec.json", "result.json", "log.jsonl", "remarks.json"


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
    """What can mislead the reader of the figures who does not know it."""
    metrics: Metrics | None = None
    error: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    """What is so in every run of its kind."""
    interval: Interval | None = None
    """The range it came to, over bar opens, ns."""
    fingerprint: Fingerprint | None = None
    """What it stood on; None for a run that failed."""
    sweep: str = ""
    """The id of the sweep it belongs to."""
    defaults: dict[str, object] = field(default_factory=dict)
    """What the strategy took for parameters that the spec does not set, then."""

    @property
    def failure(self) -> QuarterdeckError:
        """What a run without metrics failed with."""
        record = {"title": "no reason was kept", "reason": "", "steps": (), **(self.error or {})}
        return QuarterdeckError(str(record["title"]), str(record["reason"]), *record["steps"])

    def to_json(self) -> dict[str, Any]:
        """The result as one JSON-able object."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """The result that `to_json` gave."""
        metrics, fingerprint = record["metrics"], record.get("fingerprint")
        interval = record.get("interval")
        return cls(
            **{
                **record,
                "venues": tuple(VenueDetected(**venue) for venue in record["venues"]),
                "warnings": tuple(record["warnings"]),
                "notes": tuple(record.get("notes", ())),
                "metrics": None if metrics is None else Metrics.from_json(metrics),
                "interval": None if interval is None else tuple(interval),
                "fingerprint": None if fingerprint is None else Fingerprint(**fingerprint),
            }
        )


@dataclass(frozen=True, slots=True)
class Remarks:
    """What a person says of a run."""

    note: str = ""
    tags: tuple[str, ...] = ()
    starred: bool = False

    def to_json(self) -> dict[str, Any]:
        """The remarks as one JSON-able object."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """The remarks that `to_json` gave."""
        return cls(**{**record, "tags": tuple(record["tags"])})


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run as a line of the history."""

    spec: RunSpec
    result: RunResult
    remarks: Remarks

    @property
    def parameters(self) -> dict[str, object]:
        """All parameters of the strategy as it ran, set or not."""
        return {**self.result.defaults, **self.spec.parameters}

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


def read_summary(folder: Path) -> RunSummary:
    """What the JSON files of a run's folder say. Raises `OSError`, `ValueError`, `KeyError` or
    `TypeError` when they are missing or damaged."""
    return RunSummary(
        RunSpec.from_json(_read_json(folder / SPEC)),
        RunResult.from_json(_read_json(folder / RESULT)),
        read_remarks(folder),
    )


def read_remarks(folder: Path) -> Remarks:
    """What a person said of a run. Raises as `read_summary`."""
    path = folder / REMARKS
    return Remarks.from_json(_read_json(path)) if path.exists() else Remarks()


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file anew."""
    path.write_text(json.dumps(content, indent=2) + "\n")


def replace_json(path: Path, content: dict[str, Any]) -> None:
    """Write a file so that there is the old one or the new one whatever happens, on the disk."""
    beside = path.with_suffix(f".{os.getpid()}.new")
    write_json(beside, content)
    sync(beside)
    beside.replace(path)
    sync(path.parent)


def sync_files(folder: Path) -> None:
    """Have what is in the files of a folder on the disk."""
    # At once: the disk then writes its journal once, not for each file, and is 20 times faster.
    with ThreadPoolExecutor(_SYNCED_AT_ONCE) as threads:
        list(threads.map(sync, folder.iterdir()))


def sync(path: Path) -> None:
    """Have what is in a file, or the names in a folder, on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text())

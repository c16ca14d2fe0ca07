"""What crosses the border between the dashboard and the worker process of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from core.backtest.data import RunData
from core.backtest.fingerprint import Fingerprint
from core.backtest.metrics import Metrics
from core.backtest.spec import RunSpec


@dataclass(frozen=True, slots=True)
class Task:
    """A run for a worker. It writes its tables into `folder`. `sweep` is the id of the sweep it
    belongs to, if any."""

    spec: RunSpec
    data: RunData
    folder: Path
    sweep: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How many bars an engine has processed, after so many seconds."""

    done: int
    total: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker found out, its tables aside. `warnings` can mislead the reader of the figures
    who does not know them; `notes` are so in every run of its kind."""

    metrics: Metrics
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    fingerprint: Fingerprint


def perform(task: Task, *, send: Callable[[Progress], None]) -> Outcome:
    """Run the task here; to be called in a worker process, as it loads Nautilus.

    Raises `WrongInput` and `DataUnavailable` in the user's words.
    """
    from core.backtest.engine import simulate

    return simulate(task, send)

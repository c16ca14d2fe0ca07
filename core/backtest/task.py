"""What crosses the border between the dashboard and the worker process of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from catalog import workers
from core.backtest.data import RunData
from core.backtest.fingerprint import Fingerprint
from core.backtest.limits import Limits
from core.backtest.metrics import Metrics
from core.backtest.spec import RunSpec


@dataclass(frozen=True, slots=True)
class Task:
    """A run for a worker. `parameters` are those of the spec, read as what they stand for,
    `defaults` what the strategy has where the spec does not set them. It writes its tables into
    `folder`. `sweep` is the id of the sweep it belongs to, if any. `strategy_folders` are where
    strategies of the user lie.

    A file `stop` in the folder asks it to end with what it has so far.
    """

    spec: RunSpec
    parameters: Mapping[str, object]
    data: RunData
    folder: Path
    sweep: str = ""
    strategy_folders: tuple[Path, ...] = ()
    limits: Limits = Limits()  # noqa: RUF009 (frozen)
    defaults: Mapping[str, object] = field(default_factory=dict)

    @property
    def stop(self) -> Path:
        """The file that asks the run to end."""
        return self.folder / "stop"


@dataclass(frozen=True, slots=True)
class Progress:
    """How many bars an engine has processed, after so many seconds, and where it is: `reached` is
    the stamp of the last one, ns. `ended` says that no more will be processed."""

    done: int
    total: int
    seconds: float
    reached: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a worker found out, its tables aside. `warnings` can mislead the reader of the figures
    who does not know them; `notes` are so in every run of its kind."""

    metrics: Metrics
    warnings: tuple[str, ...]
    notes: tuple[str, ...]
    fingerprint: Fingerprint
    stopped: bool = False
    """Whether it ended before all bars were processed."""


def perform(task: Task, *, send: Callable[[Progress], None]) -> Outcome:
    """Run the task here; to be called in a worker process, as it loads Nautilus.

    Raises `WrongInput` and `DataUnavailable` in the user's words.
    """
    from core.backtest.engine import simulate

    if task.sweep:  # there are as many of them as cores
        workers.give_way()
    return simulate(task, send)


def rehearse() -> None:
    """What a worker that waits for a task does meanwhile."""
    from core.backtest.rehearsal import rehearse

    rehearse()

"""What has come of a sweep so far: a table that is best first, and a heatmap of two parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from textual.content import Content

from core.backtest.metrics import LOWER_IS_BETTER
from core.backtest.sweep import SweepRun, ranked
from core.backtest.sweep_running import SweepRunEnded, SweepRunFailed
from core.jobs import JobState
from tui.widgets.result_figures import count, percent, ratio
from tui.widgets.result_progress import clock, progress_bar
from tui.widgets.result_table import Cell, Column, Row, gain

if TYPE_CHECKING:
    from datetime import datetime

    from core.backtest.sweep import Axis, SweepResult, SweepSpec
    from core.jobs import Job

_CELL = 8


class SweepBoard:
    """One sweep as its screen shows it; `catch_up` reads the events that are new."""

    def __init__(self, job: Job[SweepResult], spec: SweepSpec) -> None:
        self.job = job
        self.spec = spec
        self._runs: list[SweepRun] = []
        self._seen = 0

    def catch_up(self) -> bool:
        """Take in what was reported since the last call; whether there was anything."""
        lines = self.job.log.since(self._seen)
        self._seen = self.job.log.total
        ended = [
            one.event for one in lines if isinstance(one.event, SweepRunEnded | SweepRunFailed)
        ]
        self._runs += [event.run for event in ended]
        return bool(ended)

    def progress(self, now: datetime) -> str:
        """How far it is, how fast, and when it will be there; or how it ended."""
        snapshot = self.job.snapshot
        counted = f"{len(self._runs):,} of {snapshot.total:,.0f} runs"
        if snapshot.state is not JobState.RUNNING:
            reason = f": {snapshot.error}" if snapshot.error else ""
            return f"{snapshot.state}{reason}, {counted}"
        if not snapshot.total:
            return "preparing the data"
        left = snapshot.remaining(now)
        told = f", {clock(left)} left" if left is not None else ""
        return f"{progress_bar(snapshot.fraction)}  {counted}{told}"

    def columns(self, metric: str) -> tuple[Column, ...]:
        """A column for each parameter that is varied, then the figures."""
        return (
            *(Column(axis.name, number=True) for axis in self.spec.axes),
            *(Column(title, number=True) for title, _ in _figures(metric)),
        )

    def rows(self, metric: str) -> list[Row]:
        """A line a run, the best by `metric` first; those that failed say why."""
        return [self._row(at, run, metric) for at, run in enumerate(ranked(self._runs, metric))]

    def heatmap(self, metric: str) -> Content:
        """The metric over the first two parameters, of others the best; empty with none ended."""
        rows, columns = _two_axes(self.spec.axes)
        best = self._best(rows, columns, metric)
        if not best:
            return Content("")
        low, high = min(best.values()), max(best.values())
        head = f"{rows.name if rows else ''} ↓  {columns.name} →"
        lines = [Content.styled(head, "dim")]
        lines.append(Content("".join(f"{value!s:>{_CELL}}" for value in ("", *columns.values))))
        for row in rows.values if rows else (None,):
            cells = [Content(f"{'' if row is None else row!s:>{_CELL}}")]
            cells += [
                _heat(best.get((row, column)), low, high, better_low=metric in LOWER_IS_BETTER)
                for column in columns.values
            ]
            lines.append(Content("").join(cells))
        return Content("\n").join(lines)

    def run_of(self, key: str) -> SweepRun | None:
        """The run of a row."""
        return next((run for run in self._runs if run.run_id == key), None)

    def _row(self, at: int, run: SweepRun, metric: str) -> Row:
        parameters = tuple(Cell(str(value)) for value in run.parameters.values())
        if run.metrics is None:
            said = " ".join(f"{name}={value}" for name, value in run.parameters.items())
            return Row(f"failed {at}", (Cell(f"{said}: {run.error}", "bad"),))
        figures = (
            _cell(run, name, say)
            for name, (_, say) in zip(_names(metric), _figures(metric), strict=True)
        )
        return Row(run.run_id or f"run {at}", (*parameters, *figures))

    def _best(
        self, rows: Axis | None, columns: Axis, metric: str
    ) -> dict[tuple[object, object], float]:
        found: dict[tuple[object, object], float] = {}
        for run in reversed(ranked(self._runs, metric)):
            value = None if run.metrics is None else getattr(run.metrics, metric)
            if value is not None:
                row = run.parameters[rows.name] if rows else None
                found[row, run.parameters[columns.name]] = float(value)
        return found


_FIGURES: dict[str, tuple[str, Callable[[Any], str]]] = {
    "total_return": ("return", percent),
    "sharpe": ("Sharpe", ratio),
    "max_drawdown": ("max DD", lambda depth: percent(-depth)),
    "trades": ("trades", count),
    "profit_factor": ("PF", ratio),
}


def _names(metric: str) -> Sequence[str]:
    """The metric, then the others: at 80 columns there is no room for the last ones."""
    return list(dict.fromkeys([metric, *_FIGURES]))


def _figures(metric: str) -> Sequence[tuple[str, Callable[[Any], str]]]:
    return [_FIGURES.get(name, (name, ratio)) for name in _names(metric)]


def _cell(run: SweepRun, name: str, say: Callable[[Any], str]) -> Cell:
    value = getattr(run.metrics, name)
    return gain(value, say(value)) if name == "total_return" else Cell(say(value))


def _two_axes(axes: tuple[Axis, ...]) -> tuple[Axis | None, Axis]:
    return (axes[0], axes[1]) if len(axes) > 1 else (None, axes[0])


def _heat(value: float | None, low: float, high: float, *, better_low: bool) -> Content:
    """A value on a ground that is the stronger the nearer it is to the best or the worst."""
    if value is None:
        return Content("n/a".rjust(_CELL))
    text = f"{value:>{_CELL}.2f}"
    if low == high:
        return Content(text)
    place = 2 * (value - low) / (high - low) - 1
    place = -place if better_low else place
    tone = "success" if place > 0 else "error"
    return Content.styled(text, f"on ${tone} {10 + round(40 * abs(place))}%")

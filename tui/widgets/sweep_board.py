"""What has come of a sweep so far: a table that is best first, and a heatmap of two parameters."""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from typing import TYPE_CHECKING

from textual.content import Content

from core.backtest.metrics import LOWER_IS_BETTER, Metrics
from core.backtest.sweep import SweepRun, place_by, ranked
from core.backtest.sweep_running import SweepRunEnded, SweepRunFailed
from core.jobs import JobState
from tui.widgets.result_figures import NOT_AVAILABLE
from tui.widgets.result_progress import clock, progress_bar
from tui.widgets.result_table import Cell, Column, Row, gain

if TYPE_CHECKING:
    from datetime import datetime

    from core.backtest.sweep import Axis, SweepResult, SweepSpec
    from core.jobs import Job

MOST_ROWS = 500
"""The best runs that the table shows; the heatmap is of all."""
_ALWAYS = ("total_return", "sharpe", "max_drawdown", "trades", "profit_factor")


class SweepBoard:
    """One sweep as its screen shows it, its runs the best first; `catch_up` reads the events that
    are new."""

    def __init__(self, job: Job[SweepResult], spec: SweepSpec) -> None:
        self.job = job
        self.spec = spec
        self._metric = ""
        self._runs: list[SweepRun] = []
        self._seen = 0

    def catch_up(self, metric: str) -> bool:
        """Take in what was reported since the last call, and rank by the metric; whether there was
        anything."""
        lines = self.job.log.since(self._seen)
        self._seen = self.job.log.total
        fresh = [
            one.event.run for one in lines if isinstance(one.event, SweepRunEnded | SweepRunFailed)
        ]
        if metric == self._metric:
            for run in fresh:  # of a sweep of thousands all would take too long to sort each time
                insort(self._runs, run, key=place_by(metric))
            return bool(fresh)
        self._metric, self._runs = metric, ranked([*self._runs, *fresh], metric)
        return True

    def progress(self, now: datetime) -> str:
        """How far it is, how fast, and when it will be there; or how it ended."""
        snapshot = self.job.snapshot
        counted = f"{len(self._runs):,} of {snapshot.total:,.0f} runs"
        if len(self._runs) > MOST_ROWS:
            counted += f", the best {MOST_ROWS} below"
        if snapshot.state is not JobState.RUNNING:
            reason = f": {snapshot.error}" if snapshot.error else ""
            return f"{snapshot.state}{reason}, {counted}"
        if not snapshot.total:
            return "preparing the data"
        left = snapshot.remaining(now)
        told = f", {clock(left)} left" if left is not None else ""
        return f"{progress_bar(snapshot.fraction)}  {counted}{told}"

    @property
    def columns(self) -> tuple[Column, ...]:
        """What is varied, then the figures."""
        from tui.report import told_by

        return (
            Column("/".join(axis.name.partition("_")[0] for axis in self.spec.axes)),
            *(Column(told_by(name)[0], number=True) for name in self._figures),
        )

    def rows(self) -> list[Row]:
        """A line a run, the best first; those that failed say why. No more than a person reads."""
        return [self._row(at, run) for at, run in enumerate(self._runs[:MOST_ROWS])]

    def heatmap(self, width: int) -> Content:
        """The metric over the first two parameters, the longer one down, of others the best, in so
        many cells; empty with none ended."""
        across, *down = sorted(self.spec.axes[1::-1], key=lambda axis: len(axis.values))
        best = self._best(across, *down)
        if not best:
            return Content("")
        from tui.report import told_by

        label, say = told_by(self._metric)
        low, high = min(best.values()), max(best.values())

        def told(value: float | None) -> str:
            return NOT_AVAILABLE if value is None else say(value).removesuffix(" %")

        names = [str(value) for axis in down for value in axis.values] or [""]
        left = max(map(len, names))
        cell = 2 + max(len(text) for text in (told(low), told(high), *map(str, across.values)))
        fitting = across.values[: max((width - left) // cell, 1)]
        lines = [f"{label}  {''.join(f'{axis.name} ↓  ' for axis in down)}{across.name} →"]
        lines += _besides(self.spec.axes[2:], len(across.values) - len(fitting))
        lines.append(" " * left + "".join(f"{one!s:>{cell}}" for one in fitting))
        rows = []
        for name, value in zip(names, down[0].values if down else (None,), strict=True):
            values = [best.get((one, value)) for one in fitting]
            cells = [
                _heat(told(one).rjust(cell), _place(one, low, high, self._metric)) for one in values
            ]
            rows.append(Content("").join([Content(name.rjust(left)), *cells]))
        return Content("\n").join([Content.styled("\n".join(lines), "dim"), *rows])

    def run_of(self, key: str) -> SweepRun | None:
        """The run of a row."""
        return next((run for run in self._runs if run.run_id == key), None)

    @property
    def _figures(self) -> Sequence[str]:
        """The metric, then the others: at 80 columns there is no room for the last ones."""
        return list(dict.fromkeys([self._metric, *_ALWAYS]))

    def _row(self, at: int, run: SweepRun) -> Row:
        if run.metrics is None:
            said = " ".join(f"{name}={value}" for name, value in run.parameters.items())
            return Row(f"failed {at}", (Cell(f"{said}: {run.error}", "bad"),))
        varied = Cell("/".join(map(str, run.parameters.values())))
        figures = (_cell(run.metrics, name) for name in self._figures)
        return Row(run.run_id or f"run {at}", (varied, *figures))

    def _best(self, across: Axis, *down: Axis) -> dict[tuple[object, object], float]:
        found: dict[tuple[object, object], float] = {}
        for run in reversed(self._runs):
            value = None if run.metrics is None else getattr(run.metrics, self._metric)
            if value is not None:
                row = run.parameters[down[0].name] if down else None
                found[run.parameters[across.name], row] = float(value)
        return found


def _cell(metrics: Metrics, name: str) -> Cell:
    from tui.report import told_by

    value = getattr(metrics, name)
    text = told_by(name)[1](value)
    return gain(value, text) if name == "total_return" else Cell(text)


def _besides(others: Sequence[Axis], left: int) -> list[str]:
    """What a heatmap does not show, in a line where there is anything."""
    words = [f"the best of {axis.name}" for axis in others]
    words += [f"{left} more do not fit"] if left else []
    return [", ".join(words)] if words else []


def _place(value: float | None, low: float, high: float, metric: str) -> float:
    """Where a value is between the worst (-1) and the best (1)."""
    if value is None or low == high:
        return 0.0
    place = 2 * (value - low) / (high - low) - 1
    return -place if metric in LOWER_IS_BETTER else place


def _heat(text: str, place: float) -> Content:
    """A value on a ground that is the stronger the nearer it is to the best or the worst."""
    if not place:
        return Content(text)
    return Content.styled(
        text, f"on ${'success' if place > 0 else 'error'} {10 + round(40 * abs(place))}%"
    )

"""What a sweep is: one run for each combination of values of some parameters."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Any

from catalog.errors import WrongInput
from core.backtest.longer import named_bars
from core.backtest.metrics import LOWER_IS_BETTER, Metrics, check_metric
from core.backtest.spec import RunSpec
from core.strategies.parameters import check_bounds

MOST_RUNS = 10_000
_ID_LENGTH = 10

type Value = int | float | str


@dataclass(frozen=True, slots=True)
class Axis:
    """A parameter and the values it takes, in the order they were given."""

    name: str
    values: tuple[Value, ...]

    @classmethod
    def parse(cls, text: str) -> Axis:
        """Read `slow_period=20,50,100`, or `fast_period=5:20:5` for 5, 10, 15 and 20 (a step of 1
        can be left out). Raises `WrongInput` for anything else."""
        name, equals, rest = text.partition("=")
        values = _range(rest) if ":" in rest else _list(rest)
        if not equals or not name.strip() or not values:
            raise WrongInput(
                f"--grid cannot be '{text}'",
                "it is a parameter, an equals sign and its values",
                "write for example --grid fast_period=5:20:5, first:last:step",
                "or --grid slow_period=20,50,100",
            )
        return cls(name.strip(), values)

    def __str__(self) -> str:
        return f"{self.name}={','.join(map(str, self.values))}"


@dataclass(frozen=True, slots=True)
class SweepSpec:
    """A run, and the parameters that are varied in it; `workers` processes run at a time, as many
    as there are cores unless said otherwise."""

    base: RunSpec
    axes: tuple[Axis, ...]
    workers: int | None = None

    @property
    def id(self) -> str:
        """The same for the same sweep, whatever its base had for what it varies: asked again, it
        goes on where it stopped."""
        varied = {axis.name for axis in self.axes}
        fixed = {name: one for name, one in self.base.parameters.items() if name not in varied}
        base = replace(self.base, parameters=fixed).to_json()
        asked = [base, [[axis.name, axis.values] for axis in self.axes]]
        text = json.dumps(asked, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]

    def specs(self) -> tuple[RunSpec, ...]:
        """One run for each combination, the last axis varied first.

        Raises `WrongInput` for no axis, one that is there twice, no workers, or too many runs.
        """
        if self.workers is not None:
            check_bounds("workers", self.workers, 1, None)
        names = [axis.name for axis in self.axes]
        count = 1
        for axis in self.axes:
            count *= len(axis.values)
        problem = ""
        if not names:
            problem = "no parameter is varied"
        elif len(set(names)) < len(names):
            problem = "a parameter is varied twice"
        elif count > MOST_RUNS:
            problem = f"that is {count:,} runs, more than {MOST_RUNS:,}"
        elif any(named_bars({axis.name: one}) for axis in self.axes for one in axis.values):
            problem = "its runs share their bars: stored ones cannot be varied"
        if problem:
            raise WrongInput(
                "this sweep cannot be run", problem, "name each parameter once: --grid NAME=VALUES"
            )
        return tuple(
            replace(
                self.base,
                parameters={**self.base.parameters, **dict(zip(names, values, strict=True))},
            )
            for values in itertools.product(*(axis.values for axis in self.axes))
        )


@dataclass(frozen=True, slots=True)
class SweepRun:
    """One combination and what became of it: its `run_id` in the store and its `metrics`, or why it
    has none in `error`. It was `refused` before it ran, or else failed."""

    parameters: dict[str, object]
    run_id: str | None
    metrics: Metrics | None
    error: str = ""
    refused: bool = False

    @property
    def failed(self) -> bool:
        """Whether it ran and came to nothing."""
        return self.metrics is None and not self.refused


@dataclass(frozen=True, slots=True)
class SweepResult:
    """A finished sweep: its runs in the order of the grid."""

    sweep_id: str
    axes: tuple[Axis, ...]
    runs: tuple[SweepRun, ...]

    @property
    def sound(self) -> bool:
        """Whether every run that could be run has figures, and there is one."""
        return any(run.metrics for run in self.runs) and not any(run.failed for run in self.runs)

    def ranked(self, metric: str = "sharpe") -> list[SweepRun]:
        """The runs with the best first, by the metric and then by return; those that have it not
        come after, those that failed last. Raises `WrongInput` for a metric that does not exist."""
        return ranked(self.runs, metric)


def ranked(runs: Sequence[SweepRun], metric: str) -> list[SweepRun]:
    """As `SweepResult.ranked`, also while a sweep runs."""
    return sorted(runs, key=place_by(metric))


def place_by(metric: str) -> Callable[[SweepRun], tuple[bool, bool, float, float]]:
    """What runs are ranked by. Raises `WrongInput` for a metric that does not exist."""
    check_metric(metric)
    sign = 1 if metric in LOWER_IS_BETTER else -1

    def place(run: SweepRun) -> tuple[bool, bool, float, float]:
        if run.metrics is None:
            return True, True, 0.0, 0.0
        value: Any = getattr(run.metrics, metric)
        return False, value is None, sign * (value or 0.0), -run.metrics.total_return

    return place


def _list(text: str) -> tuple[Value, ...]:
    values = tuple(_value(part.strip()) for part in text.split(","))
    return () if "" in values or len(set(values)) < len(values) else values


def _range(text: str) -> tuple[Value, ...]:
    """First, last and step, all exact; the last is among them when a step meets it."""
    try:
        first, last, *steps = (Decimal(part) for part in text.split(":"))
    except (InvalidOperation, ValueError):
        return ()
    step = steps[0] if steps else Decimal(1)
    finite = all(one.is_finite() for one in (first, last, step))
    if len(steps) > 1 or not finite or step <= 0 or (last - first) / step >= MOST_RUNS:
        return ()
    count = int((last - first) // step) + 1
    return tuple(_value(str(first + step * number)) for number in range(count))


def _value(text: str) -> Value:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text

"""Two to ten runs side by side."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

import numpy as np

from catalog.columns import Floats, Ints
from catalog.errors import WrongInput
from core.backtest.metrics import LOWER_IS_BETTER, metric_names
from core.backtest.results import StoredRun

FEWEST, MOST = 2, 10
_POINTS = 1_000
"""Points of each run's equity that a comparison draws."""
_NEITHER = frozenset(
    {
        "start_equity",
        "benchmark_return",
        "exposure",
        "leverage",
        "turnover",
        "longest_flat",
        "average_holding",
        "trades",
        "open_trades",
        "bars",
        "days",
        "days_a_year",
        "seconds",
    }
)
"""Figures of which more is neither better nor worse."""
_AMOUNTS = frozenset(
    {
        "end_equity",
        "expectancy",
        "fees",
        "slippage",
        "average_win",
        "average_loss",
        "best_trade",
        "worst_trade",
    }
)
"""Figures in the currency of the run: those of several currencies are not better or worse."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One thing that was set, in each of the runs; None where a run did not set it."""

    name: str
    values: tuple[str | None, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs do not agree on it."""
        return len(set(self.values)) > 1


@dataclass(frozen=True, slots=True)
class Figure:
    """One metric of each of the runs, and which of them have the best value; none where all have
    the same or where more is neither better nor worse."""

    name: str
    values: tuple[float | None, ...]
    best: frozenset[int]


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """The equities at the same stamps (ns), each as a multiple of its starting cash; nan outside a
    run's range."""

    ts: Ints
    growth: tuple[Floats, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """The runs in the order asked, what was set, what came out."""

    runs: tuple[StoredRun, ...]
    settings: tuple[Setting, ...]
    figures: tuple[Figure, ...]
    curves: Curves


def compare(runs: Sequence[StoredRun]) -> Comparison:
    """Put the runs side by side.

    Raises `WrongInput` unless there are two to ten different ones, `DataUnavailable` when one of
    them failed.
    """
    if len({run.run_id for run in runs}) != len(runs) or not FEWEST <= len(runs) <= MOST:
        raise WrongInput(
            "these runs cannot be compared",
            f"{len(runs)} were named, each counts once",
            f"name {FEWEST} to {MOST} different runs",
        )
    metrics = [run.metrics for run in runs]
    currencies = {run.spec.starting_cash().currency for run in runs}
    neither = _NEITHER if len(currencies) == 1 else _NEITHER | _AMOUNTS
    return Comparison(
        tuple(runs),
        tuple(_settings(runs)),
        tuple(
            _figure(name, tuple(getattr(one, name) for one in metrics), neither)
            for name in metric_names()
        ),
        _curves(runs),
    )


def _settings(runs: Sequence[StoredRun]) -> list[Setting]:
    """What was set for any of them: parameters first, then the rest of the spec."""
    parameters = [run.parameters for run in runs]
    names = list(dict.fromkeys(name for one in parameters for name in one))
    rest = [run.spec.to_json() for run in runs]
    return [
        *(Setting(name, tuple(_text(one.get(name)) for one in parameters)) for name in names),
        *(
            Setting(name, tuple(_text(one[name]) for one in rest))
            for name in rest[0]
            if name != "parameters"
        ),
    ]


def _text(value: object) -> str | None:
    if value is None:
        return None
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _figure(name: str, values: tuple[float | None, ...], neither: Set[str]) -> Figure:
    known = {value for value in values if value is not None}
    if name in neither or len(known) < 2:
        return Figure(name, values, frozenset())
    best = min(known) if name in LOWER_IS_BETTER else max(known)
    return Figure(name, values, frozenset(at for at, one in enumerate(values) if one == best))


def _curves(runs: Sequence[StoredRun]) -> Curves:
    curves = [run.equity for run in runs]
    shown = [np.linspace(0, len(one.ts) - 1, _POINTS).astype(np.int64) for one in curves]
    ts = np.unique(np.concatenate([one.ts[at] for one, at in zip(curves, shown, strict=True)]))
    growth = []
    for run, equity in zip(runs, curves, strict=True):
        row = np.searchsorted(equity.ts, ts, "right") - 1
        values = equity.value[np.maximum(row, 0)] / run.metrics.start_equity
        values[(row < 0) | (ts > equity.ts[-1])] = np.nan
        growth.append(values)
    return Curves(ts, tuple(growth))

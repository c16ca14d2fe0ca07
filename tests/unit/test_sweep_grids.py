"""Grids of parameters as they are typed, and the order results are shown in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog.errors import WrongInput
from core.backtest.spec import RunSpec
from core.backtest.sweep import Axis, SweepRun, SweepSpec, Value, ranked
from tests.unit.test_backtest_results import METRICS

BASE = RunSpec("sma_crossover", {"trade_size": 10}, ("AAPL.NASDAQ",))


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("fast=5:20:5", (5, 10, 15, 20)),
        ("fast=5:21:5", (5, 10, 15, 20)),
        ("fast=3:5", (3, 4, 5)),
        ("rise=0.1:0.3:0.1", (0.1, 0.2, 0.3)),
        ("shift=-2:2:2", (-2, 0, 2)),
        ("slow=20, 50,100", (20, 50, 100)),
        ("mode=mean,median", ("mean", "median")),
        ("one=7", (7,)),
    ],
)
def test_values_are_listed_or_from_first_to_last_by_steps(
    text: str, values: tuple[Value, ...]
) -> None:
    axis = Axis.parse(text)
    assert axis.values == values
    assert [type(value) for value in axis.values] == [type(value) for value in values]


@pytest.mark.parametrize(
    "text",
    [
        *("fast", "=5", "fast=", "fast=5:4", "fast=1:9:0", "fast=1:9:-1", "fast=1:2:3:4"),
        *("fast=a:b", "fast=5,,6", "fast=5,5", "fast=0:1e9:1", "fast=nan:2"),
    ],
)
def test_what_is_no_grid_is_refused(text: str) -> None:
    with pytest.raises(WrongInput, match="--grid cannot be"):
        Axis.parse(text)


def test_every_combination_is_a_run_and_the_last_axis_varies_first() -> None:
    sweep = SweepSpec(BASE, (Axis("fast", (5, 10)), Axis("slow", (20, 50))))
    assert [spec.parameters for spec in sweep.specs()] == [
        {"trade_size": 10, "fast": fast, "slow": slow} for fast in (5, 10) for slow in (20, 50)
    ]


@pytest.mark.parametrize(
    ("axes", "workers"),
    [
        ((), None),
        ((Axis("fast", (1,)), Axis("fast", (2,))), None),
        ((Axis("fast", tuple(range(101))), Axis("slow", tuple(range(100)))), None),
        ((Axis("fast", (1,)),), 0),
    ],
)
def test_a_sweep_that_cannot_be_is_refused(axes: tuple[Axis, ...], workers: int | None) -> None:
    with pytest.raises(WrongInput, match=r"cannot be run|workers=0"):
        SweepSpec(BASE, axes, workers).specs()


def test_the_same_sweep_has_the_same_id_however_many_workers_run_it() -> None:
    sweep = SweepSpec(BASE, (Axis("fast", (5, 10)),))
    assert replace(sweep, workers=1).id == sweep.id
    assert replace(sweep, axes=(Axis("fast", (5, 15)),)).id != sweep.id
    around_another_run = replace(BASE, parameters={**BASE.parameters, "fast": 99})
    assert replace(sweep, base=around_another_run).id == sweep.id
    assert replace(sweep, base=replace(BASE, cash="5000 USD")).id != sweep.id


def test_the_best_come_first_those_without_the_figure_later_those_that_failed_last() -> None:
    def run(name: str, **figures: float | None) -> SweepRun:
        return SweepRun({}, name, replace(METRICS, **figures))

    runs = [
        SweepRun({}, None, None, "it broke"),
        run("unknown, poor", sharpe=None, total_return=0.1, max_drawdown=0.1),
        run("good", sharpe=1.5, total_return=0.1, max_drawdown=0.3),
        run("unknown, rich", sharpe=None, total_return=0.2, max_drawdown=0.2),
        run("bad", sharpe=-0.5, total_return=0.3, max_drawdown=0.0),
    ]
    by_sharpe = ["good", "bad", "unknown, rich", "unknown, poor", None]
    assert [one.run_id for one in ranked(runs, "sharpe")] == by_sharpe
    by_fall = ["bad", "unknown, poor", "unknown, rich", "good", None]
    assert [one.run_id for one in ranked(runs, "max_drawdown")] == by_fall
    with pytest.raises(WrongInput, match="no metric"):
        ranked(runs, "luck")

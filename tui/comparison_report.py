"""Runs side by side on the command line, and whether one could be reproduced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.output import Output
from tui.report import FIGURES, record_of
from tui.widgets.result_figures import NOT_AVAILABLE

if TYPE_CHECKING:
    from core.backtest.comparing import Comparison, Figure
    from core.backtest.reproducing import Reproduction

_DIFFERS = "differs"
_BEST = "<"


def print_comparison(comparison: Comparison, output: Output) -> None:
    """Settings, those that differ marked, and figures, the best of each marked."""
    columns = dict.fromkeys((run.run_id for run in comparison.runs), True)
    output.table(
        {"setting": False, **columns, "": False},
        (
            (one.name, *(value or "" for value in one.values), _DIFFERS if one.differs else "")
            for one in comparison.settings
        ),
    )
    output.line()
    shown = {one.name: one for one in comparison.figures if one.name in FIGURES}
    output.table({"figure": False, **columns}, (_figure_cells(shown[name]) for name in FIGURES))
    output.line(f"{_BEST} marks the best of each figure")
    output.summary(
        runs=[record_of(run) for run in comparison.runs],
        settings={
            one.name: {"values": one.values, "differs": one.differs} for one in comparison.settings
        },
        figures={
            one.name: {"values": one.values, "best": sorted(one.best)} for one in comparison.figures
        },
    )


def print_reproduction(found: Reproduction, output: Output) -> None:
    """Whether the fills are the same, and what changed."""
    output.line()
    output.line(f"{found.original.run_id} run again as {found.again.run_id}: {found}")
    output.summary(
        original=found.original.run_id,
        run_id=found.again.run_id,
        same=found.same,
        changed=found.changed,
        first_difference=found.first_difference,
        fills=len(found.again.fills),
    )


def _figure_cells(figure: Figure) -> tuple[str, ...]:
    label, say = FIGURES[figure.name]
    told = (NOT_AVAILABLE if value is None else say(value) for value in figure.values)
    return (
        label,
        *(f"{text} {_BEST if at in figure.best else ' '}" for at, text in enumerate(told)),
    )

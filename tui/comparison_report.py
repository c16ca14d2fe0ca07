"""Runs side by side on the command line, and whether one could be reproduced."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import batched
from typing import TYPE_CHECKING

from tui.output import Output
from tui.report import FIGURES, record_of, title
from tui.widgets.result_figures import NOT_AVAILABLE

if TYPE_CHECKING:
    from core.backtest.comparing import Comparison, Figure
    from core.backtest.reproducing import Reproduction

_BEST = "<"
_NAME, _RUN = 17, 15
"""About what the names of figures take of a line, and what the figures of one run do."""


def print_comparison(comparison: Comparison, output: Output) -> None:
    """Each run with a letter; the settings that differ and the figures, the best of each marked,
    of so many runs side by side as there is room for; then the settings that are alike."""
    runs = [(chr(ord("A") + at), run) for at, run in enumerate(comparison.runs)]
    for letter, run in runs:
        output.line(f"{letter}  {run.run_id}  {title(run)}")
    differing = [one for one in comparison.settings if one.differs]
    figures = {one.name: one for one in comparison.figures if one.name in FIGURES}
    for those in batched(range(len(runs)), max((output.width - _NAME) // _RUN, 1), strict=False):
        columns = {runs[at][0]: True for at in those}
        if differing:
            output.line()
            rows = ((one.name, *(one.values[at] or "" for at in those)) for one in differing)
            output.table({"differing": False, **columns}, rows)
        output.line()
        output.table(
            {"figure": False, **columns}, (_figure_cells(figures[name], those) for name in FIGURES)
        )
    output.line(f"{_BEST} marks the best of each figure")
    output.line()
    output.line("alike in all of them:")
    output.fields({one.name: one.values[0] for one in comparison.settings if not one.differs})
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


def _figure_cells(figure: Figure, runs: Sequence[int]) -> tuple[str, ...]:
    label, say = FIGURES[figure.name]

    def cell(at: int) -> str:
        value = figure.values[at]
        mark = _BEST if at in figure.best else " "
        return f"{NOT_AVAILABLE if value is None else say(value)} {mark}"

    return (label, *map(cell, runs))

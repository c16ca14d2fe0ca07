"""A sweep: which parameters take which values, and what comes of it, live."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.widgets import Input, Static

from catalog.errors import WrongInput
from core.backtest.metrics import check_metric, metric_names
from core.backtest.sweep import Axis, SweepSpec
from core.strategies.parameters import Parameter, StrategyInfo
from tui.keys import named
from tui.screens.base import BaseScreen
from tui.widgets.backtest_spec import title_of
from tui.widgets.form import FormField, LastWord, first_problem
from tui.widgets.form_reading import told
from tui.widgets.reading import Reading
from tui.widgets.result_table import ResultTable
from tui.widgets.sweep_board import SweepBoard

if TYPE_CHECKING:
    from core.backtest.spec import RunSpec
    from core.workspace import Workspace

_METRIC = "by"
_CORES = os.cpu_count() or 1
_WORKERS = Parameter("workers", "int", _CORES, at_least=1, at_most=_CORES, optional=True)
_SEVERAL = frozenset(",:")
_HINT = "several values: 20,50,100 or first:last:step as 5:20:5; enter runs all combinations"
_NOTHING = "no run has ended yet"


class Sweep(BaseScreen):
    """A grid around a run. `remember` is told of a sweep that begins; `show_run` shows a run."""

    CSS_PATH: ClassVar = ["../styles/form.tcss", "../styles/backtest.tcss"]
    AUTO_FOCUS = "#grid Input"
    TELLS_FAILED: ClassVar[str] = "backtest"
    HELP_TITLE: ClassVar[str] = "Sweep"
    HELP_TEXT: ClassVar[str] = (
        "Each parameter has one value or several. Every run is kept; the same sweep asked again "
        "goes on where it stopped. The heatmap shows the metric over the first two parameters "
        "that vary. Leaving the screen does not stop the sweep."
    )
    BINDINGS: ClassVar[list[BindingType]] = named(
        "sweep",
        Binding("n", "grid", "grid", tooltip="Go to the values"),
        Binding("x", "cancel", "cancel", tooltip="Stop the sweep; what has ended stays"),
        Binding("escape", "back", "back"),
    )

    def __init__(
        self,
        base: RunSpec,
        strategy: StrategyInfo,
        board: SweepBoard | None,
        *,
        workers: int | None,
        remember: Callable[[SweepBoard], None],
        show_run: Callable[[str], object],
    ) -> None:
        super().__init__()
        self._base = base
        self._strategy = strategy
        self._board = board
        self._workers = min(workers or _CORES, _CORES)
        self._remember = remember
        self._show_run = show_run
        self._shown: tuple[object, ...] = ()
        self._best: str | None = None

    def compose_body(self) -> ComposeResult:
        with Horizontal(id="sweep-panels"):
            with Vertical(id="grid-panel", classes="panel") as panel:
                panel.border_title = "Grid"
                with VerticalScroll(id="grid", can_focus=False):
                    for parameter in self._strategy.parameters:
                        yield FormField(parameter.name, parameter.name, self._value(parameter))
                    metrics = LastWord(metric_names())
                    yield FormField(_METRIC, "best by", "sharpe", suggester=metrics)
                    yield FormField(_WORKERS.name, "workers", str(self._workers))
                yield Static(_HINT, id="told", markup=False)
            with Vertical(id="swept-panel", classes="panel") as swept:
                swept.border_title = f"Sweep {title_of(self._base)}"
                yield Static("", id="sweep-progress", markup=False)
                yield ResultTable(id="swept", empty=_NOTHING, sorts=False)
                with Reading(id="sweep-heatmap"):
                    yield Static()

    def refresh_view(self, _workspace: Workspace) -> None:
        board = self._board
        if board is None:
            return
        progress = self.query_one("#sweep-progress", Static)
        text = board.progress(datetime.now(UTC))
        if str(progress.content) != text:
            progress.update(text)
        page, swept = (
            self.query_one("#sweep-heatmap", Reading),
            self.query_one("#swept", ResultTable),
        )
        width = page.size.width
        if board.catch_up(self._metric()) or self._shown != (board, width):
            self._shown = (board, width)
            on_the_best = swept.cursor_key in (None, self._best)
            swept.show(rows := board.rows(), *board.columns)
            self._best = rows[0].key if rows else None
            if on_the_best and self._best is not None:
                swept.point_at(self._best)
            page.query_one(Static).update(board.heatmap(width))
        self.refresh_bindings()

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Offer cancel only while the sweep runs."""
        return action != "cancel" or (self._board is not None and self._board.job.running)

    @on(Input.Changed)
    def _check(self) -> SweepSpec | None:
        """The sweep that is typed; None when something is wrong with it, which is told."""
        try:
            fields = {field.key: field for field in self.query(FormField)}
            for field in fields.values():
                field.problem = ""
            check_metric(fields[_METRIC].value)
            sweep, runs = self._sweep(fields)
        except WrongInput as error:
            wrong = next((key for key in fields if key in error.title), _METRIC)
            fields[wrong].problem = told(error)
            self._tell(told(error), wrong=True)
            return None
        self._tell(f"{runs:,} runs; {_HINT}" if runs else _HINT)
        return sweep if runs else None

    def _sweep(self, fields: dict[str, FormField]) -> tuple[SweepSpec, int]:
        """What is typed, and how many runs that is. Raises `WrongInput`."""
        axes, fixed = list[Axis](), dict[str, object](self._base.parameters)
        for parameter in self._strategy.parameters:
            text = fields[parameter.name].value
            if _SEVERAL & set(text):
                axis = Axis.parse(f"{parameter.name}={text}")
                for value in axis.values:
                    parameter.read(value)
                axes.append(axis)
            elif text:
                fixed[parameter.name] = parameter.read(text)
            else:
                fixed.pop(parameter.name, None)
        workers = cast(int | None, _WORKERS.read(fields[_WORKERS.name].value))
        sweep = SweepSpec(replace(self._base, parameters=fixed), tuple(axes), workers)
        return sweep, len(sweep.specs()) if axes else 0

    @on(Input.Submitted)
    def _begin(self) -> None:
        sweep = self._check()
        if sweep is None:
            wrong = first_problem(self.query(FormField))
            if wrong is not None:
                wrong.enter()
            else:
                self._tell("give a parameter several values first: 20,50,100 or 5:20:5", wrong=True)
        elif self.workspace is not None and (self._board is None or not self._board.job.running):
            self._board = SweepBoard(self.workspace.sweep(sweep), sweep)
            self._remember(self._board)
            self.query_one("#swept").focus()
            self.tick()

    @on(ResultTable.Opened, "#swept")
    def _open(self, opened: ResultTable.Opened) -> None:
        if self._board is not None and self._board.run_of(opened.key) is not None:
            self.app.pop_screen()
            self._show_run(opened.key)

    def action_grid(self) -> None:
        """Go to the values."""
        next(iter(self.query(FormField))).enter()

    def action_cancel(self) -> None:
        """Stop the sweep; the runs that have ended stay."""
        if self._board is not None:
            self._board.job.cancel()

    def action_back(self) -> None:
        """From a field to the table, from there to the history."""
        swept = self.query_one("#swept")
        if self._board is not None and isinstance(self.focused, Input):
            swept.focus()
        else:
            self.app.pop_screen()

    def _metric(self) -> str:
        field = next(field for field in self.query(FormField) if field.key == _METRIC)
        return field.value if field.value in metric_names() else "sharpe"

    def _value(self, parameter: Parameter) -> str:
        """What is set: by the sweep that is shown, else by the run."""
        axes = self._board.spec.axes if self._board else ()
        swept = next((axis for axis in axes if axis.name == parameter.name), None)
        if swept is not None:
            return str(swept).partition("=")[2]
        given = self._base.parameters.get(parameter.name, parameter.default)
        return "" if given is None else str(given)

    def _tell(self, text: str, *, wrong: bool = False) -> None:
        line = self.query_one("#told", Static)
        line.set_class(wrong, "-wrong")
        line.update(text)

"""Runs side by side: what was set, what came out, their equities over each other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from tui.keys import named
from tui.screens.base import BaseScreen
from tui.widgets.backtest_spec import title_of
from tui.widgets.chart import Chart
from tui.widgets.result_figures import NOT_AVAILABLE
from tui.widgets.result_table import Cell, Column, ResultTable, Row
from tui.widgets.table import cut_in_the_middle
from tui.zone import EXCHANGE_ZONE

if TYPE_CHECKING:
    from core.backtest.comparing import Comparison, Curves, Figure, Setting

_NAME = 18
_WIDEST_CELL = 14


class Compare(BaseScreen):
    """Each run has a letter, in the table and in the chart."""

    CSS_PATH: ClassVar = ["../styles/form.tcss", "../styles/backtest.tcss"]
    AUTO_FOCUS = "#compared"
    HELP_TITLE: ClassVar[str] = "Compare"
    HELP_TEXT: ClassVar[str] = (
        "What was set differently is marked with !; then come all figures, the best of each marked "
        "with <, then what was set alike. h and l show other runs where not all fit."
    )
    BINDINGS: ClassVar[list[BindingType]] = named(
        "compare",
        Binding("h,left", "turn(-1)", "earlier runs", id="earlier"),
        Binding("l,right", "turn(1)", "later runs", id="later"),
        Binding("escape", "back", "back"),
    )

    def __init__(self, comparison: Comparison) -> None:
        super().__init__()
        self._comparison = comparison
        self._first = 0

    def compose_body(self) -> ComposeResult:
        with Vertical(id="growth-panel", classes="panel") as panel:
            panel.border_title = f"Compare ({EXCHANGE_ZONE.word})"
            yield Chart(id="growth")
        table = ResultTable(id="compared", classes="panel", sorts=False, opens=False)
        table.border_title = "Settings and figures"
        yield table

    def on_mount(self) -> None:
        super().on_mount()
        self.query_one("#growth", Chart).show(partial(_draw, self._comparison.curves))
        self.call_after_refresh(self._show)

    def on_resize(self) -> None:
        self._show()

    def action_turn(self, step: int) -> None:
        """Show the runs to the left or to the right."""
        last = max(len(self._comparison.runs) - self._room, 0)
        self._first = min(max(self._first + step, 0), last)
        self._show()

    def action_back(self) -> None:
        """Back to the history."""
        self.app.pop_screen()

    @property
    def _room(self) -> int:
        """How many runs stand side by side."""
        return max((self.size.width - _NAME - 8) // (_WIDEST_CELL + 2), 1)

    def _show(self) -> None:
        letters = [chr(ord("A") + at) for at in range(len(self._comparison.runs))]
        shown = slice(self._first, self._first + self._room)
        rows = [
            Row(letter, (Cell(f"{letter}  {title_of(run.spec)}"),))
            for letter, run in zip(letters, self._comparison.runs, strict=True)
        ]
        settings = self._comparison.settings
        rows += [_setting_row(one, shown) for one in settings if one.differs]
        rows += [_figure_row(one, shown) for one in self._comparison.figures]
        rows += [_setting_row(one, shown) for one in settings if not one.differs]
        columns = [Column(letter, number=True) for letter in letters[shown]]
        self.query_one("#compared", ResultTable).show(rows, Column("", flexible=True), *columns)


def _setting_row(setting: Setting, shown: slice) -> Row:
    tone = "warning" if setting.differs else "dim"
    values = [
        Cell(cut_in_the_middle(value or "", _WIDEST_CELL), tone) for value in setting.values[shown]
    ]
    name = f"! {setting.name}" if setting.differs else f"  {setting.name}"
    return Row(f"set {setting.name}", (Cell(name, tone), *values))


def _figure_row(figure: Figure, shown: slice) -> Row:
    from tui.report import told_by

    label, say = told_by(figure.name)
    cells = []
    for at, value in list(enumerate(figure.values))[shown]:
        text = NOT_AVAILABLE if value is None else say(value)
        best = at in figure.best
        cells.append(Cell(f"{text} <" if best else f"{text}  ", "good" if best else ""))
    return Row(figure.name, (Cell(f"  {label}"), *cells))


def _draw(curves: Curves, width: int, height: int) -> str:
    from tui.charts import growth_chart

    return growth_chart(curves.ts, curves.growth, width, height, zone=EXCHANGE_ZONE.name)

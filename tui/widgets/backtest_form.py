"""The form of a new run: strategy, its parameters, what and when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Input, Static

from catalog.errors import WrongInput
from core.backtest.fees import FEES
from core.backtest.spec import Cash, RunSpec
from core.strategies import StrategyInfo, describe, parameters_of, strategy_names
from tui.widgets.backtest_spec import command_of
from tui.widgets.form import Choice, FormField, first_problem
from tui.widgets.form_reading import problem_in, read_bars, read_ids, read_time, told
from tui.widgets.result_table import Cell, Column, ResultTable, Row

if TYPE_CHECKING:
    from catalog.series import BarSpec

_FEES = tuple(FEES)
_SOURCES = ("auto", "catalog")


_READERS: dict[str, Callable[[str], object]] = {
    "ids": read_ids,
    "bars": read_bars,
    "start": read_time,
    "end": read_time,
    "cash": Cash.parse,
}


class Strategies(ResultTable):
    """The list to choose from."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", "run")]


class BacktestForm(Vertical):
    """Checks what is typed as it is typed, and shows the command that does the same run."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "run", "run"),
        Binding("y", "copy_command", "copy the command"),
    ]

    @dataclass
    class Submitted(Message):
        """A run was asked for, and nothing is wrong with it."""

        spec: RunSpec

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, classes="panel")
        self.border_title = "New backtest"
        self._strategy = describe(strategy_names()[0])
        self._typed: dict[tuple[str, str], str] = {}
        self._submitted = False
        self._command = ""

    def compose(self) -> ComposeResult:
        with Horizontal(id="choices"):
            yield Strategies(Column("strategy", flexible=True), id="strategies")
            with VerticalScroll(id="parameters", can_focus=False):
                yield from self._parameter_fields(self._strategy)
            with Vertical(id="what-and-when"):
                yield FormField("ids", "ids", placeholder="AAPL.NASDAQ")
                yield FormField("bars", "bars", "1-MINUTE-LAST")
                yield FormField("start", "from", placeholder="2024-01-02")
                yield FormField("end", "to", placeholder="2024-03-28")
                yield FormField("cash", "cash", "100000 USD")
                yield FormField("fees", "fees", _FEES[0], choices=_FEES)
                yield FormField("source", "source", _SOURCES[0], choices=_SOURCES)
        yield Static(self._strategy.summary, id="summary", markup=False)
        yield Static("", id="told", markup=False)
        yield Static("", id="command", markup=False)

    def on_mount(self) -> None:
        self.query_one("#strategies", ResultTable).show(
            [Row(name, (Cell(name),)) for name in strategy_names()]
        )
        self._check()

    def enter(self) -> None:
        """Put the focus where a person begins: on the strategies."""
        self.query_one("#strategies").focus()

    def fill(self, ids: tuple[str, ...], bars: BarSpec | None) -> None:
        """Take over instruments and a bar type."""
        self._field("ids").value = " ".join(ids)
        if bars is not None:
            self._field("bars").value = str(bars)

    async def fill_from(self, spec: RunSpec) -> None:
        """Take over everything of a run."""
        self.fill(spec.instruments, spec.bars)
        for key, value in (
            ("start", spec.start),
            ("end", spec.end),
            ("cash", spec.cash),
            ("fees", spec.fees),
            ("source", spec.source),
        ):
            self._field(key).value = value
        for name, given in spec.parameters.items():
            self._typed[spec.strategy, name] = "" if given is None else str(given)
        self.query_one("#strategies", ResultTable).point_at(spec.strategy)
        await self._choose(spec.strategy)

    @on(ResultTable.Reached, "#strategies")
    async def _strategy_reached(self, reached: ResultTable.Reached) -> None:
        if reached.key != self._strategy.name:
            await self._choose(reached.key)

    @on(Input.Changed)
    @on(Choice.Changed)
    def _check(self) -> None:
        for field in self.query("#parameters FormField").results(FormField):
            self._typed[self._strategy.name, field.key] = field.value
        problems = self._parameter_problems()
        for field in self.query(FormField):
            if (read := _READERS.get(field.key)) and (field.value or self._submitted):
                problems[field.key] = problem_in(read, field.value)
            field.problem = problems.get(field.key, "")
        self._tell()

    @on(Input.Submitted)
    @on(Choice.Submitted)
    @on(ResultTable.Opened)
    def _submit(self, event: Message) -> None:
        event.stop()
        self.action_run()

    def on_descendant_focus(self) -> None:
        self._tell()

    def action_run(self) -> None:
        """Ask for the run, or show what is wrong."""
        self._submitted = True
        self._check()
        wrong = first_problem(self.query(FormField))
        if wrong is not None:
            wrong.enter()
            return
        self._submitted = False
        self.post_message(self.Submitted(self._spec()))

    def action_copy_command(self) -> None:
        """Copy the command to the clipboard of the terminal."""
        self.app.copy_to_clipboard(self._command)
        self.notify("the command is in the clipboard", timeout=3)

    async def _choose(self, name: str) -> None:
        self._strategy = describe(name)
        parameters = self.query_one("#parameters", VerticalScroll)
        async with self.batch():
            await parameters.remove_children()
            await parameters.mount(*self._parameter_fields(self._strategy))
        self.query_one("#summary", Static).update(self._strategy.summary)
        self._check()

    def _parameter_fields(self, strategy: StrategyInfo) -> list[FormField]:
        return [
            FormField(
                parameter.name,
                parameter.name,
                self._typed.get(
                    (strategy.name, parameter.name),
                    "" if parameter.default is None else str(parameter.default),
                ),
                placeholder=parameter.doc
                if parameter.default is None
                else f"{parameter.default} by default",
            )
            for parameter in strategy.parameters
        ]

    def _parameters(self) -> dict[str, object]:
        """The parameters typed, those left empty not among them."""
        name = self._strategy.name
        typed = {
            parameter.name: self._typed.get((name, parameter.name), "")
            for parameter in self._strategy.parameters
        }
        return {key: value for key, value in typed.items() if value}

    def _parameter_problems(self) -> dict[str, str]:
        """What is wrong with the parameters, told at the first one that the error names."""
        try:
            parameters_of(self._strategy.name, self._parameters())
        except WrongInput as error:
            named = (each.name for each in self._strategy.parameters if each.name in error.title)
            return {next(named, self._strategy.parameters[0].name): told(error)}
        return {}

    def _spec(self) -> RunSpec:
        values = {field.key: field.value for field in self.query(FormField)}
        given = self._parameters()
        if not self._parameter_problems():
            read = parameters_of(self._strategy.name, given)
            given = {name: getattr(read, name) for name in given}
        return RunSpec(
            strategy=self._strategy.name,
            parameters=given,
            instruments=tuple(values["ids"].replace(",", " ").split()),
            bars=read_bars(values["bars"]),
            start=values["start"],
            end=values["end"],
            cash=values["cash"],
            fees=values["fees"],
            source="catalog" if values["source"] == "catalog" else "auto",
        )

    def _tell(self) -> None:
        wrong = first_problem(self.query(FormField))
        line = self.query_one("#told", Static)
        line.set_class(wrong is not None, "-wrong")
        line.update(f"{wrong.label}: {wrong.problem}" if wrong else self._doc_in_focus())
        if not problem_in(read_bars, self._field("bars").value):
            self._command = command_of(self._spec())
            self.query_one("#command", Static).update(self._command)

    def _doc_in_focus(self) -> str:
        docs = {parameter.name: parameter.doc for parameter in self._strategy.parameters}
        focused = (field for field in self.query(FormField) if field.has_focus_within)
        field = next(focused, None)
        return f"{field.key}: {docs[field.key]}" if field and field.key in docs else ""

    def _field(self, name: str) -> FormField:
        return next(field for field in self.query(FormField) if field.key == name)

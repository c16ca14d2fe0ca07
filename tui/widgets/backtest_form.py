"""The form of a new run: strategy, its parameters, what and when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Input, Static

from catalog.errors import WrongInput
from core.backtest.longer import refuse_shorter
from core.backtest.spec import RunSpec
from core.strategies import describe, parameters_of, strategy_names
from core.strategies.parameters import StrategyInfo
from tui.keys import named
from tui.widgets.backtest_fields import DOCS, NUMBERS, READERS, doc_of, parameter_field, run_fields
from tui.widgets.backtest_spec import command_of
from tui.widgets.form import Choice, FormField, LastWord, first_problem
from tui.widgets.form_reading import (
    DAYS_AT_FIRST,
    problem_in,
    read_bars,
    read_time,
    told,
)
from tui.widgets.result_table import Cell, Column, ResultTable, Row

if TYPE_CHECKING:
    from catalog.series import BarSpec
    from core.backtest.presets import Preset


class Strategies(ResultTable):
    """The list to choose from."""

    BINDINGS: ClassVar[list[BindingType]] = named("table", Binding("enter", "open", "run"))


class BacktestForm(Vertical):
    """Checks what is typed as it is typed, and shows the command that does the same run."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        "backtest_form",
        Binding("enter", "run", "run"),
        Binding("S", "sweep", "sweep", tooltip="Run this with many parameters"),
        Binding("y", "copy_command", "copy the command"),
        Binding("p", "preset", "preset", tooltip="Fill in what was kept by name"),
        Binding("P", "keep_preset", "keep as preset", show=False, tooltip="Keep this by name"),
        Binding("D", "drop_preset", "delete preset", show=False, tooltip="Asks which, and asks"),
    )

    @dataclass
    class Submitted(Message):
        """A run was asked for, or a sweep around it, and nothing is wrong with it."""

        spec: RunSpec
        sweep: bool = False

    @dataclass
    class PresetWanted(Message):
        """Something kept of the strategy by name is to be filled in."""

        strategy: str

    @dataclass
    class PresetUnwanted(Message):
        """Something kept of the strategy by name is to be deleted."""

        strategy: str

    @dataclass
    class PresetMade(Message):
        """What is typed is to be kept by name."""

        spec: RunSpec

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, classes="panel")
        self.border_title = "New backtest"
        self._known = {name: describe(name) for name in strategy_names()}
        self._strategy = next(iter(self._known.values()))
        self._typed: dict[tuple[str, str], str] = {}
        self._submitted = False
        self._command = ""
        self._ids = LastWord()
        self._now: datetime | None = None

    def compose(self) -> ComposeResult:
        with Horizontal(id="choices"):
            yield Strategies(Column("strategy", flexible=True), id="strategies", sorts=False)
            with VerticalScroll(id="parameters", can_focus=False):
                yield from self._parameter_fields(self._strategy)
            with VerticalScroll(id="what-and-when", can_focus=False):
                yield from run_fields(self._ids)
        yield Static(self._strategy.summary, id="summary", markup=False)
        yield Static("", id="told", markup=False)
        yield Static("", id="command", markup=False)

    def on_mount(self) -> None:
        self.know(tuple(self._known.values()))
        self._check()

    # What is filled in

    def enter(self) -> None:
        """Put the focus where a person begins: on the strategies."""
        self.query_one("#strategies").focus()

    def know(self, strategies: Sequence[StrategyInfo]) -> None:
        """Offer these strategies; those that cannot be used are marked."""
        self._known = {info.name: info for info in strategies}
        self.query_one("#strategies", ResultTable).show(
            [
                Row(info.name, (Cell(f"{'! ' if info.error else ''}{_short(info.name)}", tone),))
                for info in strategies
                for tone in ("bad" if info.error else "",)
            ]
        )

    def begin(self, now: datetime, ids: tuple[str, ...], fees: str) -> None:
        """Fill in the last days up to `now` and the usual fees, once; `ids` are completed from then
        on."""
        self._ids.words = ids
        if self._now is None:
            if not (self._field("start").value or self._field("end").value):
                self.fill_dates(
                    f"{now - timedelta(days=DAYS_AT_FIRST):%Y-%m-%d}", f"{now:%Y-%m-%d}"
                )
            self._now = now
            self._field("fees").value = fees
            self._check()

    def fill(self, ids: tuple[str, ...], bars: BarSpec | None) -> None:
        """Take over instruments and a bar type."""
        self._field("ids").value = " ".join(ids)
        if bars is not None:
            self._field("bars").value = str(bars)

    def fill_dates(self, start: str, end: str) -> None:
        """Take over a range."""
        self._field("start").value = start
        self._field("end").value = end

    async def fill_from(self, spec: RunSpec) -> None:
        """Take over everything of a run."""
        from core.backtest.presets import Preset

        await self.fill_kept(spec.strategy, Preset.of(spec))

    async def fill_kept(self, strategy: str, kept: Preset) -> None:
        """Take over parameters of a strategy, those not kept as usual, and the terms kept with
        them."""
        for term, value in kept.terms.items():
            field = self._field("ids" if term == "instruments" else term)
            field.value = " ".join(value) if isinstance(value, list) else str(value)
        for of, parameter in tuple(self._typed):
            if of == strategy:
                del self._typed[of, parameter]
        for parameter, given in kept.parameters.items():
            self._typed[strategy, parameter] = "" if given is None else str(given)
        if strategy in self._known:
            self.query_one("#strategies", ResultTable).point_at(strategy)
            await self._choose(strategy)
        else:
            self.notify(
                f"{strategy} is not among the strategies any more",
                severity="warning",
                markup=False,
            )

    @on(ResultTable.Reached, "#strategies")
    async def _strategy_reached(self, reached: ResultTable.Reached) -> None:
        if reached.key != self._strategy.name:
            await self._choose(reached.key)

    async def _choose(self, name: str) -> None:
        self._strategy = self._known[name]
        parameters = self.query_one("#parameters", VerticalScroll)
        # Made before anything is awaited: until the old ones are gone they are read once more.
        fresh = self._parameter_fields(self._strategy)
        async with self.batch():
            await parameters.remove_children()
            await parameters.mount(*fresh)
        self.query_one("#summary", Static).update(self._strategy.error or self._strategy.summary)
        self._check()

    def _parameter_fields(self, strategy: StrategyInfo) -> list[FormField]:
        return [
            parameter_field(parameter, self._typed.get((strategy.name, parameter.name)))
            for parameter in strategy.parameters
        ]

    # What is typed

    @on(Input.Changed)
    @on(Choice.Changed)
    def _check(self) -> None:
        for field in self.query("#parameters FormField").results(FormField):
            self._typed[self._strategy.name, field.key] = field.value
        problems = self._parameter_problems()
        for field in self.query("#what-and-when FormField").results(FormField):
            if (read := READERS.get(field.key)) and (field.value or self._submitted):
                problems[field.key] = problem_in(read, field.value)
        if not any(problems.values()):
            problems = self._problems_between()
        for field in self.query(FormField):
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
        if (spec := self._sound_spec()) is not None:
            self.post_message(self.Submitted(spec))

    def action_sweep(self) -> None:
        """Ask for a sweep around the run, or show what is wrong."""
        if (spec := self._sound_spec()) is not None:
            self.post_message(self.Submitted(spec, sweep=True))

    def action_copy_command(self) -> None:
        """Copy the command to the clipboard of the terminal."""
        self.app.copy_to_clipboard(self._command)
        self.notify("the command is in the clipboard", timeout=3)

    def action_preset(self) -> None:
        """Ask which preset to fill in."""
        self.post_message(self.PresetWanted(self._strategy.name))

    def action_drop_preset(self) -> None:
        """Ask which preset to delete."""
        self.post_message(self.PresetUnwanted(self._strategy.name))

    def action_keep_preset(self) -> None:
        """Keep what is typed by name, or show what is wrong."""
        if (spec := self._sound_spec()) is not None:
            self.post_message(self.PresetMade(spec))

    def _sound_spec(self) -> RunSpec | None:
        """What is typed; None when something is wrong, which has the focus then."""
        self._submitted = True
        self._check()
        wrong = first_problem(self.query(FormField))
        if wrong is not None:
            wrong.enter()
            return None
        if self._strategy.error:
            self.notify(
                self._strategy.error, title="cannot be used", severity="error", markup=False
            )
            return None
        self._submitted = False
        return self._spec()

    def _given(self) -> dict[str, object]:
        """The parameters typed, those left empty not among them."""
        name = self._strategy.name
        typed = {
            parameter.name: self._typed.get((name, parameter.name), "")
            for parameter in self._strategy.parameters
        }
        return {key: value for key, value in typed.items() if value}

    def _read_parameters(self) -> dict[str, object]:
        """The parameters typed, read. Raises `WrongInput`."""
        name = self._strategy.name
        read = self._strategy.read(self._given())
        if name in strategy_names():
            parameters_of(name, read)
        return read

    def _parameter_problems(self) -> dict[str, str]:
        """What is wrong with the parameters, told at the first one that the error names."""
        try:
            self._read_parameters()
        except WrongInput as error:
            parameters = self._strategy.parameters
            named = (each.name for each in parameters if each.name in error.title)
            return {next(named, parameters[0].name if parameters else ""): told(error)}
        return {}

    def _problems_between(self) -> dict[str, str]:
        """What is wrong with fields that are right each by itself, told at the one to correct."""
        from core.ranges import read_range

        spec, now = self._spec(), self._now or datetime.now(UTC)
        checks: dict[str, Callable[[str], object]] = {
            "ids": lambda _: self._strategy.refuse_count(len(spec.instruments)),
            "bars": lambda _: refuse_shorter(spec.parameters, spec.bars),
            "end": lambda _: read_range(spec.start, spec.end, spec.bars, now),
        }
        return {key: problem_in(check, "") for key, check in checks.items()}

    def _spec(self) -> RunSpec:
        values: dict[str, Any] = {
            field.key: field.value
            for field in self.query("#what-and-when FormField").results(FormField)
        }
        spec = RunSpec(
            strategy=self._strategy.name,
            parameters=self._given() if self._parameter_problems() else self._read_parameters(),
            instruments=tuple(values.pop("ids").replace(",", " ").split()),
            bars=read_bars(values.pop("bars")),
        )
        for name, number in NUMBERS.items():
            sound = not problem_in(number.read, values[name])
            values[name] = number.read(values[name]) if sound else number.default
        values["start"] = self._spelled_out(values["start"], end=False)
        values["end"] = self._spelled_out(values["end"], end=True)
        return replace(spec, **values)

    def _spelled_out(self, text: str, *, end: bool) -> str:
        """A date for its shorthand, so that the run says the same tomorrow."""
        from core.ranges import spell_out

        if self._now is None or problem_in(read_time, text):
            return text
        return spell_out(text, self._now, end=end)

    def _tell(self) -> None:
        wrong = first_problem(self.query(FormField))
        line = self.query_one("#told", Static)
        line.set_class(wrong is not None, "-wrong")
        line.update(f"{wrong.label}: {wrong.problem}" if wrong else self._doc_in_focus())
        if not problem_in(read_bars, self._field("bars").value):
            self._command = command_of(self._spec())
            self.query_one("#command", Static).update(self._command)

    def _doc_in_focus(self) -> str:
        docs = DOCS | {each.name: doc_of(each) for each in self._strategy.parameters}
        focused = (field for field in self.query(FormField) if field.has_focus_within)
        field = next(focused, None)
        return f"{field.key}: {docs[field.key]}" if field and docs.get(field.key) else ""

    def _field(self, name: str) -> FormField:
        found = self.query("#what-and-when FormField").results(FormField)
        return next(field for field in found if field.key == name)


def _short(name: str) -> str:
    """A strategy of the user's without its module: `my.module:Mine` is `Mine`."""
    return name.rpartition(":")[2]

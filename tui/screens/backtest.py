"""Screen 4: run strategies on stored bars, and read what came out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import ContentSwitcher, Static

from catalog.errors import QuarterdeckError
from core.jobs import JobState
from tui.screens.base import BaseScreen
from tui.widgets.backtest_form import BacktestForm
from tui.widgets.backtest_history import COLUMNS, history_row
from tui.widgets.backtest_spec import command_of, title_of
from tui.widgets.result_loading import load_shown
from tui.widgets.result_progress import clock, progress_bar
from tui.widgets.result_table import ResultTable
from tui.widgets.result_view import ResultView

if TYPE_CHECKING:
    from catalog.series import BarSpec
    from core.backtest.results import RunSummary, StoredRun
    from core.backtest.spec import RunSpec
    from core.jobs import Job
    from core.workspace import Workspace

_ABOUT_SOMETHING = ("new", "cancel", "edit", "copy", "turn_tab")
_NOTHING = "no run yet: press n, choose a strategy, instruments and dates, then enter"


class RunningRun:
    """A run that was started here, as one line; each of its phases has a pace of its own."""

    def __init__(self, job: Job[StoredRun], spec: RunSpec) -> None:
        self.job = job
        self._spec = spec
        self._done = 0.0
        self._since = job.snapshot.started

    def line(self, now: datetime) -> str:
        """How far it is, how fast, and when it will be there."""
        snapshot = self.job.snapshot
        if snapshot.done < self._done:  # the next series, or the run itself after its data
            self._since = now
        self._done = snapshot.done
        fraction = snapshot.fraction
        left = (now - self._since).total_seconds() * (1 - fraction) / fraction if fraction else None
        counted = f"{snapshot.done:,.0f}/{snapshot.total:,.0f} {snapshot.unit}"
        parts = (
            f"  {progress_bar(fraction)}",
            counted if snapshot.total else "preparing",
            snapshot.text,
            f"{clock(left)} left" if left is not None else "",
            title_of(self._spec),
        )
        return "  ".join(part for part in parts if part)


class BacktestScreen(BaseScreen):
    """A result above the history of runs, or the form of a new run in their place."""

    CSS_PATH: ClassVar = ["../styles/form.tcss", "../styles/backtest.tcss"]
    AUTO_FOCUS = "#history"
    TELLS_FAILED: ClassVar[str] = "backtest"
    HELP_TITLE: ClassVar[str] = "Backtest"
    HELP_TEXT: ClassVar[str] = (
        "A run is a process of its own; what its bars lack is fetched first, unless the source is "
        "'catalog'. Orders fill at the close of the bar they are decided on. Ratios are of daily "
        "returns, scaled to a year, risk-free rate 0, and n/a under 20 days. On the Chart tab + "
        "and - zoom and the arrows move; enter on a trade shows it there."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "new", tooltip="Set up a new run"),
        Binding("e", "edit", "edit & rerun", tooltip="Set up a run like the one under the cursor"),
        Binding("t", "turn_tab(1)", "tabs", tooltip="Next tab of the result"),
        Binding("T", "turn_tab(-1)", "Previous tab", show=False),
        Binding("x", "cancel", "cancel", tooltip="Stop the running backtest; nothing of it stays"),
        Binding("y", "copy", "copy", tooltip="Copy the command that does the same run"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._runs: list[RunSummary] = []
        self._started: dict[int, RunningRun] = {}
        self._offered: frozenset[str] = frozenset({"new"})
        self._loaded = False
        self._reading = asyncio.Lock()

    def compose_body(self) -> ComposeResult:
        with ContentSwitcher(id="places", initial="results"):
            with Vertical(id="results"):
                yield ResultView(id="result")
                yield Static(id="running", markup=False)
                history = ResultTable(*COLUMNS, empty=_NOTHING, id="history", classes="panel")
                history.border_title = "History"
                yield history
            yield BacktestForm(id="form")

    def refresh_view(self, workspace: Workspace) -> None:
        if not self._loaded:
            self._loaded = True
            self.start(self._show_newest(workspace))
        now = datetime.now(UTC)
        lines = "\n".join(run.line(now) for run in self._started.values())
        running = self.query_one("#running", Static)
        if str(running.content) != lines:
            running.update(lines)
            running.display = bool(lines)
        self._offer_keys()

    def on_screen_resume(self) -> None:
        # Textual calls the handler of the base class as well.
        if self.workspace is not None and self._loaded:
            self.start(self._read_history(self.workspace))

    def prefill(self, ids: tuple[str, ...], bars: BarSpec | None) -> None:
        self.query_one(BacktestForm).fill(ids, bars)
        self.action_new()

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Offer only what there is something for."""
        return action not in _ABOUT_SOMETHING or action in self._offered

    def _offer_keys(self) -> None:
        offered = {"cancel"} if self._started else set()
        if self.query_one("#places", ContentSwitcher).current == "results":
            offered.add("new")
            if self._runs:
                offered |= {"edit", "copy"}
            if self.query_one(ResultView).run is not None:
                offered.add("turn_tab")
        if offered != self._offered:
            self._offered = frozenset(offered)
            self.refresh_bindings()

    def action_new(self) -> None:
        """Open the form as it was left."""
        self._open("form")

    def action_edit(self) -> None:
        """Open the form filled in as the run under the cursor was."""
        if (run := self._run_under_cursor()) is not None:
            self.start(self._edit(run.spec))

    async def _edit(self, spec: RunSpec) -> None:
        await self.query_one(BacktestForm).fill_from(spec)
        self._open("form")

    def action_back(self) -> None:
        """Leave the form; what was typed stays."""
        self._open("results")

    def action_turn_tab(self, step: int) -> None:
        """Show the next or the previous tab of the result."""
        self.query_one(ResultView).turn_tab(step)

    def action_cancel(self) -> None:
        """Cancel the run that was started last."""
        if self._started:
            list(self._started.values())[-1].job.cancel()

    def action_copy(self) -> None:
        """Copy the command of the run under the cursor."""
        if (run := self._run_under_cursor()) is not None:
            self.app.copy_to_clipboard(command_of(run.spec))
            self.notify("the command is in the clipboard", timeout=3)

    @on(BacktestForm.Submitted)
    def _start(self, submitted: BacktestForm.Submitted) -> None:
        if self.workspace is None:
            return
        job = self.workspace.backtest(submitted.spec)
        self._started[job.id] = RunningRun(job, submitted.spec)
        self.start(self._follow(self.workspace, job, submitted.spec))
        self._open("results")
        self.tick()

    @on(ResultTable.Opened, "#history")
    def _open_run(self, opened: ResultTable.Opened) -> None:
        if self.workspace is not None:
            self.start(self._show_run(self.workspace, opened.key))

    async def _follow(self, workspace: Workspace, job: Job[StoredRun], spec: RunSpec) -> None:
        """Show what becomes of a run, and the history with it."""
        await job.ended()
        self._started.pop(job.id)
        await self._read_history(workspace)
        match job.snapshot.state, job.snapshot.error:
            case JobState.DONE, _:
                stored = await job.wait()
                await self._show_run(workspace, stored.run_id)
            case JobState.FAILED, error if error is not None:
                self.query_one(ResultView).show_failure(spec, error)
        self.tick()

    async def _show_newest(self, workspace: Workspace) -> None:
        await self._read_history(workspace)
        if self._runs:
            await self._show_run(workspace, self._runs[0].run_id)
        else:
            self.query_one(ResultView).show_message("Result", _NOTHING)

    async def _read_history(self, workspace: Workspace) -> None:
        async with self._reading:
            self._runs = await asyncio.to_thread(workspace.runs.list)
        today = datetime.now(UTC)
        self.query_one("#history", ResultTable).show(
            [history_row(run, today) for run in self._runs]
        )

    async def _show_run(self, workspace: Workspace, run_id: str) -> None:
        result = self.query_one(ResultView)
        shown = await asyncio.to_thread(load_shown, workspace, run_id)
        if shown.run.result.metrics is None:
            result.show_failure(shown.run.spec, _stored_error(shown.run))
        else:
            result.show(shown)
        self.query_one("#history", ResultTable).point_at(run_id)
        self._offer_keys()

    def _open(self, place: str) -> None:
        self.query_one("#places", ContentSwitcher).current = place
        if place == "form":
            self.query_one(BacktestForm).enter()
        else:
            self.query_one("#history").focus()
        self._offer_keys()

    def _run_under_cursor(self) -> RunSummary | None:
        key = self.query_one("#history", ResultTable).cursor_key
        return next((run for run in self._runs if run.run_id == key), None)


def _stored_error(run: StoredRun) -> QuarterdeckError:
    record = run.result.error or {}
    return QuarterdeckError(
        str(record.get("title", "unknown")), str(record.get("reason", "")), *record.get("steps", ())
    )

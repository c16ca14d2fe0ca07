"""Screen 4: run strategies on stored bars, and read what came out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import ContentSwitcher, Static

from catalog.errors import DataUnavailable
from core.jobs import JobState
from tui.keys import named
from tui.screens.run_history import NOTHING, RunHistory
from tui.screens.run_presets import RunPresets
from tui.widgets.backtest_form import BacktestForm
from tui.widgets.backtest_history import columns
from tui.widgets.backtest_running import RunningRun
from tui.widgets.backtest_spec import title_of
from tui.widgets.form_reading import known_ids, stored_dates
from tui.widgets.result_loading import load_shown
from tui.widgets.result_table import ResultTable
from tui.widgets.result_view import ResultView

if TYPE_CHECKING:
    from catalog.series import BarSpec
    from core.backtest.reproducing import Reproduction
    from core.backtest.results import StoredRun
    from core.backtest.spec import RunSpec
    from core.jobs import Job
    from core.workspace import Workspace
    from tui.widgets.sweep_board import SweepBoard

_ABOUT_SOMETHING = ("new", "cancel", "edit", "turn_tab", "reproduce", "sweep")


class BacktestScreen(RunPresets):
    """A result above the history of runs, or the form of a new run in their place."""

    CSS_PATH: ClassVar = ["../styles/form.tcss", "../styles/backtest.tcss"]
    AUTO_FOCUS = "#history"
    TELLS_FAILED: ClassVar[str] = "backtest"
    HELP_TITLE: ClassVar[str] = "Backtest"
    HELP_TEXT: ClassVar[str] = (
        "A run is a process of its own; what its bars lack is fetched first, unless the source is "
        "'catalog'. One that is refused is in the history with the reason: e opens it again. "
        "Orders fill at the close of the bar they are decided on. Ratios are of daily returns, "
        "scaled to a year, risk-free rate 0, and n/a under 20 days; 'held' is the first instrument "
        "bought and kept. On equity and candles [ and ] zoom, h and l move, the arrows "
        "move the crosshair; enter on a trade shows it there. In the form, on the list of "
        "strategies, p fills in a preset, P keeps one, D deletes one, S sweeps."
    )
    BINDINGS: ClassVar[list[BindingType]] = named(
        "backtest",
        Binding("n", "new", "new", tooltip="Set up a new run"),
        Binding("e", "edit", "edit & rerun", tooltip="Set up a run like the one under the cursor"),
        Binding("t", "turn_tab(1)", "tabs", tooltip="Next tab of the result", id="next_tab"),
        Binding("T", "turn_tab(-1)", "Previous tab", show=False, id="previous_tab"),
        Binding("x", "cancel", "cancel", tooltip="Stop the run; what it has done so far is kept"),
        Binding("c", "compare", "compare", tooltip="Put two to ten marked runs side by side"),
        Binding("E", "export", "export", tooltip="Write the run to files"),
        Binding("S", "sweep", "sweep", tooltip="Run this with many parameters"),
        Binding("R", "reproduce", "reproduce", tooltip="Run it again: are all fills the same?"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._started: dict[int, RunningRun[Any]] = {}
        self._offered: frozenset[str] = frozenset({"new"})
        self._loaded = False
        self._board: SweepBoard | None = None

    def compose_body(self) -> ComposeResult:
        with ContentSwitcher(id="places", initial="results"):
            with Vertical(id="results"):
                yield ResultView(id="result")
                yield Static(id="running", markup=False)
                history = ResultTable(
                    *columns(),
                    empty="reading the runs ...",
                    id="history",
                    classes="panel",
                    marks=True,
                )
                history.border_title = "History"
                yield history
            yield BacktestForm(id="form")

    def refresh_view(self, workspace: Workspace) -> None:
        if not self._loaded:
            self._loaded = True
            self.start(self._show_newest(workspace))
            self.start(self._read_known(workspace))
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
            self.start(self.read_history(self.workspace))
            self.start(self._read_known(self.workspace))

    async def _read_known(self, workspace: Workspace) -> None:
        """Let the form know the ids that are stored, and all strategies, changed ones too."""
        form = self.query_one(BacktestForm)
        ids = await asyncio.to_thread(known_ids, workspace.catalog)
        settings = await asyncio.to_thread(workspace.settings)
        form.begin(workspace.clock(), ids, settings.fees)
        form.know(await workspace.strategies())

    def prefill(self, ids: tuple[str, ...], bars: BarSpec | None) -> None:
        form = self.query_one(BacktestForm)
        form.fill(ids, bars)
        if self.workspace is not None and ids and bars is not None:
            self.start(self._fill_stored_dates(self.workspace, ids[0], bars))
        self.action_new()

    async def _fill_stored_dates(self, workspace: Workspace, one: str, bars: BarSpec) -> None:
        dates = await asyncio.to_thread(stored_dates, workspace.catalog, one, bars)
        if dates is not None:
            self.query_one(BacktestForm).fill_dates(*dates)

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Offer only what there is something for."""
        about = action in _ABOUT_SOMETHING or action in RunHistory.ABOUT_RUNS
        return not about or action in self._offered

    def _offer_keys(self) -> None:
        offered = {"cancel"} if self._started else set()
        if self.query_one("#places", ContentSwitcher).current == "results":
            offered |= {"new", *self.run_keys}
            if self._runs:
                offered |= {"edit", "reproduce", "sweep"}
            if self.query_one(ResultView).run is not None:
                offered.add("turn_tab")
        if offered != self._offered:
            self._offered = frozenset(offered)
            self.refresh_bindings()

    # The form

    def action_new(self) -> None:
        """Open the form as it was left."""
        self._open("form")

    def action_edit(self) -> None:
        """Open the form filled in as the run under the cursor was."""
        if (run := self.run_under_cursor()) is not None:
            self.start(self.fill_in(run.spec))

    async def fill_in(self, spec: RunSpec) -> None:
        await self.query_one(BacktestForm).fill_from(spec)
        self._open("form")

    def action_back(self) -> None:
        """Leave the form, where what was typed stays; in the history take the marks off."""
        if self.query_one("#places", ContentSwitcher).current == "results":
            self.history.unmark()
        self._open("results")

    # Runs

    @on(BacktestForm.Submitted)
    def _start(self, submitted: BacktestForm.Submitted) -> None:
        if self.workspace is None:
            return
        self._open("results")
        if submitted.sweep:
            self._open_sweep(submitted.spec)
            return
        job = self.workspace.backtest(submitted.spec)
        self._started[job.id] = RunningRun(job, title_of(submitted.spec))
        self.start(self._follow(self.workspace, job, submitted.spec))
        self.tick()

    async def _follow(self, workspace: Workspace, job: Job[StoredRun], spec: RunSpec) -> None:
        """Show what becomes of a run, and the history with it."""
        await self._ended(workspace, job)
        if job.snapshot.error is not None:  # a run that was only mistyped is not kept
            self.query_one(ResultView).show_failure(spec, job.snapshot.error)
        told = {getattr(line.event, "run_id", "") for line in job.log.since(0)}
        if kept := told & {run.run_id for run in self._runs}:
            await self._show_run(workspace, kept.pop())
        self.tick()

    async def _ended(self, workspace: Workspace, job: Job[Any]) -> None:
        await job.ended()
        self._started.pop(job.id)
        await self.read_history(workspace)

    def action_cancel(self) -> None:
        """Cancel the run that was started last."""
        if self._started:
            list(self._started.values())[-1].job.cancel()

    def action_reproduce(self) -> None:
        """Run the one under the cursor again, and say whether its fills are the same."""
        run, workspace = self.run_under_cursor(), self.workspace
        if run is not None and workspace is not None:
            job = workspace.reproduce(run.run_id)
            self._started[job.id] = RunningRun(job, f"reproduce {title_of(run.spec)}")
            self.start(self._tell_reproduced(workspace, job))

    async def _tell_reproduced(self, workspace: Workspace, job: Job[Reproduction]) -> None:
        await self._ended(workspace, job)
        if job.snapshot.state is not JobState.CANCELLED:
            found = await job.wait()
            await self._show_run(workspace, found.again.run_id)
            self.notify(
                str(found),
                title="reproduced" if found.same else "not reproduced",
                severity="information" if found.same else "warning",
                timeout=10,
                markup=False,
            )

    def action_sweep(self) -> None:
        """Set up a sweep around the run under the cursor, or look at the one that runs."""
        if (run := self.run_under_cursor()) is not None:
            self._open_sweep(run.spec)

    def _open_sweep(self, base: RunSpec) -> None:
        if self.workspace is not None:
            self.start(self._push_sweep(self.workspace, base))

    async def _push_sweep(self, workspace: Workspace, base: RunSpec) -> None:
        from tui.screens.sweep import Sweep

        board = self._board if self._board is not None and self._board.job.running else None
        base = board.spec.base if board is not None else base
        strategy = await asyncio.to_thread(workspace.library.find, base.strategy)
        settings = await asyncio.to_thread(workspace.settings)
        await self.app.push_screen(
            Sweep(
                base,
                strategy,
                board,
                workers=settings.workers,
                remember=self._remember_sweep,
                show_run=lambda run_id: self.start(self._show_run(workspace, run_id)),
            )
        )

    def _remember_sweep(self, board: SweepBoard) -> None:
        self._board = board

    # Results

    def action_turn_tab(self, step: int) -> None:
        """Show the next or the previous tab of the result."""
        self.query_one(ResultView).turn_tab(step)

    @on(ResultTable.Opened, "#history")
    def _open_run(self, opened: ResultTable.Opened) -> None:
        if self.workspace is not None:
            self.start(self._show_run(self.workspace, opened.key))

    async def _show_newest(self, workspace: Workspace) -> None:
        await self.read_history(workspace)
        if self._runs:
            await self._show_run(workspace, self._runs[0].run_id)
        else:
            self.query_one(ResultView).show_message("Result", NOTHING)

    async def _show_run(self, workspace: Workspace, run_id: str) -> None:
        result = self.query_one(ResultView)
        if all(run.run_id != run_id for run in self._runs):
            await self.read_history(workspace)
        self.history.point_at(run_id)
        try:
            shown = await asyncio.to_thread(load_shown, workspace, run_id)
            if shown.run.result.metrics is None:
                result.show_failure(shown.run.spec, shown.run.result.failure)
            else:
                result.show(shown)
        except DataUnavailable as error:  # its files are damaged
            result.show_failure({run.run_id: run.spec for run in self._runs}[run_id], error)
        self._offer_keys()

    def runs_deleted(self, run_ids: tuple[str, ...]) -> None:
        shown = self.query_one(ResultView)
        if shown.run is not None and shown.run.run_id in run_ids:
            shown.show_message("Result", "this run is deleted; enter on another one shows it")

    def _open(self, place: str) -> None:
        self.query_one("#places", ContentSwitcher).current = place
        if place == "form":
            self.query_one(BacktestForm).enter()
        else:
            self.history.focus()
        self._offer_keys()

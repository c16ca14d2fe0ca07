"""The history of runs: what can be done with those that are marked, or the one under the cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from catalog.errors import WrongInput
from tui.keys import named
from tui.screens.base import BaseScreen
from tui.widgets.backtest_history import columns, history_row
from tui.widgets.backtest_spec import command_of, title_of
from tui.widgets.result_table import ResultTable, Row, Sheet
from tui.zone import EXCHANGE_ZONE

if TYPE_CHECKING:
    from core.backtest.exporting import Format
    from core.backtest.results import RunStore, RunSummary
    from core.backtest.run_files import Remarks
    from core.workspace import Workspace

NOTHING = "no run yet: press n, choose a strategy, instruments and dates, then enter"
"""What is said where there are no runs."""

_FORMATS: dict[str, Format] = {".json": "json", ".html": "html", "": "csv"}


class RunHistory(BaseScreen):
    """A screen with a table `#history`; a subclass shows it, calls `read_history`, and binds the
    keys that its key bar shows."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        "backtest",
        Binding("y", "copy", "copy", show=False, tooltip="Copy the command that does the run"),
        Binding("asterisk", "star", "star", show=False, tooltip="Put a star on runs, or take it"),
        Binding("N", "note", "note", show=False, tooltip="Write a note on the run"),
        Binding("number_sign", "tag", "tags", show=False, tooltip="Tag the run"),
        Binding("M", "by_metric", "by metric", show=False, tooltip="The best run by any metric"),
        Binding("delete,D", "delete", "delete", show=False, tooltip="Delete runs; asks first"),
    )

    ABOUT_RUNS: ClassVar[frozenset[str]] = frozenset(
        {"copy", "compare", "star", "note", "tag", "delete", "export", "by_metric"}
    )
    """The actions that need a run."""

    def __init__(self) -> None:
        super().__init__()
        self._runs: list[RunSummary] = []
        self._metric = ""
        self._reading = asyncio.Lock()
        self._look: object = None
        self._rows: dict[str, tuple[RunSummary, Row]] = {}

    @property
    def run_keys(self) -> frozenset[str]:
        """The actions that there are runs for."""
        return self.ABOUT_RUNS if self._runs else frozenset()

    async def read_history(self, workspace: Workspace) -> None:
        """Read all runs and show them, in the order that was chosen."""
        async with self._reading:
            self._runs, sheet = await asyncio.to_thread(self._read, workspace.runs, self._metric)
        title = f"History, best {self._metric} first" if self._metric else "History"
        self.history.border_title = title
        self.history.show_sheet(sheet, empty=NOTHING)

    def _read(self, runs: RunStore, metric: str) -> tuple[list[RunSummary], Sheet]:
        """All runs, and what is shown of them; a run that is as it was has the same row."""
        from core.backtest.run_index import Search

        now = datetime.now(UTC)
        look = metric, EXCHANGE_ZONE.name, now.astimezone(EXCHANGE_ZONE).date()
        before = self._rows if look == self._look else {}
        self._look, self._rows = look, {}
        found = runs.list(Search(sort=metric))
        for run in found:
            known, row = before.get(run.run_id, (None, None))
            if row is None or known is not run:
                row = history_row(run, now, metric)
            self._rows[run.run_id] = run, row
        return found, Sheet.of(columns(metric), [row for _, row in self._rows.values()])

    @property
    def history(self) -> ResultTable:
        """The table of runs."""
        return self.query_one("#history", ResultTable)

    def run_under_cursor(self) -> RunSummary | None:
        """The run the cursor is on."""
        key = self.history.cursor_key
        return next((run for run in self._runs if run.run_id == key), None)

    def action_copy(self) -> None:
        """Copy the command of the run under the cursor."""
        if (run := self.run_under_cursor()) is not None:
            self.app.copy_to_clipboard(command_of(run.spec))
            self.notify("the command is in the clipboard", timeout=3)

    def action_compare(self) -> None:
        """Show the marked runs side by side."""
        if self.workspace is not None:
            self.start(self._compare(self.workspace, self.history.chosen_keys))

    async def _compare(self, workspace: Workspace, run_ids: tuple[str, ...]) -> None:
        from core.backtest.comparing import FEWEST, Comparison, compare
        from tui.screens.compare import Compare

        def load() -> Comparison:
            return compare([workspace.runs.load(run_id) for run_id in run_ids])

        if len(run_ids) < FEWEST:
            raise WrongInput("One run alone cannot be compared", "", "mark 2 to 10 with space")
        await self.app.push_screen(Compare(await asyncio.to_thread(load)))

    def action_star(self) -> None:
        """Put a star on the chosen runs; take it away where the first of them has one."""
        chosen = self.history.chosen_keys
        first = next((run for run in self._runs if run.run_id in chosen), None)
        if first is not None:
            starred = not first.remarks.starred
            self._remark(chosen, lambda now: replace(now, starred=starred))

    def action_note(self) -> None:
        """Ask for the note of the run under the cursor."""
        run = self.run_under_cursor()
        if run is not None:
            self.ask(
                "Note",
                "what to remember of this run; empty removes it",
                run.remarks.note,
                lambda text: self._remark((run.run_id,), lambda now: replace(now, note=text)),
            )

    def action_tag(self) -> None:
        """Ask for the tags of the chosen runs."""
        run, chosen = self.run_under_cursor(), self.history.chosen_keys
        if run is not None:
            self.ask(
                "Tags",
                "words to find runs by, with blanks between them",
                " ".join(run.remarks.tags),
                lambda text: self._remark(
                    chosen, lambda now: replace(now, tags=tuple(dict.fromkeys(text.split())))
                ),
                words=[tag for each in self._runs for tag in each.remarks.tags],
            )

    def action_by_metric(self) -> None:
        """Ask for the metric the best run is first by."""
        from core.backtest.metrics import check_metric, metric_names

        def chosen(text: str) -> None:
            self._metric = text
            self.history.unsort()
            if self.workspace is not None:
                self.start(self.read_history(self.workspace))

        names = metric_names()
        self.ask(
            "Best by which metric?",
            f"empty: the newest first; {', '.join(names)}",
            self._metric,
            chosen,
            words=names,
            read=lambda text: check_metric(text) if text else None,
        )

    def action_delete(self) -> None:
        """Ask, then delete the chosen runs."""
        from tui.screens.confirm import Confirm

        workspace, chosen = self.workspace, self.history.chosen_keys
        runs = [run for run in self._runs if run.run_id in chosen]
        if workspace is None or not runs:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.start(self._delete(workspace, chosen))

        what = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
        titles = "\n".join(title_of(run.spec) for run in runs[:5])
        self.app.push_screen(
            Confirm(
                f"Delete {what}?", f"Figures, tables and notes go for good; bars stay.\n{titles}"
            ),
            answered,
        )

    async def _delete(self, workspace: Workspace, run_ids: tuple[str, ...]) -> None:
        for run_id in run_ids:
            await asyncio.to_thread(workspace.runs.delete, run_id)
        self.history.unmark()
        await self.read_history(workspace)
        self.runs_deleted(run_ids)

    def runs_deleted(self, run_ids: tuple[str, ...]) -> None:
        """What is shown of these runs is shown no longer."""

    def action_export(self) -> None:
        """Ask where to, then write the run under the cursor there."""
        run, workspace = self.run_under_cursor(), self.workspace
        if run is not None and workspace is not None:
            self.ask(
                "Export",
                "a file ending in .json or .html, or a folder for a CSV file of each table",
                f"~/{run.run_id}.json",
                lambda text: self.start(self._export(workspace, run.run_id, text)),
                read=_format_of,
            )

    async def _export(self, workspace: Workspace, run_id: str, text: str) -> None:
        from core.backtest.exporting import export

        to = await asyncio.to_thread(lambda: Path(text).expanduser().absolute())
        written = await export(workspace.runs, run_id, _format_of(text), to)
        self.notify("\n".join(map(str, written[:3])), title="written", timeout=6, markup=False)

    def _remark(self, run_ids: tuple[str, ...], change: Callable[[Remarks], Remarks]) -> None:
        workspace = self.workspace
        if workspace is None:
            return

        async def work() -> None:
            for run_id in run_ids:
                await asyncio.to_thread(workspace.runs.remark, run_id, change)
            await self.read_history(workspace)

        self.start(work())

    def ask(
        self,
        question: str,
        hint: str,
        value: str,
        take: Callable[[str], object],
        *,
        words: list[str] | tuple[str, ...] = (),
        read: Callable[[str], object] = str,
    ) -> None:
        """Ask for a line of text, and hand it to `take` unless the question is left."""
        from tui.screens.ask import Ask

        def answered(text: str | None) -> None:
            if text is not None:
                take(text)

        self.app.push_screen(Ask(question, hint, value, words=words, read=read), answered)


def _format_of(text: str) -> Format:
    """The format a path stands for. Raises `WrongInput` for another ending."""
    suffix = Path(text).suffix
    if not text or suffix not in _FORMATS:
        raise WrongInput(f"'{text}' says no format", "", "end it in .json, .html or, for CSV, none")
    return _FORMATS[suffix]

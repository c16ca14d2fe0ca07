"""Screen 3: ask for bars, and watch them come."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from catalog.errors import WrongInput
from tui.screens.base import BaseScreen
from tui.widgets.fetch_jobs import COLUMNS, FetchBoard
from tui.widgets.form import Choice, FormField, first_problem
from tui.widgets.form_reading import (
    problem_in,
    read_bars,
    read_ids,
    read_optional_time,
)
from tui.widgets.result_table import ResultTable, Row

if TYPE_CHECKING:
    from catalog.series import BarSpec
    from core.fetch import FetchRequest
    from core.jobs import Job
    from core.workspace import Workspace

_USUAL_HOURS = "usual"
_HINT = "enter starts; ids like AAPL GDX.ARCA ESZ6.CME EUR/USD ^SPX.CBOE"
_NOTHING = "nothing fetched yet: press n, name instruments and a range, then enter"
_READERS = {
    "ids": read_ids,
    "bars": read_bars,
    "start": read_optional_time,
    "end": read_optional_time,
}


class JobTable(ResultTable):
    """The fetches; enter shows the series of one, or hides them."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", "details")]


class FetchScreen(BaseScreen):
    """A request, which keeps what was typed, and the fetches of this session."""

    CSS_PATH: ClassVar = ["../styles/form.tcss", "../styles/fetch.tcss"]
    AUTO_FOCUS = "#jobs"
    TELLS_FAILED: ClassVar[str] = "fetch"
    HELP_TITLE: ClassVar[str] = "Fetch"
    HELP_TEXT: ClassVar[str] = (
        "Name instruments, a bar type and a range; Enter starts. Only what the catalog lacks is "
        "requested. A bare date is a trading date of the exchange, its whole session; a time "
        "without a zone is UTC; without an end it is now."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "new", "new", tooltip="Go to the request form"),
        Binding("x", "cancel", "cancel", tooltip="Stop the job; what is stored stays"),
        Binding("R", "retry", "retry", tooltip="Ask for the same again"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._boards: dict[int, FetchBoard] = {}
        self._requests: dict[int, FetchRequest] = {}
        self._submitted = False
        self._offered: frozenset[str] = frozenset()

    def compose_body(self) -> ComposeResult:
        with Vertical(id="request", classes="panel") as request:
            request.border_title = "New fetch"
            with Horizontal():
                yield FormField("ids", "ids", placeholder="AAPL.NASDAQ IBM.NYSE", classes="-wide")
                yield FormField("bars", "bars", "1-MINUTE-LAST")
            with Horizontal():
                yield FormField("start", "from", placeholder="2024-01-02")
                yield FormField("end", "to", placeholder="now")
                yield FormField(
                    "hours", "hours", _USUAL_HOURS, choices=(_USUAL_HOURS, "regular", "all")
                )
            yield Static(_HINT, id="told", markup=False)
        jobs = JobTable(*COLUMNS, empty=_NOTHING, id="jobs", classes="panel", sorts=False)
        jobs.border_title = "Jobs"
        yield jobs

    def refresh_view(self, workspace: Workspace) -> None:
        rows: list[Row] = []
        for job in reversed(workspace.jobs.all):
            if job.kind == "fetch":
                rows += self._boards.setdefault(job.id, FetchBoard(job)).rows()
        self.query_one("#jobs", ResultTable).show(rows)
        self._offer_keys()

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Offer only what the job under the cursor allows."""
        return action not in ("cancel", "retry") or action in self._offered

    @on(ResultTable.Reached)
    def _offer_keys(self) -> None:
        job = self._job_under_cursor()
        offered = frozenset(("cancel" if job.running else "retry",) if job else ())
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    def prefill(self, ids: tuple[str, ...], bars: BarSpec | None) -> None:
        self._field("ids").value = " ".join(ids)
        if bars is not None:
            self._field("bars").value = str(bars)
        self._field("start").enter()

    @on(Input.Changed)
    def _check_typed(self) -> None:
        for field in self.query(FormField):
            typed = bool(field.value) or self._submitted
            read = _READERS.get(field.key)
            field.problem = problem_in(read, field.value) if read and typed else ""
        self._tell_problem()

    @on(Input.Submitted)
    @on(Choice.Submitted)
    def _start(self) -> None:
        if self.workspace is None:
            return
        self._submitted = True
        self._check_typed()
        wrong = first_problem(self.query(FormField))
        if wrong is not None:
            wrong.enter()
            return
        self._submitted = False
        self._begin(self.workspace, self._request())

    @on(ResultTable.Opened)
    def _fold(self, opened: ResultTable.Opened) -> None:
        board = self._boards.get(_job_id(opened.key))
        if board is not None:
            board.fold()
            self.tick()

    def action_new(self) -> None:
        """Go to the form."""
        self._field("ids").enter()

    def action_cancel(self) -> None:
        """Cancel the job under the cursor."""
        if (job := self._job_under_cursor()) is not None:
            job.cancel()

    def action_retry(self) -> None:
        """Start the request of the job under the cursor again."""
        job = self._job_under_cursor()
        if self.workspace and job and not job.running and job.id in self._requests:
            self._begin(self.workspace, self._requests[job.id])

    def _begin(self, workspace: Workspace, request: FetchRequest) -> None:
        try:
            job = workspace.fetch(request)
        except WrongInput as error:
            self.deck.tell(error)
            return
        self._requests[job.id] = request
        self._boards[job.id] = FetchBoard(cast("Job[object]", job), request.ids)
        self.tick()
        jobs = self.query_one("#jobs", ResultTable)
        jobs.point_at(f"{job.id}")
        jobs.focus()

    def _request(self) -> FetchRequest:
        from core.fetch import FetchRequest

        hours = self._field("hours").value
        return FetchRequest(
            ids=read_ids(self._field("ids").value),
            bars=read_bars(self._field("bars").value),
            start=read_optional_time(self._field("start").value),
            end=read_optional_time(self._field("end").value),
            hours="regular" if hours == "regular" else "all" if hours == "all" else None,
        )

    def _tell_problem(self) -> None:
        wrong = first_problem(self.query(FormField))
        told = self.query_one("#told", Static)
        told.set_class(wrong is not None, "-wrong")
        told.update(f"{wrong.label}: {wrong.problem}" if wrong else _HINT)

    def _field(self, name: str) -> FormField:
        return next(field for field in self.query(FormField) if field.key == name)

    def _job_under_cursor(self) -> Job[object] | None:
        key = self.query_one("#jobs", ResultTable).cursor_key
        if key is None or self.workspace is None:
            return None
        number = _job_id(key)
        return next(job for job in self.workspace.jobs.all if job.id == number)


def _job_id(key: str) -> int:
    """The job of a row: of its own line, or of the line of one of its series."""
    return int(key.partition(" ")[0])

"""Screen 3: ask for bars, and watch them come."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from catalog.errors import QuarterdeckError, WrongInput
from tui.keys import named
from tui.screens.base import BaseScreen
from tui.widgets.fetch_form import FetchForm
from tui.widgets.fetch_jobs import COLUMNS, FetchBoard
from tui.widgets.fetch_journal import journal_row
from tui.widgets.fetch_plan import needs_a_second_look, plan_line
from tui.widgets.form_reading import known_ids
from tui.widgets.result_table import ResultTable, Row
from tui.zone import EXCHANGE_ZONE

if TYPE_CHECKING:
    from catalog.series import BarSpec
    from core.fetch import FetchPlan, FetchRequest, FetchSummary
    from core.jobs import Job
    from core.journal import JournalEntry
    from core.workspace import Workspace

_NOTHING = "nothing fetched yet: press n, name instruments and a range, then enter"
_JOURNAL_S = 2.0
_PAST_JOBS = 30


class JobTable(ResultTable):
    """The fetches; enter shows what one reported, or what the journal has of it."""

    BINDINGS: ClassVar[list[BindingType]] = named("table", Binding("enter", "open", "details"))


class FetchScreen(BaseScreen):
    """A request, which keeps what was typed, and the fetches of this and other processes."""

    CSS_PATH: ClassVar = ["../styles/form.tcss", "../styles/fetch.tcss"]
    AUTO_FOCUS = "#jobs"
    TELLS_FAILED: ClassVar[str] = "fetch"
    HELP_TITLE: ClassVar[str] = "Fetch"
    HELP_TEXT: ClassVar[str] = (
        "Name instruments or @watchlists, a bar type and a range; Enter plans and starts, a large "
        "fetch only at the second Enter. Only what the catalog lacks is requested. Dates are "
        "2024-01-31, 2024-01, 2024, -30d, -6m, ytd, or times in ISO 8601 (UTC without a zone); a "
        "bare date is a trading date of the exchange, its whole session; without an end it is now."
    )
    BINDINGS: ClassVar[list[BindingType]] = named(
        "fetch",
        Binding("n", "new", "new", tooltip="Go to the request form"),
        Binding("s,ctrl+s", "search", "search", tooltip="Find instruments by a text, for the form"),
        Binding("x", "cancel", "cancel", tooltip="Stop the job; what is stored stays"),
        Binding("R", "retry", "retry", tooltip="Ask for the same again, or go on with it"),
        Binding("f", "fold", "fold", tooltip="Hide the lines of the series, and back"),
        Binding("u", "update", "update all", tooltip="Bring all stored series to now"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._entries: tuple[JournalEntry, ...] = ()
        self._journal_at = 0.0
        self._begun = False
        self._wanted: FetchRequest | None = None
        self._planned: FetchRequest | None = None
        self._planning: asyncio.Task[None] | None = None
        self._offered: frozenset[str] = frozenset()

    def compose_body(self) -> ComposeResult:
        yield FetchForm(id="request")
        jobs = JobTable(*COLUMNS, empty=_NOTHING, id="jobs", classes="panel", sorts=False)
        jobs.border_title = _jobs_title()
        yield jobs

    def refresh_view(self, workspace: Workspace) -> None:
        now = asyncio.get_running_loop().time()
        if not self._begun:
            self._begun = True
            self.start(self._read_known(workspace))
        if now >= self._journal_at:
            self._journal_at = now + _JOURNAL_S
            self.start(self._read_journal(workspace))
        self._show_jobs(workspace)

    def _show_jobs(self, workspace: Workspace) -> None:
        jobs = self.query_one("#jobs", ResultTable)
        if jobs.border_title != (title := _jobs_title()):
            jobs.border_title = title
        rows: list[Row] = []
        now = datetime.now(UTC)
        for job in reversed(workspace.jobs.all):
            if job.kind == "fetch":
                rows += self.deck.fetches.of(job).rows(now)
        rows += [journal_row(entry, now) for entry in self._entries]
        jobs.show(rows)
        self._offer_keys()

    async def _read_journal(self, workspace: Workspace) -> None:
        """Read what other processes did, and this one with a profile it left."""
        self._entries = (await workspace.journal_elsewhere())[:_PAST_JOBS]

    def on_screen_resume(self) -> None:
        # Textual calls the handler of the base class as well.
        if self.workspace is not None and self._begun:
            self.start(self._read_known(self.workspace))

    async def _read_known(self, workspace: Workspace) -> None:
        """Let the form know the ids that are stored, and the watchlists."""

        def read() -> tuple[tuple[str, ...], bool]:
            from catalog.origin import is_adjusted
            from core.preferences import load_or_last_good

            catalog, lists = workspace.catalog, load_or_last_good(workspace.home)[0].watchlists
            ids = (*known_ids(catalog), *(f"@{name}" for name in lists))
            return ids, is_adjusted(catalog.origin)

        ids, adjusted = await asyncio.to_thread(read)
        self.query_one(FetchForm).begin(workspace.clock(), ids, adjusted=adjusted)

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Offer only what the job under the cursor allows."""
        return action not in ("cancel", "retry", "fold") or action in self._offered

    @on(ResultTable.Reached)
    def _offer_keys(self) -> None:
        job, entry = self._job_under_cursor(), self._entry_under_cursor()
        offered = set[str]()
        if job is not None:
            offered = {"fold"} | ({"cancel"} if job.running else set())
            if self.workspace is not None and self.workspace.data.can_repeat(job):
                offered.add("retry")
        elif entry is not None and entry.state in ("failed", "cancelled", "interrupted"):
            offered = {"retry"}
        if offered != self._offered:
            self._offered = frozenset(offered)
            self.refresh_bindings()

    def prefill(self, ids: tuple[str, ...], bars: BarSpec | None) -> None:
        self.query_one(FetchForm).fill(ids, bars)

    # From the form to a job

    @on(FetchForm.Edited)
    def _forget_plan(self) -> None:
        if self._wanted is not None and self._wanted == self._typed():
            return
        self._wanted = self._planned = None
        if self._planning is not None:
            self._planning.cancel()
            self._planning = None
        self.query_one(FetchForm).tell()

    @on(FetchForm.Submitted)
    def _plan_or_start(self) -> None:
        if self.workspace is None:
            return
        request = self._typed()
        if request is None:
            return
        if request == self._planned:
            self._begin(self.workspace, request)
        elif self._planning is None or self._planning.done():
            self._wanted = request
            self.query_one(FetchForm).tell("planning ...")
            self._planning = self.start(self._plan(self.workspace, request))

    def _typed(self) -> FetchRequest | None:
        """The request as it is typed; None where it cannot be read."""
        if self.workspace is None:
            return None
        try:
            return self.query_one(FetchForm).request(self.workspace.clock())
        except WrongInput:
            return None

    async def _plan(self, workspace: Workspace, request: FetchRequest) -> None:
        """Show what a request takes; start it at once when that is little."""
        job = workspace.plan(request)
        try:
            plan: FetchPlan = await job.wait()
        except asyncio.CancelledError:
            job.cancel()
            raise
        except QuarterdeckError:
            self.query_one(FetchForm).tell()
            raise
        if needs_a_second_look(plan):
            self._planned = request
            self.query_one(FetchForm).tell(f"{plan_line(plan)}; enter starts")
        else:
            self._begin(workspace, request)
            self.query_one(FetchForm).tell(plan_line(plan))

    def _begin(self, workspace: Workspace, request: FetchRequest) -> None:
        self._wanted = self._planned = None
        self.query_one(FetchForm).tell()
        self._show_begun(workspace.fetch(request), request.ids)

    def _show_begun(self, job: Job[FetchSummary], ids: tuple[str, ...]) -> None:
        self.deck.fetches.add(FetchBoard(cast("Job[object]", job), ids))
        self._show_started(job.id)

    def _show_started(self, job_id: int) -> None:
        self.tick()
        jobs = self.query_one("#jobs", ResultTable)
        jobs.point_at(f"{job_id}")
        jobs.focus()

    # Keys

    @on(ResultTable.Opened)
    def _show_log(self, opened: ResultTable.Opened) -> None:
        from tui.screens.job_log import JobLog
        from tui.screens.journal_details import JournalDetails

        job, entry = self._job_under_cursor(), self._entry_under_cursor()
        if job is not None:
            self.app.push_screen(JobLog(job, self.deck.fetches.of(job).names(opened.key)))
        elif entry is not None:
            self.app.push_screen(JournalDetails(entry))

    def action_new(self) -> None:
        """Go to the form."""
        self.query_one(FetchForm).field("ids").enter()

    def action_search(self) -> None:
        """Ask the broker for instruments; from the ids' field for the word at its end."""
        from tui.screens.search import Found, Search

        form = self.query_one(FetchForm)
        word = form.last_word if form.field("ids").has_focus_within else ""

        def found(chosen: Found | None) -> None:
            if chosen is not None:
                form.add(chosen.ids, instead_of=word if chosen.text == word else "")

        if self.workspace is not None:
            self.app.push_screen(Search(self.workspace, word), found)

    def action_fold(self) -> None:
        """Hide the series of the job under the cursor, or show them again."""
        if (job := self._job_under_cursor()) is not None:
            self.deck.fetches.of(job).fold()
            self.tick()

    def action_cancel(self) -> None:
        """Cancel the job under the cursor."""
        if (job := self._job_under_cursor()) is not None:
            job.cancel()

    def action_update(self) -> None:
        """Bring all stored series to now."""
        if self.workspace is not None:
            self._show_started(self.workspace.update().id)

    def action_retry(self) -> None:
        """Start the request of the job under the cursor again, or go on with an unfinished one."""
        if self.workspace is None:
            return
        job, entry = self._job_under_cursor(), self._entry_under_cursor()
        if job is not None and self.workspace.data.can_repeat(job):
            ids = self.deck.fetches.of(job).ids
            self._show_begun(self.workspace.data.repeat(job), ids)
        elif entry is not None and "retry" in self._offered:
            resumed = self.workspace.resume(entry)
            if resumed is None:
                self.notify("another process goes on with it", timeout=3)
            else:
                self._journal_at = 0.0
                self._show_started(resumed.id)

    def _job_under_cursor(self) -> Job[object] | None:
        """The job of a row: of its own line, or of the line of one of its series."""
        number = (self.query_one("#jobs", ResultTable).cursor_key or "").partition(" ")[0]
        jobs = self.workspace.jobs.all if self.workspace and number.isdecimal() else ()
        return next((job for job in jobs if job.id == int(number)), None)

    def _entry_under_cursor(self) -> JournalEntry | None:
        key = self.query_one("#jobs", ResultTable).cursor_key
        return next((entry for entry in self._entries if entry.id == key), None)


def _jobs_title() -> str:
    return f"Jobs, times in {EXCHANGE_ZONE.word}"

"""Screen 2: what the catalog holds, and one series of it in detail."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.timer import Timer

from catalog.errors import QuarterdeckError
from catalog.wording import counted
from tui.keys import named
from tui.screens.base import BaseScreen
from tui.widgets.result_candles import RunCandles
from tui.widgets.result_table import ResultTable
from tui.widgets.series_detail import Detail, SeriesDetail, by_calendar, missing_range, read_detail
from tui.widgets.series_table import Listed, SeriesTable, listed

if TYPE_CHECKING:
    from catalog.events import Event
    from catalog.health import CheckReport
    from catalog.listing import SeriesSummary
    from catalog.store import Catalog
    from core.jobs import EventLog
    from core.workspace import Workspace

RELOAD_AFTER_S = 2.0
"""The list is read again at most this often while a fetch stores bars."""

_SETTLED_S = 0.15
"""How long the cursor rests on a row before its bars are read."""

_NOTHING = "Nothing is stored yet: f fetches bars, i imports files; 1 shows the broker."
_ANEW = (
    "The broker is asked for all that was ever asked of them. The stored bars stay until all of it "
    "is there and read back; then they lie in the trash, from where U puts them back for 7 days."
)
_AGAIN = (
    "The broker is asked for every stored instrument, one by one. One that differs becomes a new "
    "version from now on; the older ones stay."
)


class CatalogScreen(BaseScreen):
    """The series of the catalog as a table, the selected one with its instrument and candles."""

    CSS_PATH: ClassVar = ["../styles/form.tcss", "../styles/catalog.tcss"]
    AUTO_FOCUS = "#series"
    BODY_CLASSES: ClassVar[str] = "-empty"
    HELP_TITLE: ClassVar[str] = "Catalog"
    HELP_TEXT: ClassVar[str] = (
        "What is on disk. gaps counts stretches inside market hours that were never asked for; "
        "ORPHAN means bars without their instrument, which B asks the broker for; stale 3d that "
        "three weekdays since were not asked for yet; STALE that the broker now tells another "
        "history, as after a split: N fetches that. Keys act on the marked series, else on the "
        "one under the cursor. enter gives the chart the whole screen, and back; there the arrows "
        "move a crosshair."
    )
    BINDINGS: ClassVar[list[BindingType]] = named(
        "catalog",
        Binding("f", "fetch", "fetch", tooltip="Fetch what is missing of these series"),
        Binding("u", "update", "update", tooltip="Bring these series to now"),
        Binding("c", "check", "check", tooltip="Look for everything that is wrong"),
        Binding("r", "repair", "repair", tooltip="Check, show what would be mended, and ask"),
        Binding("b", "backtest", "backtest", tooltip="Backtest on this series"),
        Binding("d", "details", "details", tooltip="Instrument, versions, coverage in full"),
        Binding("B", "backfill", "backfill", tooltip="Ask the broker for missing instruments"),
        Binding("i", "import", "import", tooltip="Import bars from files; shows them and asks"),
        Binding("E", "export", "export", tooltip="Write these series, or a range, to files"),
        Binding("delete", "delete", "delete", tooltip="Move bars of these into the trash; asks"),
        Binding("N", "rebuild", "fetch anew", tooltip="Fetch all of these series anew; asks"),
        Binding(
            "I", "update_instruments", "instruments", tooltip="Ask for all instruments again; asks"
        ),
        Binding("U", "undo", "undo", tooltip="Take the last deletion, repair or import back"),
        Binding("y", "copy", "copy id", show=False, tooltip="Copy the instrument id"),
        Binding("enter", "enlarge", "large chart", show=False, tooltip="Only the chart, and back"),
        Binding("R", "reload", "refresh", show=False, tooltip="Read the catalog again"),
        Binding("right_square_bracket", "zoom(0.5)", "closer", show=False, id="closer"),
        Binding("left_square_bracket", "zoom(2.0)", "wider", show=False, id="wider"),
        Binding("h", "pan(-0.5)", "earlier", show=False, id="earlier"),
        Binding("l", "pan(0.5)", "later", show=False, id="later"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._listed: Listed | None = None
        self._found: dict[str, int] = {}
        self._loading: asyncio.Task[None] | None = None
        self._reload_at: float | None = 0.0
        self._log_seen = 0
        self._settling: Timer | None = None
        self._wanted: SeriesSummary | None = None
        self._detail: Detail | None = None

    def compose_body(self) -> ComposeResult:
        with Vertical(id="series-panel", classes="panel") as panel:
            panel.border_title = "Series"
            yield SeriesTable(id="series")
        yield SeriesDetail(id="detail")

    # The list

    def on_screen_resume(self) -> None:
        if self._loading is not None and self._loading.done():  # else it is read just now
            self._reload_at = 0.0
        super().on_screen_resume()

    def refresh_view(self, workspace: Workspace) -> None:
        now = asyncio.get_running_loop().time()
        if self._reload_at is None and self._stored_something(workspace.jobs.log):
            self._reload_at = now + RELOAD_AFTER_S
        reading = self._loading is not None and not self._loading.done()
        if self._reload_at is not None and now >= self._reload_at and not reading:
            self._reload_at = None
            self._loading = self.start(self._load(workspace))

    def _stored_something(self, log: EventLog) -> bool:
        fresh = log.since(self._log_seen)
        self._log_seen = log.total
        return any(line.event.channel == "catalog" for line in fresh)

    async def _load(self, workspace: Workspace) -> None:
        before, found = self._listed, dict(self._found)
        loop = asyncio.get_running_loop()

        def tell(event: Event) -> None:
            loop.call_soon_threadsafe(self._tell_reading, event)

        def read() -> tuple[Listed, bool]:
            fresh = listed(workspace.catalog.list_series(tell), workspace.clock(), found)
            return fresh, fresh != before

        try:
            fresh, changed = await asyncio.to_thread(read)
        except QuarterdeckError as error:
            self._listed = None
            told = "\n-> ".join([str(error), *error.steps, "R tries again"])
            self.query_one(SeriesTable).show_series(None, told)
            self.query_one("#body").add_class("-empty")
            self.refresh_bindings()
            return
        if changed:  # else what is shown stays: thousands of rows are not kept twice
            self._listed = fresh
            self._show_list(fresh)

    def _tell_reading(self, event: Event) -> None:
        if self._listed is None and self.is_attached:
            self.query_one(SeriesTable).show_series(None, str(event))

    def _show_list(self, series: Listed) -> None:
        self.query_one(SeriesTable).show_series(series, _NOTHING)
        self.query_one("#body").set_class(not series.summaries, "-empty")
        self.refresh_bindings()
        self._rest_on_selected()

    # One series

    @on(ResultTable.Reached)
    def _rest_on_selected(self) -> None:
        """Show the selected series once the cursor rests on it."""
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(_SETTLED_S, self._open_selected)

    def _open_selected(self) -> None:
        summary = self._selected
        if summary is None:
            self._wanted = None
            self._show(None)
        elif self.workspace is not None and summary != self._wanted:
            self._wanted = summary
            self.start(self._read_detail(self.workspace.catalog, summary))

    async def _read_detail(self, catalog: Catalog, summary: SeriesSummary) -> None:
        detail = await asyncio.to_thread(read_detail, catalog, summary)
        if summary is not self._wanted:
            return
        self._show(detail)
        sharper = await asyncio.to_thread(by_calendar, detail)
        if sharper is not detail and self._detail is detail:
            self._detail = sharper
            self.query_one(SeriesDetail).show_coverage(sharper)

    def _show(self, detail: Detail | None) -> None:
        self._detail = detail
        self.query_one(SeriesDetail).show(detail)

    @property
    def _selected(self) -> SeriesSummary | None:
        key = self.query_one(SeriesTable).cursor_key
        return self._listed.summaries.get(key) if self._listed and key else None

    @property
    def _chosen(self) -> list[SeriesSummary]:
        """The marked series, else the one under the cursor."""
        if self._listed is None:
            return []
        keys = self.query_one(SeriesTable).chosen_keys
        return [self._listed.summaries[key] for key in keys if key in self._listed.summaries]

    # Keys

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Offer only what there is something for."""
        return action not in _OF_SERIES or self._selected is not None

    async def action_fetch(self) -> None:
        """Go to Fetch with these series and what is missing of them filled in."""
        from tui.widgets.fetch_form import FetchForm

        chosen, shown = self._chosen, self._detail
        spec = chosen[0].series.spec if chosen else None
        alike = [one for one in chosen if one.series.spec == spec]
        await self.deck.go_with("fetch", tuple(one.series.instrument_id for one in alike), spec)
        if len(alike) < len(chosen):
            others = f"{len(chosen) - len(alike):,} marked of other bar types"
            self.notify(f"{others} are for a fetch of their own", timeout=4)
        if alike and self.workspace is not None:
            catalog = self.workspace.catalog
            details = [
                shown
                if shown and shown.summary == one
                else await asyncio.to_thread(read_detail, catalog, one)
                for one in alike
            ]
            form = self.app.screen.query_one(FetchForm)
            form.field("start").value, form.field("end").value = missing_range(details)

    async def action_backtest(self) -> None:
        """Go to Backtest with this series filled in."""
        if (chosen := self._selected) is not None:
            series = chosen.series
            await self.deck.go_with("backtest", (series.instrument_id,), series.spec)

    def action_update(self) -> None:
        """Bring these series to now."""
        series = tuple(str(one.series) for one in self._chosen)
        if self.workspace is not None and series:
            self.workspace.update(series)
            self.notify(f"updating {', '.join(series)}; 3 shows it", timeout=3, markup=False)

    def action_check(self) -> None:
        """Look for everything that is wrong, and show it."""
        self._show_findings(then_repair=False)

    def action_repair(self) -> None:
        """Check, show what a repair would do, and ask."""
        self._show_findings(then_repair=True)

    def _show_findings(self, *, then_repair: bool) -> None:
        from tui.screens.findings import Findings

        if self.workspace is not None:
            self.app.push_screen(
                Findings(self.workspace, then_repair=then_repair), self._take_findings
            )

    def _take_findings(self, report: CheckReport | None) -> None:
        if report is not None:
            self._found = {}
            for one in report.findings:
                if one.severity != "notice":
                    self._found[one.subject] = self._found.get(one.subject, 0) + 1
        self.action_reload()

    def action_backfill(self) -> None:
        """Ask the broker for the instruments of bars that have none."""
        if self.workspace is not None:
            self.workspace.care.backfill()

    def action_details(self) -> None:
        """Show all that is known of the series and its instrument."""
        from tui.screens.series_details import SeriesDetails

        if self.workspace is not None and (chosen := self._selected) is not None:
            self.app.push_screen(SeriesDetails(self.workspace.catalog, chosen))

    def action_import(self) -> None:
        """Ask for files, show what would come of them, and take them in."""
        from tui.screens.catalog_forms import ask_import

        if self.workspace is not None:
            selected = self._selected.series.bar_type if self._selected else ""
            ask_import(self.app, self.workspace, selected.removesuffix("-EXTERNAL"))

    def action_export(self) -> None:
        """Ask for a folder and a range, and write these series there."""
        from tui.screens.catalog_forms import ask_export

        if self.workspace is not None:
            ask_export(self.app, self.workspace, self._chosen)

    def action_delete(self) -> None:
        """Ask for a range and whether its bars shall go, and delete them."""
        from tui.screens.catalog_forms import ask_delete

        if self.workspace is not None:
            unmark = self.query_one(SeriesTable).unmark
            ask_delete(self.app, self.workspace, self._chosen, unmark)

    def action_rebuild(self) -> None:
        """Ask whether all of these series shall be fetched anew, and do it."""
        from tui.screens.confirm import Confirm

        chosen, workspace = self._chosen, self.workspace

        def answered(yes: bool | None) -> None:
            if workspace is not None and yes:
                for one in chosen:
                    workspace.rebuild(one.series)

        bars = sum(one.rows for one in chosen)
        question = f"Fetch {bars:,} bars of {len(chosen):,} series anew?"
        self.app.push_screen(Confirm(question, _ANEW), answered)

    def action_update_instruments(self) -> None:
        """Ask whether all instruments shall be asked for again, and do it."""
        from tui.screens.confirm import Confirm

        workspace = self.workspace

        def answered(yes: bool | None) -> None:
            if workspace is not None and yes:
                workspace.care.update_instruments()

        self.app.push_screen(Confirm("Ask for all instruments again?", _AGAIN), answered)

    def action_undo(self) -> None:
        """Ask whether the last change shall be taken back."""
        if self.workspace is not None:
            self.start(self._undo(self.workspace))

    async def _undo(self, workspace: Workspace) -> None:
        from catalog.trash import last_undoable
        from tui.screens.confirm import Confirm

        last = await asyncio.to_thread(last_undoable, workspace.catalog.root)
        if last is None:
            self.notify("there is nothing to undo: the trash is empty", timeout=3)
            return

        def answered(yes: bool | None) -> None:
            if yes:
                workspace.care.undo()

        told = (
            f"{last.title}\nThis puts back {counted(len(last.kept), 'file')} "
            f"and takes out {len(last.added):,}."
        )
        self.app.push_screen(Confirm("Take back the last change?", told), answered)

    def action_copy(self) -> None:
        """Copy the instrument id of the series."""
        if (chosen := self._selected) is not None:
            self.app.copy_to_clipboard(chosen.series.instrument_id)
            self.notify("the instrument's id is in the clipboard", timeout=3)

    def action_reload(self) -> None:
        """Read the catalog again."""
        self._reload_at = 0.0
        self.tick()

    def action_zoom(self, factor: float) -> None:
        """Show fewer or more bars."""
        self.query_one(RunCandles).action_zoom(factor)

    def action_pan(self, part: float) -> None:
        """Show earlier or later bars."""
        self.query_one(RunCandles).action_pan(part)

    @on(ResultTable.Opened)
    def action_enlarge(self) -> None:
        """Show the chart alone, or both again."""
        alone = self.query_one("#body").toggle_class("-chart-alone").has_class("-chart-alone")
        self.query_one(RunCandles if alone else SeriesTable).focus()

    def action_back(self) -> None:
        """Back to both panels, without marks."""
        self.query_one("#body").remove_class("-chart-alone")
        self.query_one(SeriesTable).unmark()
        self.query_one(SeriesTable).focus()


_OF_CHART = ("enlarge", "zoom", "pan")
_OF_SERIES = (*_OF_CHART, "backtest", "update", "details", "export", "delete", "rebuild", "copy")
"""Actions on series, of which there may be none."""

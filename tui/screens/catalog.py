"""Screen 2: what the catalog holds, and one series of it in detail."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Input, Static

from catalog.errors import QuarterdeckError
from tui.screens.base import BaseScreen
from tui.widgets.chart import Chart
from tui.widgets.coverage import LEGEND, Coverage, CoverageStrip
from tui.widgets.result_table import ResultTable
from tui.widgets.series_table import ListedSeries, SeriesTable, listed, size_text

if TYPE_CHECKING:
    from catalog.columns import BarColumns
    from catalog.instruments import Definition
    from catalog.listing import SeriesSummary
    from catalog.store import Catalog
    from core.jobs import EventLog
    from core.workspace import Workspace

RELOAD_AFTER_S = 2.0
"""The list is read again at most this often while a fetch stores bars."""

_SETTLED_S = 0.15
"""How long the cursor rests on a row before its bars are read."""

_NOTHING = "Nothing is stored yet. f fetches bars; 1 shows whether the broker is there."
_NO_MATCH = "No series matches the filter. esc clears it."


class _Detail(NamedTuple):
    summary: SeriesSummary
    definition: Definition | None
    coverage: Coverage
    bars: BarColumns | QuarterdeckError
    """The bars, or why they cannot be read."""


class CatalogScreen(BaseScreen):
    """The series of the catalog as a table, the selected one with its instrument and candles."""

    CSS_PATH: ClassVar = ["../styles/form.tcss", "../styles/catalog.tcss"]
    AUTO_FOCUS = "#series"
    BODY_CLASSES: ClassVar[str] = "-empty"
    HELP_TITLE: ClassVar[str] = "Catalog"
    HELP_TEXT: ClassVar[str] = (
        "What is on disk. gaps counts stretches inside market hours that were never asked for; "
        "ORPHAN means bars without their instrument, which fetching puts right. "
        "enter gives the chart the whole screen, and back."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f", "fetch", "fetch", tooltip="Fetch more of this series"),
        Binding("b", "backtest", "backtest", tooltip="Backtest on this series"),
        Binding("slash", "filter", "filter", tooltip="Show only series that contain some words"),
        Binding("y", "copy", "copy id", show=False, tooltip="Copy the instrument id"),
        Binding("enter", "enlarge", "large chart", show=False, tooltip="Only the chart, and back"),
        Binding("r", "reload", "refresh", tooltip="Read the catalog again"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._series: tuple[ListedSeries, ...] = ()
        self._filter = ""
        self._loading: asyncio.Task[None] | None = None
        self._reload_at: float | None = 0.0
        self._log_seen = 0
        self._settling: Timer | None = None
        self._detail: SeriesSummary | None = None

    def compose_body(self) -> ComposeResult:
        with Vertical(id="series-panel", classes="panel") as panel:
            panel.border_title = "Series"
            field = Input(placeholder="words to look for", id="filter", compact=True)
            field.cursor_blink = False
            yield field
            yield SeriesTable(id="series")
        with Vertical(id="detail", classes="panel"):
            yield Static(id="facts", markup=False)
            yield CoverageStrip(id="coverage")
            yield Chart(id="candles")

    # The list

    def on_screen_resume(self) -> None:
        self._reload_at = 0.0
        super().on_screen_resume()

    def refresh_view(self, workspace: Workspace) -> None:
        now = asyncio.get_running_loop().time()
        if self._reload_at is None and self._stored_something(workspace.jobs.log):
            self._reload_at = now + RELOAD_AFTER_S
        reading = self._loading is not None and not self._loading.done()
        if self._reload_at is not None and now >= self._reload_at and not reading:
            self._reload_at = None
            self._loading = self.start(self._load(workspace.catalog))

    def _stored_something(self, log: EventLog) -> bool:
        fresh = log.since(self._log_seen)
        self._log_seen = log.total
        return any(line.event.channel == "catalog" for line in fresh)

    async def _load(self, catalog: Catalog) -> None:
        before = self._series

        def read() -> tuple[tuple[ListedSeries, ...], bool]:
            fresh = listed(catalog.list_series())
            return fresh, fresh != before

        try:
            self._series, changed = await asyncio.to_thread(read)
        except QuarterdeckError as error:
            self._series = ()
            self.query_one(SeriesTable).show_series((), f"{error}. r tries again.")
            raise
        if changed or not self._series:
            self._show_list()

    def _show_list(self) -> None:
        words = self._filter.lower().split()
        found = [one for one in self._series if all(word in one.searched for word in words)]
        self.query_one(SeriesTable).show_series(found, _NO_MATCH if self._series else _NOTHING)
        panel = self.query_one("#series-panel")
        panel.border_subtitle = f"{len(found):,} of {len(self._series):,}" if words else ""
        self.query_one("#body").set_class(not found, "-empty")
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
            self._show_detail(None)
        elif self.workspace is not None and summary != self._detail:
            self._detail = summary
            self.start(self._read_detail(self.workspace.catalog, summary))

    async def _read_detail(self, catalog: Catalog, summary: SeriesSummary) -> None:
        detail = await asyncio.to_thread(_read, catalog, summary)
        if summary is self._detail:
            self._show_detail(detail)

    def _show_detail(self, detail: _Detail | None) -> None:
        panel, chart = self.query_one("#detail"), self.query_one(Chart)
        facts, strip = self.query_one("#facts", Static), self.query_one(CoverageStrip)
        if detail is None:
            self._detail = strip.coverage = None
            panel.border_title = panel.border_subtitle = ""
            facts.update("")
            chart.show_text("")
            return
        panel.border_title = _title(detail)
        panel.border_subtitle = LEGEND
        facts.update(_facts(detail))
        strip.coverage = detail.coverage
        bars, zone = detail.bars, _zone(detail.definition)
        if isinstance(bars, QuarterdeckError):
            chart.show_text(str(bars))
            return

        def draw(width: int, height: int) -> str:
            from tui.charts import candle_chart

            return candle_chart(bars, width, height, zone=zone)

        chart.show(draw)

    @property
    def _selected(self) -> SeriesSummary | None:
        key = self.query_one(SeriesTable).cursor_key
        return next((one.summary for one in self._series if one.wide.key == key), None)

    # Keys

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Offer only what there is something for."""
        return action not in ("backtest", "filter", "enlarge", "copy") or bool(self._series)

    async def action_fetch(self) -> None:
        """Go to Fetch with this series filled in."""
        await self._go_with_selected("fetch")

    async def action_backtest(self) -> None:
        """Go to Backtest with this series filled in."""
        await self._go_with_selected("backtest")

    async def _go_with_selected(self, place: Literal["fetch", "backtest"]) -> None:
        chosen = self._selected
        if chosen is None:
            await self.deck.go_with(place, (), None)
        else:
            await self.deck.go_with(place, (chosen.series.instrument_id,), chosen.series.spec)

    def action_copy(self) -> None:
        """Copy the instrument id of the series."""
        if (chosen := self._selected) is not None:
            self.app.copy_to_clipboard(chosen.series.instrument_id)

    def action_reload(self) -> None:
        """Read the catalog again."""
        self._reload_at = 0.0
        self.tick()

    def action_filter(self) -> None:
        """Type words that a series must contain."""
        self.query_one("#series-panel").add_class("-filtering")
        self.query_one("#filter", Input).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self._filter = event.value
        self._show_list()

    def on_input_submitted(self) -> None:
        self.query_one(SeriesTable).focus()

    @on(ResultTable.Opened)
    def action_enlarge(self) -> None:
        """Show the chart alone, or both again."""
        if not self.query_one("#body").toggle_class("-chart-alone").has_class("-chart-alone"):
            self.query_one(SeriesTable).focus()

    def action_back(self) -> None:
        """Back to both panels and to all series."""
        self.query_one("#body").remove_class("-chart-alone")
        self.query_one("#series-panel").remove_class("-filtering")
        self.query_one("#filter", Input).value = self._filter = ""
        self._show_list()
        self.query_one(SeriesTable).focus()


def _read(catalog: Catalog, summary: SeriesSummary) -> _Detail:
    series, covered = summary.series, summary.covered
    sessions = None
    if summary.hours and covered:
        span = (covered[0][0], covered[-1][1])
        sessions = catalog.sessions(series.instrument_id, summary.hours, span)
    try:
        bars: BarColumns | QuarterdeckError = catalog.read_bars(series)
    except QuarterdeckError as error:
        bars = error
    open_times = None if sessions is None else tuple(sessions.open_times(series.spec))
    return _Detail(
        summary,
        catalog.instrument(series.instrument_id),
        Coverage(covered, open_times),
        bars,
    )


def _info(definition: Definition | None) -> dict[str, Any]:
    return (definition or {}).get("info") or {}


def _zone(definition: Definition | None) -> str:
    return str(_info(definition).get("time_zone") or "America/New_York")


def _title(detail: _Detail) -> Content:
    name = str(_info(detail.definition).get("long_name") or "")
    return Content("  ".join(filter(None, (str(detail.summary.series), name))))


def _facts(detail: _Detail) -> Content:
    summary, definition = detail.summary, detail.definition
    disk = size_text(summary.bytes)
    if definition is None:
        missing = "no instrument is stored with these bars: f fetches it  "
        return Content.assemble((missing, "$text-error"), disk)
    con_id = _info(definition).get("con_id")
    facts = (
        f"conId {con_id}" if con_id else "",
        f"tick {definition['price_increment']}",
        f"{summary.hours} hours" if summary.hours else "",
        disk,
        _zone(definition),
    )
    return Content("  ".join(filter(None, facts)))

"""The result of a run on five tabs: figures and equity, candles, trades, orders, log."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import ContentSwitcher, Static

from catalog.errors import QuarterdeckError
from tui.widgets.backtest_spec import title_of
from tui.widgets.chart import Chart
from tui.widgets.lines import LinePanel
from tui.widgets.result_candles import RunCandles
from tui.widgets.result_figures import figures
from tui.widgets.result_rows import TONE_STYLES
from tui.widgets.result_table import Cell, ResultTable

if TYPE_CHECKING:
    from core.backtest.accounting import Equity
    from core.backtest.results import RunResult, StoredRun
    from core.backtest.spec import RunSpec
    from tui.widgets.result_loading import ShownRun

TABS = ("Summary", "Chart", "Trades", "Orders", "Log")
_FIGURE_WIDTHS = ((8, 9), (7, 9))


class RunLog(LinePanel):
    """The log of one run, read from its beginning."""

    FOLLOWS: ClassVar[bool] = False


class ResultView(Vertical):
    """One run, or what to do where there is none, or why one failed."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, classes="panel")
        self._shown: ShownRun | None = None

    def compose(self) -> ComposeResult:
        yield Static(id="tabs")
        with ContentSwitcher(id="pages", initial="page-message"):
            yield Static(id="page-message", markup=False)
            with Horizontal(id="page-summary"):
                yield Static(id="figures")
                yield Chart(id="equity")
            yield RunCandles(id="page-chart")
            yield ResultTable(id="page-trades", empty="this run made no trade")
            yield ResultTable(id="page-orders", empty="this run made no order")
            yield RunLog("", id="page-log")

    @property
    def run(self) -> StoredRun | None:
        """The run on view."""
        return self._shown.run if self._shown else None

    def show_message(self, title: str, text: str) -> None:
        """Show text in place of a run."""
        self._shown = None
        self.border_title = Content(title)
        self.border_subtitle = ""
        self.query_one("#page-message", Static).update(text)
        self.query_one("#pages", ContentSwitcher).current = "page-message"
        self.query_one("#tabs", Static).update("")

    def show_failure(self, spec: RunSpec, error: QuarterdeckError) -> None:
        """Show why a run failed, and what to do."""
        steps = [f"{number}. {step}" for number, step in enumerate(error.steps, 1)]
        self.show_message(
            title_of(spec), "\n".join([f"failed: {error.title}", error.reason, "", *steps])
        )

    def show(self, shown: ShownRun) -> None:
        """Show a run that is done; the tab stays."""
        self._shown = shown
        run, metrics = shown.run, shown.run.metrics
        self.border_title = Content(title_of(run.spec))
        origin = "simulated data, " if run.simulated else ""
        self.border_subtitle = Content(
            f"{origin}ran in {metrics.seconds:.2f} s, {metrics.bars_per_s:,.0f} bars/s"
        )
        currency = run.spec.starting_cash().currency
        self.query_one("#figures", Static).update(_figure_lines(figures(metrics, currency)))
        self.query_one("#equity", Chart).show(
            partial(_draw_equity, run.equity, metrics.start_equity, shown.zone)
        )
        self.query_one(RunCandles).show_run(shown.markets, run.fills)
        self.query_one("#page-trades", ResultTable).show_sheet(shown.trades)
        self.query_one("#page-orders", ResultTable).show_sheet(shown.orders)
        self.query_one(RunLog).show(shown.log)
        pages = self.query_one("#pages", ContentSwitcher)
        self._show_tab("Summary" if pages.current == "page-message" else self._tab)

    def turn_tab(self, step: int) -> None:
        """Show the next or the previous tab."""
        if self._shown is not None:
            self._show_tab(TABS[(TABS.index(self._tab) + step) % len(TABS)], focus=True)

    @on(ResultTable.Opened, "#page-trades")
    def _show_trade(self, opened: ResultTable.Opened) -> None:
        opened.stop()
        if self._shown is None:
            return
        trade = self._shown.run.trades[int(opened.key)]
        end = trade.entry_ts if trade.exit_ts is None else trade.exit_ts
        self.query_one(RunCandles).show_span(trade.instrument_id, trade.entry_ts, end)
        self._show_tab("Chart", focus=True)

    @property
    def _tab(self) -> str:
        current = self.query_one("#pages", ContentSwitcher).current or ""
        return current.removeprefix("page-").capitalize()

    def _show_tab(self, tab: str, *, focus: bool = False) -> None:
        pages = self.query_one("#pages", ContentSwitcher)
        pages.current = f"page-{tab.lower()}"
        if focus and (page := pages.visible_content) is not None and page.can_focus:
            page.focus()
        if self._shown is not None:
            self.query_one("#tabs", Static).update(_tab_line(tab, self._shown))


def _tab_line(current: str, shown: ShownRun) -> Content:
    result = shown.run.result
    parts: list[Content] = []
    for tab in TABS:
        name = f"{tab} !{len(result.warnings)}" if tab == "Log" and result.warnings else tab
        parts.append(
            Content.styled(f"[{name}]", "bold $accent") if tab == current else Content(f" {name} ")
        )
    parts.append(Content(f"  venue {_venues(result)}"))
    if shown.run.synthetic:
        parts.append(Content.styled(" synthetic", "$text-warning"))
    return Content("").join(parts)


def _venues(result: RunResult) -> str:
    """The venues by what says so: `ARCA, NASDAQ (instrument)`."""
    by_source: dict[str, set[str]] = {}
    for each in result.venues:
        by_source.setdefault(each.source, set()).add(each.venue)
    return ", ".join(
        f"{', '.join(sorted(venues))} ({source})" for source, venues in by_source.items()
    )


def _figure_lines(pairs: tuple[tuple[str, Cell], ...]) -> Content:
    """Two figures in a line, labels to the left and values to the right."""
    lines = []
    for first in range(0, len(pairs), 2):
        parts: list[Content] = []
        for (label, cell), (left, right) in zip(
            pairs[first : first + 2], _FIGURE_WIDTHS, strict=False
        ):
            parts += [
                Content.styled(f"{label:<{left}} ", "dim"),
                Content.styled(f"{cell.text:>{right}}", TONE_STYLES.get(cell.tone, "")),
                Content("  "),
            ]
        lines.append(Content("").join(parts))
    return Content("\n").join(lines)


def _draw_equity(equity: Equity, cash: float, zone: str, width: int, height: int) -> str:
    from tui.charts import equity_chart

    return equity_chart(equity.ts, equity.value, width, height, cash=cash, zone=zone)

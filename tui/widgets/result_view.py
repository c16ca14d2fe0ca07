"""The result of a run on tabs: figures and equity, candles, returns, its tables, its log."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import ContentSwitcher, Static

from catalog.errors import QuarterdeckError
from tui.widgets.backtest_spec import title_of
from tui.widgets.lines import LinePanel
from tui.widgets.reading import Reading
from tui.widgets.result_candles import RunCandles
from tui.widgets.result_equity import EquityCurve
from tui.widgets.result_figures import compared_figures, other_figures
from tui.widgets.result_returns import Returns
from tui.widgets.result_rows import TONE_STYLES
from tui.widgets.result_table import Cell, ResultTable

if TYPE_CHECKING:
    from core.backtest.results import RunResult, StoredRun
    from core.backtest.spec import RunSpec
    from tui.widgets.result_loading import ShownRun

_TABLES = {
    "Trades": "this run made no trade",
    "Fills": "this run had no fill",
    "Orders": "this run made no order",
    "Positions": "this run held nothing",
    "Account": "nothing changed the account",
}
"""The tabs with a table, and what they say where it is empty."""
TABS = ("Summary", "Chart", "Returns", *_TABLES, "Log")
_VALUE = 10
"""The cells of a figure that has a benchmark."""


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
                with Reading(id="figures"):
                    yield Static()
                yield EquityCurve(id="equity")
            yield RunCandles(id="page-chart")
            yield Returns(id="page-returns")
            for tab, empty in _TABLES.items():
                yield ResultTable(id=f"page-{tab.lower()}", empty=empty, opens=tab == "Trades")
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
        self.border_subtitle = _subtitle(run)
        currency = run.spec.starting_cash().currency
        self.query_one("#figures Static", Static).update(
            _figure_lines(
                _held(run.result), compared_figures(metrics), other_figures(metrics, currency)
            )
        )
        self.query_one(EquityCurve).show_run(run.equity, metrics.start_equity, shown.zone)
        self.query_one(RunCandles).show_run(shown.markets, run.fills)
        if shown.analysis is not None:
            self.query_one(Returns).show(run, shown.analysis, shown.zone)
        for tab, sheet in shown.sheets.items():
            self.query_one(f"#page-{tab.lower()}", ResultTable).show_sheet(sheet)
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
        if focus and (page := pages.visible_content) is not None:
            (page if page.can_focus else self.query_one(EquityCurve)).focus()
        if self._shown is not None:
            self.query_one("#tabs", Static).update(_tab_line(tab, self._shown))


def _tab_line(current: str, shown: ShownRun) -> Content:
    warnings = shown.run.result.warnings
    parts: list[Content] = []
    for tab in TABS:
        name = f"{tab} !{len(warnings)}" if tab == "Log" and warnings else tab
        parts.append(
            Content.styled(f"[{name}]", "bold $accent") if tab == current else Content(f" {name} ")
        )
    return Content("").join(parts)


def _subtitle(run: StoredRun) -> Content:
    """What one must not overlook, most needed first."""
    metrics = run.metrics
    parts = (
        Content.styled("PARTIAL, cancelled", "$text-warning")
        if run.result.state == "partial"
        else None,
        Content("simulated data") if run.simulated else None,
        Content(f"venue {_venues(run.result)}"),
        Content.styled("synthetic", "$text-warning") if run.synthetic else None,
        Content(f"ran in {metrics.seconds:.2f} s, {metrics.bars_per_s:,.0f} bars/s"),
    )
    return Content(", ").join([part for part in parts if part is not None])


def _venues(result: RunResult) -> str:
    """The venues by what says so: `ARCA, NASDAQ (instrument)`."""
    by_source: dict[str, set[str]] = {}
    for each in result.venues:
        by_source.setdefault(each.source, set()).add(each.venue)
    return ", ".join(
        f"{', '.join(sorted(venues))} ({source})" for source, venues in by_source.items()
    )


def _held(result: RunResult) -> str:
    """What the benchmark is called: of several instruments it is the first one, by its symbol where
    there is room for that."""
    named = f"{result.venues[0].instrument_id.partition('.')[0]} held"
    return named if len(result.venues) > 1 and len(named) < _VALUE else "held"


def _figure_lines(
    benchmark: str,
    compared: tuple[tuple[str, Cell, Cell], ...],
    others: tuple[tuple[str, Cell], ...],
) -> Content:
    """The run beside its benchmark to the left, the figures of the run alone to the right; where
    the left ones end, those go on in both columns."""
    blank = Cell("")
    left: list[tuple[str, Cell, Cell]] = [
        ("", Cell("run", "dim"), Cell(benchmark, "dim")),
        *compared,
    ]
    right, rest = list(others[: len(left)]), others[len(left) :]
    left += [(*rest[at], blank) for at in range(0, len(rest), 2)]
    right += [rest[at] for at in range(1, len(rest), 2)]
    lines = []
    right += [("", blank)] * (len(left) - len(right))
    for (label, value, held), (name, figure) in zip(left, right, strict=True):
        lines.append(
            Content("").join(
                [
                    Content.styled(f"{label:<8}", "dim"),
                    _figure(value, _VALUE),
                    _figure(held, _VALUE),
                    Content.styled(f"  {name:<8}", "dim"),
                    _figure(figure, 9),
                ]
            )
        )
    return Content("\n").join(lines)


def _figure(cell: Cell, width: int) -> Content:
    return Content.styled(f"{cell.text:>{width}}", TONE_STYLES.get(cell.tone, ""))

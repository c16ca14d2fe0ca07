"""One series in detail: its instrument, its coverage, its candles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from catalog.errors import QuarterdeckError
from tui.widgets.coverage import LEGEND, Coverage, CoverageStrip, ends, moment
from tui.widgets.result_candles import Market, RunCandles
from tui.widgets.series_table import size_text

if TYPE_CHECKING:
    from catalog.columns import BarColumns
    from catalog.instruments import Definition
    from catalog.listing import SeriesSummary
    from catalog.store import Catalog


class Detail(NamedTuple):
    """What is read of a series to show it."""

    summary: SeriesSummary
    definition: Definition | None
    coverage: Coverage | None
    """None when the bars cannot be read."""
    bars: BarColumns | QuarterdeckError
    """The bars, or why they cannot be read."""


class SeriesDetail(Vertical):
    """Facts, coverage strip and candles of one series."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id, classes="panel")

    def compose(self) -> ComposeResult:
        yield Static(id="facts", markup=False)
        yield CoverageStrip(id="coverage")
        yield RunCandles(id="candles")

    def show(self, detail: Detail | None) -> None:
        """Show what was read of a series, or nothing."""
        candles = self.query_one(RunCandles)
        facts, strip = self.query_one("#facts", Static), self.query_one(CoverageStrip)
        strip.coverage = None if detail is None else detail.coverage
        candles.show_run((), ())
        if detail is None:
            self.border_title = self.border_subtitle = ""
            facts.update("")
            candles.show_text("")
            return
        self.border_title = _title(detail)
        self.border_subtitle = LEGEND
        facts.update(_facts(detail))
        if isinstance(detail.bars, QuarterdeckError):
            candles.show_text(str(detail.bars))
            return
        series, bars = detail.summary.series, detail.bars
        market = Market(str(series), bars.price_precision, _zone(detail.definition), bars)
        candles.show_run((market,), ())


def read_detail(catalog: Catalog, summary: SeriesSummary) -> Detail:
    """Read a series and its instrument; blocks on the disk."""
    from catalog.stretches import describe

    series, covered = summary.series, summary.covered
    definition = catalog.instrument(series.instrument_id)
    try:
        bars = catalog.read_bars(series)
    except QuarterdeckError as error:
        return Detail(summary, definition, None, error)
    if not covered:
        return Detail(summary, definition, None, bars)
    span, sessions = (covered[0][0], covered[-1][1]), None
    if summary.hours:
        sessions = catalog.sessions(series.instrument_id, summary.hours, span)
    told = describe(series.spec, bars.ts, covered, span, sessions)
    open_times = None if sessions is None else tuple(sessions.open_times(series.spec))
    return Detail(summary, definition, Coverage(told.stretches, open_times), bars)


def missing_range(detail: Detail) -> tuple[str, str]:
    """Start and end of what is missing between what is held; else from its end to now."""
    spec, coverage = detail.summary.series.spec, detail.coverage
    missing = coverage.missing if coverage else ()
    if missing:
        return ends(missing[0], spec)[0], ends(missing[-1], spec)[1]
    if not detail.summary.covered:
        return "", ""
    end = moment(detail.summary.covered[-1][1])
    return (end if spec.intraday else end.partition("T")[0]), ""


def _info(definition: Definition | None) -> dict[str, Any]:
    return (definition or {}).get("info") or {}


def _zone(definition: Definition | None) -> str:
    return str(_info(definition).get("time_zone") or "America/New_York")


def _title(detail: Detail) -> Content:
    name = str(_info(detail.definition).get("long_name") or "")
    return Content("  ".join(filter(None, (str(detail.summary.series), name))))


def _facts(detail: Detail) -> Content:
    summary, definition = detail.summary, detail.definition
    disk = size_text(summary.bytes)
    if definition is None:
        lacking = "no instrument is stored with these bars: B asks for it  "
        return Content.assemble((lacking, "$text-error"), disk)
    con_id = _info(definition).get("con_id")
    missing = len(detail.coverage.missing) if detail.coverage else 0
    facts = (
        f"{missing:,} missing: d lists, f fetches" if missing else "",
        f"conId {con_id}" if con_id else "",
        f"tick {definition['price_increment']}",
        f"{summary.hours} hours" if summary.hours else "",
        disk,
        _zone(definition),
    )
    return Content("  ".join(filter(None, facts)))

"""One series in detail: its instrument, its coverage, its candles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.widgets import Static

from catalog.errors import DataUnavailable, QuarterdeckError
from tui.widgets.coverage import LEGEND, Coverage, CoverageStrip, ends, moment
from tui.widgets.result_candles import Market, RunCandles
from tui.widgets.series_table import size_text
from tui.zone import EXCHANGE_ZONE

if TYPE_CHECKING:
    from catalog.columns import BarColumns
    from catalog.coverage import Interval
    from catalog.instruments import Definition
    from catalog.listing import SeriesSummary
    from catalog.sessions import Sessions
    from catalog.store import Catalog

_DATE = len("2026-01-05")


class Detail(NamedTuple):
    """What is read of a series to show it."""

    summary: SeriesSummary
    definition: Definition | None
    coverage: Coverage | None
    """None when the bars cannot be read."""
    bars: BarColumns | QuarterdeckError
    """The bars, or why they cannot be read."""
    typed: tuple[str, ...] = ()
    """What its instrument was asked for as, other than by its id."""


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
        self.show_coverage(detail)
        candles = self.query_one(RunCandles)
        candles.show_run((), ())
        if detail is None:
            candles.show_text("")
        elif isinstance(detail.bars, QuarterdeckError):
            candles.show_text(str(detail.bars))
        else:
            series, bars = detail.summary.series, detail.bars
            market = Market(str(series), bars.price_precision, _zone(detail.definition), bars)
            candles.show_run((market,), ())

    def show_coverage(self, detail: Detail | None) -> None:
        """Show all but the candles, which stay as they are."""
        self.border_title = "" if detail is None else _title(detail)
        self.border_subtitle = "" if detail is None else LEGEND
        self.query_one("#facts", Static).update("" if detail is None else _facts(detail))
        self.query_one(CoverageStrip).coverage = None if detail is None else detail.coverage


def read_detail(catalog: Catalog, summary: SeriesSummary) -> Detail:
    """Read a series and its instrument; blocks on the disk."""
    series = summary.series
    definition = catalog.instrument(series.instrument_id)
    aliases = catalog.aliases(series.instrument_id)
    typed = tuple(name for name, source in aliases.items() if source == "typed")
    try:
        bars = catalog.read_bars(series)
    except QuarterdeckError as error:
        return Detail(summary, definition, None, error, typed)
    if not summary.covered:
        return Detail(summary, definition, None, bars, typed)
    sessions = None
    if summary.hours:
        sessions = catalog.sessions(series.instrument_id, summary.hours, _span(summary))
    return Detail(summary, definition, _coverage(summary, bars, sessions), bars, typed)


def by_calendar(detail: Detail) -> Detail:
    """The same with coverage against the calendar's sessions, where those of the broker are not
    known. Starts a process, so it takes a while."""
    from catalog.sessions import calendar_sessions
    from catalog.workers import run_blocking

    summary, bars = detail.summary, detail.bars
    known = detail.coverage is None or detail.coverage.open_times is not None
    if known or not summary.hours or isinstance(bars, QuarterdeckError):
        return detail
    try:
        sessions = run_blocking(
            calendar_sessions, summary.series.venue, _span(summary), summary.hours
        )
    except DataUnavailable:  # no calendar for this venue
        return detail
    return detail._replace(coverage=_coverage(summary, bars, sessions))


def _span(summary: SeriesSummary) -> Interval:
    return summary.covered[0][0], summary.covered[-1][1]


def _coverage(summary: SeriesSummary, bars: BarColumns, sessions: Sessions | None) -> Coverage:
    from catalog.stretches import describe

    spec = summary.series.spec
    told = describe(spec, bars.ts, summary.covered, _span(summary), sessions)
    return Coverage(told.stretches, None if sessions is None else tuple(sessions.open_times(spec)))


def missing_range(details: Sequence[Detail]) -> tuple[str, str]:
    """Start and end, which is empty for now, of all that is missing of series of one bar type."""
    starts, ends_ = zip(*map(_missing, details), strict=True)
    return min(filter(None, starts), default=""), "" if "" in ends_ else max(ends_)


def _missing(detail: Detail) -> tuple[str, str]:
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
    return str(_info(definition).get("time_zone") or EXCHANGE_ZONE.name)


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
        *summary.flags,
        f"asked as {', '.join(detail.typed)}" if detail.typed else "",
        f"conId {con_id}" if con_id else "",
        f"tick {definition['price_increment']}",
        f"{summary.hours} hours" if summary.hours else "",
        disk,
        _zone(definition),
        f"updated {summary.updated[:_DATE]}" if summary.updated else "",
    )
    stale = f"no longer the broker's history, {summary.stale}: N fetches it anew  "
    told = Content("  ".join(filter(None, facts)))
    return Content.assemble((stale, "$text-error"), told) if summary.stale else told

"""A stored run with all it takes to show it; blocking, for a thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.errors import QuarterdeckError
from catalog.series import Series
from tui.widgets.lines import Line
from tui.widgets.result_candles import Market
from tui.widgets.result_rows import (
    balance_sheet,
    fill_sheet,
    log_lines,
    order_sheet,
    position_sheet,
    trade_sheet,
)
from tui.widgets.result_table import Sheet
from tui.zone import EXCHANGE_ZONE

if TYPE_CHECKING:
    from catalog.columns import BarColumns
    from catalog.store import Catalog
    from core.backtest.analysis import Analysis
    from core.backtest.indicators import IndicatorLine
    from core.backtest.results import StoredRun
    from core.workspace import Workspace


@dataclass(frozen=True, slots=True, eq=False)
class ShownRun:
    """A run as it is shown; all its times are in `zone`. `sheets` are its tables by their tab;
    `analysis` is None for a run that failed."""

    run: StoredRun
    zone: str
    markets: tuple[Market, ...]
    analysis: Analysis | None
    sheets: Mapping[str, Sheet]
    log: tuple[Line, ...]


def load_shown(workspace: Workspace, run_id: str) -> ShownRun:
    """Read a run, and what the catalog holds of its instruments.

    Raises `WrongInput` for an unknown id, `DataUnavailable` when the run is damaged.
    """
    from core.backtest.analysis import analyse

    run = workspace.runs.load(run_id)
    lines = workspace.runs.indicators(run_id)
    markets = tuple(
        _market(workspace.catalog, run, venue.instrument_id, lines) for venue in run.result.venues
    )
    zones = {market.zone for market in markets}
    zone = zones.pop() if len(zones) == 1 else EXCHANGE_ZONE.name
    precisions = {market.instrument_id: market.precision for market in markets}
    return ShownRun(
        run,
        zone,
        markets,
        None if run.result.metrics is None else analyse(run),
        {
            "Trades": trade_sheet(run.trades, precisions, zone),
            "Fills": fill_sheet(run.fills, precisions, zone),
            "Orders": order_sheet(run.orders, precisions, zone),
            "Positions": position_sheet(run.positions, precisions, zone),
            "Account": balance_sheet(run.balances, zone),
        },
        log_lines(run),
    )


def _market(
    catalog: Catalog, run: StoredRun, instrument_id: str, lines: tuple[IndicatorLine, ...]
) -> Market:
    bars = _bars(catalog, run, instrument_id)
    definition = catalog.instrument(instrument_id) or {}
    info = definition.get("info")
    zone = str(info.get("time_zone") or "UTC") if isinstance(info, dict) else "UTC"
    own = tuple(line for line in lines if line.instrument_id == instrument_id)
    return Market(instrument_id, 2 if bars is None else bars.price_precision, zone, bars, own)


def _bars(catalog: Catalog, run: StoredRun, instrument_id: str) -> BarColumns | None:
    """The bars between the first and the last point of equity, if they are still there."""
    stamps = run.equity.ts
    if len(stamps) == 0:
        return None
    series = Series(instrument_id, run.spec.bars)
    try:
        return catalog.read_bars(series, int(stamps[0]) - series.spec.nanos, int(stamps[-1]))
    except QuarterdeckError:
        return None

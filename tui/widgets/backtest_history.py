"""Runs as lines of a history."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from tui.widgets.backtest_spec import settings_of
from tui.widgets.header import EXCHANGE_ZONE
from tui.widgets.result_figures import percent, ratio
from tui.widgets.result_table import Cell, Column, Row, gain

if TYPE_CHECKING:
    from core.backtest.results import RunSummary

COLUMNS = (
    Column("run (ET)"),
    Column("strategy", flexible=True),
    Column("on"),
    Column("return", number=True),
    Column("Sharpe", number=True),
    Column("max DD", number=True),
)
_SHOWN_INSTRUMENTS = 2


def history_row(run: RunSummary, now: datetime) -> Row:
    """A run: when, what, on which instruments, and how it went."""
    started = datetime.fromisoformat(run.result.started).astimezone(EXCHANGE_ZONE)
    today = now.astimezone(EXCHANGE_ZONE).date() == started.date()
    head = (
        Cell(f"{started:%H:%M:%S}" if today else f"{started:%m-%d %H:%M}"),
        Cell(settings_of(run.spec)),
        Cell(_instruments(run) + (" synthetic" if run.synthetic else "")),
    )
    metrics = run.result.metrics
    if metrics is None:
        return Row(run.run_id, (*head, Cell("failed", "bad")))
    figures = (
        gain(metrics.total_return, percent(metrics.total_return)),
        Cell(ratio(metrics.sharpe)),
        gain(-metrics.max_drawdown, percent(-metrics.max_drawdown)),
    )
    return Row(run.run_id, (*head, *figures))


def _instruments(run: RunSummary) -> str:
    names = [venue.instrument_id for venue in run.result.venues] or list(run.spec.instruments)
    more = len(names) - _SHOWN_INSTRUMENTS
    return " ".join(names[:_SHOWN_INSTRUMENTS]) + (f" +{more}" if more > 0 else "")

"""Runs as lines of a history."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tui.widgets.backtest_spec import settings_of
from tui.widgets.header import EXCHANGE_ZONE
from tui.widgets.result_figures import percent, ratio
from tui.widgets.result_table import Cell, Column, Row, gain

if TYPE_CHECKING:
    from core.backtest.results import RunSummary

_SHOWN_INSTRUMENTS = 3
_ALWAYS = ("total_return", "sharpe", "max_drawdown")


def columns(metric: str = "") -> tuple[Column, ...]:
    """The columns of the history, with the metric it is sorted by where it has none of its own."""
    return (
        Column(f"run ({EXCHANGE_ZONE.word})"),
        Column("strategy", flexible=True),
        Column("on"),
        *([Column(_told_by(metric)[0], number=True)] if _has_a_column(metric) else []),
        Column("return", number=True),
        Column("Sharpe", number=True),
        Column("max DD", number=True),
    )


def history_row(run: RunSummary, now: datetime, metric: str = "") -> Row:
    """A run: when, what, what a person said of it, on which instruments, and how it went."""
    started = datetime.fromisoformat(run.result.started).astimezone(EXCHANGE_ZONE)
    today = now.astimezone(EXCHANGE_ZONE).date() == started.date()
    head = (
        Cell(f"{started:%H:%M:%S}" if today else f"{started:%m-%d %H:%M}"),
        Cell(" ".join([*_marks(run), settings_of(run.spec), *_said(run)])),
        Cell(_instruments(run) + (" synthetic" if run.synthetic else "")),
    )
    metrics = run.result.metrics
    if metrics is None:
        return Row(run.run_id, (*head, Cell(f"failed: {run.result.failure.title}", "bad")))
    figures = (
        *([Cell(_told_by(metric)[1](getattr(metrics, metric)))] if _has_a_column(metric) else []),
        gain(metrics.total_return, percent(metrics.total_return)),
        Cell(ratio(metrics.sharpe)),
        gain(-metrics.max_drawdown, percent(-metrics.max_drawdown)),
    )
    return Row(run.run_id, (*head, *figures))


def _has_a_column(metric: str) -> bool:
    return bool(metric) and metric not in _ALWAYS


def _told_by(metric: str) -> tuple[str, Callable[[Any], str]]:
    from tui.report import told_by

    return told_by(metric)


def _marks(run: RunSummary) -> list[str]:
    marks = {"*": run.remarks.starred, "partial": run.result.state == "partial"}
    return [word for word, so in marks.items() if so]


def _said(run: RunSummary) -> list[str]:
    """Tags and note."""
    tags = [f"#{tag}" for tag in run.remarks.tags]
    return [*tags, run.remarks.note] if run.remarks.note else tags


def _instruments(run: RunSummary) -> str:
    """The id of one instrument, the symbols of several: figures are to the right of them."""
    names = [venue.instrument_id for venue in run.result.venues] or list(run.spec.instruments)
    if len(names) > 1:
        names = [name.rpartition(".")[0] or name for name in names]
    more = len(names) - _SHOWN_INSTRUMENTS
    return " ".join(names[:_SHOWN_INSTRUMENTS]) + (f" +{more}" if more > 0 else "")

"""Results of backtests on the command line: figures, text charts, and the list of runs."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from tui.charts import equity_chart
from tui.output import Output
from tui.widgets.result_figures import figures, percent, ratio

if TYPE_CHECKING:
    from core.backtest.results import RunSummary, StoredRun

_CHART_HEIGHT = 16
_WIDEST = 120


def print_run(run: StoredRun, output: Output) -> None:
    """The result of a run: what it was, warnings, figures, equity with drawdown."""
    spec, result, metrics = run.spec, run.result, run.metrics
    output.line()
    output.line(f"{run.run_id}  {_title(run)}")
    for venue in result.venues:
        output.line(f"venue {venue}")
    if run.simulated:
        output.line("SIMULATED data: these figures say nothing about a real market")
    for warning in result.warnings:
        output.line(f"note: {warning}")
    currency = spec.starting_cash().currency
    cells = [(label, cell.text) for label, cell in figures(metrics, currency)]
    half = -(-len(cells) // 2)
    output.table(
        {"figure": False, "value": True, "figure ": False, "value ": True},
        (
            (*left, *right)
            for left, right in zip(cells[:half], [*cells[half:], ("", "")][:half], strict=True)
        ),
    )
    output.line(_chart(run))
    output.summary(
        run_id=run.run_id,
        state=result.state,
        simulated=run.simulated,
        synthetic=run.synthetic,
        spec=spec.to_json(),
        venues=[
            {"instrument_id": one.instrument_id, "venue": one.venue, "source": one.source}
            for one in result.venues
        ],
        warnings=result.warnings,
        metrics=asdict(metrics),
        trades=len(run.trades),
        fills=len(run.fills),
    )


def print_runs(runs: Sequence[RunSummary], output: Output) -> None:
    """One line a run, the newest first."""
    output.table(
        {"run": False, "what": False, "return": True, "Sharpe": True, "max DD": True, "": False},
        (_line(run) for run in runs),
    )
    if not runs:
        output.line("no run yet; make one with: quarterdeck backtest run")
    output.summary(
        runs=[
            {
                "run_id": run.run_id,
                "state": run.result.state,
                "simulated": run.simulated,
                "spec": run.spec.to_json(),
                "metrics": asdict(run.result.metrics) if run.result.metrics else None,
                "error": run.result.error,
            }
            for run in runs
        ]
    )


def _title(run: RunSummary) -> str:
    spec = run.spec
    return f"{spec.strategy} {','.join(spec.instruments)} {spec.bars} {spec.start}..{spec.end}"


def _line(run: RunSummary) -> tuple[str, ...]:
    metrics = run.result.metrics
    marks = [
        word for word, told in (("simulated", run.simulated), ("synthetic", run.synthetic)) if told
    ]
    if metrics is None:
        marks.append(f"failed: {(run.result.error or {}).get('title', '')}")
        return run.run_id, _title(run), "", "", "", " ".join(marks)
    return (
        run.run_id,
        _title(run),
        percent(metrics.total_return),
        ratio(metrics.sharpe),
        percent(-metrics.max_drawdown),
        " ".join(marks),
    )


def _chart(run: StoredRun) -> str:
    """Equity and drawdown, as wide as the terminal; plain where colours are not wanted."""
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    width = min(shutil.get_terminal_size((80, 24)).columns, _WIDEST)
    return equity_chart(
        run.equity.ts,
        run.equity.value,
        width,
        _CHART_HEIGHT,
        cash=run.metrics.start_equity,
        colour=colour,
    )

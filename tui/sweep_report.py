"""Sweeps on the command line: a table that is always best first, while they run and after."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from core.backtest.sweep import ranked
from core.backtest.sweep_running import SweepRunEnded, SweepRunFailed
from tui.output import Output, in_columns
from tui.report import FIGURES

if TYPE_CHECKING:
    from core.backtest.sweep import SweepResult, SweepRun
    from core.jobs import Job

_FIGURES = ("total_return", "sharpe", "max_drawdown", "trades", "profit_factor")


async def follow_sweep(
    job: Job[SweepResult], output: Output, metric: str, most: int
) -> SweepResult:
    """Wait for a sweep: on a terminal with its best runs so far, else with a line a run."""
    if output.as_json or not sys.stdout.isatty():
        return await output.follow(job)
    from rich.console import Console
    from rich.live import Live

    runs: list[SweepRun] = []
    # What lies below the screen's last line could not be drawn over again.
    most = min(most, max(Console().height - 6, 1))
    with Live(refresh_per_second=2, transient=True) as live:
        async for event in job.events():
            if isinstance(event, SweepRunEnded | SweepRunFailed):
                runs.append(event.run)
                best = ranked(runs, metric)[:most]
                rows = [_cells(run, metric) for run in best]
                table = in_columns(_columns(metric, best), rows, output.width)
                table.title, table.title_justify = _far(job), "left"
                live.update(table)
            else:
                live.console.print(str(event), markup=False, highlight=False)
    return await job.wait()


def print_sweep(result: SweepResult, output: Output, metric: str, most: int) -> None:
    """The best runs of a finished sweep, and why others failed."""
    runs = result.ranked(metric)
    columns, rows = _columns(metric, runs), [_cells(run, metric) for run in runs[:most]]
    output.line()
    output.table(columns, rows)
    failed, refused = sum(run.failed for run in runs), sum(run.refused for run in runs)
    output.line(f"sweep {result.sweep_id}: {len(runs):,} runs, best by {metric} first")
    if refused:
        output.line(f"{refused:,} of them could not be run")
    if failed:
        output.line(f"{failed:,} of them failed")
    output.line(f"all of them: quarterdeck backtest list --sweep {result.sweep_id} --sort {metric}")
    output.summary(
        sweep_id=result.sweep_id,
        sort=metric,
        axes=[{"name": axis.name, "values": axis.values} for axis in result.axes],
        failed=failed,
        refused=refused,
        runs=[
            {
                "run_id": run.run_id,
                "parameters": run.parameters,
                "metrics": asdict(run.metrics) if run.metrics else None,
                "error": run.error,
            }
            for run in runs
        ],
    )


def _columns(metric: str, runs: Sequence[SweepRun]) -> dict[str, bool]:
    names = list(runs[0].parameters) if runs else []
    return {
        **dict.fromkeys(names, True),
        **{FIGURES[name][0]: True for name in _figures(metric)},
        "run": False,
    }


def _cells(run: SweepRun, metric: str) -> tuple[str, ...]:
    parameters = tuple(str(value) for value in run.parameters.values())
    names = _figures(metric)
    if run.metrics is None:
        return *parameters, *("",) * len(names), run.error
    figures = (FIGURES[name][1](getattr(run.metrics, name)) for name in names)
    return *parameters, *figures, run.run_id or ""


def _figures(metric: str) -> tuple[str, ...]:
    """Those of every sweep, and the one it is sorted by."""
    return _FIGURES if metric in _FIGURES or metric not in FIGURES else (metric, *_FIGURES)


def _far(job: Job[SweepResult]) -> str:
    now = job.snapshot
    return f"{now.done:,.0f} of {now.total:,.0f} runs"

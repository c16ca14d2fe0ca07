"""`quarterdeck demo`: everything, on simulated data, with no broker at all."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.series import BarSpec
from tui.commands.invocation import Invocation
from tui.commands.simulator import fixed_clock

if TYPE_CHECKING:
    from core.workspace import Workspace
    from tui.output import Output

INSTRUMENT = "AAPL.NASDAQ"
BARS = BarSpec(1, "MINUTE")
DAYS = 30


def demo(
    context: typer.Context,
    headless: Annotated[
        bool, typer.Option("--headless", help="No screen: do the main job and print it.")
    ] = False,
    now: Annotated[str | None, typer.Option(help="Fix the clocks at this time.")] = None,
) -> None:
    """Start a simulated gateway and the dashboard on it; all data is simulated."""
    invocation: Invocation = context.obj
    options = replace(invocation.options, profile="demo", now=fixed_clock(now))
    if headless or not sys.stdout.isatty():
        Invocation(options, invocation.output).run(
            lambda workspace: main_job(workspace, invocation.output)
        )
    from tui.commands.dashboard import run_dashboard

    raise typer.Exit(run_dashboard(options))


async def main_job(workspace: Workspace, output: Output) -> int:
    """Connect, fetch a month of minute bars, backtest on them, and draw the result."""
    from core.backtest.spec import RunSpec
    from core.fetch import FetchRequest
    from tui.report import print_run

    today = workspace.clock().date()
    start, end = str(today - timedelta(days=DAYS)), str(today - timedelta(days=1))
    output.line("All data in this demonstration is simulated.")
    await output.follow(workspace.connect())
    fetched = await output.follow(
        workspace.fetch(FetchRequest((INSTRUMENT,), BARS, start, end, None))
    )
    for one in fetched.failed:
        assert one.error is not None
        raise one.error
    spec = RunSpec(
        strategy="sma_crossover",
        parameters={},
        instruments=(INSTRUMENT,),
        bars=BARS,
        start=start,
        end=end,
    )
    print_run(await output.follow(workspace.backtest(spec)), output, told=True)
    return 0

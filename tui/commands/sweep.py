"""`quarterdeck sweep`: one run for each combination of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tui.commands import run_options as given
from tui.commands.invocation import Invocation

if TYPE_CHECKING:
    from core.workspace import Workspace


def sweep(
    context: typer.Context,
    strategy: given.Strategy,
    instrument: given.Instruments,
    bars: given.Bars,
    start: given.Start,
    end: given.End,
    grid: Annotated[
        list[str],
        typer.Option(
            metavar="NAME=VALUES",
            help="A parameter and its values, as fast_period=5:20:5 (first:last:step) or "
            "slow_period=20,50; may be given again.",
        ),
    ],
    workers: Annotated[
        int | None,
        typer.Option(help="Runs at a time, at most one a core; without it, what the settings say."),
    ] = None,
    sort: Annotated[str, typer.Option(metavar="METRIC", help="What the best is by.")] = "sharpe",
    most: Annotated[int, typer.Option(help="Show so many of the best.")] = 20,
    param: given.Params = None,
    cash: given.Cash = "",
    fees: given.Fees = "",
    source: given.Source = "auto",
    hours: given.Hours = "stored",
    warm_up: given.WarmUp = 0,
    account: given.Account = "auto",
    oms: given.Oms = "netting",
    leverage: given.Leverage = 0.0,
    slippage: given.Slippage = 0.0,
    seed: given.Seed = 0,
) -> None:
    """Run a strategy with every combination of some parameters, and show the best first.

    Every run is kept. The same sweep asked again goes on where it stopped. Ends with 1 when a run
    failed; combinations the strategy cannot work with are left out.
    """
    from core.backtest.metrics import check_metric
    from core.backtest.sweep import Axis, SweepSpec

    invocation: Invocation = context.obj
    check_metric(sort)
    base = given.spec_of(
        *(strategy, instrument, bars, start, end, param, cash, fees, source),
        *(hours, warm_up, account, oms, leverage, slippage, seed),
    )
    wanted = SweepSpec(base, tuple(Axis.parse(text) for text in grid), workers)
    wanted.specs()  # refused now, before anything is opened

    async def work(workspace: Workspace) -> int:
        from tui.sweep_report import follow_sweep, print_sweep

        job = workspace.sweep(wanted)
        result = await follow_sweep(job, invocation.output, sort, most)
        print_sweep(result, invocation.output, sort, most)
        return 0 if result.sound else 1

    invocation.run(work)

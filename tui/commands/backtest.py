"""`quarterdeck backtest`: run a strategy, list runs, show one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from catalog.errors import WrongInput
from catalog.series import BarSpec
from tui.commands.invocation import Invocation

if TYPE_CHECKING:
    from core.workspace import Workspace

app = typer.Typer(help="Run backtests and read their results.", rich_markup_mode=None)


@app.command()
def run(
    context: typer.Context,
    strategy: Annotated[str, typer.Argument(help="Such as sma_crossover.")],
    instrument: Annotated[list[str], typer.Option(help="An instrument; may be given again.")],
    bars: Annotated[str, typer.Option(help="The bar type, such as 1-MINUTE-LAST.")],
    start: Annotated[str, typer.Option(help="A date of the exchange, or a time (UTC if no zone).")],
    end: Annotated[str, typer.Option(help="As --start.")],
    param: Annotated[
        list[str] | None, typer.Option(help="A parameter as name=value; may be given again.")
    ] = None,
    cash: Annotated[str, typer.Option(help="The starting cash.")] = "100000 USD",
    fees: Annotated[str, typer.Option(help="ibkr_fixed or zero.")] = "ibkr_fixed",
    source: Annotated[
        Literal["auto", "catalog"],
        typer.Option(help="auto fetches what is missing first; catalog never asks the broker."),
    ] = "auto",
) -> None:
    """Run a backtest in a process of its own, keep its result and show it."""
    from core.backtest.spec import RunSpec

    invocation: Invocation = context.obj
    spec = RunSpec(
        strategy=strategy,
        parameters=_parameters(param or []),
        instruments=tuple(instrument),
        bars=BarSpec.parse(bars),
        start=start,
        end=end,
        cash=cash,
        fees=fees,
        source=source,
    )

    async def work(workspace: Workspace) -> int:
        from tui.report import print_run

        stored = await invocation.output.follow(workspace.backtest(spec))
        print_run(stored, invocation.output)
        return 0

    invocation.run(work)


@app.command("list")
def list_runs(context: typer.Context) -> None:
    """List the runs that were kept, newest first."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        from tui.report import print_runs

        print_runs(await asyncio.to_thread(workspace.runs.list), invocation.output)
        return 0

    invocation.run(work)


@app.command()
def show(
    context: typer.Context,
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The id of a run, from the list.")],
) -> None:
    """Show the result of a run: figures, charts, warnings."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        from tui.report import print_run

        print_run(await asyncio.to_thread(workspace.runs.load, run_id), invocation.output)
        return 0

    invocation.run(work)


def _parameters(pairs: list[str]) -> dict[str, object]:
    parameters: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise WrongInput(
                f"--param cannot be '{pair}'",
                "a parameter is a name, an equals sign and a value",
                "write for example --param fast_period=10",
            )
        parameters[name] = value
    return parameters

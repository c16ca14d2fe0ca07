"""`quarterdeck backtest`: run a strategy; list, show, compare, repeat, export and mark runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from catalog.errors import WrongInput
from tui.commands import run_options as given
from tui.commands.invocation import Invocation

if TYPE_CHECKING:
    from core.backtest.run_files import Remarks
    from core.backtest.spec import RunSpec
    from core.workspace import Workspace

app = typer.Typer(help="Run backtests and read their results.", rich_markup_mode=None)

RunId = Annotated[str, typer.Argument(metavar="RUN", help="The id of a run, from the list.")]
RunIds = Annotated[list[str], typer.Argument(metavar="RUN...", help="Ids of runs.")]


@app.command()
def run(
    context: typer.Context,
    strategy: given.Strategy,
    instrument: given.Instruments = None,
    bars: given.Bars = "",
    start: given.Start = "",
    end: given.End = "",
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
    preset: Annotated[
        str,
        typer.Option(
            help="Parameters, or a whole run, saved by name; what is given here goes before it."
        ),
    ] = "",
) -> None:
    """Run a backtest in a process of its own, keep its result and show it.

    Instruments, bars, start and end are needed, unless a preset has them.
    """
    invocation: Invocation = context.obj
    spec = given.spec_of(
        *(strategy, instrument, bars, start, end, param, cash, fees, source),
        *(hours, warm_up, account, oms, leverage, slippage, seed),
    )

    sources = {name: context.get_parameter_source(name) for name in context.params}
    typed = {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}

    async def work(workspace: Workspace) -> int:
        from tui.report import print_run

        wanted = await asyncio.to_thread(_with_preset, workspace, spec, preset, typed)
        done = await invocation.output.follow(workspace.backtest(wanted))
        print_run(done, invocation.output, told=True)
        return 0

    invocation.run(work)


_NEEDED = {"instrument": "instruments", "bars": "bars", "start": "start", "end": "end"}
"""Options without which there is no run, and what they are called in its spec."""


def _with_preset(workspace: Workspace, spec: RunSpec, name: str, typed: set[str]) -> RunSpec:
    """The run with the preset of that name, if any, behind the options that were typed.

    Raises `WrongInput` where both together lack something.
    """
    from core.backtest.presets import Preset

    kept = Preset({})
    if name:
        kept = workspace.presets.load(workspace.library.find(spec.strategy).name, name)
    terms = {_NEEDED.get(option, option) for option in typed}
    there = terms.union(kept.terms)
    lacking = [f"--{option}" for option, term in _NEEDED.items() if term not in there]
    if lacking:
        raise WrongInput(
            f"a backtest needs {' and '.join(lacking)}",
            "without it there is nothing to run on",
            "give it, or --preset with a whole run that was kept on the screen",
        )
    return kept.applied(spec, terms)


@app.command("list")
def list_runs(
    context: typer.Context,
    sort: Annotated[
        str, typer.Option(metavar="METRIC", help="The best first, such as by sharpe.")
    ] = "",
    search: Annotated[
        str, typer.Option(help="Words of the strategy, its settings, notes or tags.")
    ] = "",
    starred: Annotated[bool, typer.Option("--starred", help="Only those with a star.")] = False,
    sweep: Annotated[str, typer.Option(metavar="ID", help="Only those of a sweep.")] = "",
    most: Annotated[int | None, typer.Option(help="So many at most.")] = None,
) -> None:
    """List the runs that were kept, the newest first."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        from core.backtest.run_index import Search
        from tui.report import print_runs

        wanted = Search(search, sort, starred, sweep, most)
        runs = await asyncio.to_thread(workspace.runs.list, wanted)
        print_runs(runs, invocation.output, sort)
        return 0

    invocation.run(work)


@app.command()
def show(context: typer.Context, run_id: RunId) -> None:
    """Show the result of a run: figures, charts, warnings."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        from tui.report import print_run

        print_run(await asyncio.to_thread(workspace.runs.load, run_id), invocation.output)
        return 0

    invocation.run(work)


@app.command()
def compare(context: typer.Context, run_ids: RunIds) -> None:
    """Compare two to ten runs: what differs in their settings, and all figures."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        from core.backtest.comparing import compare as compare_runs
        from tui.comparison_report import print_comparison

        def load() -> None:
            runs = [workspace.runs.load(run_id) for run_id in run_ids]
            print_comparison(compare_runs(runs), invocation.output)

        await asyncio.to_thread(load)
        return 0

    invocation.run(work)


@app.command()
def rerun(context: typer.Context, run_id: RunId, param: given.Params = None) -> None:
    """Run a run's spec again, with other parameters where they are given."""
    invocation: Invocation = context.obj
    changed = given.parameters_of(param)

    async def work(workspace: Workspace) -> int:
        from tui.report import print_run

        spec = (await asyncio.to_thread(workspace.runs.load, run_id)).spec
        again = replace(spec, parameters={**spec.parameters, **changed})
        done = await invocation.output.follow(workspace.backtest(again))
        print_run(done, invocation.output, told=True)
        return 0

    invocation.run(work)


@app.command()
def reproduce(context: typer.Context, run_id: RunId) -> None:
    """Run a run's spec again, and say whether every fill is the same or what changed.

    Ends with 1 when a fill differs.
    """
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        from tui.comparison_report import print_reproduction

        found = await invocation.output.follow(workspace.reproduce(run_id))
        print_reproduction(found, invocation.output)
        return 0 if found.same else 1

    invocation.run(work)


@app.command()
def export(
    context: typer.Context,
    run_id: RunId,
    form: Annotated[
        Literal["json", "csv", "html"],
        typer.Option("--format", help="csv makes a folder with a file for each table."),
    ],
    to: Annotated[Path, typer.Option(help="The file to write, or the folder.")],
) -> None:
    """Write a run for other programs: its figures, tables and log, or an HTML report."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        from core.backtest.exporting import export as export_run

        target = await asyncio.to_thread(lambda: to.expanduser().absolute())
        for path in (paths := await export_run(workspace.runs, run_id, form, target)):
            invocation.output.line(f"written {path}")
        invocation.output.summary(run_id=run_id, files=[str(path) for path in paths])
        return 0

    invocation.run(work)


@app.command()
def note(
    context: typer.Context,
    run_id: RunId,
    text: Annotated[str, typer.Argument(help="What to remember; empty removes it.")],
) -> None:
    """Write a note on a run, in place of the one before."""
    _remark(context, run_id, lambda now: replace(now, note=text))


@app.command()
def tag(
    context: typer.Context,
    run_id: RunId,
    tags: Annotated[list[str], typer.Argument(metavar="TAG...", help="Words to find it by.")],
    remove: Annotated[bool, typer.Option("--remove", help="Take them off instead.")] = False,
) -> None:
    """Tag a run."""

    def change(now: Remarks) -> Remarks:
        kept = [one for one in now.tags if one not in tags]
        return replace(now, tags=tuple(kept if remove else [*kept, *dict.fromkeys(tags)]))

    _remark(context, run_id, change)


@app.command()
def star(
    context: typer.Context,
    run_id: RunId,
    remove: Annotated[bool, typer.Option("--remove", help="Take it off instead.")] = False,
) -> None:
    """Put a star on a run."""
    _remark(context, run_id, lambda now: replace(now, starred=not remove))


@app.command()
def delete(context: typer.Context, run_ids: RunIds) -> None:
    """Delete runs with all their files; for good."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        for run_id in run_ids:
            await asyncio.to_thread(workspace.runs.delete, run_id)
            invocation.output.line(f"deleted {run_id}")
        invocation.output.summary(deleted=run_ids)
        return 0

    invocation.run(work)


def _remark(context: typer.Context, run_id: str, change: Callable[[Remarks], Remarks]) -> None:
    """Change what is remarked on a run, and say what it is now."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        remarks = await asyncio.to_thread(workspace.runs.remark, run_id, change)
        words = ["starred"] * remarks.starred + [f"#{one}" for one in remarks.tags]
        invocation.output.line(" ".join([run_id, *words, remarks.note]).rstrip())
        invocation.output.summary(run_id=run_id, remarks=remarks.to_json())
        return 0

    invocation.run(work)

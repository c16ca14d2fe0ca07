"""`quarterdeck strategy`: what can be run, what can be set on it, and a new one to begin with."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tui.commands import run_options as given
from tui.commands.invocation import Invocation

if TYPE_CHECKING:
    from core.strategies.parameters import Parameter, StrategyInfo
    from core.workspace import Workspace

app = typer.Typer(help="List, show and begin strategies; save presets.", rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="STRATEGY", help="A name from the list.")]
PresetName = Annotated[str, typer.Argument(metavar="PRESET", help="The name of the preset.")]


@app.command("list")
def list_strategies(context: typer.Context) -> None:
    """List all strategies: the shipped ones, then your own, those that cannot be used with the
    reason."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        output, found = invocation.output, await workspace.strategies()
        output.table(
            {"strategy": False, "what it does": False},
            ((info.name, info.error.partition("\n")[0] or info.summary) for info in found),
        )
        folders = ", ".join(str(folder) for folder in workspace.library.folders)
        output.line(f"your own are looked for in {folders or workspace.home.strategies}")
        output.summary(strategies=[_record(info) for info in found])
        return 0

    invocation.run(work)


@app.command()
def show(context: typer.Context, strategy: Name) -> None:
    """Show what a strategy does, what can be set on it, and its presets."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        output = invocation.output
        info = await asyncio.to_thread(workspace.library.find, strategy)
        presets = await asyncio.to_thread(workspace.presets.of, info.name)
        output.line(f"{info.name}: {info.summary}")
        output.line(f"source: {info.file}")
        output.line(_instruments(info))
        output.line()
        output.table(
            {"parameter": False, "type": False, "default": False, "": False},
            (_row(parameter) for parameter in info.parameters),
        )
        for name, preset in presets.items():
            output.line(f"preset {name}: {_values(preset.parameters)}{_terms(preset.terms)}")
        kept = {name: asdict(preset) for name, preset in presets.items()}
        output.summary(**_record(info), presets=kept)
        return 0

    invocation.run(work)


@app.command()
def new(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Such as my_breakout.")],
    folder: Annotated[
        Path | None, typer.Option(help="Where to; the folder of your strategies by default.")
    ] = None,
) -> None:
    """Write a strategy to begin with, and a test of it."""
    from core.strategies.template import write_template

    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        output, target = invocation.output, folder or workspace.home.strategies
        source, test = await asyncio.to_thread(write_template, name, target.absolute())
        output.line(f"written: {source}")
        output.line(f"its test: pytest {test}")
        if source.parent not in (workspace.home.strategies, *workspace.library.folders):
            output.line(
                f"add the folder to strategy_folders in {workspace.home.settings_file}, "
                "so that it is found"
            )
        output.summary(strategy=str(source), test=str(test))
        return 0

    invocation.run(work)


@app.command()
def save(
    context: typer.Context, strategy: Name, preset: PresetName, param: given.Params = None
) -> None:
    """Save parameters as a preset. The form of a new run on the screen can keep a whole run so."""
    from core.backtest.presets import Preset

    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        typed = given.parameters_of(param)
        info = await asyncio.to_thread(workspace.library.find, strategy)
        values = await asyncio.to_thread(workspace.library.read, info.name, typed)
        await asyncio.to_thread(workspace.presets.save, info.name, preset, Preset(values))
        invocation.output.line(f"saved {preset} of {info.name}: {_values(values)}")
        invocation.output.summary(strategy=info.name, preset=preset, parameters=values)
        return 0

    invocation.run(work)


@app.command()
def forget(context: typer.Context, strategy: Name, preset: PresetName) -> None:
    """Forget a preset."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        info = await asyncio.to_thread(workspace.library.find, strategy)
        await asyncio.to_thread(workspace.presets.delete, info.name, preset)
        invocation.output.line(f"forgotten: {preset} of {info.name}")
        invocation.output.summary(strategy=info.name, preset=preset)
        return 0

    invocation.run(work)


def _row(parameter: Parameter) -> tuple[str, ...]:
    default = "needed" if parameter.required else parameter.default
    bounds = [
        f"{word} {bound:g}"
        for word, bound in (("at least", parameter.at_least), ("at most", parameter.at_most))
        if bound is not None
    ]
    about = [parameter.doc, " or ".join(parameter.choices), *bounds]
    return (
        parameter.name,
        parameter.type,
        "" if default is None else str(default),
        "; ".join(text for text in about if text),
    )


def _instruments(info: StrategyInfo) -> str:
    if info.instruments is None:
        return "trades all instruments of a run together"
    if info.instruments == 1:
        return "trades one instrument; of several, each by itself"
    return f"trades {info.instruments} instruments together"


def _values(values: Mapping[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items()) or "all as by default"


def _terms(terms: Mapping[str, Any]) -> str:
    """What a preset is to be run on, where it says so."""
    if not terms:
        return ""
    instruments, dates = " ".join(terms["instruments"]), f"{terms['start']}..{terms['end']}"
    return f", on {instruments} {terms['bars']} {dates}"


def _record(info: StrategyInfo) -> dict[str, object]:
    return {
        "name": info.name,
        "summary": info.summary,
        "instruments": info.instruments,
        "file": str(info.file) if info.file else None,
        "error": info.error,
        "parameters": [
            {
                "name": one.name,
                "type": one.type,
                "default": one.default,
                "doc": one.doc,
                "at_least": one.at_least,
                "at_most": one.at_most,
                "choices": one.choices,
                "required": one.required,
            }
            for one in info.parameters
        ],
    }

"""The commands together."""

from __future__ import annotations

import sys

import typer

from catalog.errors import WrongInput
from core.options import Options
from tui.cli import global_options
from tui.commands import (
    backtest,
    catalog,
    catalog_check,
    catalog_transfer,
    connect,
    demo,
    doctor,
    fetch,
    profile,
    search,
    simulator,
    strategy,
    sweep,
    update,
)
from tui.commands.invocation import Invocation
from tui.output import Output

app = typer.Typer(
    name="quarterdeck",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(demo.demo)
app.command()(connect.connect)
app.command()(search.search)
app.command()(fetch.fetch)
app.command()(update.update)
app.command()(simulator.simulator)
app.command()(doctor.doctor)
app.command()(sweep.sweep)
app.add_typer(profile.app, name="profile")
app.add_typer(backtest.app, name="backtest")
app.add_typer(strategy.app, name="strategy")
app.add_typer(catalog.app, name="catalog")
catalog.app.command()(catalog_check.check)
catalog.app.command()(catalog_check.repair)
catalog.app.command()(catalog_check.backfill)
catalog.app.command()(catalog_check.undo)
catalog.app.command("import")(catalog_transfer.import_files)
catalog.app.command()(catalog_transfer.export)
catalog.app.command()(catalog_transfer.delete)
catalog.app.command()(catalog_transfer.migrate)
catalog.app.command()(catalog_transfer.update_instruments)


@app.callback()
def quarterdeck() -> None:
    """A terminal dashboard for NautilusTrader research on Interactive Brokers data.

    Without a command, the dashboard opens.
    """


def run_command(arguments: list[str], options: Options, output: Output) -> int:
    """Run one command; gives its exit code.

    Raises `WrongInput` for words that are no command of ours, and what the command raises.
    """
    try:
        # A command ends by returning, or by `typer.Exit`, which arrives here as its code.
        code = app(
            arguments,
            prog_name="quarterdeck",
            standalone_mode=False,
            obj=Invocation(options, output),
        )
    except typer.TyperException as error:
        raise WrongInput(
            "The command cannot be understood",
            error.format_message(),
            "read `quarterdeck --help`, or `quarterdeck COMMAND --help`",
        ) from error
    if "--help" in arguments:
        print(global_options().format_help(), file=sys.stdout)
    return code if isinstance(code, int) else 0

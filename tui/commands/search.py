"""`quarterdeck search`: contracts whose symbol or name resembles a text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from tui.commands.invocation import Invocation

if TYPE_CHECKING:
    from core.workspace import Workspace


def search(
    context: typer.Context,
    text: Annotated[str, typer.Argument(help="A symbol, the beginning of one, or of a name.")],
) -> None:
    """Ask the broker for contracts; their ids are understood by every other command."""
    from core.ibkr.contracts import search as find

    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        output = invocation.output
        await output.follow(workspace.connect())
        matches = await find(workspace.broker, text)
        output.table(
            {
                "symbol": False,
                "kind": False,
                "exchange": False,
                "currency": False,
                "id": False,
                "name": False,
            },
            (
                (
                    one.symbol,
                    one.sec_type,
                    one.exchange,
                    one.currency,
                    one.id,
                    one.description,
                )
                for one in matches
            ),
        )
        if not matches:
            output.line(f"the broker knows nothing like '{text}'; try the beginning of the symbol")
        output.summary(text=text, matches=[asdict(one) for one in matches])
        return 0

    invocation.run(work)

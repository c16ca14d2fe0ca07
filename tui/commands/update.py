"""`quarterdeck update`: bring what is stored to now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

from tui.commands.invocation import Invocation
from tui.commands.summary import report_summary

if TYPE_CHECKING:
    from core.workspace import Workspace


def update(
    context: typer.Context,
    ids: Annotated[
        list[str] | None,
        typer.Argument(help="Instruments, series or @watchlists; all that is stored if left out."),
    ] = None,
    rebuild: Annotated[
        str | None,
        typer.Option(help="Fetch this series anew, as AAPL.NASDAQ-1-DAY-LAST-EXTERNAL."),
    ] = None,
) -> None:
    """Fetch what came after the stored bars, and compare the last of those with the broker's.

    Bars that the broker corrected are replaced. A series whose history changed, as by a split, is
    left as it is and told: --rebuild fetches all of it anew. Ends with an exit code other than 0
    when a series could not be updated; safe to run beside an open dashboard.
    """
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        if rebuild is not None:
            from core.updating import stored_series

            series = await asyncio.to_thread(stored_series, workspace.catalog, [rebuild])
            summaries = [await invocation.output.follow(workspace.rebuild(one)) for one in series]
        else:
            summaries = [await invocation.output.follow(workspace.update(tuple(ids or ())))]
        return report_summary(summaries, invocation.output)

    invocation.run(work)

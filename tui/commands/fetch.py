"""`quarterdeck fetch`: get what the catalog lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from catalog.series import BarSpec
from tui.commands.invocation import Invocation

if TYPE_CHECKING:
    from core.fetch_job import FetchSummary
    from core.workspace import Workspace
    from tui.output import Output


def fetch(
    context: typer.Context,
    ids: Annotated[
        list[str], typer.Argument(help="Instruments: AAPL, GDX.ARCA, ESZ6.CME, EUR/USD, ^SPX.CBOE.")
    ],
    bars: Annotated[str, typer.Option(help="The bar type, such as 1-MINUTE-LAST.")],
    start: Annotated[
        str | None, typer.Option(help="A date of the exchange, or a time (UTC if no zone).")
    ] = None,
    end: Annotated[str | None, typer.Option(help="As --start; now if left out.")] = None,
    hours: Annotated[
        Literal["regular", "all"] | None,
        typer.Option(help="Regular or all trading hours; left out: what suits the instrument."),
    ] = None,
) -> None:
    """Fetch the bars that are missing in the catalog, each series with its instrument."""
    from core.fetch import FetchRequest

    invocation: Invocation = context.obj
    request = FetchRequest(tuple(ids), BarSpec.parse(bars), start, end, hours)

    async def work(workspace: Workspace) -> int:
        summary = await invocation.output.follow(workspace.fetch(request))
        return _report(summary, invocation.output)

    invocation.run(work)


def _report(summary: FetchSummary, output: Output) -> int:
    output.table(
        {"series": False, "outcome": False, "requests": True, "new bars": True, "held": True},
        (
            (
                str(one.series or one.typed_id),
                one.outcome,
                f"{one.requests:,}",
                f"{one.bars:,}",
                f"{one.held:,}",
            )
            for one in summary.series
        ),
    )
    output.summary(
        series=[
            {
                "typed": one.typed_id,
                "instrument_id": one.series.instrument_id if one.series else None,
                "bar_type": one.series.bar_type if one.series else None,
                "outcome": one.outcome,
                "requests": one.requests,
                "bars": one.bars,
                "held": one.held,
                "error": one.error.as_record() if one.error else None,
            }
            for one in summary.series
        ]
    )
    errors = [one.error for one in summary.failed if one.error is not None]
    for error in errors:
        output.error(error)
    return max((error.exit_code for error in errors), default=0)

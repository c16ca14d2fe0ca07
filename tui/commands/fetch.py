"""`quarterdeck fetch`: get what the catalog lacks."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from catalog.errors import WrongInput
from catalog.series import BarSpec
from tui.commands.invocation import Invocation
from tui.commands.summary import report_errors, report_summary

if TYPE_CHECKING:
    from core.fetch import FetchPlan, SeriesOutlook
    from core.workspace import Workspace
    from tui.output import Output


def fetch(
    context: typer.Context,
    ids: Annotated[
        list[str] | None,
        typer.Argument(help="Instruments: AAPL, GDX.ARCA, ESZ6.CME, EUR/USD, ^SPX.CBOE, @list."),
    ] = None,
    bars: Annotated[str, typer.Option(help="The bar type, such as 1-MINUTE-LAST.")] = "",
    start: Annotated[
        str | None, typer.Option(help="A date of the exchange, or a time (UTC if no zone).")
    ] = None,
    end: Annotated[str | None, typer.Option(help="As --start; now if left out.")] = None,
    hours: Annotated[
        Literal["regular", "all"] | None,
        typer.Option(
            help="Regular or all trading hours; left out: those of the stored bars, else what "
            "suits the instrument."
        ),
    ] = None,
    adjusted: Annotated[
        bool,
        typer.Option("--adjusted", help="Prices adjusted for dividends, in their own catalog."),
    ] = False,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan",
            help="Only tell what would be requested and what it takes. Instruments that had to be "
            "looked up for that are kept, bars are not fetched.",
        ),
    ] = False,
    derive: Annotated[
        str | None,
        typer.Option(help="Make these bars of stored ones, without the broker: 5-MINUTE-LAST."),
    ] = None,
    source: Annotated[
        str, typer.Option("--from", help="The stored bars that --derive makes longer ones of.")
    ] = "1-MINUTE-LAST",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with fetches that a crash or a kill ended.")
    ] = False,
) -> None:
    """Fetch the bars that are missing in the catalog, each series with its instrument.

    `@name` stands for a watchlist of the settings, `@path` for a file with one id a line.
    """
    from core.fetch import FetchRequest

    invocation: Invocation = context.obj
    if resume:
        invocation.run(partial(_resume, output=invocation.output))
    if ids and derive is not None:
        specs = BarSpec.parse(derive), BarSpec.parse(source)
        invocation.run(partial(_derive, tuple(ids), *specs, output=invocation.output))
    if not ids or not bars:
        raise WrongInput(
            "a fetch needs instruments and a bar type",
            "without them there is nothing to ask for",
            "write for example: quarterdeck fetch AAPL --bars 1-MINUTE-LAST --start 2026-01-05",
        )
    request = FetchRequest(tuple(ids), BarSpec.parse(bars), start, end, hours, adjusted=adjusted)

    async def work(workspace: Workspace) -> int:
        if plan:
            outlook = await invocation.output.follow(workspace.plan(request))
            return _report_plan(outlook, invocation.output)
        summary = await invocation.output.follow(workspace.fetch(request))
        return report_summary([summary], invocation.output)

    invocation.run(work)


async def _derive(
    ids: tuple[str, ...], spec: BarSpec, source: BarSpec, workspace: Workspace, *, output: Output
) -> int:
    bars = await output.follow(workspace.derive(ids, spec, source))
    output.summary(bars=bars)
    return 0


async def _resume(workspace: Workspace, output: Output) -> int:
    unfinished = await workspace.unfinished()
    if not unfinished:
        output.line("no fetch was interrupted")
        output.summary(series=[])
        return 0
    summaries = []
    for entry in unfinished:
        if (job := workspace.resume(entry)) is not None:
            output.line(f"going on with: {entry.title}, of {entry.started:%Y-%m-%d %H:%M} UTC")
            summaries.append(await output.follow(job))
    return report_summary(summaries, output)


def _report_plan(outlook: FetchPlan, output: Output) -> int:
    columns = {"series": False, "requests": True, "bars": True, "from, UTC": False, "to": False}
    output.table(columns, (_planned(one) for one in outlook.series))
    total = outlook.estimate
    output.line(
        f"in all {total.requests:,} requests for about {total.bars:,} bars: "
        f"{timedelta(seconds=round(total.seconds))} or more, {total.size / 1e6:,.1f} MB on disk"
    )
    output.summary(
        **asdict(total),
        series=[
            {
                "typed": one.typed_id,
                "instrument_id": one.plan.series.instrument_id if one.plan else None,
                "bar_type": one.plan.series.bar_type if one.plan else None,
                **asdict(one.estimate),
                "missing": [(chunk.start, chunk.end) for chunk in one.plan.chunks]
                if one.plan
                else [],
                "error": one.error.as_record() if one.error else None,
            }
            for one in outlook.series
        ],
    )
    return report_errors([*(one.error for one in outlook.series), outlook.refusal], output)


def _planned(one: SeriesOutlook) -> tuple[str, ...]:
    if one.plan is None:
        return one.typed_id, "", "", "", ""
    chunks = one.plan.chunks
    ends = (_minute(chunks[0].start), _minute(chunks[-1].end)) if chunks else ("", "")
    return str(one.plan.series), f"{len(chunks):,}", f"{one.plan.bars:,}", *ends


def _minute(nanos: int) -> str:
    return f"{datetime.fromtimestamp(nanos // 1_000_000_000, UTC):%Y-%m-%d %H:%M}"

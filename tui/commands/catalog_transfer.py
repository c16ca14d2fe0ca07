"""`quarterdeck catalog import | export | delete | migrate | update-instruments`."""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from catalog.errors import WrongInput
from tui.commands.invocation import Invocation
from tui.import_preview import preview, refuse_demo, utc

if TYPE_CHECKING:
    from catalog.exporting import Format
    from catalog.importing import ImportPlan, ImportRequest
    from core.workspace import Workspace
    from tui.output import Output

_NAME = "{name}"
_Start = Annotated[
    str | None, typer.Option(help="From this date of the exchange, or time (UTC if no zone), on.")
]
_End = Annotated[str | None, typer.Option(help="Up to this date, or before this time.")]


def import_files(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="CSV, Parquet or Arrow files of bars.")],
    series: Annotated[
        str,
        typer.Option(
            help="Such as AAPL.NASDAQ-1-MINUTE-LAST; without a venue it is SIM. {name} stands for "
            "the name of each file: '{name}.NASDAQ-1-DAY'."
        ),
    ],
    zone: Annotated[
        str | None, typer.Option(help="The time zone of times that say none: America/New_York.")
    ] = None,
    stamps: Annotated[
        Literal["open", "close"] | None,
        typer.Option(help="Whether a row carries the time its bar opens or closes."),
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="FIELD=NAME for a column not found by its name.")
    ] = None,
    time_format: Annotated[
        str | None, typer.Option(help="As in strptime: '%d/%m/%Y %H:%M'.")
    ] = None,
    hours: Annotated[
        Literal["regular", "all"] | None, typer.Option(help="The hours that the bars are of.")
    ] = None,
    overlap: Annotated[
        Literal["skip", "overwrite", "merge"] | None,
        typer.Option(help="Time that is covered already: leave it, replace it, or fill its holes."),
    ] = None,
    kind: Annotated[
        Literal["equity", "index", "commodity"] | None,
        typer.Option("--as", help="Make an instrument of this class where none is stored."),
    ] = None,
    currency: Annotated[str, typer.Option(help="The currency of that instrument.")] = "USD",
    skip_bad_rows: Annotated[
        bool, typer.Option("--skip-bad-rows", help="Leave out rows that are no bars.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be imported.")
    ] = False,
) -> None:
    """Import bars from files. Several files are one series, unless --series says {name}."""
    from catalog.importing import ImportRequest, typed_series

    invocation: Invocation = context.obj
    request = partial(
        ImportRequest,
        zone=zone,
        stamps=stamps,
        columns=_columns(column or []),
        time_format=time_format,
        hours=hours,
        overlap=overlap,
        kind=kind,
        currency=currency,
        skip_bad_rows=skip_bad_rows,
    )
    if _NAME in series:
        requests = [
            request((path,), typed_series(series.replace(_NAME, path.name.partition(".")[0])))
            for path in files
        ]
    else:
        requests = [request(tuple(files), typed_series(series))]

    async def work(workspace: Workspace) -> int:
        refuse_demo(workspace)
        records = []
        for each in requests:
            plan, bars = await _import(workspace, each, invocation.output, dry_run=dry_run)
            records.append(_record(plan) | {"imported": bars})
        invocation.output.summary(series=records, dry_run=dry_run)
        return 0

    invocation.run(work)


def export(
    context: typer.Context,
    series: Annotated[list[str], typer.Argument(help="Such as AAPL.NASDAQ-1-MINUTE-LAST.")],
    to: Annotated[Path, typer.Option(help="The file; of several series, the folder.")],
    kind: Annotated[
        Literal["csv", "parquet", "arrow"] | None,
        typer.Option("--format", help="Left out: what the name of the file ends with, or csv."),
    ] = None,
    start: _Start = None,
    end: _End = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace files that exist.")] = False,
) -> None:
    """Export bars to CSV, Parquet or Arrow; a bar carries the time it closes, in UTC."""
    from catalog.exporting import FORMATS, export_bars, export_name
    from catalog.importing import canonical, typed_series

    invocation: Invocation = context.obj
    ending = to.suffix.removeprefix(".")
    named: Format = next((one for one in FORMATS if one == ending), "csv")
    chosen = named if kind is None else kind
    typed = [typed_series(one) for one in series]
    several = len(typed) > 1 or to.is_dir()

    async def work(workspace: Workspace) -> int:
        from core.held_range import held_range
        from core.writing import write

        records: list[dict[str, object]] = []
        for each in typed:
            one = await asyncio.to_thread(canonical, workspace.catalog, each)
            span = await asyncio.to_thread(held_range, workspace.catalog, one, start, end)
            path = to / export_name(one, chosen) if several else to
            step = partial(
                export_bars, workspace.catalog, one, path, chosen, span=span, replace=replace
            )
            bars = await write(step, invocation.output.event)
            records.append({"bar_type": one.bar_type, "bars": bars, "path": str(path)})
        invocation.output.summary(exported=records)
        return 0

    invocation.run(work)


def delete(
    context: typer.Context,
    series: Annotated[list[str], typer.Argument(help="Such as AAPL.NASDAQ-1-MINUTE-LAST.")],
    start: _Start = None,
    end: _End = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a series or a range of it; `catalog undo` puts it back within 7 days."""
    from catalog.deleting import count_bars, delete_bars
    from catalog.importing import canonical, typed_series

    invocation: Invocation = context.obj
    typed = [typed_series(one) for one in series]

    async def work(workspace: Workspace) -> int:
        from core.held_range import held_range
        from core.writing import write

        catalog = workspace.catalog
        wanted = [await asyncio.to_thread(canonical, catalog, each) for each in typed]
        spans = [await asyncio.to_thread(held_range, catalog, one, start, end) for one in wanted]
        for one, span in zip(wanted, spans, strict=True):
            bars = await asyncio.to_thread(count_bars, catalog, one, span)
            invocation.output.line(f"{one}: {bars:,} bars{_in_words(span)}")
        if not yes:
            _confirm(invocation.output)
        records: list[dict[str, object]] = []
        for one, span in zip(wanted, spans, strict=True):
            step = partial(delete_bars, catalog, one, span)
            bars = await write(step, invocation.output.event)
            records.append({"bar_type": one.bar_type, "bars": bars})
        invocation.output.summary(deleted=records)
        return 0

    invocation.run(work)


def migrate(
    context: typer.Context,
    old: Annotated[Path, typer.Argument(help="The folder of a NautilusTrader 1.x catalog.")],
    hours: Annotated[
        Literal["regular", "all"] | None,
        typer.Option(help="The hours that its bars are of; left out: what suits the instrument."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would come over.")
    ] = False,
) -> None:
    """Bring a catalog of NautilusTrader 1.x into this one; the old one stays as it is."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        from catalog import migrating
        from core.writing import write

        refuse_demo(workspace)
        output = invocation.output
        step = partial(migrating.migrate, workspace.catalog, old, hours=hours, dry_run=dry_run)
        done = await write(step, output.event)
        verb = "would come over" if dry_run else "came over"
        output.line(
            f"{len(done.instruments):,} instruments and {len(done.series):,} series {verb}; "
            f"{len(done.left):,} things stay behind"
        )
        output.summary(
            dry_run=dry_run,
            instruments=[one.instrument_id for one in done.instruments],
            series=[{"bar_type": one.series.bar_type, "new": one.new} for one in done.series],
            left=[one.what for one in done.left],
        )
        return 0

    invocation.run(work)


def update_instruments(context: typer.Context) -> None:
    """Ask the broker for every stored instrument; one that differs becomes a new version."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        from core import instrument_updates

        output = invocation.output
        done = await instrument_updates.update_instruments(
            workspace.catalog, workspace.broker, workspace.clock, output.event
        )
        output.summary(
            changed=done.changed,
            unchanged=done.unchanged,
            failed={name: error.as_record() for name, error in done.failed.items()},
            made_up=done.made_up,
        )
        return max((error.exit_code for error in done.failed.values()), default=0)

    invocation.run(work)


async def _import(
    workspace: Workspace, request: ImportRequest, output: Output, *, dry_run: bool
) -> tuple[ImportPlan, int]:
    from catalog.importing import import_bars, plan_import
    from core.writing import write

    plan = await asyncio.to_thread(plan_import, workspace.catalog, request)
    output.fields(preview(plan))
    output.line()
    if dry_run:
        return plan, 0
    return plan, await write(partial(import_bars, workspace.catalog, plan), output.event)


def _record(plan: ImportPlan) -> dict[str, object]:
    rows = plan.rows
    return {
        "bar_type": plan.request.series.bar_type,
        "columns": plan.names,
        "rows": rows.rows,
        "bars": len(rows.bars),
        "first": utc(int(rows.bars.ts[0])),
        "last": utc(int(rows.bars.ts[-1])),
        "price_precision": rows.bars.price_precision,
        "hours": plan.hours,
        "instrument": "made up" if plan.definition else plan.has_instrument,
        "new": plan.new,
        "same": plan.same,
        "different": plan.different,
        "replaced": plan.replaced,
        "blank": rows.blank,
        "repeated": rows.repeated,
        "rounded_prices": rows.rounded_prices,
        "rounded_volumes": rows.rounded_volumes,
        "rejects": [str(one) for one in rows.rejects],
        "undecided": plan.undecided,
    }


def _columns(pairs: list[str]) -> dict[str, str]:
    columns = dict(pair.partition("=")[::2] for pair in pairs)
    if wrong := [field for field, name in columns.items() if not name]:
        raise WrongInput(
            f"'{wrong[0]}' names no column", "a column is FIELD=NAME", 'write close="Adj Close"'
        )
    return columns


def _confirm(output: Output) -> None:
    if output.as_json or not sys.stdin.isatty():
        raise WrongInput("nothing was deleted", "nobody can be asked here", "say it: --yes")
    typer.confirm("Delete them?", abort=True)


def _in_words(span: tuple[int, int] | None) -> str:
    return "" if span is None else f" from {utc(span[0])} to {utc(span[1])}"

"""`quarterdeck catalog`: what is stored."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.errors import DataUnavailable
from catalog.series import Series
from tui.commands.invocation import Invocation

if TYPE_CHECKING:
    from catalog.listing import SeriesSummary
    from core.workspace import Workspace

_MINUTES = len("2026-01-05 14:30")

app = typer.Typer(help="What the catalog holds.", rich_markup_mode=None)


def utc(nanos: int) -> str:
    """A stamp in ns as UTC text to the second; empty for 0, which stands for none."""
    if not nanos:
        return ""
    return datetime.fromtimestamp(nanos // 1_000_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S")


@app.command("list")
def list_series(context: typer.Context) -> None:
    """List every series with its range, bars, files and size."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        found = await asyncio.to_thread(workspace.catalog.list_series)
        invocation.output.table(
            {
                "instrument": False,
                "bars": False,
                "first (UTC)": False,
                "last (UTC)": False,
                "rows": True,
                "gaps": True,
                "KiB": True,
                "health": False,
            },
            (_row(one) for one in found),
        )
        if not found:
            invocation.output.line("nothing stored yet; get some with: quarterdeck fetch")
        invocation.output.summary(
            catalog=str(workspace.catalog.root),
            origin=workspace.catalog.origin,
            series=[_record(one) for one in found],
        )
        return 0

    invocation.run(work)


@app.command()
def show(
    context: typer.Context,
    series: Annotated[str, typer.Argument(help="Such as AAPL.NASDAQ-1-MINUTE-LAST.")],
) -> None:
    """Show one series: its files' range, its coverage and its instrument."""
    invocation: Invocation = context.obj
    wanted = Series.from_bar_type(series.removesuffix("-EXTERNAL") + "-EXTERNAL")

    async def work(workspace: Workspace) -> int:
        catalog = workspace.catalog
        found = await asyncio.to_thread(catalog.list_series)
        one = next((each for each in found if each.series == wanted), None)
        if one is None:
            raise DataUnavailable(
                f"{series} is not in the catalog",
                f"{catalog.root} holds {len(found)} other series",
                "list them with: quarterdeck catalog list",
                f"fetch it with: quarterdeck fetch {wanted.instrument_id} --bars {wanted.spec}",
            )
        definition = await asyncio.to_thread(catalog.instrument, wanted.instrument_id)
        record = _record(one) | {"covered": "; ".join(map("..".join, _covered(one)))}
        info = (definition or {}).get("info") or {}
        invocation.output.fields({name.replace("_", " "): value for name, value in record.items()})
        invocation.output.line()
        invocation.output.fields(
            {name: value for name, value in (definition or {}).items() if name != "info"} | info
        )
        invocation.output.summary(**_record(one), instrument=definition)
        return 0

    invocation.run(work)


def _row(one: SeriesSummary) -> tuple[str, ...]:
    return (
        one.series.instrument_id,
        str(one.series.spec),
        utc(one.first)[:_MINUTES],
        utc(one.last)[:_MINUTES],
        f"{one.rows:,}",
        "?" if one.gaps is None else f"{one.gaps:,}",
        f"{one.bytes / 1024:,.0f}",
        f"{one.damaged} DAMAGED" if one.damaged else "ok" if one.has_instrument else "ORPHAN",
    )


def _record(one: SeriesSummary) -> dict[str, object]:
    return {
        "bar_type": one.series.bar_type,
        "instrument_id": one.series.instrument_id,
        "bars": str(one.series.spec),
        "first": utc(one.first),
        "last": utc(one.last),
        "rows": one.rows,
        "gaps": one.gaps,
        "bytes": one.bytes,
        "files": one.files,
        "hours": one.hours,
        "has_instrument": one.has_instrument,
        "damaged": one.damaged,
        "covered": _covered(one),
    }


def _covered(one: SeriesSummary) -> list[tuple[str, str]]:
    return [(utc(start), utc(end)) for start, end in one.covered]

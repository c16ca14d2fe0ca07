"""`quarterdeck catalog`: what is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence, Sized
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.errors import DataUnavailable
from catalog.origin import Origin, is_simulated
from catalog.series import Series
from tui.commands.invocation import Invocation

if TYPE_CHECKING:
    from catalog.instruments import Definition
    from catalog.listing import SeriesSummary
    from catalog.store import Catalog
    from catalog.stretches import Coverage, State
    from core.workspace import Workspace
    from tui.output import Output

_MINUTES = len("2026-01-05 14:30")
_DATE = len("2026-01-05")
_SHOWN = 10
_STATES: dict[State, str] = {
    "held": "held",
    "none": "asked, the broker has none",
    "missing": "never asked",
}

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
        found = await asyncio.to_thread(workspace.catalog.list_series, invocation.output.progress)
        _print_series(found, invocation.output)
        if not found:
            invocation.output.line("nothing stored yet; get some with: quarterdeck fetch")
        invocation.output.summary(
            catalog=str(workspace.catalog.root),
            origin=await _tell_origin(workspace.catalog, invocation.output),
            series=[_record(one) for one in found],
        )
        return 0

    invocation.run(work)


@app.command()
def show(
    context: typer.Context,
    series: Annotated[
        str, typer.Argument(help="Such as AAPL.NASDAQ-1-MINUTE-LAST, or an instrument's id.")
    ],
) -> None:
    """Show one series: what is held, missing or closed when, which bars its sessions lack, and
    its instrument with all versions. For an instrument's id, its series and the instrument."""
    invocation: Invocation = context.obj

    async def work(workspace: Workspace) -> int:
        from catalog.files import DamagedFile
        from catalog.stretches import coverage

        catalog, output = workspace.catalog, invocation.output
        if (instrument_id := await asyncio.to_thread(catalog.alias, series)) is not None:
            await _show_instrument(instrument_id, workspace, output)
            return 0
        if "-" not in series:
            raise DataUnavailable(
                f"{series} is not in the catalog",
                f"{catalog.root} holds no instrument of that id",
                "list what it holds with: quarterdeck catalog list",
            )
        wanted = Series.from_bar_type(series.removesuffix("-EXTERNAL") + "-EXTERNAL")
        found = await asyncio.to_thread(catalog.list_series, output.progress)
        one = next((each for each in found if each.series == wanted), None)
        if one is None:
            raise DataUnavailable(
                f"{series} is not in the catalog",
                f"{catalog.root} holds {len(found)} other series",
                "list them with: quarterdeck catalog list",
                f"fetch it with: quarterdeck fetch {wanted.instrument_id} --bars {wanted.spec}",
            )
        versions = await asyncio.to_thread(catalog.versions, wanted.instrument_id)
        aliases = await asyncio.to_thread(catalog.aliases, wanted.instrument_id)
        try:
            told = await asyncio.to_thread(coverage, catalog, wanted)
        except DamagedFile as error:  # the rest can still be told
            told = None
            output.error(error)
        record = _record(one) | {"covered": f"{len(one.covered):,} spans"}
        record["flags"] = "; ".join(one.flags)
        output.fields({name.replace("_", " "): value for name, value in record.items()})
        output.line()
        if told is not None:
            _print_coverage(told, wanted, output)
        _print_instrument(versions, aliases, output)
        await _tell_origin(catalog, output)
        output.summary(
            **_record(one),
            coverage=None if told is None else _coverage_record(told, wanted),
            **_instrument_record(versions, aliases),
        )
        return 0

    invocation.run(work)


async def _show_instrument(instrument_id: str, workspace: Workspace, output: Output) -> None:
    catalog = workspace.catalog
    found = await asyncio.to_thread(catalog.list_series, output.progress)
    held = [one for one in found if one.series.instrument_id == instrument_id]
    versions = await asyncio.to_thread(catalog.versions, instrument_id)
    aliases = await asyncio.to_thread(catalog.aliases, instrument_id)
    _print_series(held, output)
    output.line()
    _print_instrument(versions, aliases, output)
    await _tell_origin(catalog, output)
    output.summary(
        instrument_id=instrument_id,
        series=[_record(one) for one in held],
        **_instrument_record(versions, aliases),
    )


def _print_series(found: Sequence[SeriesSummary], output: Output) -> None:
    output.table(
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


async def _tell_origin(catalog: Catalog, output: Output) -> Origin | None:
    """What kind of bars the catalog holds; simulated ones are called so."""
    origin = await asyncio.to_thread(lambda: catalog.origin)
    if is_simulated(origin):
        output.line("SIMULATED data: no real market ever had these prices")
    return origin


def _print_coverage(told: Coverage, series: Series, output: Output) -> None:
    output.table(
        {"coverage": False, "from": False, "to": False, "bars": True},
        (
            (_STATES[one.state], *_ends(one.start, one.end, series), f"{one.bars:,}")
            for one in told.stretches
        ),
    )
    if told.sessions is None:
        output.line("the sessions of its market are not known: all time counts as open")
        return
    days = ", ".join(map(str, told.closed[:_SHOWN])) or "no weekday"
    output.line(f"closed   {days}{_more(told.closed)}")
    holes = (" to ".join(_ends(one.start, one.end, series)) for one in told.holes[:_SHOWN])
    output.line(
        f"lacking  {told.lacking:,} bars inside held sessions"
        + "".join(f"\n         {text}" for text in holes)
        + _more(told.holes)
    )
    output.line(f"sessions as the {told.sessions} tells them")
    output.line()


def _print_instrument(
    versions: list[Definition], aliases: Mapping[str, str | None], output: Output
) -> None:
    from catalog.instruments import id_source

    if not versions:
        output.line("no instrument is stored with these bars")
        return
    latest = versions[-1]
    output.fields(
        {name: value for name, value in latest.items() if name != "info"} | (latest["info"] or {})
    )
    output.line()
    output.fields(
        {
            "versions": ", ".join(utc(int(one["ts_init"])) or "for all time" for one in versions),
            "id told by": id_source(latest),
            "also called": ", ".join(
                f"{name} ({source})" if source else name for name, source in aliases.items()
            ),
        }
    )


def _instrument_record(
    versions: list[Definition], aliases: Mapping[str, str | None]
) -> dict[str, object]:
    from catalog.instruments import id_source

    return {
        "instrument": versions[-1] if versions else None,
        "id_source": id_source(versions[-1]) if versions else None,
        "versions": [
            {"in_force_from": utc(int(each["ts_init"])), "definition": each} for each in versions
        ],
        "aliases": [{"name": name, "source": source} for name, source in aliases.items()],
    }


def _coverage_record(told: Coverage, series: Series) -> dict[str, object]:
    return {
        "sessions": told.sessions,
        "stretches": [
            dict(zip(("from", "to"), _ends(one.start, one.end, series), strict=True))
            | {"state": _STATES[one.state], "bars": one.bars}
            for one in told.stretches
        ],
        "closed": [str(day) for day in told.closed],
        "lacking": told.lacking,
        "holes": [
            dict(zip(("from", "to"), _ends(one.start, one.end, series), strict=True))
            | {"bars": one.bars}
            for one in told.holes
        ],
    }


def _ends(start: int, end: int, series: Series) -> tuple[str, str]:
    """Both ends of a span over opens: moments, or the first and the last date."""
    if series.spec.intraday:
        return utc(start), utc(end)
    return utc(start)[:_DATE], utc(end - 1)[:_DATE]


def _more(things: Sized) -> str:
    left = len(things) - _SHOWN
    return f" and {left:,} more" if left > 0 else ""


def _row(one: SeriesSummary) -> tuple[str, ...]:
    stamp = _MINUTES if one.series.spec.intraday else _DATE
    return (
        one.series.instrument_id,
        str(one.series.spec),
        utc(one.first)[:stamp],
        utc(one.last)[:stamp],
        f"{one.rows:,}",
        "?" if one.gaps is None else f"{one.gaps:,}",
        f"{one.bytes / 1024:,.0f}",
        _health(one),
    )


def _health(one: SeriesSummary) -> str:
    wrong = [f"{one.damaged} DAMAGED"] if one.damaged else []
    wrong += [] if one.has_instrument else ["ORPHAN"]
    wrong += [f"STALE: {one.stale}"] if one.stale else []
    return "; ".join([", ".join(wrong) or "ok", *one.flags])


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
        "updated": one.updated,
        "has_instrument": one.has_instrument,
        "damaged": one.damaged,
        "stale": one.stale,
        "flags": list(one.flags),
        "covered": _covered(one),
    }


def _covered(one: SeriesSummary) -> list[tuple[str, str]]:
    return [(utc(start), utc(end)) for start, end in one.covered]

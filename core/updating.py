"""Bring stored series to now; fetch a series anew when its stored bars are stale."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from catalog.columns import BarColumns
from catalog.coverage import Interval
from catalog.errors import DataUnavailable, WrongInput
from catalog.events import Event, Report, ignore
from catalog.files import Asked
from catalog.layout import folder_name
from catalog.ledger_rows import Note
from catalog.origin import is_adjusted, origin_of
from catalog.rewriting import Rewrite
from catalog.root import PRIVATE
from catalog.series import NANOS_PER_SECOND, Series
from catalog.store import BarsPersisted, Catalog
from core.asking import Pause
from core.fetch import FetchRequest, FetchSummary, SeriesFetched, backfill_instrument, fetch_each
from core.fetch_events import SeriesSkipped
from core.ibkr.connection import BrokerSession
from core.identity import Clock
from core.writing import write

_LOOK_BACK = {
    "DAY": timedelta(days=15),
    "WEEK": timedelta(weeks=6),
    "MONTH": timedelta(days=160),
}
_LOOK_BACK_INTRADAY = timedelta(days=7)
"""How far before the last stored bar an update begins: some sessions are compared again."""

_DATE = len("2026-01-05")
_RESUMABLE_SECONDS = 86_400.0
# A rebuild that was interrupted longer ago may hold what has been revised since.


def stored_series(catalog: Catalog, ids: Sequence[str], report: Report = ignore) -> list[Series]:
    """The series that are stored under these ids or names of series; all without ids. Blocking.

    Raises `WrongInput` for an id of which nothing is stored.
    """
    held = [summary.series for summary in catalog.list_series(report)]
    if not ids:
        return held
    chosen: list[Series] = []
    for typed in ids:
        name = typed.strip().upper()
        names = {name, catalog.alias(name)}
        found = [one for one in held if names & _names_of(one)]
        if not found:
            raise WrongInput(
                f"nothing is stored of '{typed}'",
                "an update brings to now what the catalog holds",
                f"fetch it first: quarterdeck fetch {typed} --bars 1-DAY-LAST",
            )
        chosen += [one for one in found if one not in chosen]
    return chosen


def _names_of(series: Series) -> set[str | None]:
    return {series.instrument_id, series.symbol, series.bar_type, str(series)}


async def update_all(
    ids: Sequence[str],
    *,
    catalog: Catalog,
    session: BrokerSession,
    clock: Clock,
    report: Report = ignore,
    pause: Pause = asyncio.sleep,
) -> FetchSummary:
    """Fetch what came after the last stored bars of each series, and compare those again.

    Bars that the broker corrected are replaced; a series with a split or other changes in its
    history is marked stale and fails. Series that no broker knows are skipped. Raises `WrongInput`
    for an id of which nothing is stored.
    """
    tell = _threadsafe(report)
    series = await asyncio.to_thread(stored_series, catalog, ids, tell)
    requests = await asyncio.to_thread(_requests, catalog, series, report=tell)
    return await fetch_each(
        requests, catalog=catalog, session=session, clock=clock, report=report, pause=pause
    )


async def rebuild(
    series: Series,
    *,
    catalog: Catalog,
    session: BrokerSession,
    clock: Clock,
    report: Report = ignore,
    pause: Pause = asyncio.sleep,
) -> SeriesFetched:
    """Fetch all of a series anew and put it in place of what is stored, as one change.

    It is fetched into a catalog aside, so that an interrupted rebuild goes on where it stopped;
    until it is whole and read back, the stored bars stay. They then lie in the trash, from where
    `catalog undo` takes them. Raises `DataUnavailable` for a series that no broker knows.
    """
    con_id = await asyncio.to_thread(catalog.con_id, series.instrument_id)
    typed_id = await asyncio.to_thread(_asked_as, catalog, series.instrument_id)
    covered = await asyncio.to_thread(catalog.covered, series)
    if typed_id is None or not covered:
        raise DataUnavailable(f"{series} cannot be rebuilt", "no broker is known to have it")
    hours = await asyncio.to_thread(catalog.hours, series)
    start, end = (_typed(moment, series) for moment in (covered[0][0], covered[-1][1] - 1))
    aside = await asyncio.to_thread(_open_aside, catalog.root, series)
    try:
        adjusted = is_adjusted(await asyncio.to_thread(lambda: catalog.origin))
        request = FetchRequest((typed_id,), series.spec, start, end, hours, adjusted=adjusted)
        summary = await fetch_each(
            [request], catalog=aside, session=session, clock=clock, report=report, pause=pause
        )
        (fetched,) = summary.series
        if fetched.error is not None or fetched.series is None:
            return replace(fetched, series=series)
        # The tick may have changed: the instrument is asked for, too.
        await backfill_instrument(
            series.instrument_id, catalog=catalog, session=session, clock=clock, report=report
        )
        bars, answered = await asyncio.to_thread(_read_aside, aside, fetched.series)
        answer = Asked(
            tuple(answered),
            hours or "regular",
            con_id,
            origin_of(simulated=session.state.simulated, adjusted=adjusted),
            clock().isoformat(),
        )
        await write(lambda tell: _put_in_place(catalog, series, bars, answer, tell), report)
    finally:
        await asyncio.to_thread(aside.close)
    await asyncio.to_thread(shutil.rmtree, aside.root)
    return replace(fetched, series=series)


def _requests(catalog: Catalog, series: Sequence[Series], report: Report) -> list[FetchRequest]:
    requests = []
    for one in series:
        covered = catalog.covered(one)
        if _asked_as(catalog, one.instrument_id) is None or not covered:
            report(SeriesSkipped(one, "no broker is known to have it"))
            continue
        last = datetime.fromtimestamp(covered[-1][1] // NANOS_PER_SECOND, UTC)
        begin = last - _LOOK_BACK.get(one.spec.unit, _LOOK_BACK_INTRADAY)
        start = max(covered[0][0], int(begin.timestamp()) * NANOS_PER_SECOND)
        requests.append(
            FetchRequest(
                (one.instrument_id,),
                one.spec,
                _typed(start, one),
                None,
                catalog.hours(one),
                recheck=True,
                adjusted=is_adjusted(catalog.origin),
            )
        )
    return requests


def _asked_as(catalog: Catalog, instrument_id: str) -> str | None:
    """What the broker knows an instrument by: its contract, or the name of a continuous future,
    whose contracts change. None when no broker is known to have it."""
    con_id = catalog.con_id(instrument_id)
    if con_id is not None:
        return f"conid:{con_id}"
    info = (catalog.instrument(instrument_id) or {}).get("info") or {}
    return instrument_id if info.get("sec_type") == "CONTFUT" else None


def _put_in_place(
    catalog: Catalog, series: Series, bars: BarColumns, answer: Asked, report: Report
) -> None:
    everything = (answer.intervals[0][0], answer.intervals[-1][1])
    held = catalog.covered(series)
    without = [(min(everything[0], held[0][0]), max(everything[1], held[-1][1]))]
    notes: dict[Note, str] = {}
    if why := catalog.note(series, "stale"):
        flags = (catalog.note(series, "flags"), f"{why}, rebuilt {answer.fetched_at[:_DATE]}")
        notes = {"stale": "", "flags": "\n".join(filter(None, flags))}
    title = f"rebuild {series}"
    catalog.rewrite_bars(
        Rewrite(series, title, without=without, bars=bars, answer=answer, notes=notes)
    )
    report(BarsPersisted(series, *everything, len(bars), catalog.files(series)[0]))


def _read_aside(aside: Catalog, series: Series) -> tuple[BarColumns, list[Interval]]:
    return aside.read_bars(series), aside.covered(series)


def _open_aside(root: Path, series: Series) -> Catalog:
    folder = root / PRIVATE / "rebuild" / folder_name(series.bar_type)
    if folder.exists() and time.time() - folder.stat().st_mtime > _RESUMABLE_SECONDS:
        shutil.rmtree(folder)
    return Catalog.open(folder)


def _typed(moment: int, series: Series) -> str:
    at = datetime.fromtimestamp(moment // NANOS_PER_SECOND, UTC)
    return f"{at:%Y-%m-%dT%H:%M:%S}" if series.spec.intraday else f"{at:%Y-%m-%d}"


def _threadsafe(report: Report) -> Report:
    loop = asyncio.get_running_loop()

    def tell(event: Event) -> None:
        loop.call_soon_threadsafe(report, event)

    return tell

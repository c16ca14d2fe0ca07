"""Bars without instruments: asked of the broker in one go, and moved to the id they belong to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from catalog.checks.reading import CheckProgress
from catalog.encoding import to_arrow, write_table
from catalog.errors import BrokerUnavailable
from catalog.events import Event
from catalog.health import CheckStopped
from catalog.layout import file_name
from catalog.repair import plan
from catalog.series import Series
from catalog.store import Catalog
from core import mending
from core.backfilling import BackfillFailed, backfill
from core.ibkr.connection import BrokerSession, ConnectionKind, Endpoint
from core.mending import check_catalog, repair_catalog, undo_last
from core.simulator.server import SimulatedGateway
from tests.scenarios.catalog_samples import AAPL, bars

NOW = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)
ORPHANS = ("AAPL.NASDAQ", "GDX.NASDAQ", "NOSUCH.NASDAQ")


def clock() -> datetime:
    return NOW


def write_orphan(root: Path, instrument_id: str) -> None:
    """An hour of minutes as another program left it."""
    series = replace(AAPL, instrument_id=instrument_id)
    columns = bars(AAPL, 60)
    folder = root / "data" / "bars" / series.bar_type
    folder.mkdir(parents=True)
    path = folder / file_name(int(columns.ts[0]), int(columns.ts[-1]))
    write_table(to_arrow(series, columns), path)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    for orphan in ORPHANS:
        write_orphan(tmp_path / "catalog", orphan)
    return Catalog.open(tmp_path / "catalog")


@pytest.fixture
async def session() -> AsyncIterator[BrokerSession]:
    async with SimulatedGateway(now=NOW) as gateway:
        session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
        yield session
        await session.disconnect()


async def kinds(catalog: Catalog) -> dict[str, set[str]]:
    found = await check_catalog(catalog, clock)
    said: dict[str, set[str]] = {}
    for finding in found.findings:
        said.setdefault(finding.subject.partition("-")[0], set()).add(finding.kind)
    return said


async def test_orphans_get_their_instruments_and_their_proper_ids(
    catalog: Catalog, session: BrokerSession
) -> None:
    before = await kinds(catalog)
    assert all("orphan" in before[orphan] for orphan in ORPHANS)
    events: list[Event] = []

    result = await backfill(catalog, session, clock, events.append)

    assert result.stored == {"AAPL.NASDAQ": "AAPL.NASDAQ", "GDX.NASDAQ": "GDX.ARCA"}
    assert set(result.failed) == {"NOSUCH.NASDAQ"}
    assert [event.instrument_id for event in events if isinstance(event, BackfillFailed)] == [
        "NOSUCH.NASDAQ"
    ]
    said = await kinds(catalog)
    assert "orphan" not in said["AAPL.NASDAQ"]
    assert "renamed" in said["GDX.NASDAQ"]
    assert "orphan" in said["NOSUCH.NASDAQ"]

    found = await check_catalog(catalog, clock)
    assert await repair_catalog(catalog, plan(found.findings)) == 0

    moved = Series("GDX.ARCA", AAPL.spec)
    assert len(catalog.read_bars(moved)) == 60
    assert "GDX.NASDAQ" not in await kinds(catalog)

    undone = await undo_last(catalog)
    assert undone.title == f"repair of {moved}"
    assert "renamed" in (await kinds(catalog))["GDX.NASDAQ"]


async def test_a_catalog_without_orphans_asks_no_broker(tmp_path: Path) -> None:
    session = BrokerSession(Endpoint("127.0.0.1", 1))
    result = await backfill(Catalog.open(tmp_path / "empty"), session, clock)
    assert (result.stored, result.failed) == ({}, {})
    assert session.state.kind is ConnectionKind.DISCONNECTED


async def test_orphans_without_a_broker_are_an_error_in_words(catalog: Catalog) -> None:
    with pytest.raises(BrokerUnavailable):
        await backfill(catalog, BrokerSession(Endpoint("127.0.0.1", 1)), clock)


async def test_a_cancelled_check_stops_between_files(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[type[BaseException]] = []
    real = mending.check

    def watched(*args: object, report: Callable[[Event], None], **kwargs: object) -> object:
        def slow(event: Event) -> None:
            report(event)
            assert not isinstance(event, CheckProgress) or cancelled.wait(10)

        try:
            return real(*args, report=slow, **kwargs)  # type: ignore[arg-type]
        except CheckStopped:
            ended.append(CheckStopped)
            raise

    cancelled = threading.Event()
    monkeypatch.setattr(mending, "check", watched)
    monkeypatch.setattr("catalog.checks.reading._BATCH", 1)
    first = asyncio.Event()
    checking = asyncio.create_task(check_catalog(catalog, clock, report=lambda event: first.set()))
    await first.wait()
    checking.cancel()
    await asyncio.sleep(0)
    cancelled.set()
    with pytest.raises(asyncio.CancelledError):
        await checking
    assert ended == [CheckStopped]

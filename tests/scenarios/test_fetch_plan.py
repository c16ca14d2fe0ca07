"""What a fetch would take, told before it starts."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
import pytest_asyncio

from catalog.errors import CatalogUnusable
from catalog.events import Event
from catalog.series import BarSpec
from catalog.store import Catalog
from core.estimate import FetchEstimated
from core.fetch import FetchPlan, FetchRequest, fetch_all, plan_all
from core.ibkr.connection import BrokerSession, Endpoint
from core.ibkr.pacing import Pacing
from core.ibkr.pacing_rules import Demand
from core.simulator.server import SimulatedGateway

NOW = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)
WEEK = FetchRequest(("AAPL", "IBM.NYSE"), BarSpec(1, "MINUTE"), "2026-11-02", "2026-11-13")


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[SimulatedGateway]:
    async with SimulatedGateway(now=NOW) as running:
        yield running


@pytest_asyncio.fixture
async def session(gateway: SimulatedGateway) -> AsyncIterator[BrokerSession]:
    session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
    yield session
    await session.disconnect()


async def plan(catalog: Catalog, session: BrokerSession) -> FetchPlan:
    return await plan_all(WEEK, catalog=catalog, session=session, clock=lambda: NOW)


async def test_a_plan_says_what_it_takes_and_stores_no_bars(
    gateway: SimulatedGateway, session: BrokerSession, tmp_path: Path
) -> None:
    catalog = Catalog.open(tmp_path)
    events: list[Event] = []
    planned = await plan(catalog, session)
    assert (planned.estimate.requests, planned.estimate.bars) == (4, 2 * 10 * 390)
    assert planned.estimate.size > planned.estimate.bars * 10
    assert catalog.list_series() == []

    summary = await fetch_all(
        WEEK, catalog=catalog, session=session, clock=lambda: NOW, report=events.append
    )

    assert sum(one.bars for one in summary.series) == planned.estimate.bars
    sent = [request.kind for request in gateway.requests].count("historical_bars")
    assert sent == planned.estimate.requests
    (told,) = [event for event in events if isinstance(event, FetchEstimated)]
    assert (told.requests, told.bars) == (4, 7_800)
    size = sum(file.bytes for file in catalog.list_series())
    assert size < planned.estimate.size
    assert (await plan(catalog, session)).estimate.requests == 0
    catalog.close()


async def test_what_the_disk_cannot_hold_is_not_begun(
    gateway: SimulatedGateway,
    session: BrokerSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    catalog = Catalog.open(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100_050_000))
    refusal = (await plan(catalog, session)).refusal
    assert isinstance(refusal, CatalogUnusable)
    assert "100 MB free" in refusal.reason
    summary = await fetch_all(WEEK, catalog=catalog, session=session, clock=lambda: NOW)
    assert [type(one.error) for one in summary.series] == [CatalogUnusable] * 2
    assert "historical_bars" not in [request.kind for request in gateway.requests]
    catalog.close()


async def test_bars_of_seconds_take_ten_minutes_for_sixty_requests(
    session: BrokerSession, tmp_path: Path
) -> None:
    catalog = Catalog.open(tmp_path)
    seconds = FetchRequest(("AAPL",), BarSpec(1, "SECOND"), "2026-11-02", "2026-11-13")
    planned = await plan_all(seconds, catalog=catalog, session=session, clock=lambda: NOW)
    assert planned.estimate.requests == 10 * 12
    assert planned.estimate.seconds == 600
    catalog.close()


async def test_where_the_data_begin_is_not_asked_when_that_would_mean_to_wait(
    gateway: SimulatedGateway, tmp_path: Path
) -> None:
    """Head timestamps share 60 requests in ten minutes with all small bars, of all programs."""
    pacing = Pacing(tmp_path / "pacing.sqlite3", "127.0.0.1", gateway.port)
    session = BrokerSession(Endpoint("127.0.0.1", gateway.port), pacing=pacing)
    quarter = FetchRequest(("AAPL", "IBM.NYSE"), BarSpec(1, "MINUTE"), "2026-08-18", "2026-11-17")
    used_up = [Demand(request=f"{number}", series=f"{number}", small=True) for number in range(46)]
    for demand in used_up:
        async with pacing.admitted(demand, 0.0, lambda event: None):
            pass
    for folder, heads in (("scarce", 0), ("plenty", 2)):
        planned = await plan_all(
            quarter, catalog=Catalog.open(tmp_path / folder), session=session, clock=lambda: NOW
        )
        assert all(one.plan and len(one.plan.chunks) == 13 for one in planned.series)
        asked = [request.kind for request in gateway.requests]
        assert asked.count("head_timestamp") == heads
        pacing.close()
        (tmp_path / "pacing.sqlite3").unlink()
    await session.disconnect()

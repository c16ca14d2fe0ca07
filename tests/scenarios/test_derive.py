"""Longer bars made of stored ones are those that the broker would have given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from catalog.columns import BarColumns
from catalog.errors import DataUnavailable, WrongInput
from catalog.series import BarSpec, Series
from catalog.store import Catalog
from core.deriving import derive
from core.fetch import FetchRequest, fetch_all
from core.ibkr.connection import BrokerSession, Endpoint
from core.simulator.server import SimulatedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)
MINUTES = BarSpec(1, "MINUTE")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def session() -> AsyncIterator[BrokerSession]:
    async with SimulatedGateway(now=NOW) as gateway:
        session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
        yield session
        await session.disconnect()


async def fetched(
    session: BrokerSession, folder: Path, series: Series, start: str, end: str
) -> tuple[Catalog, BarColumns]:
    catalog = Catalog.open(folder)
    request = FetchRequest((series.instrument_id,), series.spec, start, end)
    summary = await fetch_all(request, catalog=catalog, session=session, clock=lambda: NOW)
    assert not summary.failed
    return catalog, catalog.read_bars(series)


@pytest.mark.parametrize(
    ("instrument", "text", "start", "end"),
    [
        ("AAPL.NASDAQ", "5-MINUTE", "2026-10-29", "2026-11-03"),  # over the end of summer time
        ("AAPL.NASDAQ", "1-HOUR", "2026-03-05", "2026-03-10"),  # over its begin
        ("AAPL.NASDAQ", "1-HOUR", "2025-11-26", "2025-12-01"),  # a holiday and a half day
        ("IBM.NYSE", "1-DAY", "2025-11-24", "2025-12-01"),
        ("ESZ6.CME", "30-MINUTE", "2026-11-12", "2026-11-17"),  # Sunday's open
        ("^SPX.CBOE", "15-MINUTE", "2026-11-16", "2026-11-17"),  # no volume
    ],
)
async def test_they_equal_the_brokers(
    session: BrokerSession, tmp_path: Path, instrument: str, text: str, start: str, end: str
) -> None:
    spec = BarSpec.parse(text)
    source, made = Series(instrument, MINUTES), Series(instrument, spec)
    catalog, _ = await fetched(session, tmp_path / "minutes", source, start, end)
    other, theirs = await fetched(session, tmp_path / "broker", made, start, end)
    other.close()

    count = await derive(source, spec, catalog=catalog)

    assert catalog.read_bars(made) == theirs
    assert count == len(theirs) > 0
    assert await derive(source, spec, catalog=catalog) == 0
    catalog.close()


async def test_a_session_held_in_part_makes_no_bars_and_is_still_missing(
    session: BrokerSession, tmp_path: Path
) -> None:
    source, made = Series("AAPL.NASDAQ", MINUTES), Series("AAPL.NASDAQ", BarSpec(1, "DAY"))
    catalog, _ = await fetched(session, tmp_path, source, "2026-11-16", "2026-11-17T16:00")
    assert await derive(source, made.spec, catalog=catalog) == 1
    request = FetchRequest(("AAPL",), made.spec, "2026-11-16", "2026-11-17")
    summary = await fetch_all(request, catalog=catalog, session=session, clock=lambda: NOW)
    assert [one.bars for one in summary.series] == [1]
    catalog.close()


async def test_what_cannot_be_made_is_refused_in_words(
    session: BrokerSession, tmp_path: Path
) -> None:
    source = Series("AAPL.NASDAQ", MINUTES)
    start = "2026-11-17T15:00"
    catalog, _ = await fetched(session, tmp_path, source, start, "2026-11-17T16:00")
    for text in ("30-SECOND", "1-MINUTE", "7-MINUTE", "4-HOUR", "1-WEEK", "5-MINUTE-BID"):
        with pytest.raises(WrongInput):
            await derive(source, BarSpec.parse(text), catalog=catalog)
    with pytest.raises(DataUnavailable, match="no whole session"):
        await derive(source, BarSpec(5, "MINUTE"), catalog=catalog)
    with pytest.raises(DataUnavailable, match="no bars"):
        await derive(Series("IBM.NYSE", MINUTES), BarSpec(5, "MINUTE"), catalog=catalog)
    catalog.close()

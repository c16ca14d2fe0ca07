"""Fetching from the simulated gateway into a real catalog."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import WrongInput
from catalog.series import BarSpec, Series
from catalog.store import BarsPersisted, Catalog
from core.fetch import backfill_instrument
from core.fetch_events import ChunkRequested, IdCorrected
from core.ibkr.connection import BrokerSession, ConnectionKind, Endpoint
from tests.scenarios.fetch_desk import HOUR, NOW, Desk, ns

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPTION = "AAPL  270115C00300000.AMEX"


async def test_an_hour_of_minutes_is_sixty_bars_and_the_instrument(desk: Desk) -> None:
    fetched = await desk.fetch("AAPL.NASDAQ", "1-MINUTE-LAST", *HOUR)

    assert (fetched.outcome, fetched.bars, fetched.held, fetched.error) == ("stored", 60, 60, None)
    assert fetched.series is not None
    bars = desk.catalog.read_bars(fetched.series)
    assert bars.ts[0] == ns("2026-11-18T15:01")
    assert bars.ts[-1] == ns("2026-11-18T16:00")
    definition = desk.catalog.instrument("AAPL.NASDAQ")
    assert definition is not None
    assert definition["info"]["con_id"] == 265598
    assert definition["isin"] == "US0378331005"
    assert desk.catalog.origin == "simulated"
    assert not desk.told(IdCorrected)


async def test_the_instrument_is_stored_before_the_first_bar(desk: Desk) -> None:
    await desk.fetch("AAPL.NASDAQ", "1-MINUTE-LAST", *HOUR)
    names = [type(event).__name__ for event in desk.events]
    assert names.index("InstrumentStored") < names.index("BarsPersisted")
    assert desk.asked().index("contract_details") < desk.asked().index("historical_bars")


async def test_a_second_fetch_makes_no_request_and_needs_no_broker(
    desk: Desk, closed_port: int
) -> None:
    await desk.fetch("AAPL.NASDAQ", "1-MINUTE-LAST", *HOUR)
    await desk.session.disconnect()
    before = len(desk.gateway.requests)
    desk.session = BrokerSession(Endpoint("127.0.0.1", closed_port))

    again = await desk.fetch("AAPL.NASDAQ", "1-MINUTE-LAST", *HOUR)

    assert (again.outcome, again.requests, again.held) == ("nothing to do", 0, 60)
    assert len(desk.gateway.requests) == before
    assert desk.session.state.kind is ConnectionKind.DISCONNECTED


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [("GDX.NASDAQ", "GDX.ARCA"), ("IBM", "IBM.NYSE"), ("aapl.island", "AAPL.NASDAQ")],
)
async def test_the_canonical_id_is_told_and_found_next_time_without_broker(
    desk: Desk, closed_port: int, typed: str, canonical: str
) -> None:
    first = await desk.fetch(typed, "1-MINUTE-LAST", *HOUR)
    assert first.series == Series(canonical, BarSpec(1, "MINUTE"))
    assert [(told.typed, told.canonical) for told in desk.told(IdCorrected)] == [(typed, canonical)]

    desk.session = BrokerSession(Endpoint("127.0.0.1", closed_port))
    again = await desk.fetch(typed, "1-MINUTE-LAST", *HOUR)
    assert (again.series, again.outcome) == (first.series, "nothing to do")
    assert desk.told(IdCorrected)


async def test_only_the_missing_minutes_are_asked_for(desk: Desk) -> None:
    await desk.fetch("AAPL", "1-MINUTE-LAST", *HOUR)
    more = await desk.fetch("AAPL", "1-MINUTE-LAST", "2026-11-18T15:30", "2026-11-18T16:45")
    assert (more.bars, more.held) == (45, 75)
    assert [(one.start, one.end) for one in desk.told(ChunkRequested)] == [
        (ns("2026-11-18T16:00"), ns("2026-11-18T16:45"))
    ]


async def test_a_hole_in_the_middle_is_all_that_is_asked_for(desk: Desk) -> None:
    await desk.fetch("AAPL", "1-MINUTE-LAST", "2026-11-17", "2026-11-17")
    await desk.fetch("AAPL", "1-MINUTE-LAST", "2026-11-12", "2026-11-12")
    whole = await desk.fetch("AAPL", "1-MINUTE-LAST", "2026-11-12", "2026-11-17")
    assert [(one.start, one.end) for one in desk.told(ChunkRequested)] == [
        (ns("2026-11-13T14:30"), ns("2026-11-16T21:00"))  # Friday and Monday in one request
    ]
    assert whole.held == 4 * 390


async def test_fetched_in_pieces_or_at_once_the_bars_are_the_same(
    desk: Desk, tmp_path: Path
) -> None:
    for start, end in (("2026-11-13", "2026-11-16"), ("2026-10-29", "2026-11-13")):
        await desk.fetch("IBM", "5-MINUTE-LAST", start, end)
    pieces = desk.catalog
    desk.catalog = Catalog.open(tmp_path / "other")
    fetched = await desk.fetch("IBM", "5-MINUTE-LAST", "2026-10-29", "2026-11-16")
    assert fetched.series is not None
    assert pieces.read_bars(fetched.series) == desk.catalog.read_bars(fetched.series)
    pieces.close()


async def test_a_month_of_minutes_is_one_run_of_chunks(desk: Desk) -> None:
    fetched = await desk.fetch("MSFT", "1-MINUTE-LAST", "2026-10-19", "2026-11-17")
    assert fetched.bars == fetched.held == 22 * 390
    assert desk.asked().count("historical_bars") == 5  # five sessions each
    ts = desk.catalog.read_bars(Series("MSFT.NASDAQ", BarSpec(1, "MINUTE"))).ts
    assert np.all(np.diff(ts) > 0)
    assert sum(event.bars for event in desk.told(BarsPersisted)) == fetched.bars


@pytest.mark.parametrize(
    ("typed", "bars", "canonical", "kind", "count"),
    [
        ("ESZ6.CME", "1-MINUTE-LAST", "ESZ6.CME", "FuturesContract", 1_380),
        ("EUR/USD", "1-MINUTE-BID", "EUR/USD.IDEALPRO", "CurrencyPair", 1_425),
        ("EUR.USD", "5-MINUTE-ASK", "EUR/USD.IDEALPRO", "CurrencyPair", 285),
        ("eurusd", "15-MINUTE-MID", "EUR/USD.IDEALPRO", "CurrencyPair", 95),
        ("^SPX.CBOE", "1-MINUTE-LAST", "^SPX.CBOE", "IndexInstrument", 390),
        ("IBM.NYSE", "1-HOUR-LAST", "IBM.NYSE", "Equity", 7),
        ("700.SEHK", "1-MINUTE-LAST", "700.SEHK", "Equity", 330),
        ("BTC/USD.PAXOS", "1-MINUTE-LAST", "BTC/USD.PAXOS", "CurrencyPair", 1_350),
        ("AAPL270115C00300000", "5-MINUTE-MID", OPTION, "OptionContract", 78),
        ("AAPL270115C00300000", "1-MINUTE-LAST", OPTION, "OptionContract", 390),
    ],
)
async def test_each_asset_class_over_a_trading_date(
    desk: Desk, typed: str, bars: str, canonical: str, kind: str, count: int
) -> None:
    fetched = await desk.fetch(typed, bars, "2026-11-18", "2026-11-18")
    assert fetched.error is None
    assert (fetched.bars, fetched.held) == (count, count)
    definition = desk.catalog.instrument(canonical)
    assert definition is not None
    assert definition["type"] == kind
    again = await desk.fetch(typed, bars, "2026-11-18", "2026-11-18")
    assert (again.outcome, again.requests) == ("nothing to do", 0)


async def test_simulated_bars_do_not_mix_with_real_ones(desk: Desk) -> None:
    await backfill_instrument("IBM", catalog=desk.catalog, session=desk.session, clock=lambda: NOW)
    real = Catalog.open(desk.catalog.root.parent / "real")
    definition = desk.catalog.instrument("IBM.NYSE")
    assert definition is not None
    await asyncio.to_thread(real.store_instrument, definition, origin="real")
    desk.catalog.close()
    desk.catalog = real
    desk.gateway.requests.clear()

    fetched = await desk.fetch("AAPL", "1-MINUTE-LAST", *HOUR)

    assert isinstance(fetched.error, WrongInput)
    assert "real" in fetched.error.title
    assert desk.asked() == []


async def test_hours_do_not_mix_in_a_series(desk: Desk) -> None:
    await desk.fetch("AAPL", "1-HOUR-LAST", "2026-11-18", "2026-11-18")
    asked = len(desk.asked())
    fetched = await desk.fetch("AAPL", "1-HOUR-LAST", "2026-11-17", "2026-11-17", "all")
    assert isinstance(fetched.error, WrongInput)
    assert len(desk.asked()) == asked
    assert desk.catalog.read_bars(Series("AAPL.NASDAQ", BarSpec(1, "HOUR"))).ts[0] > ns(
        "2026-11-18T00:00"
    )


async def test_a_series_of_all_hours_goes_on_with_all_hours(desk: Desk) -> None:
    await desk.fetch("AAPL", "1-HOUR-LAST", "2026-11-17", "2026-11-17", "all")
    longer = await desk.fetch("AAPL", "1-HOUR-LAST", "2026-11-16", "2026-11-17")
    assert (longer.outcome, longer.held) == ("stored", 2 * 16)


async def test_an_instrument_can_be_had_without_bars(desk: Desk) -> None:
    found = await backfill_instrument(
        "GDX.NASDAQ", catalog=desk.catalog, session=desk.session, clock=lambda: NOW
    )
    assert found == "GDX.ARCA"
    assert desk.catalog.instrument_ids() == ["GDX.ARCA"]
    assert "historical_bars" not in desk.asked()

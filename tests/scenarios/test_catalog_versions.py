"""Instruments over time: what the broker says otherwise becomes a version, dated and kept."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from catalog.errors import BrokerUnavailable
from catalog.instruments import InstrumentStored, InstrumentUnchanged, id_source
from catalog.store import Catalog
from core.ibkr.connection import BrokerSession, Endpoint
from core.identity import backfill_instrument
from core.instrument_updates import InstrumentNotUpdated, InstrumentUpdates, update_instruments
from tests.scenarios.catalog_samples import AAPL, definition
from tests.scenarios.fetch_desk import NOW, Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")

LATER = NOW + timedelta(days=30)
META = 107113386


class Versions(Desk):
    """A desk that is told of instruments again."""

    async def know(self, *typed: str) -> None:
        for one in typed:
            await backfill_instrument(
                one, catalog=self.catalog, session=self.session, clock=lambda: NOW
            )

    async def update(self) -> InstrumentUpdates:
        self.events.clear()
        return await update_instruments(
            self.catalog, self.session, lambda: LATER, self.events.append
        )

    async def told_otherwise(self, instrument_id: str, **changes: Any) -> None:
        """The stored definition, as if the broker had said this of it until now."""
        stored = self.catalog.instrument(instrument_id)
        assert stored is not None
        info = stored["info"] | changes.pop("info", {})
        definition = {**stored, **changes, "info": info}
        await asyncio.to_thread(self.catalog.store_instrument, definition, origin="simulated")


@pytest.fixture
def desk(desk: Desk) -> Versions:
    return Versions(desk.gateway, desk.session, desk.catalog)


async def test_what_differs_becomes_a_version_and_the_same_does_not(desk: Versions) -> None:
    await desk.know("AAPL", "GDX", "IBM")
    await desk.told_otherwise("GDX.ARCA", isin="US0000000000", ts_init=1)

    result = await desk.update()

    assert (result.changed, result.unchanged) == (["GDX.ARCA"], ["AAPL.NASDAQ", "IBM.NYSE"])
    stored = [one for one in desk.events if isinstance(one, InstrumentStored)]
    unchanged = [one for one in desk.events if isinstance(one, InstrumentUnchanged)]
    assert [one.instrument_id for one in stored] == ["GDX.ARCA"]
    assert len(unchanged) == 2
    versions = desk.catalog.versions("GDX.ARCA")
    assert [one["isin"] == "US0000000000" for one in versions] == [False, True, False]
    assert int(versions[-1]["ts_init"]) == int(LATER.timestamp()) * 10**9
    assert len(desk.catalog.versions("AAPL.NASDAQ")) == 1

    again = await desk.update()
    assert (again.changed, len(again.unchanged)) == ([], 3)


async def test_a_renamed_contract_keeps_the_id_it_is_stored_under(desk: Versions) -> None:
    await desk.know("META")
    stored = desk.catalog.instrument("META.NASDAQ")
    assert stored is not None
    elsewhere = Catalog.open(desk.catalog.root.parent / "before the rename")
    before = {**stored, "id": "FB.NASDAQ", "raw_symbol": "FB"}
    await asyncio.to_thread(elsewhere.store_instrument, before, origin="simulated")
    desk.catalog = elsewhere

    result = await desk.update()

    assert (result.changed, elsewhere.instrument_ids()) == (["FB.NASDAQ"], ["FB.NASDAQ"])
    latest = elsewhere.instrument("FB.NASDAQ")
    assert latest is not None and latest["raw_symbol"] == "META"
    assert elsewhere.alias("META.NASDAQ") == "FB.NASDAQ"
    assert elsewhere.aliases("FB.NASDAQ") == {f"CONID:{META}": "broker", "META.NASDAQ": "broker"}
    assert id_source(latest) == f"the simulated broker, for contract {META}"


async def test_one_the_broker_does_not_know_stays_and_the_others_go_on(desk: Versions) -> None:
    await desk.know("IBM")
    stored = desk.catalog.instrument("IBM.NYSE")
    assert stored is not None
    source = {"source": "simulated"}
    for name, info in (("GONE.NYSE", source), ("OIL.SIM", {**source, "made_up": True})):
        definition = {**stored, "id": name, "info": info}
        await asyncio.to_thread(desk.catalog.store_instrument, definition, origin="simulated")

    result = await desk.update()

    assert (result.unchanged, result.made_up) == (["IBM.NYSE"], ["OIL.SIM"])
    assert set(result.failed) == {"GONE.NYSE"}
    assert [one.instrument_id for one in desk.events if isinstance(one, InstrumentNotUpdated)] == [
        "GONE.NYSE"
    ]


async def test_a_made_up_instrument_gives_way_to_the_brokers_for_all_time(
    desk: Versions,
) -> None:
    await desk.know("IBM")
    real = desk.catalog.instrument("IBM.NYSE")
    assert real is not None
    made = {**real, "ts_init": 0, "isin": None, "info": {"source": "simulated", "made_up": True}}
    fresh = Catalog.open(desk.catalog.root.parent / "fresh")
    await asyncio.to_thread(fresh.store_instrument, made, origin="simulated")
    assert fresh.instrument("IBM.NYSE", at=1) is not None
    await asyncio.to_thread(fresh.store_instrument, real, origin="simulated")
    in_force = fresh.instrument("IBM.NYSE", at=1)
    assert in_force is not None and in_force["isin"] == real["isin"] is not None


async def test_without_a_broker_nothing_is_asked_and_an_empty_catalog_needs_none(
    desk: Versions, closed_port: int
) -> None:
    nobody = BrokerSession(Endpoint("127.0.0.1", closed_port, None, timeout=1.0))
    empty = Versions(desk.gateway, nobody, desk.catalog)
    assert await empty.update() == InstrumentUpdates()
    await asyncio.to_thread(empty.catalog.store_instrument, definition(AAPL), origin="simulated")
    with pytest.raises(BrokerUnavailable):
        await empty.update()

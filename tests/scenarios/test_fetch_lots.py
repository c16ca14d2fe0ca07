"""Volumes of US stocks that come in lots of 100, as some gateways are set up to send them."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.series import BarSpec, Series
from catalog.store import Catalog
from core.fetch_events import BarsRounded, VolumesInLots
from core.ibkr.connection import BrokerSession, Endpoint
from core.simulator.faults import Fault
from core.simulator.server import SimulatedGateway
from tests.scenarios.fetch_desk import HOUR, NOW, Desk

pytestmark = pytest.mark.asyncio(loop_scope="module")

LOTS = Fault(what="lots", at="historical_bars", times=0)


async def test_lots_are_stored_as_shares_and_told_once_a_series(desk: Desk, tmp_path: Path) -> None:
    await desk.fetch("AAPL", "1-MINUTE-LAST", "2026-11-02", "2026-11-13")
    assert not desk.told(VolumesInLots)

    async with SimulatedGateway(now=NOW, faults=(LOTS,)) as in_lots:
        session = BrokerSession(Endpoint("127.0.0.1", in_lots.port))
        other = Desk(in_lots, session, Catalog.open(tmp_path / "in lots"))
        await other.fetch("AAPL", "1-MINUTE-LAST", "2026-11-02", "2026-11-13")
        assert [told.series for told in other.told(VolumesInLots)] == [_minutes("AAPL.NASDAQ")]
        assert not other.told(BarsRounded)
        # One bar need not show it: what the gateway did before says so.
        await other.fetch("IBM", "1-MINUTE-LAST", HOUR[0], "2026-11-18T15:01")
        assert other.told(VolumesInLots)
        await session.disconnect()

    await desk.fetch("IBM", "1-MINUTE-LAST", HOUR[0], "2026-11-18T15:01")
    for each in (_minutes("AAPL.NASDAQ"), _minutes("IBM.NYSE")):
        assert other.catalog.read_bars(each) == desk.catalog.read_bars(each)
    other.catalog.close()


def _minutes(instrument_id: str) -> Series:
    return Series(instrument_id, BarSpec(1, "MINUTE"))

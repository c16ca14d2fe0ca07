"""What IBKR gives only up to now, without an end of ours: continuous futures, adjusted prices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog.errors import DataUnavailable, WrongInput
from catalog.series import BarSpec, Series
from catalog.store import Catalog
from core.fetch import FetchRequest, SeriesFetched, fetch_series
from core.ibkr.connection import BrokerSession, Endpoint
from core.simulator.server import SimulatedGateway
from core.updating import rebuild, update_all

NOW = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)
BEFORE_THE_DIVIDEND = datetime(2026, 11, 6, 22, 30, tzinfo=UTC)
BEFORE_THE_ROLL = datetime(2026, 9, 16, 22, 30, tzinfo=UTC)
DAYS = BarSpec(1, "DAY")


class Desk:
    """A catalog, and a simulated gateway at some moment."""

    def __init__(self, gateway: SimulatedGateway, catalog: Catalog, now: datetime) -> None:
        self.gateway = gateway
        self.catalog = catalog
        self.session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
        self._now = now

    @property
    def terms(self) -> dict[str, Any]:
        """What every kind of fetch is called with."""
        return {"catalog": self.catalog, "session": self.session, "clock": lambda: self._now}

    async def fetch(
        self, typed: str, bars: BarSpec, start: str, end: str, *, adjusted: bool = False
    ) -> SeriesFetched:
        request = FetchRequest((typed,), bars, start, end, adjusted=adjusted)
        return await fetch_series(typed, request, **self.terms)

    def bars_asked_for(self) -> int:
        return sum(request.kind == "historical_bars" for request in self.gateway.requests)


@asynccontextmanager
async def at_desk(folder: Path, now: datetime = NOW) -> AsyncIterator[Desk]:
    catalog = Catalog.open(folder)
    async with SimulatedGateway(now=now) as gateway:
        desk = Desk(gateway, catalog, now)
        yield desk
        await desk.session.disconnect()
    catalog.close()


async def test_a_continuous_future_is_the_contract_in_front_on_each_day(tmp_path: Path) -> None:
    async with at_desk(tmp_path) as desk:
        fetched = await desk.fetch("ES.CME", DAYS, "2026-09-14", "2026-09-23")
        assert fetched.error is None
        asked = desk.bars_asked_for()
        again = await desk.fetch("es.cme", DAYS, "2026-09-14", "2026-09-23")
        assert (again.outcome, desk.bars_asked_for()) == ("nothing to do", asked)
        for contract, start, end in (
            ("ESU6.CME", "2026-09-14", "2026-09-17"),
            ("ESZ6.CME", "2026-09-18", "2026-09-23"),
        ):
            await desk.fetch(contract, DAYS, start, end)
        continuous = desk.catalog.read_bars(Series("ES.CME", DAYS))
        parts = [desk.catalog.read_bars(Series(name, DAYS)) for name in ("ESU6.CME", "ESZ6.CME")]
        definition = desk.catalog.instrument("ES.CME")
    assert (fetched.outcome, fetched.bars, len(continuous)) == ("stored", 8, 8)
    for column in ("ts", "open", "high", "low", "close", "volume"):
        apart = np.concatenate([getattr(part, column) for part in parts])
        assert np.array_equal(getattr(continuous, column), apart)
    assert definition is not None
    assert (definition["type"], definition["multiplier"]) == ("FuturesContract", "50")
    assert definition["expiration_ns"] > continuous.ts[-1]
    assert definition["info"]["con_id"] is None
    assert definition["info"]["front_con_id"] == 515416632


async def test_a_continuous_future_goes_on_over_a_roll(tmp_path: Path) -> None:
    async with at_desk(tmp_path, BEFORE_THE_ROLL) as desk:
        before = await desk.fetch("ES.CME", DAYS, "2026-09-10", "2026-09-16")
        definition = desk.catalog.instrument("ES.CME")
        assert definition is not None
        assert definition["info"]["front_con_id"] == 649180671
    async with at_desk(tmp_path) as desk:
        after = await desk.fetch("ES.CME", DAYS, "2026-09-10", "2026-09-23")
        first, second = desk.catalog.versions("ES.CME")
    assert (before.bars, after.bars, after.held, after.error) == (5, 5, 10, None)
    assert first["info"]["front_con_id"] != second["info"]["front_con_id"]
    assert first["expiration_ns"] == second["expiration_ns"]


async def test_a_continuous_future_is_updated_and_rebuilt_like_any_other(tmp_path: Path) -> None:
    series = Series("ES.CME", DAYS)
    async with at_desk(tmp_path, BEFORE_THE_ROLL) as desk:
        await desk.fetch("ES.CME", DAYS, "2026-09-10", "2026-09-16")
    async with at_desk(tmp_path) as desk:
        (updated,) = (await update_all(["ES.CME"], **desk.terms)).series
        stored = desk.catalog.read_bars(series)
        rebuilt = await rebuild(series, **desk.terms)
        anew = desk.catalog.read_bars(series)
    assert (updated.error, updated.bars, updated.held) == (None, 45, 50)
    assert rebuilt.error is None
    assert anew == stored


async def test_minutes_of_a_continuous_future_are_clipped_to_the_range(tmp_path: Path) -> None:
    minutes = BarSpec(1, "MINUTE")
    async with at_desk(tmp_path) as desk:
        fetched = await desk.fetch("ES.CME", minutes, "2026-11-17T15:00", "2026-11-17T16:00")
        assert (fetched.bars, fetched.held) == (60, 60)
        refused = await desk.fetch("ES.CME", minutes, "2026-01-05", "2026-01-06")
    assert isinstance(refused.error, WrongInput)
    assert "too long ago" in refused.error.title


async def test_a_continuous_future_that_there_is_not_is_told(tmp_path: Path) -> None:
    async with at_desk(tmp_path) as desk:
        fetched = await desk.fetch("XX.CME", DAYS, "2026-09-14", "2026-09-23")
    assert isinstance(fetched.error, WrongInput)
    assert "unknown symbol" in fetched.error.title


async def test_adjusted_prices_carry_the_dividends_paid_since(tmp_path: Path) -> None:
    """IBM paid on 10 November, and what it trades at before is told lower by 0.59 %."""
    days = ("2026-11-02", "2026-11-17")
    series = Series("IBM.NYSE", DAYS)
    async with at_desk(tmp_path / "raw") as desk:
        await desk.fetch("IBM.NYSE", DAYS, *days)
        raw = desk.catalog.read_bars(series)
    async with at_desk(tmp_path / "adjusted") as desk:
        fetched = await desk.fetch("IBM.NYSE", DAYS, *days, adjusted=True)
        adjusted = desk.catalog.read_bars(series)
        again = await desk.fetch("IBM.NYSE", DAYS, *days, adjusted=True)
        assert desk.bars_asked_for() == 1
        assert desk.catalog.origin == "simulated adjusted"
    assert (fetched.error, fetched.bars, again.outcome) == (None, 12, "nothing to do")
    ratio = adjusted.close / raw.close
    assert ratio[:6] == pytest.approx(0.9941, abs=1e-4)
    assert (ratio[6:] == 1).all()


async def test_adjusted_and_raw_prices_do_not_mix_in_a_catalog(tmp_path: Path) -> None:
    days = ("2026-11-12", "2026-11-17")
    for adjusted in (False, True):
        async with at_desk(tmp_path / str(adjusted)) as desk:
            first = await desk.fetch("IBM.NYSE", DAYS, *days, adjusted=adjusted)
            # Also where all of it is held, and for another stock.
            mixed = [
                await desk.fetch(name, DAYS, *days, adjusted=not adjusted)
                for name in ("IBM.NYSE", "AAPL.NASDAQ")
            ]
            assert desk.catalog.instrument_ids() == ["IBM.NYSE"]
        assert first.error is None
        for fetched in mixed:
            assert isinstance(fetched.error, WrongInput)
            assert f"holds {'adjusted' if adjusted else 'raw'} prices" in fetched.error.title


async def test_only_trades_of_stocks_are_adjusted(tmp_path: Path) -> None:
    days = ("2026-11-12", "2026-11-17")
    wrong = [
        ("ESZ6.CME", DAYS),
        ("conid:515416632", DAYS),
        ("EUR/USD", DAYS.with_side("MID")),
        ("IBM.NYSE", DAYS.with_side("BID")),
        ("IBM.NYSE", BarSpec(1, "WEEK")),
    ]
    async with at_desk(tmp_path) as desk:
        for typed, bars in wrong:
            fetched = await desk.fetch(typed, bars, *days, adjusted=True)
            assert isinstance(fetched.error, WrongInput)
            assert "adjusted" in fetched.error.title
        assert desk.catalog.list_series() == []


@pytest.mark.parametrize("start", ["2026-10-20", "2026-11-12"])
async def test_a_dividend_makes_adjusted_bars_stale_and_a_rebuild_mends_them(
    tmp_path: Path, start: str
) -> None:
    """Whether the range that is asked for overlaps what is held or not."""
    series = Series("IBM.NYSE", DAYS)
    async with at_desk(tmp_path, BEFORE_THE_DIVIDEND) as desk:
        await desk.fetch("IBM.NYSE", DAYS, "2026-10-26", "2026-11-06", adjusted=True)
        before = desk.catalog.read_bars(series)
    async with at_desk(tmp_path) as desk:
        stale = await desk.fetch("IBM.NYSE", DAYS, start, "2026-11-17", adjusted=True)
        assert desk.catalog.read_bars(series) == before
        rebuilt = await rebuild(series, **desk.terms)
        after = desk.catalog.read_bars(series)
        (updated,) = (await update_all(["IBM.NYSE"], **desk.terms)).series
    assert isinstance(stale.error, DataUnavailable)
    assert "stale" in stale.error.title
    assert (rebuilt.error, updated.error, updated.bars) == (None, None, 8)
    assert after.close / before.close == pytest.approx(0.9941, abs=1e-4)

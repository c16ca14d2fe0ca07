"""Each way a request can end is a value of its own, against the simulated gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import pytest_asyncio

from catalog.errors import WrongInput
from core.ibkr.connection import BrokerSession, Endpoint
from core.ibkr.contracts import parse_id, resolve, search
from core.ibkr.requests import (
    Bars,
    Empty,
    Failure,
    Lost,
    NotFound,
    Pacing,
    Refused,
    Timeout,
    head_timestamp,
    historical_bars,
    historical_schedule,
)
from core.ibkr.schedule import read_schedule
from core.simulator.server import SimulatedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def session(gateway: SimulatedGateway) -> AsyncIterator[BrokerSession]:
    gateway.requests.clear()
    gateway.latency = 0.0
    gateway.force_pacing(0)
    session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
    await session.connect()
    yield session
    await session.disconnect()


def contract(symbol: str = "AAPL", sec_type: str = "STK", exchange: str = "SMART") -> Any:
    from ib_async import Contract

    return Contract(symbol=symbol, secType=sec_type, exchange=exchange, currency="USD")


async def ask(session: BrokerSession, asked: Any = None, **changes: Any) -> Bars | Failure:
    request = {
        "end": datetime(2026, 11, 18, 16, tzinfo=UTC),
        "duration": "600 S",
        "bar_size": "1 min",
        "what": "TRADES",
        "regular_hours": True,
        "timeout": 5.0,
    }
    return await historical_bars(session, asked or contract(), **(request | changes))


async def test_minutes_come_with_aware_utc_times(session: BrokerSession) -> None:
    answer = await ask(session)
    assert isinstance(answer, Bars)
    assert [bar.date for bar in answer.bars][:2] == [
        datetime(2026, 11, 18, 15, 50, tzinfo=UTC),
        datetime(2026, 11, 18, 15, 51, tzinfo=UTC),
    ]


async def test_days_come_with_dates(session: BrokerSession) -> None:
    answer = await ask(session, duration="2 D", bar_size="1 day")
    assert isinstance(answer, Bars)
    assert answer.bars[0].date == date(2026, 11, 17)


async def test_an_unknown_contract_is_not_found(session: BrokerSession) -> None:
    assert isinstance(await ask(session, contract("XYZQ")), NotFound)


async def test_no_data_is_empty_and_not_a_failure_of_another_kind(session: BrokerSession) -> None:
    answer = await ask(session, end=datetime(1999, 1, 4, tzinfo=UTC))
    assert isinstance(answer, Empty)
    assert "no data" in answer.text


async def test_trades_of_a_currency_pair_are_refused_in_the_brokers_words(
    session: BrokerSession,
) -> None:
    answer = await ask(session, contract("EUR", "CASH", "IDEALPRO"))
    assert isinstance(answer, Refused)
    assert "No historical market data" in answer.text


async def test_a_request_that_fails_validation_ends_at_once(session: BrokerSession) -> None:
    async with asyncio.timeout(20):
        answer = await ask(session, bar_size="7 mins", timeout=30.0)
    assert isinstance(answer, Refused)
    assert answer.code == 321
    assert "Legal ones are" in answer.text


async def test_a_pacing_violation_is_pacing(
    session: BrokerSession, gateway: SimulatedGateway
) -> None:
    gateway.force_pacing(1)
    assert isinstance(await ask(session), Pacing)
    assert isinstance(await ask(session), Bars)


async def test_a_slow_answer_times_out_and_is_cancelled_at_the_broker(
    session: BrokerSession, gateway: SimulatedGateway
) -> None:
    gateway.latency = 30.0
    assert await ask(session, timeout=0.2) == Timeout(0.2)
    gateway.latency = 0.0
    assert isinstance(await ask(session), Bars)  # by then the cancel has arrived, too
    assert [request.kind for request in gateway.requests].count("cancel_historical_bars") == 1


async def test_a_cancelled_task_cancels_the_request_at_the_broker(
    session: BrokerSession, gateway: SimulatedGateway
) -> None:
    gateway.latency = 30.0
    task = asyncio.create_task(ask(session))
    await session.ping()  # the request has been read when this is answered
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await session.ping()
    assert gateway.requests[-1].kind == "cancel_historical_bars"


async def test_leaving_ends_what_is_being_asked(
    session: BrokerSession, gateway: SimulatedGateway
) -> None:
    gateway.latency = 30.0
    task = asyncio.create_task(ask(session, timeout=30.0))
    await session.ping()
    await session.disconnect()
    async with asyncio.timeout(20):
        assert isinstance(await task, Lost)
    assert isinstance(await ask(session), Lost)


async def test_the_schedule_tells_sessions_with_their_dates(session: BrokerSession) -> None:
    answer = await historical_schedule(
        session,
        contract(),
        end=datetime(2026, 11, 18, 22, tzinfo=UTC),
        duration="2 D",
        regular_hours=True,
    )
    sessions = read_schedule(answer)  # type: ignore[arg-type]
    assert sessions.zone == "America/New_York"
    assert sessions.intervals()[-1] == (
        int(datetime(2026, 11, 18, 14, 30, tzinfo=UTC).timestamp()) * 1_000_000_000,
        int(datetime(2026, 11, 18, 21, 0, tzinfo=UTC).timestamp()) * 1_000_000_000,
    )
    assert sessions.for_date(date(2026, 11, 17)) is not None


async def test_the_head_timestamp_is_aware_utc(session: BrokerSession) -> None:
    head = await head_timestamp(session, contract("TSLA"), what="TRADES", regular_hours=True)
    assert head == datetime(2010, 6, 29, 13, 30, tzinfo=UTC)


async def test_a_search_lists_contracts(session: BrokerSession) -> None:
    matches = await search(session, "AAPL")
    assert (matches[0].symbol, matches[0].exchange, matches[0].con_id) == ("AAPL", "NASDAQ", 265598)


async def test_a_contract_id_and_an_expired_future_resolve(session: BrokerSession) -> None:
    assert (await resolve(session, parse_id("conid:265598"))).instrument_id == "AAPL.NASDAQ"
    expired = await resolve(session, parse_id("ESM5.CME"))
    assert (expired.instrument_id, expired.contract.includeExpired) == ("ESM5.CME", True)


@pytest.mark.parametrize(("typed", "way"), [("APPLE", "AAPL NASDAQ"), ("XYZQ", "spelling")])
async def test_an_unknown_symbol_comes_with_similar_ones(
    session: BrokerSession, typed: str, way: str
) -> None:
    with pytest.raises(WrongInput) as refused:
        await resolve(session, parse_id(typed))
    assert way in refused.value.steps[0]


async def test_a_ping_measures_the_way_and_the_clocks(gateway: SimulatedGateway) -> None:
    async with SimulatedGateway() as on_time:  # its clock is ours
        session = BrokerSession(Endpoint("127.0.0.1", on_time.port))
        await session.connect()
        ping = await session.ping()
        await session.disconnect()
    assert 0 < ping.round_trip_s < 1
    assert abs(ping.clock_offset_s) < 1

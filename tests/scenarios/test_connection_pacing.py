"""Requests against a gateway that counts, by code of its own, who breaks its rules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from catalog.events import Event
from core.ibkr.connection import BrokerSession, Endpoint
from core.ibkr.pacing import Pacing
from core.ibkr.requests import (
    Bars,
    Empty,
    Failure,
    Lost,
    Ticks,
    Timeout,
    head_timestamp,
    historical_bars,
    historical_ticks,
)
from core.ibkr.requests import Pacing as PacingViolation
from core.ibkr.session_events import PacingWait
from core.simulator.faults import Fault
from core.simulator.server import SimulatedGateway

NOW = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)
NOON = datetime(2026, 11, 18, 17, tzinfo=UTC)


@pytest.fixture
async def gateway() -> AsyncIterator[SimulatedGateway]:
    async with SimulatedGateway(now=NOW) as running:
        yield running


def stock() -> Any:
    from ib_async import Contract

    return Contract(symbol="AAPL", secType="STK", exchange="SMART", currency="USD", conId=265598)


async def five_seconds(session: BrokerSession, number: int) -> Bars | Failure:
    return await historical_bars(
        session,
        stock(),
        end=NOON - timedelta(minutes=number),
        duration="60 S",
        bar_size="5 secs",
        what="TRADES",
        regular_hours=True,
    )


async def test_a_burst_of_small_bars_breaks_no_rule(
    gateway: SimulatedGateway, tmp_path: Path
) -> None:
    events: list[Event] = []
    pacing = Pacing(tmp_path / "pacing.sqlite3", "127.0.0.1", gateway.port)
    session = BrokerSession(
        Endpoint("127.0.0.1", gateway.port), pacing=pacing, report=events.append
    )
    await session.connect()
    started = time.monotonic()
    answers = await asyncio.gather(*(five_seconds(session, number) for number in range(7)))
    assert time.monotonic() - started > 2.0
    assert all(isinstance(answer, Bars) for answer in answers)
    assert gateway.violations == []
    waits = [event for event in events if isinstance(event, PacingWait)]
    assert len(waits) == 2
    assert all("fewer than 6 requests" in wait.rule for wait in waits)
    assert {one.name: one.used for one in await pacing.gauges()}["budget"] == 7
    await session.disconnect()
    pacing.close()


async def test_without_admission_the_same_burst_is_a_violation(gateway: SimulatedGateway) -> None:
    session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
    await session.connect()
    answers = await asyncio.gather(*(five_seconds(session, number) for number in range(7)))
    assert sum(isinstance(answer, PacingViolation) for answer in answers) == 2
    assert len(gateway.violations) == 2
    await session.disconnect()


async def test_a_request_that_the_connection_left_while_it_waited_does_not_count(
    gateway: SimulatedGateway, tmp_path: Path
) -> None:
    waiting, go_on, now = asyncio.Event(), asyncio.Event(), [time.time()]

    async def pause(seconds: float) -> None:
        waiting.set()
        await go_on.wait()
        now[0] += seconds

    pacing = Pacing(
        tmp_path / "pacing.sqlite3", "127.0.0.1", gateway.port, clock=lambda: now[0], pause=pause
    )
    session = BrokerSession(Endpoint("127.0.0.1", gateway.port), pacing=pacing)
    await session.connect()
    for number in range(5):
        assert isinstance(await five_seconds(session, number), Bars)
    asking = asyncio.create_task(five_seconds(session, 5))
    await asyncio.wait_for(waiting.wait(), 30)
    await session.disconnect()
    go_on.set()
    assert isinstance(await asyncio.wait_for(asking, 30), Lost)
    used = {one.name: one.used for one in await pacing.gauges()}
    assert (used["budget"], used["open"]) == (5, 0)
    pacing.close()


async def test_ticks_come_or_say_why_not(gateway: SimulatedGateway) -> None:
    session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
    await session.connect()
    ticks = await historical_ticks(
        session, stock(), end=NOON, count=100, what="TRADES", regular_hours=True
    )
    assert isinstance(ticks, Ticks)
    assert 100 <= len(ticks.ticks) < 200, "a full second may exceed the number"
    early = datetime(1990, 1, 2, 15, tzinfo=UTC)
    none = await historical_ticks(session, stock(), end=early, what="TRADES", regular_hours=True)
    assert isinstance(none, Empty)
    with pytest.raises(ValueError, match="from a start or until an end"):
        await historical_ticks(session, stock(), what="TRADES", regular_hours=True)
    await session.disconnect()


@pytest.mark.parametrize("kind", ["historical_ticks", "head_timestamp"])
async def test_what_is_never_answered_times_out(kind: str) -> None:
    async with SimulatedGateway(now=NOW, faults=[Fault(what="no_answer", at=kind)]) as gateway:
        session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
        await session.connect()

        async def ask() -> Any:
            if kind == "head_timestamp":
                return await head_timestamp(
                    session, stock(), what="TRADES", regular_hours=True, timeout=0.3
                )
            return await historical_ticks(
                session, stock(), end=NOON, what="TRADES", regular_hours=True, timeout=0.3
            )

        assert await ask() == Timeout(0.3)
        await session.disconnect()
        assert isinstance(await ask(), Lost)


async def test_an_answer_that_comes_late_is_dropped_and_no_other_request_takes_it() -> None:
    late = Fault(what="late", at="historical_bars", seconds=0.4)
    async with SimulatedGateway(now=NOW, faults=[late]) as gateway:
        session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
        await session.connect()
        arrived = asyncio.Event()
        client: Any = session.ib.client
        assert await historical_bars(
            session,
            stock(),
            end=NOON,
            duration="3600 S",
            bar_size="1 min",
            what="TRADES",
            regular_hours=True,
            timeout=0.1,
        ) == Timeout(0.1)
        received = client.connectionStats().numBytesRecv
        client.conn.hasData += lambda _: (
            arrived.set() if client.connectionStats().numBytesRecv > received + 1000 else None
        )
        await asyncio.wait_for(arrived.wait(), 30)
        wrapper: Any = session.ib.wrapper
        assert set(wrapper._results) <= {"currentTime"}, "nothing of it is kept"
        answer = await five_seconds(session, 0)
        assert isinstance(answer, Bars)
        assert len(answer.bars) == 12
        await session.disconnect()

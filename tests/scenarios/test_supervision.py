"""A session that stood is taken up again after whatever a gateway can do to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from catalog.errors import BrokerUnavailable
from catalog.events import Event
from core.ibkr.connection import BrokerSession, ConnectionKind, Endpoint
from core.ibkr.heartbeat import HEARTBEAT_S
from core.ibkr.requests import Bars, Lost, historical_bars
from core.ibkr.session_events import Connected, ConnectionLost, Reconnecting
from core.ibkr.state import ConnectionState
from core.simulator.faults import Fault
from core.simulator.server import SimulatedGateway
from tests.scenarios.listeners import answer_handshake, listener, open_session

PATIENCE_S = 20.0
NOW = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)


class Time:
    """Pauses that end when the test says so: heartbeats by `beat`, others at once."""

    def __init__(self) -> None:
        self.rests: list[float] = []
        self.held = asyncio.Event()
        self.held.set()
        self._beat = asyncio.Event()

    async def pause(self, seconds: float) -> None:
        if seconds == HEARTBEAT_S:
            await self._beat.wait()
            self._beat.clear()
        else:
            self.rests.append(seconds)
            await self.held.wait()

    def beat(self) -> None:
        self._beat.set()


class Desk:
    """A session, what it reported, and its time."""

    def __init__(self, port: int, *, client_id: int | None = None, timeout: float = 5.0) -> None:
        self.time = Time()
        self.events: list[Event] = []
        self.session = BrokerSession(
            Endpoint("127.0.0.1", port, client_id, timeout),
            report=self.events.append,
            pause=self.time.pause,
            random=Random(7),
        )

    async def until(self, reached: Callable[[ConnectionState], bool]) -> ConnectionState:
        """Wait until the session's state is such, and give it."""
        changed = asyncio.Event()
        unsubscribe = self.session.subscribe(changed.set)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not reached(self.session.state):
                    changed.clear()
                    await changed.wait()
        finally:
            unsubscribe()
        return self.session.state

    async def is_(self, kind: ConnectionKind) -> ConnectionState:
        return await self.until(lambda state: state.kind is kind)

    def told[E: Event](self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    async def bars(self, timeout: float = 5.0) -> Any:
        from ib_async import Contract

        return await historical_bars(
            self.session,
            Contract(symbol="AAPL", secType="STK", exchange="SMART", currency="USD"),
            end=datetime(2026, 11, 18, 16, tzinfo=UTC),
            duration="600 S",
            bar_size="1 min",
            what="TRADES",
            regular_hours=True,
            timeout=timeout,
        )


@asynccontextmanager
async def connected(
    *faults: Fault, latency: float = 0.0, **endpoint: Any
) -> AsyncIterator[tuple[Desk, SimulatedGateway]]:
    """A session that stands, with a gateway that goes wrong as told."""
    async with SimulatedGateway(faults=faults, now=NOW, latency=latency) as gateway:
        desk = Desk(gateway.port, **endpoint)
        await desk.session.connect(desk.events.append)
        try:
            yield desk, gateway
        finally:
            await desk.session.disconnect()


async def test_a_nightly_restart_is_survived_and_the_request_asked_again() -> None:
    restart = Fault(what="restart", at="historical_bars", seconds=0.3)
    async with connected(restart) as (desk, _):
        assert isinstance(await desk.bars(), Lost)
        async with asyncio.timeout(PATIENCE_S):
            await desk.session.wait_usable()
        assert isinstance(await desk.bars(), Bars)
    assert "went away" in desk.told(ConnectionLost)[0].reason
    attempts = [event.attempt for event in desk.told(Reconnecting)]
    assert attempts == [*range(1, len(attempts) + 1)]
    assert "nothing accepts connections" in desk.told(Reconnecting)[-1].reason
    assert len(desk.told(Connected)) == 2


async def test_pauses_grow_to_a_minute_and_never_end() -> None:
    gateway = SimulatedGateway()
    desk = Desk(await gateway.start())
    await desk.session.connect()
    await gateway.stop()
    await desk.until(lambda state: state.attempt == 40)
    rests = desk.time.rests[:39]
    assert all(2**n / 2 <= rest <= 2**n for n, rest in enumerate(rests[:6]))
    assert all(30 <= rest <= 60 for rest in rests[6:])
    assert len(set(rests)) == len(rests), "they jitter"
    assert desk.session.state.kind is ConnectionKind.RECONNECTING

    await desk.session.disconnect()
    attempts = len(desk.time.rests)
    assert desk.session.state.kind is ConnectionKind.DISCONNECTED
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(desk.time.rests) == attempts, "told to stop, it stops"


async def test_the_state_says_which_attempt_is_next_and_when() -> None:
    gateway = SimulatedGateway()
    desk = Desk(await gateway.start())
    await desk.session.connect()
    desk.time.held.clear()
    await gateway.stop()
    state = await desk.until(lambda state: state.attempt == 1)
    assert state.kind is ConnectionKind.RECONNECTING
    assert state.next_try is not None
    assert 0.4 < (state.next_try - state.since).total_seconds() < 1.2
    assert state.steps
    assert state.simulated, "what it was stays known"
    with pytest.raises(BrokerUnavailable):
        _ = desk.session.ib
    await desk.session.disconnect()


async def test_connecting_by_hand_does_not_wait_for_the_next_try() -> None:
    async with connected(Fault(what="hang_up", at="historical_bars")) as (desk, _):
        desk.time.held.clear()
        assert isinstance(await desk.bars(), Lost)
        await desk.until(lambda state: state.attempt == 1)
        async with asyncio.timeout(PATIENCE_S):
            await desk.session.connect()
        assert desk.session.state.kind is ConnectionKind.CONNECTED


@pytest.mark.parametrize("what", ["hang_up", "cut"])
async def test_a_closed_socket_in_an_answer_loses_the_request_only(what: str) -> None:
    async with connected(Fault(what=what, at="historical_bars")) as (desk, _):
        assert isinstance(await desk.bars(), Lost)
        await desk.session.wait_usable()
        assert isinstance(await desk.bars(), Bars)


async def test_a_half_open_socket_is_noticed_by_the_heartbeat() -> None:
    async with connected(Fault(what="silence", at="historical_bars"), timeout=0.3) as (desk, _):
        asking = asyncio.create_task(desk.bars(timeout=60.0))
        await asyncio.sleep(0)
        desk.time.beat()
        assert isinstance(await asyncio.wait_for(asking, PATIENCE_S), Lost)
        assert "silent for 0.3 s" in desk.told(ConnectionLost)[0].reason
        await desk.session.wait_usable()
        assert isinstance(await desk.bars(), Bars)


async def test_a_gateway_that_sends_nonsense_is_left_although_it_sends() -> None:
    garbage = Fault(what="garbage", at="historical_bars")
    async with connected(garbage, timeout=0.3) as (desk, _):
        asking = asyncio.create_task(desk.bars(timeout=60.0))
        while not asking.done():
            desk.time.beat()
            await asyncio.wait({asking}, timeout=0.05)
        assert isinstance(asking.result(), Lost)
        await desk.session.wait_usable()
        assert isinstance(await desk.bars(), Bars)


async def test_round_trips_are_kept_for_the_screen() -> None:
    async with SimulatedGateway() as gateway:  # its clock is ours
        desk = Desk(gateway.port)
        await desk.session.connect()
        for _ in range(70):
            await desk.session.ping()
        await desk.session.disconnect()
    assert len(desk.session.pings) == 60
    assert all(0 < ping.round_trip_s < 5 for ping in desk.session.pings)
    assert abs(desk.session.pings[-1].clock_offset_s) < 1


async def test_a_wrong_clock_of_the_broker_shows() -> None:
    async with SimulatedGateway(
        faults=[Fault(what="clock", offset=3600.0, at="connect")]
    ) as gateway:
        desk = Desk(gateway.port)
        await desk.session.connect()
        assert (await desk.session.ping()).clock_offset_s == pytest.approx(3600, abs=1)
        await desk.session.disconnect()


@pytest.mark.parametrize("data_lost", [True, False])
async def test_what_is_asked_while_ibkr_is_away_waits_without_leaving_the_gateway(
    data_lost: bool,
) -> None:
    lost = Fault(what="lost", at="historical_bars", seconds=0.3, data_lost=data_lost)
    async with connected(lost) as (desk, gateway):
        assert isinstance(await desk.bars(), Lost)
        state = desk.session.state
        assert (state.kind, state.upstream) == (ConnectionKind.DEGRADED, False)
        assert "1100" in state.reason
        assert isinstance(await desk.bars(), Lost), "nothing is sent meanwhile"
        async with asyncio.timeout(PATIENCE_S):
            await desk.session.wait_usable()
        assert desk.session.state.kind is ConnectionKind.CONNECTED
        assert isinstance(await desk.bars(), Bars)
        codes = [notice.code for notice in desk.session.notices]
        assert (1101 if data_lost else 1102) in codes
        assert [request.kind for request in gateway.requests].count("start_api") == 1


async def test_farms_that_flap_do_not_end_the_session() -> None:
    farm = Fault(what="farm", at="historical_bars", farm="ushmds", seconds=0.2)
    async with connected(farm) as (desk, gateway):
        asking = asyncio.create_task(desk.bars())
        state = await desk.is_(ConnectionKind.DEGRADED)
        assert "ushmds" in state.reason
        assert state.answering
        await desk.is_(ConnectionKind.CONNECTED)
        assert isinstance(await asking, Bars)
        assert [request.kind for request in gateway.requests].count("start_api") == 1
        assert not desk.told(ConnectionLost)


async def test_a_gateway_that_logs_in_again_is_waited_for() -> None:
    faults = [
        Fault(what="hang_up", at="historical_bars"),
        Fault(what="silence", at="connect", nth=2),
        Fault(what="hang_up", at="connect", nth=3),
    ]
    async with connected(*faults, timeout=0.3) as (desk, _):
        assert isinstance(await desk.bars(), Lost)
        async with asyncio.timeout(PATIENCE_S):
            await desk.session.wait_usable()
    reasons = [event.reason for event in desk.told(Reconnecting)]
    assert len(reasons) == 3
    assert "said nothing" in reasons[1] or "named no account" in reasons[1]
    assert "closed the connection" in reasons[2]


@pytest.mark.parametrize("framed", [True, False])
async def test_nonsense_in_the_handshake_is_one_failed_attempt(framed: bool) -> None:
    faults = [
        Fault(what="hang_up", at="historical_bars"),
        Fault(what="garbage", at="connect", nth=2, framed=framed, size=300),
    ]
    async with connected(*faults, timeout=0.5) as (desk, _):
        assert isinstance(await desk.bars(), Lost)
        async with asyncio.timeout(PATIENCE_S):
            await desk.session.wait_usable()
        assert isinstance(await desk.bars(), Bars)
    assert len(desk.told(Reconnecting)) == 2


async def test_a_given_client_id_that_is_still_in_use_is_waited_for() -> None:
    faults = [
        Fault(what="hang_up", at="historical_bars"),
        Fault(what="client_id_in_use", at="connect", nth=2, times=2),
    ]
    async with connected(*faults, client_id=7) as (desk, _):
        assert isinstance(await desk.bars(), Lost)
        async with asyncio.timeout(PATIENCE_S):
            await desk.session.wait_usable()
        assert desk.session.state.client_id == 7
    assert ["326" in event.reason for event in desk.told(Reconnecting)] == [False, True, True]


async def test_a_free_client_id_is_taken_where_the_old_one_still_counts_as_in_use() -> None:
    faults = [
        Fault(what="hang_up", at="historical_bars"),
        Fault(what="client_id_in_use", at="connect", nth=2),
    ]
    async with connected(*faults) as (desk, _):
        assert isinstance(await desk.bars(), Lost)
        async with asyncio.timeout(PATIENCE_S):
            await desk.session.wait_usable()
        assert desk.session.state.client_id == 2


async def test_nobody_waits_for_a_session_that_was_left() -> None:
    async with connected(Fault(what="restart", at="historical_bars", seconds=60.0)) as (desk, _):
        assert isinstance(await desk.bars(), Lost)
        waiting = asyncio.create_task(desk.session.wait_usable())
        await asyncio.sleep(0)
        await desk.session.disconnect()
        with pytest.raises(BrokerUnavailable):
            await asyncio.wait_for(waiting, 30)
        with pytest.raises(BrokerUnavailable):
            await desk.session.wait_usable()


async def test_real_and_simulated_gateways_do_not_stand_in_for_each_other() -> None:
    gateway = SimulatedGateway()
    port = await gateway.start()
    desk = Desk(port)
    await desk.session.connect()
    desk.time.held.clear()
    await gateway.stop()
    await desk.until(lambda state: state.attempt == 1)

    async def real_account(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_handshake(reader, writer)
        await open_session(reader, writer)
        await reader.read()

    async with listener(real_account, port):
        desk.time.held.set()
        state = await desk.is_(ConnectionKind.REFUSED)
        assert "are real, those before were simulated" in state.reason
        with pytest.raises(BrokerUnavailable):
            await desk.session.wait_usable()
        await desk.session.connect()  # by a person who knows
        assert not desk.session.state.simulated
        await desk.session.disconnect()

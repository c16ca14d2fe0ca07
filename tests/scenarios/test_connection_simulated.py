"""Sessions with the simulated gateway."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator

import pytest

from catalog.errors import BrokerUnavailable
from catalog.events import Event
from core.ibkr.connection import BrokerSession, Connected, ConnectionKind, Endpoint
from core.simulator.server import SimulatedGateway


@pytest.fixture
async def gateway() -> AsyncIterator[SimulatedGateway]:
    async with SimulatedGateway() as running:
        yield running


async def test_a_session_says_what_it_is_connected_to(gateway: SimulatedGateway) -> None:
    events: list[Event] = []
    session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
    await session.connect(events.append)

    state = session.state
    assert (state.kind, state.client_id, state.server_version) == (ConnectionKind.CONNECTED, 1, 178)
    assert state.simulated
    assert state.masked_accounts == ("DU***0001",)
    assert "SIMULATED" in str(next(event for event in events if isinstance(event, Connected)))
    await session.disconnect()


async def test_the_state_of_each_data_farm_is_known(gateway: SimulatedGateway) -> None:
    session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
    told = asyncio.Event()
    session.subscribe(lambda: told.set() if "ushmds" in session.farms else None)
    await session.connect()
    await asyncio.wait_for(told.wait(), 30)
    assert session.farms["ushmds"] == "ok"
    assert {notice.code for notice in session.notices} >= {2104, 2106, 2158}
    await session.disconnect()
    assert session.farms == {}


async def test_nothing_but_the_session_itself_is_asked_for(gateway: SimulatedGateway) -> None:
    session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
    await session.connect()
    await session.disconnect()
    assert [request.kind for request in gateway.requests] == ["start_api"]


async def test_two_sessions_get_two_client_ids(gateway: SimulatedGateway) -> None:
    first = BrokerSession(Endpoint("127.0.0.1", gateway.port))
    second = BrokerSession(Endpoint("127.0.0.1", gateway.port))
    await first.connect()
    await second.connect()
    assert (first.state.client_id, second.state.client_id) == (1, 2)

    third = BrokerSession(Endpoint("127.0.0.1", gateway.port, client_id=2))
    with pytest.raises(BrokerUnavailable, match="326"):
        await third.connect()
    await first.disconnect()
    await second.disconnect()


async def test_connecting_twice_is_connecting_once(gateway: SimulatedGateway) -> None:
    session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
    await asyncio.gather(session.connect(), session.connect())
    await session.connect()
    assert [request.kind for request in gateway.requests] == ["start_api"]
    await session.disconnect()


async def test_a_session_can_be_left_and_taken_up_again(gateway: SimulatedGateway) -> None:
    session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
    for _ in range(3):
        await session.connect()
        assert (await session.ping()).round_trip_s < 1
        await session.disconnect()
        assert session.state.kind is ConnectionKind.DISCONNECTED
    with pytest.raises(BrokerUnavailable):
        await session.ping()


def test_fetching_code_loads_no_engine_no_broker_client_and_no_pandas() -> None:
    heavy = ["ib_async", "nautilus_trader", "pandas", "exchange_calendars"]
    check = f"import sys, core.fetch; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_failing_connection_prints_nothing() -> None:
    attempt = (
        "import asyncio, logging, contextlib\n"
        "from core.ibkr.connection import BrokerSession, Endpoint\n"
        "logging.basicConfig(level=logging.DEBUG)\n"
        "logging.getLogger('asyncio').setLevel(logging.WARNING)\n"
        "with contextlib.suppress(Exception):\n"
        "    asyncio.run(BrokerSession(Endpoint('127.0.0.1', 9, 1, 1.0)).connect())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", attempt], capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("", "")

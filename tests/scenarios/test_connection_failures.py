"""Ways in which a gateway is not there, told apart, in time. Listeners of our own, on loopback."""

from __future__ import annotations

import asyncio
import time

import pytest

from catalog.errors import BrokerUnavailable
from catalog.events import Event
from core.ibkr.connection import BrokerSession, ConnectionKind, Endpoint
from tests.scenarios.listeners import (
    Behaviour,
    answer_handshake,
    frame,
    listener,
    open_session,
)

# What is found out at once does not wait for the time that an attempt is given.
LONG_S, AT_ONCE_S = 60.0, 20.0
IN_USE = "Unable to connect as the client id is already in use. Retry with a unique client id."


async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readexactly(4)


async def never_log_in(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await answer_handshake(reader, writer)
    await reader.read()


def ids_in_use(taken: set[int]) -> Behaviour:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if await answer_handshake(reader, writer) in taken:
            writer.write(frame(4, 2, -1, 326, IN_USE, ""))
            await writer.drain()
            return
        await open_session(reader, writer)
        await reader.read()

    return behave


async def refusal(
    port: int,
    *,
    host: str = "127.0.0.1",
    client_id: int | None = 7,
    timeout: float = LONG_S,
) -> tuple[BrokerUnavailable, BrokerSession, float]:
    session = BrokerSession(Endpoint(host, port, client_id, timeout))
    started = time.monotonic()
    with pytest.raises(BrokerUnavailable) as raised:
        await session.connect()
    return raised.value, session, time.monotonic() - started


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_closed_port_fails_at_once_and_says_what_to_start(host: str) -> None:
    async with listener(stay_silent) as port:
        pass  # closed again: nobody listens there now
    error, session, seconds = await refusal(port, host=host)
    assert seconds < AT_ONCE_S
    assert f"{host}:{port}" in error.title
    assert "nothing accepts connections" in error.reason
    assert any("Enable ActiveX and Socket Clients" in step for step in error.steps)
    assert session.state.kind is ConnectionKind.REFUSED
    assert session.state.reason == error.reason


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a..b", "x" * 70])
async def test_a_host_that_does_not_exist_is_named(host: str) -> None:
    session = BrokerSession(Endpoint(host, 4002, 7))
    with pytest.raises(BrokerUnavailable) as raised:
        await session.connect()
    assert host in raised.value.reason


async def test_what_is_no_gateway_is_refused_at_once() -> None:
    async def speak_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(4)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with listener(speak_http) as port:
        error, _, seconds = await refusal(port)
    assert seconds < AT_ONCE_S
    assert "handshake" in error.reason


async def test_a_silent_listener_fails_in_the_configured_time() -> None:
    async with listener(stay_silent) as port:
        error, _, seconds = await refusal(port, timeout=0.6)
    assert 0.6 <= seconds < AT_ONCE_S
    assert "said nothing for 0.6 s" in error.reason


async def test_a_socket_closed_in_the_handshake_fails_at_once() -> None:
    async with listener(hang_up) as port:
        error, _, seconds = await refusal(port)
    assert seconds < AT_ONCE_S
    assert "closed the connection during the handshake" in error.reason


async def test_a_gateway_without_login_is_told_from_a_silent_one() -> None:
    async with listener(never_log_in) as port:
        error, _, _ = await refusal(port, timeout=0.3)
    assert "named no account" in error.reason


async def test_a_given_client_id_in_use_fails_at_once_with_326() -> None:
    async with listener(ids_in_use({7})) as port:
        error, _, seconds = await refusal(port)
    assert seconds < AT_ONCE_S
    assert "326" in error.reason
    assert any("--client-id" in step for step in error.steps)


async def test_without_a_client_id_free_ones_are_tried_and_told() -> None:
    events: list[Event] = []
    async with listener(ids_in_use({1, 2})) as port:
        session = BrokerSession(Endpoint("127.0.0.1", port))
        await session.connect(events.append)
        assert session.state.client_id == 3
        await session.disconnect()
    assert [str(event) for event in events if "in use" in str(event)] == [
        "client id 1 is in use, trying the next one",
        "client id 2 is in use, trying the next one",
    ]


async def test_when_ten_client_ids_are_in_use_all_are_named() -> None:
    async with listener(ids_in_use(set(range(1, 11)))) as port:
        error, _, _ = await refusal(port, client_id=None)
    assert "1, 2, 3, 4, 5, 6, 7, 8, 9, 10" in error.reason


async def test_after_a_failure_the_same_session_connects() -> None:
    taken = {7}
    async with listener(ids_in_use(taken)) as port:
        _, session, _ = await refusal(port)
        taken.clear()
        await session.connect()
        assert session.state.kind is ConnectionKind.CONNECTED
        assert session.state.accounts == ("DU1234567",)
        assert session.state.masked_accounts == ("DU***4567",)
        assert not session.state.simulated
        await session.disconnect()
        assert session.state.kind is ConnectionKind.DISCONNECTED


async def test_cancelling_a_connection_leaves_the_session_disconnected() -> None:
    async with listener(stay_silent) as port:
        session = BrokerSession(Endpoint("127.0.0.1", port, 7))
        connecting = asyncio.Event()
        session.subscribe(connecting.set)
        task = asyncio.create_task(session.connect())
        await connecting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert session.state.kind is ConnectionKind.DISCONNECTED


async def test_lost_and_restored_connectivity_shows_as_degraded_and_connected() -> None:
    lines: asyncio.Queue[bytes] = asyncio.Queue()

    async def notify(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_handshake(reader, writer)
        await open_session(reader, writer)
        while line := await lines.get():
            writer.write(line)

    async with listener(notify) as port:
        session = BrokerSession(Endpoint("127.0.0.1", port, 7))
        await session.connect()
        changed = asyncio.Event()
        session.subscribe(changed.set)

        async def say(code: int, text: str) -> ConnectionKind:
            changed.clear()
            lines.put_nowait(frame(4, 2, -1, code, text, ""))
            await asyncio.wait_for(changed.wait(), 30)
            return session.state.kind

        assert await say(2104, "Market data farm connection is OK:usfarm") == "connected"
        assert session.farms == {"usfarm": "ok"}
        assert await say(2103, "Market data farm connection is broken:usfarm") == "degraded"
        assert "usfarm" in session.state.reason
        assert await say(2104, "Market data farm connection is OK:usfarm") == "connected"
        lost = "Connectivity between IBKR and Trader Workstation has been lost."
        assert await say(1100, lost) == "degraded"
        back = "Connectivity between IBKR and Trader Workstation has been restored- data lost."
        assert await say(1101, back) == "connected"
        assert [notice.code for notice in session.notices] == [2104, 2103, 2104, 1100, 1101]

        assert await say(1100, lost) == "degraded"
        assert not session.state.answering
        assert await say(2106, "HMDS data farm connection is OK:ushmds") == "connected"
        assert session.state.answering

        lines.put_nowait(b"")
        await session.disconnect()

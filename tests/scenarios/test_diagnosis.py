"""A diagnosis names the step that failed and what to change there."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from catalog.errors import QuarterdeckError
from catalog.events import Event
from core.ibkr.connection import BrokerSession, ConnectionKind, Endpoint
from core.ibkr.diagnosis import StepDoubtful, StepFailed, StepPassed, diagnose
from core.simulator.faults import Fault
from core.simulator.server import SimulatedGateway
from tests.scenarios.commands import Shell
from tests.scenarios.listeners import answer_handshake, listener

ALL_STEPS = ["tcp", "handshake", "login", "clock", "farms", "data"]
PERMISSIONS = (
    "Historical Market Data Service error message:No market data permissions for IDEALPRO CASH"
)


async def steps(
    port: int, *, timeout: float = 5.0
) -> tuple[list[str], list[StepDoubtful], StepFailed | None, QuarterdeckError | None]:
    """The steps that passed, the doubtful ones, the failed one, and the error."""
    events: list[Event] = []
    session = BrokerSession(Endpoint("127.0.0.1", port, 7, timeout))
    error = None
    try:
        await diagnose(session, events.append)
    except QuarterdeckError as raised:
        error = raised
    finally:
        await session.disconnect()
    passed = [event.step for event in events if isinstance(event, StepPassed)]
    doubtful = [event for event in events if isinstance(event, StepDoubtful)]
    failed = next((event for event in events if isinstance(event, StepFailed)), None)
    return passed, doubtful, failed, error


async def with_faults(
    *faults: Fault, timeout: float = 5.0
) -> tuple[list[str], list[StepDoubtful], StepFailed | None, QuarterdeckError | None]:
    async with SimulatedGateway(faults=faults) as gateway:
        return await steps(gateway.port, timeout=timeout)


async def test_all_is_well() -> None:
    passed, doubtful, failed, error = await with_faults()
    assert passed == ALL_STEPS
    assert not doubtful
    assert failed is error is None


async def test_a_closed_port_fails_at_tcp() -> None:
    async with SimulatedGateway() as gateway:
        port = gateway.port
    passed, _, failed, error = await steps(port)
    assert passed == []
    assert failed is not None
    assert failed.step == "tcp"
    assert any("Enable ActiveX and Socket Clients" in step for step in failed.steps)
    assert error is not None
    assert error.exit_code == 3


@pytest.mark.parametrize(
    ("fault", "setting"), [("silence", "Accept incoming connection?"), ("hang_up", "Trusted IPs")]
)
async def test_an_open_port_that_agrees_to_nothing_fails_at_the_handshake(
    fault: str, setting: str
) -> None:
    async def behave(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.readexactly(4)
        if fault == "silence":
            await reader.read()

    async with listener(behave) as port:
        passed, _, failed, error = await steps(port, timeout=0.3)
    assert passed == ["tcp"]
    assert failed is not None
    assert failed.step == "handshake"
    assert any(setting in step for step in failed.steps)
    assert error is not None
    assert error.exit_code == 3


async def test_a_gateway_without_login_fails_at_the_login() -> None:
    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answer_handshake(reader, writer)
        await reader.read()

    async with listener(behave) as port:
        passed, _, failed, _ = await steps(port, timeout=0.3)
    assert passed == ["tcp", "handshake"]
    assert failed is not None
    assert failed.step == "login"
    assert any("two-factor" in step for step in failed.steps)


async def test_a_client_id_in_use_fails_at_the_login() -> None:
    passed, _, failed, _ = await with_faults(Fault(what="client_id_in_use", at="connect"))
    assert passed == ["tcp", "handshake"]
    assert failed is not None
    assert (failed.step, "326" in failed.detail) == ("login", True)
    assert any("--client-id" in step for step in failed.steps)


async def test_a_wrong_clock_is_doubtful_and_the_rest_goes_on() -> None:
    passed, doubtful, failed, _ = await with_faults(Fault(what="clock", at="connect", offset=120.0))
    assert passed == [step for step in ALL_STEPS if step != "clock"]
    assert [one.step for one in doubtful] == ["clock"]
    offset = float(doubtful[0].detail.split()[0])
    assert abs(offset - 120) < 1, "the broker tells whole seconds"
    assert "NTP" in doubtful[0].advice
    assert failed is None


async def test_a_farm_that_is_down_is_named() -> None:
    farm = Fault(what="farm", at="current_time", farm="usfuture", seconds=60.0)
    passed, doubtful, _, _ = await with_faults(farm)
    assert [one.step for one in doubtful] == ["farms"]
    assert "usfuture" in doubtful[0].detail
    assert passed[-1] == "data"


@pytest.mark.parametrize(
    ("fault", "words", "code"),
    [
        (Fault(what="error", at="historical_bars", text=PERMISSIONS), "Client Portal", 1),
        (Fault(what="empty", at="historical_bars"), "another range", 1),
        (Fault(what="pacing", at="historical_bars"), "ten minutes", 3),
        (Fault(what="hang_up", at="historical_bars"), "logged in", 3),
    ],
)
async def test_a_bar_that_does_not_come_fails_at_the_data(
    fault: Fault, words: str, code: int
) -> None:
    passed, _, failed, error = await with_faults(fault)
    assert passed == ALL_STEPS[:-1]
    assert failed is not None
    assert failed.step == "data"
    assert any(words in step for step in failed.steps)
    assert error is not None
    assert error.exit_code == code


async def test_a_session_that_reconnects_is_diagnosed_beside_it() -> None:
    gateway = SimulatedGateway()
    port = await gateway.start()
    rests = asyncio.Event()

    async def pause(_: float) -> None:
        await rests.wait()

    events: list[Event] = []
    session = BrokerSession(Endpoint("127.0.0.1", port), pause=pause)
    await session.connect()
    lost = asyncio.Event()
    session.subscribe(lambda: lost.set() if session.state.attempt else None)
    await gateway.stop()
    await asyncio.wait_for(lost.wait(), 30)
    with pytest.raises(QuarterdeckError, match="nothing accepts connections"):
        await diagnose(session, events.append)
    assert session.state.kind is ConnectionKind.RECONNECTING
    assert any(isinstance(event, StepFailed) and event.step == "tcp" for event in events)
    await session.disconnect()


async def connect_by_command(
    home: Path, faults: Sequence[Fault] = (), *arguments: str
) -> tuple[int, list[str], str]:
    async with SimulatedGateway(faults=faults) as gateway:
        shell = Shell(home, gateway.port)
        ended = await asyncio.to_thread(shell.run, "connect", *arguments, "--json")
    told = [f"{one['event']} {one['step']}" for one in ended.records if "step" in one]
    return ended.code, told, ended.err


async def test_the_command_tells_the_steps_and_ends_with_the_code_of_the_failed_one(
    tmp_path: Path,
) -> None:
    code, told, _ = await connect_by_command(tmp_path)
    assert (code, told) == (0, [f"step_passed {step}" for step in ALL_STEPS])
    denied = Fault(what="error", at="historical_bars", text=PERMISSIONS)
    code, told, error = await connect_by_command(tmp_path, [denied])
    assert (code, told[-1]) == (1, "step_failed data")
    assert "Client Portal" in error

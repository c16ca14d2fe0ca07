"""Faults by a script, and all of them at once."""

import asyncio
import random
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import ib_async
import pytest

from core.simulator.faults import Fault
from core.simulator.server import SimulatedGateway
from tests.scenarios.faulty_gateway import (
    NOW,
    SOON,
    Seen,
    bars,
    bars_or_nothing,
    faultless,
    until_connected,
)
from tests.scenarios.simulator_clients import session

STORM = [
    *({"what": what} for what in ("silence", "hang_up", "cut", "garbage", "restart", "refuse")),
    *({"what": "lost", "data_lost": lost} for lost in (True, False)),
    *({"what": "farm", "farm": farm} for farm in ("ushmds", "secdefil")),
    {"what": "garbage", "framed": True},
    {"what": "drip", "rate": 50_000},
]
SPOILED = ("no_answer", "pacing", "empty", "late", "duplicate", "unordered", "unknown_contract")


async def test_a_script_is_a_file(tmp_path: Path) -> None:
    script = tmp_path / "night.toml"
    script.write_text(
        """
        [[fault]]
        what = "empty"
        at = "historical_bars"
        nth = 2

        [[fault]]
        what = "lost"
        after = 0.05
        seconds = 0.05
        """
    )
    async with SimulatedGateway(now=NOW, faults=script) as gateway, session(gateway.port) as ib:
        seen = Seen(ib)
        await seen.until(1102)
        assert len(await bars(ib)) == 30
        with pytest.raises(ib_async.RequestError, match="no data"):
            await bars(ib)


async def test_chances_are_those_of_the_seed() -> None:
    async def failures(seed: int) -> list[bool]:
        fault = Fault(what="empty", at="historical_bars", times=0, probability=0.5)
        async with (
            SimulatedGateway(now=NOW, seed=seed, faults=[fault]) as gateway,
            session(gateway.port) as ib,
        ):
            return [not await bars_or_nothing(ib) for _ in range(20)]

    first = await failures(7)
    assert 0 < sum(first) < 20
    assert await failures(7) == first
    assert await failures(8) != first


async def test_the_command_refuses_a_script_it_cannot_follow(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text("[[fault]]\nwhat = 'flood'\n")
    command = ("simulator", "--faults", str(script), "--home", str(tmp_path))
    ended = await asyncio.create_subprocess_exec(
        *(Path(sys.executable).with_name("quarterdeck"), *command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await asyncio.wait_for(ended.communicate(), 30)
    assert ended.returncode == 2
    assert "there is no fault 'flood'" in told.decode()


@pytest.mark.parametrize(
    "strikes", [pytest.param(1_000, marks=pytest.mark.endurance), 50], ids=["long", "short"]
)
async def test_the_gateway_survives_its_own_faults(
    strikes: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Faults at random, several at once, under three clients; then all is as if nothing was."""
    whole = await faultless()
    rng = random.Random(20240611)
    lull = {"refuse": {"seconds": 0.05}, "restart": {"seconds": 0.05, "unknown": 0.05}}
    lull |= {what: {"seconds": 0.05} for what in ("lost", "farm")}
    spoiled = [Fault(what=what, at="historical_bars", times=0, probability=0.1) for what in SPOILED]
    async with SimulatedGateway(now=NOW, faults=spoiled) as gateway:
        over, answers = asyncio.Event(), []
        clients = [
            asyncio.create_task(worry(gateway.port, number, over, answers)) for number in (5, 6, 7)
        ]
        struck = 0
        while struck < strikes or len(answers) < strikes // 20:
            fault = rng.choice(STORM)
            gateway.strike(Fault(**fault | lull.get(fault["what"], {})))
            struck += 1
            await asyncio.sleep(rng.uniform(0.01, 0.1))
        over.set()
        await asyncio.gather(*clients)
        async with asyncio.timeout(SOON):
            while not (calm := await until_connected(gateway.port)):
                pass
        calm.RaiseRequestErrors = True
        async with asyncio.timeout(SOON):
            while not any(answer == whole for answer in [await bars_in_time(calm)]):
                pass
        calm.disconnect()
    assert gateway.open_requests == 0
    # ib_async leaves its own futures behind when the socket goes.
    logged = [each.getMessage() for each in caplog.records if each.name == "asyncio"]
    assert [text for text in logged if "Socket disconnect" not in text] == []


async def worry(port: int, client_id: int, over: asyncio.Event, answers: list[list[Any]]) -> None:
    """Connect and ask, again and again, until it is over; all answers are noted."""
    while not over.is_set():
        ib = ib_async.IB()
        ib.RaiseRequestErrors = True
        with suppress(OSError):
            await ib.connectAsync("127.0.0.1", port, client_id, timeout=0.2, readonly=True)
            while not over.is_set() and (got := await bars_in_time(ib)) is not None:
                answers.extend([got] if got else [])
        ib.disconnect()


async def bars_in_time(ib: ib_async.IB) -> list[Any] | None:
    """Half an hour of AAPL; nothing where refused, None where no answer comes."""
    try:
        async with asyncio.timeout(0.2):
            return await bars(ib)
    except ib_async.RequestError:
        return []
    except (TimeoutError, ConnectionError):
        return None

"""The simulated gateway as a server: login, broken clients, cancelling, pacing, its own process."""

import asyncio
import random
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import ib_async
import psutil
import pytest
import pytest_asyncio
from ib_async import StartupFetch, StartupFetchALL, StartupFetchNONE

from core.simulator.pacing import MESSAGES_RULE, OPEN_RULE
from core.simulator.process import Served, SimulatorFailed, start_process
from core.simulator.server import SimulatedGateway
from tests.scenarios.simulator_clients import RawClient, session

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Tuesday, 11:00:30 in New York: half a minute into a minute.
NOW = datetime(2024, 6, 11, 15, 0, 30, tzinfo=UTC)
AAPL = ib_async.Stock("AAPL", "SMART", "USD")
PARENT = """
import asyncio
from core.simulator.pacing import MESSAGES_RULE, OPEN_RULE
from core.simulator.process import start_process

async def main():
    child = await start_process()
    print(child.process.pid, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
IN_USE = "Unable to connect as the client id is already in use. Retry with a unique client id."


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[SimulatedGateway]:
    """A gateway in the middle of a session."""
    async with SimulatedGateway(now=NOW) as gateway:
        yield gateway


async def bars(ib: ib_async.IB, size: str) -> list[ib_async.BarData]:
    """Today's bars of AAPL, up to now."""
    answer = await ib.reqHistoricalDataAsync(AAPL, "", "1 D", size, "TRADES", True, 2)
    return list(answer)  # ib_async's own list equals nothing but itself


async def test_nothing_follows_the_handshake_until_the_client_asks_for_the_api(
    gateway: SimulatedGateway,
) -> None:
    client = await RawClient.connect(gateway.port)
    client.shake_hands()
    assert await client.receive() == ["178", "20240611 11:00:30 EDT"]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.reader.read(1), 0.05)

    client.send(71, 2, 9, "")
    burst = [await client.receive() for _ in range(10)]
    assert burst[:2] == [["15", "1", "DUSIM0001"], ["9", "1", "1"]]
    assert [message[3] for message in burst[2:]] == ["2104"] * 5 + ["2106"] * 2 + ["2158"]
    client.writer.close()


@pytest.mark.parametrize("fetch", [StartupFetchNONE, *StartupFetch, StartupFetchALL])
async def test_every_start_up_of_ib_async_completes(
    gateway: SimulatedGateway, fetch: StartupFetch
) -> None:
    ib = ib_async.IB()
    await ib.connectAsync(
        "127.0.0.1", gateway.port, clientId=3, fetchFields=fetch, raiseSyncErrors=True
    )
    assert ib.managedAccounts() == ["DUSIM0001"]
    assert ib.client.serverVersion() == 178
    ib.disconnect()


async def test_a_client_id_in_use_is_refused_and_free_again_after_hanging_up(
    gateway: SimulatedGateway,
) -> None:
    async with session(gateway.port, client_id=5):
        second = await RawClient.connect(gateway.port)
        second.shake_hands()
        await second.receive()
        second.send(71, 2, 5, "")
        assert await second.receive() == ["4", "2", "-1", "326", IN_USE, ""]
        assert await second.is_hung_up()
    async with session(gateway.port, client_id=5) as again:
        assert again.isConnected()


@pytest.mark.parametrize(
    "bytes_",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"API\0\0\0\0\x04what",
        b"API\0" + struct.pack(">I", 9) + b"v100..120",
        b"API\0" + struct.pack(">I", 0xFFFFFFFF),
    ],
    ids=["http", "no version", "too old", "endless frame"],
)
async def test_a_client_that_speaks_something_else_is_hung_up_on_alone(
    gateway: SimulatedGateway, bytes_: bytes
) -> None:
    async with session(gateway.port, client_id=6) as bystander:
        stranger = await RawClient.connect(gateway.port)
        stranger.writer.write(bytes_)
        assert await stranger.is_hung_up()
        assert await bystander.reqCurrentTimeAsync() == NOW.replace(microsecond=0)


async def test_a_message_nobody_knows_is_answered_and_the_session_goes_on(
    gateway: SimulatedGateway,
) -> None:
    client = await RawClient.logged_in(gateway.port, client_id=8)
    client.send(4711, "AAPL")
    assert (await client.receive())[2:4] == ["-1", "320"]
    client.send(20, "five")
    assert 'For input string: "five"' in (await client.receive())[4]
    client.send(3, 12)
    refused = await client.receive()
    assert refused[2:4] == ["12", "321"]
    assert "Read-Only mode" in refused[4]
    client.send(49, 1)
    assert await client.receive() == ["49", "1", str(int(NOW.timestamp()))]
    client.writer.close()


async def test_no_message_however_odd_ends_a_session() -> None:
    rng = random.Random(20240611)
    words = ["", "0", "-1", "x", "9" * 400, "é²", "AAPL", "STK", "SMART", "1 D", "1 min", "TRADES"]
    async with SimulatedGateway(now=NOW, message_rate=None) as patient:
        client = await RawClient.logged_in(patient.port, client_id=9)
        for _ in range(2000):
            message_id = rng.choice([*range(-1, 48), *range(50, 110), "what"])
            client.send(message_id, *rng.choices(words, k=rng.randrange(24)))
        client.send(49, 1)
        while (await client.receive())[0] != "49":
            pass
        client.writer.close()


async def test_too_many_messages_are_warned_about_twice_and_then_end_the_session() -> None:
    async with SimulatedGateway(now=NOW, message_rate=3) as impatient:
        client = await RawClient.logged_in(impatient.port)
        for _ in range(9):
            client.send(49, 1)
        answers = [await client.receive() for _ in range(9)]
        assert [answer[0] for answer in answers] == ["49"] * 6 + ["4"] * 3
        warning = "Max rate of messages per second has been exceeded."
        assert answers[-1][2:5] == ["-1", "100", warning]
        assert await client.is_hung_up()
        assert [(each.rule, each.client_id) for each in impatient.violations] == [
            (MESSAGES_RULE, 1)
        ] * 3


ENDS = ["", "00010101-00:00:00", "19000101-00:00:00", "20350101-00:00:00", "99991231-23:59:59"]


@pytest.mark.parametrize("end", ENDS)
async def test_every_range_however_far_is_answered(gateway: SimulatedGateway, end: str) -> None:
    client = await RawClient.logged_in(gateway.port, client_id=9)
    durations, sizes = ["1 S", "1 D", "365 D", "52 W", "1 M", "68 Y"], ["8 hours", "1 day", "1M"]
    for number, (duration, size) in enumerate(product(durations, sizes)):
        client.ask_bars(number, end=end, size=size, duration=duration)
        answer = await client.receive()
        assert (answer[0], answer[1]) == ("17", str(number)) or answer[3] in ("162", "10314")
    client.writer.close()


async def test_the_bar_in_progress_is_there_and_grows(gateway: SimulatedGateway) -> None:
    async with session(gateway.port) as ib:
        minutes = await bars(ib, "1 min")
        (day,) = await bars(ib, "1 day")
    async with (
        SimulatedGateway(now=NOW.replace(hour=21)) as evening,
        session(evening.port) as ib,
    ):
        later = await bars(ib, "1 min")
        (whole_day,) = await bars(ib, "1 day")

    assert len(minutes) == 91
    assert minutes[-1].date == NOW.replace(second=0)
    assert minutes[:-1] == later[:90]
    assert minutes[-1].open == later[90].open
    assert 0 < minutes[-1].volume < later[90].volume
    assert later[90].low <= minutes[-1].low <= minutes[-1].high <= later[90].high
    assert day.volume == sum(bar.volume for bar in minutes)
    assert whole_day.volume == sum(bar.volume for bar in later)


async def test_an_open_request_can_be_cancelled_once() -> None:
    async with SimulatedGateway(now=NOW, latency=30) as slow:
        client = await RawClient.logged_in(slow.port)
        client.ask_bars(28, end="", size="1 min", duration="1 D")
        for _ in range(2):
            client.send(25, 1, 28)
        assert (await client.receive())[2:5] == [
            *("28", "162"),
            "Historical Market Data Service error message:API historical data query cancelled: 28",
        ]
        assert (await client.receive())[2:5] == [
            *("28", "366"),
            "No historical data query found for ticker id:28",
        ]
        client.writer.close()


async def test_fifty_requests_may_be_open() -> None:
    async with SimulatedGateway(now=NOW, latency=30) as slow:
        client = await RawClient.logged_in(slow.port)
        for request_id in range(51):
            client.ask_bars(request_id, end="", size="1 min", duration="1 D")
        answer = await client.receive()
        assert answer[2:4] == ["50", "162"]
        assert answer[4].endswith("Historical data request pacing violation")
        assert [each.rule for each in slow.violations] == [OPEN_RULE]
        client.writer.close()


async def test_pacing_can_be_forced_for_the_next_requests(gateway: SimulatedGateway) -> None:
    async with session(gateway.port) as ib:
        gateway.force_pacing(2)
        for _ in range(2):
            with pytest.raises(ib_async.RequestError, match="pacing violation"):
                await bars(ib, "1 hour")
        assert len(await bars(ib, "1 hour")) == 3


async def test_minutes_are_not_paced_but_head_timestamps_are(gateway: SimulatedGateway) -> None:
    async with session(gateway.port) as ib:
        errors: list[str] = []
        ib.errorEvent += lambda _id, _code, text, _contract: errors.append(text)
        for _ in range(8):
            assert await bars(ib, "1 min")
        assert await ib.reqHeadTimeStampAsync(AAPL, "MIDPOINT", True, 1)
        with pytest.raises(ib_async.RequestError, match="pacing violation"):
            await ib.reqHeadTimeStampAsync(AAPL, "MIDPOINT", True, 1)


async def test_prices_are_the_same_in_every_process_of_one_seed() -> None:
    process = await start_process(now=NOW)
    try:
        async with session(process.port) as ib:
            theirs = await bars(ib, "1 min")
    finally:
        await process.stop()
    assert process.process.returncode == 0
    async with SimulatedGateway(now=NOW) as gateway, session(gateway.port) as ib:
        assert await bars(ib, "1 min") == theirs
    async with SimulatedGateway(now=NOW, seed=8) as other, session(other.port) as ib:
        assert await bars(ib, "1 min") != theirs


async def test_a_process_that_cannot_listen_says_so(gateway: SimulatedGateway) -> None:
    with pytest.raises(SimulatorFailed, match=f"cannot listen on 127.0.0.1:{gateway.port}"):
        await start_process(port=gateway.port)


async def test_a_process_follows_a_script_and_tells_what_it_served(tmp_path: Path) -> None:
    script = tmp_path / "faults.toml"
    script.write_text("[[fault]]\nwhat = 'empty'\nat = 'historical_bars'\nnth = 2\n")
    process = await start_process(now=NOW, faults=script)
    async with session(process.port) as ib:
        assert await bars(ib, "1 hour")
        with pytest.raises(ib_async.RequestError, match="no data"):
            await bars(ib, "1 hour")
        for _ in range(2):
            with suppress(ib_async.RequestError):
                await ib.reqHeadTimeStampAsync(AAPL, "TRADES", True, 1)
    assert await process.stop() == Served(
        {"start_api": 1, "historical_bars": 2, "head_timestamp": 2},
        ("client 1: identical request within 15 s (head_timestamp)",),
    )

    script.write_text("[[fault]]\nwhat = 'flood'\n")
    with pytest.raises(SimulatorFailed, match="there is no fault 'flood'"):
        await start_process(faults=script)
    with pytest.raises(SimulatorFailed, match="cannot read"):
        await start_process(faults=tmp_path / "none.toml")


async def test_the_process_dies_with_its_parent() -> None:
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = psutil.Process(int(await parent.stdout.readline()))
    parent.kill()
    await parent.wait()
    await asyncio.to_thread(child.wait, 10)
    assert not child.is_running()


async def test_it_listens_on_loopback_only() -> None:
    with pytest.raises(ValueError, match="loopback only"):
        await SimulatedGateway().start(host="0.0.0.0")


async def test_stopping_hangs_up_on_everyone() -> None:
    gateway = SimulatedGateway(now=NOW)
    port = await gateway.start()
    async with session(port) as ib:
        gone = asyncio.Event()
        ib.disconnectedEvent += gone.set
        await gateway.stop()
        await asyncio.wait_for(gone.wait(), 30)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)

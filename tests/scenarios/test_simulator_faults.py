"""Every fault of the simulated gateway, as ib_async meets it on the wire."""

import asyncio
import random
import struct
import sys
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import ib_async
import pytest
from ib_async import StartupFetchNONE

from core.simulator.faults import Fault
from core.simulator.queries import HISTORY_ERROR
from core.simulator.server import SimulatedGateway
from tests.scenarios.simulator_clients import RawClient, session

NOW = datetime(2024, 6, 11, 15, 0, 30, tzinfo=UTC)
EARLIER = "20240611-14:00:00"
AAPL = ib_async.Stock("AAPL", "SMART", "USD")
SOON = 5.0
SHORT = (AAPL, EARLIER, "1800 S", "1 min", "TRADES", True, 2)
MINUTE = timedelta(minutes=1)


class Seen:
    """What an ib_async session noticed: errors and notices in order, and its end."""

    def __init__(self, ib: ib_async.IB) -> None:
        self.codes: list[int] = []
        self.texts: list[str] = []
        self.gone = asyncio.Event()
        self._news = asyncio.Event()
        ib.disconnectedEvent += self.gone.set
        ib.errorEvent += self._note

    def _note(self, _request_id: int, code: int, text: str, _contract: Any) -> None:
        self.codes.append(code)
        self.texts.append(text)
        self._news.set()

    async def until(self, code: int) -> None:
        """Wait for an error or notice."""
        async with asyncio.timeout(SOON):
            while code not in self.codes:
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def faulty(
    *faults: Fault, client_id: int = 1
) -> AsyncIterator[tuple[SimulatedGateway, ib_async.IB, Seen]]:
    """A gateway with ``faults``, and a session connected to it."""
    async with (
        SimulatedGateway(now=NOW, faults=faults) as gateway,
        session(gateway.port, client_id) as ib,
    ):
        yield gateway, ib, Seen(ib)


async def bars(ib: ib_async.IB, end: str = EARLIER) -> list[Any]:
    """Half an hour of AAPL."""
    async with asyncio.timeout(SOON):
        asked = (AAPL, end, *SHORT[2:])
        return list(await ib.reqHistoricalDataAsync(*asked, timeout=0))


async def begun[T](request: Awaitable[T]) -> asyncio.Future[T]:
    """A request that is on the wire before the next one."""
    task = asyncio.ensure_future(request)
    await asyncio.sleep(0)
    return task


async def connect(port: int, timeout: float = 0.2) -> ib_async.IB:
    ib = ib_async.IB()
    await ib.connectAsync(
        "127.0.0.1", port, clientId=2, timeout=timeout, fetchFields=StartupFetchNONE, readonly=True
    )
    return ib


# Connecting


@pytest.mark.parametrize("what", ["silence", "hang_up", "cut"])
async def test_a_broken_handshake_fails_once_and_the_next_one_works(what: str) -> None:
    async with SimulatedGateway(now=NOW, faults=[Fault(what=what, at="connect")]) as gateway:
        with pytest.raises(TimeoutError):  # ib_async notices none of them by itself
            await connect(gateway.port)
        (await connect(gateway.port, SOON)).disconnect()


async def test_half_of_the_greeting_comes_before_the_end() -> None:
    async with SimulatedGateway(now=NOW, faults=[Fault(what="cut", at="connect")]) as gateway:
        client = await RawClient.connect(gateway.port)
        client.shake_hands()
        greeting = await asyncio.wait_for(client.reader.read(), SOON)
    (length,) = struct.unpack(">I", greeting[:4])
    assert 0 < len(greeting) - 4 < length


async def test_the_second_client_is_told_that_its_id_is_taken() -> None:
    fault = Fault(what="client_id_in_use", at="connect", nth=2)
    async with faulty(fault) as (gateway, ib, _):
        refused = ib_async.IB()
        seen = Seen(refused)
        with pytest.raises(TimeoutError):
            await refused.connectAsync("127.0.0.1", gateway.port, clientId=2, timeout=0.2)
        assert seen.codes[:1] == [326]
        assert ib.isConnected()
        (await connect(gateway.port, SOON)).disconnect()


async def test_nobody_listens_for_a_while_and_those_connected_stay() -> None:
    fault = Fault(what="refuse", at="current_time", seconds=0.3)
    async with faulty(fault) as (gateway, ib, _):
        await ib.reqCurrentTimeAsync()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", gateway.port)
        assert await bars(ib)
        async with asyncio.timeout(SOON):
            while not (again := await until_connected(gateway.port)):
                pass
        again.disconnect()


async def until_connected(port: int) -> ib_async.IB | None:
    try:
        return await connect(port, SOON)
    except ConnectionRefusedError:
        return None


# The connection


async def test_a_message_cut_in_the_middle_ends_the_session() -> None:
    async with faulty(Fault(what="cut", at="historical_bars")) as (_, ib, seen):
        with pytest.raises(ConnectionError):
            await bars(ib)
        await asyncio.wait_for(seen.gone.wait(), SOON)


async def test_a_silent_line_stays_open_and_answers_nothing() -> None:
    async with faulty(Fault(what="silence", at="historical_bars", nth=2)) as (_, ib, _):
        assert await bars(ib)
        asked = [await begun(bars(ib)), await begun(ib.reqCurrentTimeAsync())]
        _, unanswered = await asyncio.wait(asked, timeout=0.3)
        assert unanswered == set(asked)
        assert ib.isConnected()
        for each in asked:
            each.cancel()


async def test_every_line_falls_silent_when_the_clock_says_so() -> None:
    async with faulty() as (gateway, ib, _):
        gateway.strike(Fault(what="silence"))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ib.reqCurrentTimeAsync(), 0.1)


async def test_an_answer_that_drips_is_whole_in_the_end() -> None:
    whole = await faultless()
    loop = asyncio.get_running_loop()
    async with faulty(Fault(what="drip", at="historical_bars", rate=4000)) as (_, ib, _):
        began = loop.time()
        assert await bars(ib) == whole
        assert loop.time() - began > 0.2  # about 1,700 bytes


async def faultless(end: str = EARLIER) -> list[Any]:
    async with faulty() as (_, ib, _):
        return await bars(ib, end)


async def test_a_message_of_nonsense_is_passed_over() -> None:
    fault = Fault(what="garbage", at="historical_bars", framed=True)
    async with faulty(fault) as (_, ib, _):
        assert len(await bars(ib)) == 30


async def test_bytes_of_nonsense_make_the_line_useless() -> None:
    """What follows is taken for the rest of one huge message; only a heartbeat can tell."""
    fault = Fault(what="garbage", at="historical_bars")
    async with faulty(fault) as (_, ib, _):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(bars(ib), 0.3)
        assert ib.isConnected()


# Outages of the gateway


async def test_a_lost_connection_delays_answers_and_maintains_them() -> None:
    fault = Fault(what="lost", at="historical_bars", seconds=0.1)
    async with faulty(fault) as (_, ib, seen):
        assert len(await bars(ib)) == 30
        assert seen.codes == [1100, 1102]
        assert "data maintained" in seen.texts[1]


async def test_data_lost_between_is_never_answered() -> None:
    fault = Fault(what="lost", at="historical_bars", seconds=0.1, data_lost=True)
    async with faulty(fault) as (gateway, ib, seen):
        asked = await begun(bars(ib))
        details = await begun(ib.reqContractDetailsAsync(AAPL))
        await seen.until(1101)
        assert gateway.open_requests == 0
        assert len(await bars(ib)) == 30
        assert not asked.done() and not details.done()
        asked.cancel()
        details.cancel()


@pytest.mark.parametrize(
    ("farm", "codes"),
    [("ushmds", [2105, 2106]), ("usfarm", [2103, 2104]), ("secdefil", [2157, 2158])],
)
async def test_a_farm_goes_down_and_comes_back(farm: str, codes: list[int]) -> None:
    fault = Fault(what="farm", at="historical_bars", farm=farm, seconds=0.1)
    async with faulty(fault) as (_, ib, seen):
        answer = await begun(bars(ib))
        await seen.until(codes[0])
        details = await begun(ib.reqContractDetailsAsync(AAPL))
        await ib.reqCurrentTimeAsync()
        waits = {"ushmds": answer, "secdefil": details}.get(farm)
        assert waits is None or not waits.done()
        await seen.until(codes[1])
        assert len(await answer) == 30
        assert len(await details) == 1
        assert seen.codes == codes
        assert all(text.endswith(farm) for text in seen.texts)


async def test_who_logs_in_meanwhile_is_told_that_the_farm_is_down() -> None:
    async with SimulatedGateway(now=NOW) as gateway:
        gateway.strike(Fault(what="farm", farm="usopt", seconds=60))
        client = await RawClient.connect(gateway.port)
        client.shake_hands()
        await client.receive()
        client.send(71, 2, 1, "")
        burst = [await client.receive() for _ in range(10)]
        assert [m[3] for m in burst[2:] if m[4].endswith(":usopt")] == ["2103"]
        client.writer.close()


async def test_the_nightly_restart_is_over_when_contracts_are_known_again() -> None:
    fault = Fault(what="restart", at="historical_bars", nth=2, seconds=0.2, unknown=0.3)
    async with faulty(fault) as (gateway, ib, seen):
        whole = await bars(ib)
        with pytest.raises(ConnectionError):
            await bars(ib)
        await asyncio.wait_for(seen.gone.wait(), SOON)
        with pytest.raises(ConnectionRefusedError):
            await connect(gateway.port)
        async with asyncio.timeout(SOON):
            while not (again := await until_connected(gateway.port)):
                pass
        again.RaiseRequestErrors = True
        with pytest.raises(ib_async.RequestError, match="No security definition"):
            await bars(again)
        async with asyncio.timeout(SOON):
            while not (answer := await bars_or_nothing(again)):
                pass
        assert answer == whole
        again.disconnect()


async def bars_or_nothing(ib: ib_async.IB) -> list[Any]:
    try:
        return await bars(ib)
    except ib_async.RequestError:
        return []


async def test_a_wrong_clock_is_shown_and_the_market_keeps_time() -> None:
    async with faulty(Fault(what="clock", at="current_time", offset=90.0)) as (_, ib, _):
        assert await ib.reqCurrentTimeAsync() == NOW + timedelta(seconds=90)
        assert (await bars(ib, ""))[-1].date == NOW.replace(second=0)


async def test_errors_speak_the_language_of_the_desk() -> None:
    prefix = "Mensaje de error del servicio de datos históricos de mercado:"
    faults = [
        Fault(what="language", at="connect", prefix=prefix),
        Fault(what="pacing", at="historical_bars"),
    ]
    async with faulty(*faults) as (_, ib, _):
        with pytest.raises(ib_async.RequestError) as refused:
            await bars(ib)
        assert refused.value.message == prefix + "Historical data request pacing violation"
        with pytest.raises(ib_async.RequestError) as refused:
            await bars(ib, "19990101-00:00:00")
        assert refused.value.message == prefix + "HMDS query returned no data: AAPL@SMART Trades"


# One request


@pytest.mark.parametrize(
    ("fault", "code", "text"),
    [
        (
            Fault(what="pacing", at="historical_bars"),
            162,
            HISTORY_ERROR + "Historical data request pacing violation",
        ),
        (
            Fault(what="empty", at="historical_bars"),
            162,
            HISTORY_ERROR + "HMDS query returned no data: AAPL@SMART Trades",
        ),
        (
            Fault(what="unknown_contract", at="historical_bars"),
            200,
            "No security definition has been found for the request",
        ),
        (Fault(what="error", at="historical_bars", code=354, text="Not subscribed."), 354, "Not"),
    ],
    ids=lambda value: value.what if isinstance(value, Fault) else "",
)
async def test_a_refused_request_is_refused_once(fault: Fault, code: int, text: str) -> None:
    async with faulty(fault) as (gateway, ib, _):
        with pytest.raises(ib_async.RequestError) as refused:
            await bars(ib)
        assert refused.value.code == code
        assert refused.value.message.startswith(text)
        assert len(await bars(ib)) == 30
        assert gateway.violations == []  # the client did nothing wrong


async def test_a_pacing_violation_may_cost_the_connection() -> None:
    fault = Fault(what="pacing", at="historical_bars", hang_up=True)
    async with faulty(fault) as (_, ib, seen):
        with pytest.raises(ib_async.RequestError, match="pacing violation"):
            await bars(ib)
        await asyncio.wait_for(seen.gone.wait(), SOON)


async def test_too_many_violations_cost_the_connection() -> None:
    fault = Fault(what="hang_up", at="violation", nth=2)
    async with faulty(fault) as (gateway, ib, seen):
        for _ in range(3):
            with pytest.raises((ib_async.RequestError, ConnectionError)):
                for _ in range(2):
                    await ib.reqHeadTimeStampAsync(AAPL, "TRADES", True, 1)
        await asyncio.wait_for(seen.gone.wait(), SOON)
        assert [(each.kind, each.rule[:9]) for each in gateway.violations] == [
            ("head_timestamp", "identical")
        ] * 2


@pytest.mark.parametrize("what", ["no_answer", "read_only"])
async def test_a_request_is_left_alone_and_the_next_is_answered(what: str) -> None:
    async with faulty(Fault(what=what, at="historical_bars")) as (_, ib, seen):
        asked = await begun(bars(ib))
        assert len(await bars(ib)) == 30
        assert not asked.done()
        assert seen.codes == ([321] if what == "read_only" else [])
        assert all("Read-Only mode" in text for text in seen.texts)
        asked.cancel()


async def test_the_heartbeat_can_fail_alone() -> None:
    async with faulty(Fault(what="no_answer", at="current_time")) as (_, ib, _):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ib.reqCurrentTimeAsync(), 0.1)
        assert len(await bars(ib)) == 30


async def test_a_slow_answer_can_be_cancelled() -> None:
    async with faulty(Fault(what="slow", at="historical_bars", seconds=60)) as (_, ib, seen):
        assert not await ib.reqHistoricalDataAsync(*SHORT, timeout=0.1)
        await seen.until(162)
        assert "cancelled" in seen.texts[-1]


async def test_a_late_answer_comes_though_it_was_cancelled() -> None:
    async with SimulatedGateway(
        now=NOW, faults=[Fault(what="late", at="historical_bars", seconds=0.2)]
    ) as gateway:
        client = await RawClient.logged_in(gateway.port)
        client.ask_bars(5, end=EARLIER, size="1 min", duration="1800 S")
        client.send(25, 1, 5)
        assert (await client.receive())[2:4] == ["5", "162"]
        assert (await client.receive())[:2] == ["17", "5"]
        client.writer.close()


async def test_a_late_answer_after_the_clients_patience_disturbs_nobody() -> None:
    async with faulty(Fault(what="late", at="historical_bars", seconds=0.3)) as (_, ib, seen):
        assert not await ib.reqHistoricalDataAsync(*SHORT, timeout=0.1)
        await seen.until(162)
        assert await bars(ib) == await faultless()


async def test_some_bars_come_twice() -> None:
    whole = await faultless()
    async with faulty(Fault(what="duplicate", at="historical_bars")) as (_, ib, _):
        twice = await bars(ib)
    assert len(twice) == 33
    assert sorted({bar.date for bar in twice}) == [bar.date for bar in whole]


async def test_bars_come_shuffled() -> None:
    whole = await faultless()
    async with faulty(Fault(what="unordered", at="historical_bars")) as (_, ib, _):
        shuffled = await bars(ib)
    assert shuffled != whole
    assert sorted(shuffled, key=lambda bar: bar.date) == whole


async def test_a_bar_in_progress_comes_too() -> None:
    whole = await faultless()
    (next_bar,) = (await faultless("20240611-14:01:00"))[-1:]
    async with faulty(Fault(what="unfinished", at="historical_bars")) as (_, ib, _):
        answer = await bars(ib)
    *finished, unfinished = answer
    assert finished == whole[-len(finished) :]
    assert unfinished.date == next_bar.date == whole[-1].date + MINUTE
    assert 0 < unfinished.volume < next_bar.volume


# Scripts


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


# All of it at once

STORM = [
    *({"what": what} for what in ("silence", "hang_up", "cut", "garbage", "restart", "refuse")),
    *({"what": "lost", "data_lost": lost} for lost in (True, False)),
    *({"what": "farm", "farm": farm} for farm in ("ushmds", "secdefil")),
    {"what": "garbage", "framed": True},
    {"what": "drip", "rate": 50_000},
]
SPOILED = ("no_answer", "pacing", "empty", "late", "duplicate", "unordered", "unknown_contract")


@pytest.mark.parametrize(
    "seconds", [pytest.param(60, marks=pytest.mark.endurance), 3], ids=["long", "short"]
)
async def test_the_gateway_survives_its_own_faults(
    seconds: float, caplog: pytest.LogCaptureFixture
) -> None:
    """Faults at random, several at once, under three clients; then all is as if nothing was."""
    whole = await faultless()
    rng = random.Random(20240611)
    lull = {"refuse": {"seconds": 0.05}, "restart": {"seconds": 0.05, "unknown": 0.05}}
    lull |= {what: {"seconds": 0.05} for what in ("lost", "farm")}
    spoiled = [Fault(what=what, at="historical_bars", times=0, probability=0.1) for what in SPOILED]
    async with SimulatedGateway(now=NOW, faults=spoiled) as gateway:
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        clients = [asyncio.create_task(worry(gateway.port, number, until)) for number in (5, 6, 7)]
        struck = 0
        while loop.time() < until:
            fault = rng.choice(STORM)
            gateway.strike(Fault(**fault | lull.get(fault["what"], {})))
            struck += 1
            await asyncio.sleep(rng.uniform(0.01, 0.1))
        served = await asyncio.gather(*clients)
        assert struck > 10 * seconds
        assert sum(served) > seconds
        async with asyncio.timeout(SOON):
            while not (calm := await until_connected(gateway.port)):
                pass
        calm.RaiseRequestErrors = True
        async with asyncio.timeout(2 * SOON):
            while not any(answer == whole for answer in [await bars_in_time(calm)]):
                pass
        calm.disconnect()
    assert gateway.open_requests == 0
    # ib_async leaves its own futures behind when the socket goes.
    logged = [each.getMessage() for each in caplog.records if each.name == "asyncio"]
    assert [text for text in logged if "Socket disconnect" not in text] == []


async def worry(port: int, client_id: int, until: float) -> int:
    """Connect and ask, again and again; returns how many answers came."""
    answers = 0
    loop = asyncio.get_running_loop()
    while loop.time() < until:
        ib = ib_async.IB()
        ib.RaiseRequestErrors = True
        with suppress(OSError):
            await ib.connectAsync("127.0.0.1", port, client_id, timeout=0.2, readonly=True)
            while loop.time() < until and (got := await bars_in_time(ib)) is not None:
                answers += bool(got)
        ib.disconnect()
    return answers


async def bars_in_time(ib: ib_async.IB) -> list[Any] | None:
    """Half an hour of AAPL; nothing where refused, None where no answer comes."""
    try:
        async with asyncio.timeout(0.2):
            return await bars(ib)
    except ib_async.RequestError:
        return []
    except (TimeoutError, ConnectionError):
        return None

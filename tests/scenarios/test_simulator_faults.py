"""Faults of the simulated gateway and its connections, as ib_async meets them on the wire."""

import asyncio
import struct
from datetime import timedelta

import ib_async
import pytest

from core.simulator.faults import Fault
from core.simulator.server import SimulatedGateway
from tests.scenarios.faulty_gateway import (
    AAPL,
    NOW,
    SOON,
    Seen,
    bars,
    begun,
    connect,
    faultless,
    faulty,
    until_connected,
)
from tests.scenarios.simulator_clients import RawClient


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
            await refused.connectAsync("127.0.0.1", gateway.port, clientId=2, timeout=1.0)
        assert seen.codes[:1] == [326]
        assert ib.isConnected()
        (await connect(gateway.port, SOON)).disconnect()


async def test_nobody_listens_for_a_while_and_those_connected_stay() -> None:
    fault = Fault(what="refuse", at="current_time", seconds=1.0)
    async with faulty(fault) as (gateway, ib, _):
        await ib.reqCurrentTimeAsync()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", gateway.port)
        assert await bars(ib)
        async with asyncio.timeout(SOON):
            while not (again := await until_connected(gateway.port)):
                pass
        again.disconnect()


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
    fault = Fault(what="farm", at="historical_bars", farm=farm, seconds=0.5)
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
    fault = Fault(what="restart", at="historical_bars", nth=2, seconds=0.5, unknown=3600)
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
        gateway.outages.forget_contracts(0)
        assert await bars(again) == whole
        again.disconnect()


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

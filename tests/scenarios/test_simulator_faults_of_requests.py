"""Faults of single requests to the simulated gateway, as ib_async meets them on the wire."""

import asyncio
from datetime import timedelta

import ib_async
import pytest

from core.simulator.faults import Fault
from core.simulator.queries import HISTORY_ERROR
from core.simulator.server import SimulatedGateway
from tests.scenarios.faulty_gateway import (
    AAPL,
    EARLIER,
    HALF_AN_HOUR,
    NOW,
    SOON,
    bars,
    begun,
    faultless,
    faulty,
)
from tests.scenarios.simulator_clients import RawClient

MINUTE = timedelta(minutes=1)


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
        assert not await ib.reqHistoricalDataAsync(*HALF_AN_HOUR, timeout=0.1)
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
        assert not await ib.reqHistoricalDataAsync(*HALF_AN_HOUR, timeout=0.1)
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

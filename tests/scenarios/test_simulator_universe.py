"""The odd ones of the simulated universe, as ib_async and IBKR's client meet them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import ib_async
import pytest

from core.simulator.faults import Fault
from core.simulator.server import SimulatedGateway
from tests.scenarios.official_client import OfficialClient, official_contract
from tests.scenarios.simulator_clients import session

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
AAPL = ib_async.Stock("AAPL", "SMART", "USD")
BTC = ib_async.Crypto("BTC", "PAXOS", "USD")
CONTINUOUS = ib_async.ContFuture("ES", "CME")
CALL = ib_async.Option("AAPL", "20270115", 300, "C", "SMART")


@asynccontextmanager
async def desk(now: datetime = NOW) -> AsyncIterator[ib_async.IB]:
    async with SimulatedGateway(now=now) as gateway, session(gateway.port) as ib:
        yield ib


async def history(ib: ib_async.IB, contract: ib_async.Contract, *asked: Any) -> list[Any]:
    end, duration, size, what = asked
    answer = await ib.reqHistoricalDataAsync(contract, end, duration, size, what, True, 2)
    return list(answer)


async def refusal(ib: ib_async.IB, contract: ib_async.Contract, *asked: Any) -> tuple[int, str]:
    with pytest.raises(ib_async.RequestError) as refused:
        await history(ib, contract, *asked)
    return refused.value.code, refused.value.message


async def test_an_option_is_found_by_strike_and_right() -> None:
    async with desk() as ib:
        (found,) = await ib.reqContractDetailsAsync(CALL)
        assert found.contract.localSymbol == "AAPL  270115C00300000"
        assert (found.contract.strike, found.contract.right) == (300.0, "C")
        assert (found.contract.multiplier, found.underSymbol, found.underConId) == (
            *("100", "AAPL"),
            265598,
        )
        assert found.realExpirationDate == "20270115"
        with pytest.raises(ib_async.RequestError, match="No security definition"):
            await ib.reqContractDetailsAsync(ib_async.Option("AAPL", "20270115", 300, "P", "SMART"))
        minutes = await history(ib, CALL, "", "1 D", "1 min", "TRADES")
        assert len(minutes) == 390
        code, text = await refusal(ib, CALL, "", "1 M", "1 day", "TRADES")
        assert (code, "no data" in text) == (162, True)  # end-of-day data of options is not kept
    async with desk(datetime(2027, 1, 19, 15, tzinfo=UTC)) as ib:
        assert (await refusal(ib, CALL, "", "1 D", "1 min", "TRADES"))[0] == 200


async def test_a_stock_is_not_ambiguous_because_it_has_an_option() -> None:
    async with desk() as ib:
        (found,) = await ib.reqContractDetailsAsync(AAPL)
        assert found.contract.conId == 265598
        samples = await ib.reqMatchingSymbolsAsync("AAPL")
        assert [(each.contract.conId, each.contract.secType) for each in samples] == [
            (265598, "STK")
        ]


async def test_crypto_trades_all_day_in_fractions_under_a_word_of_its_own() -> None:
    async with desk() as ib:
        assert (await refusal(ib, BTC, "", "1 D", "1 hour", "TRADES")) == (
            10299,
            "Expected what to show is AGGTRADES, please use that instead of TRADES.",
        )
        assert (await refusal(ib, AAPL, "", "1 D", "1 hour", "AGGTRADES")) == (
            10299,
            "Expected what to show is TRADES, please use that instead of AGGTRADES.",
        )
        sunday = "20261116-00:00:00"
        hours = await history(ib, BTC, sunday, "1 D", "1 hour", "AGGTRADES")
        (day,) = await history(ib, BTC, sunday, "1 D", "1 day", "AGGTRADES")
        assert [bar.date.hour for bar in hours] == list(range(24))
        assert day.date == date(2026, 11, 15)
        assert day.volume == pytest.approx(sum(bar.volume for bar in hours))
        assert day.volume != round(day.volume)
        (found,) = await ib.reqContractDetailsAsync(BTC)
        assert (found.minTick, found.sizeIncrement) == (0.25, 0.0001)
        assert all(bar.close % 0.25 == 0 for bar in hours)


async def test_a_renamed_contract_keeps_its_id_and_its_prices() -> None:
    fb, meta = (ib_async.Stock(symbol, "SMART", "USD") for symbol in ("FB", "META"))
    week = ("20220603-21:00:00", "5 D", "1 day", "TRADES")
    async with desk(datetime(2022, 6, 8, 22, tzinfo=UTC)) as ib:
        (before,) = await ib.reqContractDetailsAsync(fb)
        as_fb = await history(ib, fb, *week)
        assert (await refusal(ib, meta, *week))[0] == 200
    async with desk(datetime(2022, 6, 9, 22, tzinfo=UTC)) as ib:
        (after,) = await ib.reqContractDetailsAsync(meta)
        assert await history(ib, meta, *week) == as_fb
        assert (await refusal(ib, fb, *week))[0] == 200
        by_id = ib_async.Contract(conId=before.contract.conId, exchange="SMART")
        assert await history(ib, by_id, *week) == as_fb
    assert before.contract.conId == after.contract.conId
    assert (before.contract.localSymbol, after.contract.localSymbol) == ("FB", "META")


async def test_a_delisted_stock_is_unknown_from_the_day_after() -> None:
    atvi = ib_async.Stock("ATVI", "SMART", "USD")
    week = ("20231013-22:00:00", "5 D", "1 day", "TRADES")
    async with desk(datetime(2023, 10, 13, 22, tzinfo=UTC)) as ib:
        days = await history(ib, atvi, *week)
        assert days[-1].date == date(2023, 10, 13)
    async with desk(datetime(2023, 10, 16, 22, tzinfo=UTC)) as ib:
        assert (await refusal(ib, atvi, *week))[0] == 200
        with pytest.raises(ib_async.RequestError, match="No security definition"):
            await ib.reqContractDetailsAsync(atvi)


@pytest.mark.parametrize("size", ["1 min", "1 day"])
async def test_after_a_split_all_history_is_told_in_new_shares(size: str) -> None:
    wmt = ib_async.Stock("WMT", "SMART", "USD")
    week = ("20240223-22:00:00", "5 D", size, "TRADES")
    async with desk(datetime(2024, 2, 25, 22, tzinfo=UTC)) as ib:
        old = await history(ib, wmt, *week)
    async with desk(datetime(2024, 2, 27, 15, tzinfo=UTC)) as ib:
        new = await history(ib, wmt, *week)
        across = await history(ib, wmt, "", "3 D", "1 day", "TRADES")
    assert len(old) == len(new) > 0
    for before, after in zip(old, new, strict=True):
        assert before.date == after.date
        for name in ("open", "high", "low", "close"):
            assert getattr(before, name) == pytest.approx(3 * getattr(after, name))
        assert (3 * before.volume, before.barCount) == (after.volume, after.barCount)
    closes = [bar.close for bar in across]
    assert all(0.9 < later / earlier < 1.1 for earlier, later in pairwise(closes))


async def test_adjusted_prices_fall_short_of_the_real_ones_by_the_dividends() -> None:
    ibm = ib_async.Stock("IBM", "SMART", "USD")
    async with desk() as ib:
        adjusted = await history(ib, ibm, "", "1 Y", "1 day", "ADJUSTED_LAST")
        real = await history(ib, ibm, "", "1 Y", "1 day", "TRADES")
    pairs = zip(adjusted, real, strict=True)
    ratios = {bar.date: round(mine.close / bar.close, 3) for mine, bar in pairs}
    assert ratios[date(2026, 11, 10)] == 1.0  # the last ex-day
    assert ratios[date(2026, 11, 9)] == 0.994
    assert ratios[date(2026, 2, 9)] == pytest.approx(0.9941 * 0.9937 * 0.9928 * 0.9943, abs=1e-3)


async def test_a_smaller_tick_is_told_and_history_keeps_the_old_one() -> None:
    siri = ib_async.Stock("SIRI", "SMART", "USD")
    days = ("20261104-22:00:00", "5 D", "1 hour", "TRADES")
    async with desk(datetime(2026, 10, 30, 22, tzinfo=UTC)) as ib:
        (before,) = await ib.reqContractDetailsAsync(siri)
        october = await history(ib, siri, "20261030-22:00:00", "3 D", "1 hour", "TRADES")
    async with desk() as ib:
        (after,) = await ib.reqContractDetailsAsync(siri)
        rule = await ib.reqMarketRuleAsync(int(after.marketRuleIds.split(",")[0]))
        bars = await history(ib, siri, *days)
    november = datetime(2026, 11, 1, tzinfo=UTC)
    last_day = [bar for bar in bars if bar.date < november]
    assert len(last_day) > 5
    # The average price has one decimal more than the tick of the day.
    rounded = [replace(bar, average=round(bar.average, 3)) for bar in last_day]
    assert rounded == october[-len(last_day) :]
    assert (before.minTick, after.minTick, rule[0].increment) == (0.01, 0.005, 0.005)
    closes = {bar.date.date(): round(bar.close * 1000) for bar in bars}
    assert all(close % 10 == 0 for day, close in closes.items() if day < date(2026, 11, 2))
    fine = [round(bar.close * 1000) for bar in bars if bar.date.date() >= date(2026, 11, 2)]
    assert all(close % 5 == 0 for close in fine)
    assert any(close % 10 for close in fine)


async def test_a_continuous_future_is_its_front_month_and_takes_no_end() -> None:
    async with desk() as ib:
        (found,) = await ib.reqContractDetailsAsync(CONTINUOUS)
        assert (found.contract.secType, found.contract.localSymbol) == ("CONTFUT", "ESZ6")
        assert (await refusal(ib, CONTINUOUS, "20261101-22:00:00", "1 D", "1 hour", "TRADES")) == (
            10339,
            "Setting end date/time for continuous future security type is not allowed",
        )
        days = await history(ib, found.contract, "", "1 Y", "1 day", "TRADES")
        for name, until, last in (
            ("ESU6", "20260918-00:00:00", date(2026, 9, 17)),
            ("ESZ6", "20260919-00:00:00", date(2026, 9, 18)),
        ):
            future = ib_async.Future(localSymbol=name, exchange="CME", includeExpired=True)
            (bar,) = await history(ib, future, until, "1 D", "1 day", "TRADES")
            assert bar.date == last
            assert bar in days
    assert len(days) > 250


async def test_small_bars_are_kept_for_half_a_year() -> None:
    async with desk() as ib:
        recent = await history(ib, AAPL, "20261118-15:00:00", "1800 S", "5 secs", "TRADES")
        assert len(recent) == 360
        code, text = await refusal(ib, AAPL, "20260318-15:00:00", "1800 S", "5 secs", "TRADES")
        assert (code, "no data" in text) == (162, True)


TICK_FIELDS = {
    "TRADES": ("price", "size", "exchange", "specialConditions"),
    "MIDPOINT": ("price", "size"),
    "BID_ASK": ("priceBid", "priceAsk", "sizeBid", "sizeAsk"),
}


@pytest.mark.parametrize("what", TICK_FIELDS)
async def test_both_clients_read_the_same_ticks(what: str) -> None:
    def row(tick: Any) -> tuple[Any, ...]:
        values = (getattr(tick, name) for name in TICK_FIELDS[what])
        return tuple(each if isinstance(each, str) else float(each) for each in values)

    asked = ("", "20261118 15:00:00 UTC", 50, what)
    async with desk() as ib:
        theirs = await ib.reqHistoricalTicksAsync(AAPL, *asked, True)
    # Another gateway: on the first one this would be an identical request within 15 seconds.
    async with SimulatedGateway(now=NOW) as gateway, OfficialClient(gateway.port) as official:
        contract = official_contract(symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
        ticks = await official.ask(official.reqHistoricalTicks, contract, *asked, True, False, [])
    assert len(theirs) >= 50
    assert [row(tick) for tick in theirs] == [row(tick) for tick in ticks]
    assert [tick.time.timestamp() for tick in theirs] == [tick.time for tick in ticks]


async def test_ticks_are_paced_like_small_bars() -> None:
    async with SimulatedGateway(now=NOW) as gateway, session(gateway.port) as ib:
        asked = (AAPL, "", "20261118-15:00:00", 10, "BID_ASK", True)
        assert await ib.reqHistoricalTicksAsync(*asked)
        with pytest.raises(ib_async.RequestError, match="pacing violation"):
            await ib.reqHistoricalTicksAsync(*asked)
        assert [each.kind for each in gateway.violations] == ["historical_ticks"]


@pytest.mark.parametrize(
    ("asked", "cause"),
    [
        (("", "", 10, "TRADES"), "Exactly one of start and end time"),
        (("", "20261118-15:00:00", 0, "TRADES"), "Number of ticks must be > 0"),
        (("", "20261118-15:00:00", 10, "PRICES"), "Invalid source price"),
    ],
)
async def test_ticks_are_refused_in_words(asked: tuple[Any, ...], cause: str) -> None:
    # ib_async takes 321 for a warning and would wait, so only the official client is asked.
    async with SimulatedGateway(now=NOW) as gateway, OfficialClient(gateway.port) as official:
        contract = official_contract(symbol="AAPL", secType="STK", exchange="SMART")
        code, text = await official.ask(
            official.reqHistoricalTicks, contract, *asked, True, False, []
        )
    assert (code, cause in text) == (321, True)


async def test_a_slow_tick_request_is_slow() -> None:
    fault = Fault(what="slow", at="historical_ticks", seconds=0.1)
    async with SimulatedGateway(now=NOW, faults=[fault]) as gateway, session(gateway.port) as ib:
        ticks = await ib.reqHistoricalTicksAsync(AAPL, "", "20261118-15:00:00", 10, "TRADES", True)
        assert len(ticks) >= 10

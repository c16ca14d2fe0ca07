"""The terms of a run: warm-up, account, leverage, fees, slippage, and cash in several currencies.
Each case is small enough to be worked out by hand."""

from __future__ import annotations

import asyncio
import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.columns import BarColumns
from catalog.errors import WrongInput
from catalog.events import Event, ignore
from catalog.series import BarSpec, Series
from core.backtest.currencies import RateBars
from core.backtest.data import RunData
from core.backtest.queueing import RunQueue, RunQueued
from core.backtest.results import RunStore, StoredRun
from core.backtest.runner import run_backtest
from core.strategies.library import Library
from tests.scenarios import backtest_bars as market

SCRIPTED = "tests.scenarios.scripted:Scripted"
FLAT = [100, 100, 100, 100]


async def run(
    folder: Path, data: RunData, script: str, size: int | None = 100, **terms: object
) -> StoredRun:
    spec = market.spec_for(data, SCRIPTED, script=script, trade_size=size)
    spec = replace(spec, **terms)  # type: ignore[arg-type]
    library = Library([folder / "mine"])
    return await run_backtest(spec, data, RunStore(folder / "runs"), report=ignore, library=library)


def one(folder: Path, closes: list[float], definition: market.Definition | None = None) -> RunData:
    bars = market.flat_bars(closes)
    return market.run_of(market.instrument(folder, bars, definition or market.equity()))


async def test_warm_up_bars_reach_the_indicators_and_trade_nothing(tmp_path: Path) -> None:
    """The last 20 of 50 bars: a crossover of 3 and 5 knows its side at the first of them."""
    bars = market.flat_bars(100 + np.arange(50) * 0.1)
    held = market.instrument(tmp_path, bars, market.equity())
    start = market.START + 30 * market.MINUTE
    cold = RunData((held,), (start, start + 20 * market.MINUTE))
    warm = replace(cold, warm_from=market.START + 25 * market.MINUTE)
    spec = market.spec_for(cold, "sma_crossover", fast_period=3, slow_period=5, trade_size=10)
    store = RunStore(tmp_path / "runs")
    without = await run_backtest(spec, cold, store, report=ignore)
    done = await run_backtest(replace(spec, warm_up=5), warm, store, report=ignore)
    assert [fill.ts for fill in without.fills] == [bars.ts[34]]
    assert [fill.ts for fill in done.fills] == [bars.ts[30]]
    assert done.equity.ts.tolist() == bars.ts[30:].tolist()
    assert done.metrics.bars == 20
    assert done.metrics.start_equity == 100_000
    assert not any("before the start" in text for text in done.result.warnings)


async def test_a_warm_up_that_is_not_all_there_is_told(tmp_path: Path) -> None:
    held = market.instrument(tmp_path, market.flat_bars(FLAT * 5), market.equity())
    start = market.START + 3 * market.MINUTE
    data = RunData((held,), (start, start + market.MINUTE * 10), warm_from=market.START)
    done = await run(tmp_path, data, "L", warm_up=200)
    assert "AAPL.NASDAQ 1-MINUTE-LAST: 3 bars before the start, not 200: " in "".join(
        done.result.warnings
    )


@pytest.mark.parametrize(("early", "told"), [("", 0), ("on_start", 1), ("on_warm_up_bar", 3)])
async def test_a_strategy_of_nautilus_own_kind_sends_nothing_while_it_warms_up(
    tmp_path: Path, early: str, told: int
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "eager.py").write_text(
        textwrap.dedent("""
            from nautilus_trader.model import BarType, OrderSide, Quantity
            from nautilus_trader.trading import Strategy

            class Eager(Strategy):
                def __init__(self, bar_type: BarType):
                    super().__init__()
                    self.bars, self.seen = bar_type, 0

                def on_start(self):
                    self.subscribe_bars(self.bars)
                    self.buy("on_start", 7)

                def on_warm_up_bar(self, bar):
                    self.seen += 1
                    self.buy("on_warm_up_bar", 9)

                def on_bar(self, bar):
                    self.buy("", self.seen)

                def buy(self, place, units):
                    if place in ("", EARLY):
                        self.submit_order(self.order_factory.market(
                            self.bars.instrument_id, OrderSide.BUY, Quantity.from_int(units)
                        ))
        """).replace("EARLY", repr(early))
    )
    held = market.instrument(tmp_path, market.flat_bars(FLAT), market.equity())
    start = market.START + 3 * market.MINUTE
    data = RunData((held,), (start, start + market.MINUTE), warm_from=market.START)
    spec = replace(market.spec_for(data, "eager"), warm_up=3)
    library = Library([tmp_path / "mine"])
    store = RunStore(tmp_path / "runs")
    done = await run_backtest(spec, data, store, report=ignore, library=library)
    assert [(fill.units, fill.ts) for fill in done.fills] == [(3, start + market.MINUTE)]
    assert len(done.orders) == 1
    warned = [text for text in done.result.warnings if text.startswith("orders not sent")]
    assert [text.rpartition(" ")[2] for text in warned] == ([str(told)] if told else [])


async def test_a_cash_account_refuses_to_sell_short(tmp_path: Path) -> None:
    done = await run(tmp_path, one(tmp_path, FLAT), "LFS", account="cash")
    assert [fill.units for fill in done.fills] == [100, -100]
    assert any("Short selling not permitted" in order.reason for order in done.orders)
    assert (
        "orders refused: 2, Short selling not permitted on a CASH account" in done.result.warnings
    )
    for definition in (market.future(), market.currency_pair()):
        with pytest.raises(WrongInput, match=f"cash account cannot hold {definition['id']}"):
            await run(tmp_path, one(tmp_path, FLAT, definition), "L", account="cash")


@pytest.mark.parametrize(("size", "filled"), [(1_900, 1), (2_100, 0)])
async def test_a_leverage_bounds_what_an_order_may_be_worth(
    tmp_path: Path, size: int, filled: int
) -> None:
    data = one(tmp_path, FLAT)
    done = await run(tmp_path, data, "L", size, leverage=2.0)
    assert len(done.fills) == filled
    free = await run(tmp_path, data, "L", size)
    assert len(free.fills) == 1


async def test_hedging_keeps_a_position_for_each_order(tmp_path: Path) -> None:
    done = await run(tmp_path, one(tmp_path, [100, 101, 102, 102]), "LFSF", oms="hedging")
    assert [fill.units for fill in done.fills] == [100, -100, -100, 100]
    assert done.metrics.end_equity == 100_100
    assert not any("the engine's accounts hold" in text for text in done.result.warnings)
    assert any("are netted" in text for text in done.result.notes)


async def test_slippage_is_a_tick_worse_and_drawn_with_a_seed(tmp_path: Path) -> None:
    data = one(tmp_path, FLAT * 25)
    script = "LF" * 50
    always = await run(tmp_path, data, script, slippage=1.0)
    assert {(fill.units, fill.price) for fill in always.fills} == {(100, 100.01), (-100, 99.99)}
    one_seed = await run(tmp_path, data, script, slippage=0.5, seed=1)
    again = await run(tmp_path, data, script, slippage=0.5, seed=1)
    other = await run(tmp_path, data, script, slippage=0.5, seed=2)
    assert one_seed.fills == again.fills
    assert one_seed.fills != other.fills
    assert 20 < sum(fill.price != 100 for fill in one_seed.fills) < 80


async def test_fees_by_contract_and_of_the_users_own(tmp_path: Path) -> None:
    data = one(tmp_path, FLAT)
    by_contract = await run(tmp_path, data, "LF", fees="per_contract:0.02")
    assert [fill.fee for fill in by_contract.fills] == [2.0, 2.0]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "costs.py").write_text(
        textwrap.dedent("""
            from nautilus_trader.execution import FeeModel
            from nautilus_trader.model import Money

            class Dear(FeeModel):
                def get_commission(self, order, fill_quantity, fill_px, instrument):
                    return Money(7.0, instrument.quote_currency)

            class Broken(FeeModel):
                def get_commission(self, order, fill_quantity, fill_px, instrument):
                    return 1 / 0
        """)
    )
    own = await run(tmp_path, data, "LF", fees="costs:Dear")
    assert [fill.fee for fill in own.fills] == [7.0, 7.0]
    with pytest.raises(Exception, match="ZeroDivisionError"):
        await run(tmp_path, data, "LF", fees="costs:Broken")
    with pytest.raises(WrongInput, match="is no fee model"):
        await run(tmp_path, data, "LF", fees="costs:Absent")


async def test_fees_that_the_price_list_does_not_know_are_refused(tmp_path: Path) -> None:
    data = one(tmp_path, FLAT, market.equity("VOD.LSE", currency="GBP"))
    with pytest.raises(WrongInput, match="no price for VOD") as refusal:
        await run(tmp_path, data, "L", cash="100000 GBP", fees="ibkr_fixed")
    assert "a stock in GBP" in refusal.value.reason
    assert (await run(tmp_path, data, "L", cash="100000 GBP", fees="zero")).fills
    abroad = one(tmp_path, FLAT, market.equity("VUSD.LSEETF"))
    done = await run(tmp_path, abroad, "L", fees="ibkr_fixed")
    assert "VUSD.LSEETF: fees are those of US exchanges, others charge more" in done.result.warnings


def rates(folder: Path, closes: list[float]) -> RateBars:
    """Minutes of EUR/USD from the minute before the start on: a rate of 1.25 is 0.80 EUR a USD."""
    series = Series("EUR/USD.IDEALPRO", BarSpec(1, "MINUTE", "MID"))
    bars = market.flat_bars(closes, precision=5, volume=0, first=market.START - market.MINUTE)
    return RateBars("USD", series, (market.store(folder, series, bars),), inverted=True)


async def test_a_euro_account_trades_us_stocks(tmp_path: Path) -> None:
    """80,000 EUR become 100,000 USD at 1.25. 500 shares rise by 10 to 105,000 USD; at 1.20 these
    are 87,500 EUR."""
    data = one(tmp_path, [100, 110, 110, 110])
    data = replace(data, rates=(rates(tmp_path, [1.25, 1.25, 1.25, 1.25, 1.2]),))
    done = await run(tmp_path, data, "LLLL", 500, cash="80000 EUR")
    assert done.equity.value.tolist() == pytest.approx([80_000, 84_000, 84_000, 87_500])
    assert done.metrics.start_equity == pytest.approx(80_000)
    assert done.metrics.total_return == pytest.approx(87_500 / 80_000 - 1)
    assert any("80,000 EUR converted to 100,000.00 USD" in text for text in done.result.notes)
    # Held from the start: 110 / 100 in USD, times 1.25 / 1.20 in EUR.
    assert done.equity.benchmark[-1] == pytest.approx(80_000 * 1.1 * 1.25 / 1.2)


async def test_trades_and_fees_count_in_the_currency_of_the_figures(tmp_path: Path) -> None:
    data = one(tmp_path, [100, 110, 110, 110])
    data = replace(data, rates=(rates(tmp_path, [1.25, 1.25, 1.25, 1.25, 1.25]),))
    done = await run(tmp_path, data, "LFFF", 500, cash="80000 EUR", fees="per_contract:0.01")
    assert done.metrics.fees == pytest.approx(2 * 5 / 1.25)
    assert done.metrics.expectancy == pytest.approx((5_000 - 10) / 1.25)
    assert done.metrics.end_equity == pytest.approx(80_000 + (5_000 - 10) / 1.25)
    assert done.positions[-1].realized == pytest.approx((5_000 - 10) / 1.25)


async def test_two_currencies_have_cash_of_their_own_and_one_equity(tmp_path: Path) -> None:
    """60,000 USD and 40,000 EUR at 1.25 are 110,000 USD. The German share makes 1,000 EUR."""
    apple = market.instrument(tmp_path, market.flat_bars([100, 101, 101]), market.equity())
    sap = market.instrument(
        tmp_path, market.flat_bars([200, 210, 210]), market.equity("SAP.IBIS", currency="EUR")
    )
    data = market.run_of(apple, sap)
    dollars = replace(rates(tmp_path, [1.25, 1.25, 1.25, 1.3]), currency="EUR", inverted=False)
    done = await run(tmp_path, replace(data, rates=(dollars,)), "LLL", cash="60000 USD, 40000 EUR")
    assert done.equity.value.tolist() == pytest.approx(
        [110_000, 60_100 + 41_000 * 1.25, 60_100 + 41_000 * 1.3]
    )
    assert not any("the engine's accounts hold" in text for text in done.result.warnings)


async def test_without_a_rate_a_run_in_two_currencies_is_refused(tmp_path: Path) -> None:
    data = one(tmp_path, FLAT)
    with pytest.raises(WrongInput, match="no rate of USD in EUR") as refusal:
        await run(tmp_path, data, "L", cash="80000 EUR")
    assert "EUR/USD.IDEALPRO in 1-DAY-MID" in refusal.value.steps[0]


def session(day: int) -> BarColumns:
    return market.flat_bars([100 + day, 101 + day], first=market.START + day * 1440 * market.MINUTE)


async def test_runs_wait_for_a_free_slot_in_the_order_they_came() -> None:
    queue, heard, order = RunQueue(1), list[Event](), list[str]()
    gate = asyncio.Event()

    async def work(name: str) -> None:
        async with queue.slot(heard.append):
            order.append(name)
            await gate.wait()

    tasks = [asyncio.ensure_future(work(name)) for name in ("first", "second", "third")]
    await asyncio.sleep(0)
    assert order == ["first"]
    assert [event.ahead for event in heard if isinstance(event, RunQueued)] == [1, 2]
    tasks[1].cancel()
    gate.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == ["first", "third"]

"""Runs small enough to be worked out by hand, on the real engine in a real worker."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.errors import DataUnavailable, WrongInput
from catalog.events import Event, ignore
from catalog.made_instruments import made_instrument
from catalog.series import BarSpec, Series
from core.backtest.data import RunData
from core.backtest.results import RunStore, StoredRun
from core.backtest.runner import RunFinished, RunProgress, RunStarted, run_backtest
from core.backtest.venues import VenueDetected
from tests.scenarios import backtest_bars as market

SCRIPTED = "tests.scenarios.scripted:Scripted"
DIP = [100, 70, 100, 100]


async def run(
    folder: Path, data: RunData, script: str, size: int | None, fees: str = "zero"
) -> StoredRun:
    spec = market.spec_for(data, SCRIPTED, fees, script=script, trade_size=size)
    return await run_backtest(spec, data, RunStore(folder / "runs"), report=ignore)


async def test_a_dip_of_a_position_is_a_drawdown_and_no_loss(tmp_path: Path) -> None:
    data = market.run_of(market.instrument(tmp_path, market.flat_bars(DIP), market.equity()))
    done = await run(tmp_path, data, "LLFF", 500)
    assert done.equity.value.tolist() == [100_000, 85_000, 100_000, 100_000]
    assert done.metrics.max_drawdown == pytest.approx(0.15)
    assert done.metrics.total_return == 0
    assert done.metrics.fees == 0
    assert done.metrics.exposure == 0.5
    assert done.metrics.trades == 1
    assert done.metrics.win_rate == 0
    assert done.metrics.sharpe is None


async def test_fees_deepen_the_dip_and_cost_the_return(tmp_path: Path) -> None:
    data = market.run_of(market.instrument(tmp_path, market.flat_bars(DIP), market.equity()))
    done = await run(tmp_path, data, "LLFF", 500, "ibkr_fixed")
    assert [fill.fee for fill in done.fills] == [2.5, 2.5]
    assert done.metrics.max_drawdown == pytest.approx(0.150025)
    assert done.metrics.total_return == pytest.approx(-0.00005)
    assert done.metrics.end_equity == pytest.approx(99_995)
    assert done.metrics.expectancy == pytest.approx(-5)
    assert done.metrics.profit_factor == 0


async def test_partial_fills_share_the_minimum_fee_of_their_order(tmp_path: Path) -> None:
    bars = market.flat_bars([100, 100, 100], volume=400)
    data = market.run_of(market.instrument(tmp_path, bars, market.equity()))
    done = await run(tmp_path, data, "LLL", 150, "ibkr_fixed")
    assert [(fill.units, fill.price) for fill in done.fills] == [(100, 100.0), (50, 100.01)]
    assert [fill.fee for fill in done.fills] == [1.0, 0.0]
    assert any("a quarter of the bar's volume" in text for text in done.result.warnings)


async def test_a_long_and_a_short_trade(tmp_path: Path) -> None:
    bars = market.flat_bars([100, 110, 110, 105, 105])
    data = market.run_of(market.instrument(tmp_path, bars, market.equity()))
    done = await run(tmp_path, data, "LSSFF", 100)
    assert [(t.side, t.units, t.entry_price, t.exit_price, t.pnl) for t in done.trades] == [
        ("long", 100, 100.0, 110.0, 1_000.0),
        ("short", 100, 110.0, 105.0, 500.0),
    ]
    assert len(done.orders) == 3  # the second one turns the position round
    assert done.equity.value.tolist() == [100_000, 101_000, 101_000, 101_500, 101_500]
    assert done.metrics.win_rate == 1
    assert done.metrics.profit_factor is None
    assert done.metrics.expectancy == 750
    assert done.metrics.benchmark_return == pytest.approx(0.05)


async def test_a_future_counts_its_multiplier(tmp_path: Path) -> None:
    bars = market.flat_bars([5_000, 4_990, 5_010, 5_010], volume=1_000)
    data = market.run_of(market.instrument(tmp_path, bars, market.future()))
    done = await run(tmp_path, data, "LLFF", None, "ibkr_fixed")
    assert [fill.units for fill in done.fills] == [1, -1]  # one contract is the least
    assert done.equity.value.tolist() == [99_997.75, 99_497.75, 100_495.50, 100_495.50]
    assert done.metrics.leverage == pytest.approx(4_990 * 50 / 99_497.75)
    assert any("on margin" in text for text in done.result.warnings)


async def test_currencies_on_mid_alone_fill_without_a_spread(tmp_path: Path) -> None:
    bars = market.flat_bars([1.1, 1.099, 1.101, 1.101], precision=5, volume=0)
    data = market.run_of(market.instrument(tmp_path, {"MID": bars}, market.currency_pair()))
    done = await run(tmp_path, data, "LLFF", 80_000, "ibkr_fixed")
    assert [fill.price for fill in done.fills] == [1.1, 1.101]
    assert [fill.fee for fill in done.fills] == [2, 2]  # 0.2 bp would be 1.76
    assert done.metrics.end_equity == pytest.approx(100_000 + 80 - 4)
    assert any(text.startswith("spread 0") for text in done.result.warnings)


async def test_currencies_buy_at_the_stored_ask_and_sell_at_the_bid(tmp_path: Path) -> None:
    mid = [1.1, 1.099, 1.101, 1.101]
    sides = {
        side: market.flat_bars([price + half for price in mid], precision=5, volume=0)
        for side, half in (("MID", 0), ("BID", -0.0001), ("ASK", 0.0001))
    }
    data = market.run_of(market.instrument(tmp_path, sides, market.currency_pair()))
    done = await run(tmp_path, data, "LLFF", 80_000)
    assert [fill.price for fill in done.fills] == [1.1001, 1.1009]
    assert done.metrics.end_equity == pytest.approx(100_000 + 80 - 16)
    assert not any("spread 0" in text for text in done.result.warnings)


async def test_two_venues_are_two_accounts_of_half_the_cash(tmp_path: Path) -> None:
    apple = market.instrument(tmp_path, market.flat_bars([100, 110]), market.equity())
    ibm = market.instrument(tmp_path, market.flat_bars([200, 190]), market.equity("IBM.NYSE"))
    done = await run(tmp_path, market.run_of(apple, ibm), "L", None)
    # 95 % of 50,000 each: 475 and 237 whole shares.
    assert [(f.instrument_id, f.units) for f in done.fills] == [
        ("AAPL.NASDAQ", 475),
        ("IBM.NYSE", 237),
    ]
    assert done.equity.value.tolist() == [100_000, 100_000 + 4_750 - 2_370]
    assert [venue.venue for venue in done.result.venues] == ["NASDAQ", "NYSE"]
    assert any("split evenly over 2 accounts" in text for text in done.result.notes)


async def test_without_an_instrument_the_bars_name_the_venue(tmp_path: Path) -> None:
    bars = market.flat_bars([30.125, 31.125], precision=3)
    data = market.run_of(market.instrument(tmp_path, bars, None, "GDX.ARCA"))
    done = await run(tmp_path, data, "L", 100)
    assert [(v.venue, v.source, v.synthetic) for v in done.result.venues] == [
        ("ARCA", "bars", True)
    ]
    assert done.synthetic
    assert done.metrics.end_equity == 100_100
    assert any("synthetic" in text for text in done.result.warnings)


async def test_an_instrument_that_an_import_made_up_is_called_synthetic(tmp_path: Path) -> None:
    bars = market.flat_bars([30.125, 31.125], precision=3)
    series = Series("GDX.ARCA", BarSpec(1, "MINUTE"))
    made = made_instrument(series, "equity", "USD", bars, "America/New_York")
    data = market.run_of(market.instrument(tmp_path, bars, made, "GDX.ARCA"))
    done = await run(tmp_path, data, "L", 100)
    assert [(v.source, v.synthetic) for v in done.result.venues] == [("instrument", True)]
    assert done.synthetic
    assert any("an import made it up" in text for text in done.result.warnings)


async def test_a_future_that_expires_is_closed_at_its_last_price_and_traded_no_more(
    tmp_path: Path,
) -> None:
    """Bought at 5,000 and worth 50 a point, it expires half a minute after the close of 5,010."""
    expiring = market.future(expiration_ns=market.START + 5 * market.MINUTE // 2)
    bars = market.flat_bars([5_000, 5_010, 5_020, 5_030])
    data = market.run_of(market.instrument(tmp_path, bars, expiring))
    done = await run(tmp_path, data, "LLSS", 1, "ibkr_fixed")
    assert [(fill.units, fill.price) for fill in done.fills] == [(1, 5_000), (-1, 5_010)]
    assert done.metrics.end_equity == 100_000 + 50 * 10 - 2 * 2.25
    assert done.result.warnings[0].endswith("is closed at its last price")
    assert "orders refused: 2, Contract ESH4.CME has expired" in "".join(done.result.warnings)


async def test_a_strategy_that_raises_ends_the_run_and_is_kept(tmp_path: Path) -> None:
    data = market.run_of(market.instrument(tmp_path, market.flat_bars(DIP), market.equity()))
    with pytest.raises(DataUnavailable) as failure:
        await run(tmp_path, data, "LL!L", 100)
    assert failure.value.title == f"{SCRIPTED} raised ZeroDivisionError: the script said so"
    assert failure.value.reason.endswith('in target: raise ZeroDivisionError("the script said so")')
    store = RunStore(tmp_path / "runs")
    (kept,) = store.list()
    assert kept.result.state == "failed"
    assert store.load(kept.run_id).result.error == failure.value.as_record()
    with pytest.raises(DataUnavailable):
        _ = store.load(kept.run_id).metrics


async def test_an_engine_that_aborts_is_told_and_kept(tmp_path: Path) -> None:
    data = market.run_of(market.instrument(tmp_path, market.flat_bars(DIP), market.equity()))
    with pytest.raises(Exception, match="ended without a result"):
        await run(tmp_path, data, "LX", 100)
    (kept,) = RunStore(tmp_path / "runs").list()
    assert kept.result.state == "failed"


async def test_orders_on_a_bar_without_volume_are_counted_and_tried_again(tmp_path: Path) -> None:
    bars = market.flat_bars([100, 101, 101])
    bars.volume[0] = 0
    data = market.run_of(market.instrument(tmp_path, bars, market.equity()))
    done = await run(tmp_path, data, "LLL", 100)
    assert done.metrics.rejected == 1
    assert [fill.ts for fill in done.fills] == [market.START + 2 * market.MINUTE]
    assert any(text.startswith("orders refused: 1, No market") for text in done.result.warnings)
    engine_lines = [line["message"] for line in done.log if line["channel"] == "engine"]
    assert any("No market" in message for message in engine_lines)


async def test_the_events_tell_the_story_in_order(tmp_path: Path) -> None:
    data = market.run_of(market.instrument(tmp_path, market.flat_bars(DIP), market.equity()))
    heard: list[Event] = []
    spec = market.spec_for(data, SCRIPTED, script="LLFF", trade_size=500)
    done = await run_backtest(spec, data, RunStore(tmp_path / "runs"), report=heard.append)
    kinds = [type(event) for event in heard]
    assert kinds[:3] == [RunStarted, VenueDetected, RunProgress]
    assert kinds[-1] is RunFinished
    assert [line["event"] for line in done.log if line.get("event")][-1] == "run_finished"


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (market.equity("VOD.LSE", currency="GBP"), "VOD.LSE is in GBP"),
        (market.equity("AAPL.NASDAQ", price_precision=4, price_increment="0.0001"), "do not fit"),
        (market.future(expiration_ns=market.START - 3 * 1440 * market.MINUTE), "expired"),
        (market.equity("^SPX.CBOE", type="IndexInstrument"), "cannot be traded"),
    ],
)
async def test_what_would_go_wrong_in_silence_is_refused(
    tmp_path: Path, definition: market.Definition, words: str
) -> None:
    data = market.run_of(market.instrument(tmp_path, market.flat_bars(DIP), definition))
    with pytest.raises(WrongInput, match=words) as refusal:
        await run(tmp_path, data, "L", 100)
    (kept,) = RunStore(tmp_path / "runs").list()
    assert kept.result.error == refusal.value.as_record()


async def test_bars_of_another_venue_than_the_instrument_are_refused(tmp_path: Path) -> None:
    bars = market.flat_bars(DIP)
    data = market.run_of(market.instrument(tmp_path, bars, market.equity(), "AAPL.ARCA"))
    with pytest.raises(WrongInput, match="another venue"):
        await run(tmp_path, data, "L", 100)


async def test_a_range_without_bars_is_told(tmp_path: Path) -> None:
    held = market.instrument(tmp_path, market.flat_bars(DIP), market.equity())
    data = RunData((held,), (market.START - 10 * market.MINUTE, market.START))
    with pytest.raises(DataUnavailable, match="no bars"):
        await run(tmp_path, data, "L", 100)


async def test_cash_that_buys_nothing_is_told(tmp_path: Path) -> None:
    bars = market.flat_bars([600_000, 600_000])
    data = market.run_of(market.instrument(tmp_path, bars, market.equity()))
    with pytest.raises(WrongInput, match="does not buy"):
        await run(tmp_path, data, "L", None)

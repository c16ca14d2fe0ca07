"""Broker bars -> exact columns."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ib_async import BarData

from catalog.series import BarSpec
from core.ibkr.bars import PriceScale, first_open, read_bars
from tests.outside import SHARED

MINUTE, DAY = BarSpec(1, "MINUTE"), BarSpec(1, "DAY")
CENTS = PriceScale(Decimal("0.01"))
START = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)
START_NS = int(START.timestamp()) * 1_000_000_000
MINUTE_NS = 60_000_000_000
RECORDED = SHARED / "recordings/nautilus_bars.first60.jsonl"


def bar(minute: int = 0, **changes: Any) -> BarData:
    fields: dict[str, Any] = {
        "date": START + timedelta(minutes=minute),
        "open": 100.0,
        "high": 101.0,
        "low": 99.0,
        "close": 100.5,
        "volume": 1_000.0,
    }
    return BarData(**(fields | changes))


def test_prices_are_exact_integers_and_stamps_are_the_close() -> None:
    columns = read_bars([bar(), bar(1, open=100.07)], MINUTE, CENTS).columns
    assert columns.ts.tolist() == [START_NS + MINUTE_NS, START_NS + 2 * MINUTE_NS]
    assert columns.open.tolist() == [10_000, 10_007]
    assert columns.close.tolist() == [10_050, 10_050]
    assert columns.volume.tolist() == [1_000, 1_000]
    assert first_open(columns, MINUTE) == START_NS


def test_a_bar_a_session_cuts_short_is_stamped_by_its_size_all_the_same() -> None:
    half_hour = bar(date=datetime(2024, 1, 2, 14, 30, tzinfo=UTC))
    columns = read_bars([half_hour], BarSpec(1, "HOUR"), CENTS).columns
    assert columns.ts.tolist() == [START_NS + 60 * MINUTE_NS]


def test_a_day_is_stamped_at_the_end_of_its_date() -> None:
    columns = read_bars([bar(date=date(2024, 1, 2))], DAY, CENTS).columns
    end = int(datetime(2024, 1, 3, tzinfo=UTC).timestamp()) * 1_000_000_000 - 1
    assert columns.ts.tolist() == [end]
    assert first_open(columns, DAY) == end + 1 - 86_400_000_000_000


def test_no_volume_is_none_and_fractions_are_rounded_half_up_and_counted() -> None:
    read = read_bars([bar(volume=-1), bar(1, volume=12.5), bar(2, volume=12.4)], MINUTE, CENTS)
    assert read.columns.volume.tolist() == [0, 13, 12]
    assert read.rounded_volumes == 2


def test_volumes_of_currencies_keep_their_decimals() -> None:
    scale = PriceScale(Decimal("0.00005"), size_precision=2)
    read = read_bars([bar(volume=12.34)], MINUTE, scale)
    assert (read.columns.volume.tolist(), read.rounded_volumes) == ([1_234], 0)


US_STOCK = replace(CENTS, us_stock=True)


@pytest.mark.parametrize(
    ("sent", "shares", "in_lots"),
    [
        ((948837.22, 810998.27), [94_883_722, 81_099_827], True),  # TSLA as it was recorded in 2023
        ((12.0, 7.05), [1_200, 705], True),
        ((12.0, 7.0), [12, 7], False),
        ((12.0, 7.0512), [12, 7], False),  # fractions of shares
        ((-1.0, 7.5), [0, 750], True),
    ],
)
def test_hundredths_in_the_volumes_of_a_us_stock_are_lots_that_become_shares(
    sent: tuple[float, float], shares: list[int], in_lots: bool
) -> None:
    bars = [bar(minute, volume=volume) for minute, volume in enumerate(sent)]
    read = read_bars(bars, MINUTE, US_STOCK)
    assert (read.columns.volume.tolist(), read.in_lots) == (shares, in_lots)
    assert not read_bars(bars, MINUTE, CENTS).in_lots  # elsewhere they are fractions of one


def test_of_a_gateway_that_sends_lots_whole_ones_are_lots_too() -> None:
    read = read_bars([bar(volume=12.0)], MINUTE, US_STOCK, in_lots=True)
    assert (read.columns.volume.tolist(), read.in_lots) == ([1_200], True)


@pytest.mark.parametrize(
    ("price", "units"),
    [(100.005, 10_000), (100.015, 10_002), (100.025, 10_002), (100.0251, 10_003), (1.005, 100)],
)
def test_prices_off_the_tick_are_rounded_half_even_by_their_text(price: float, units: int) -> None:
    read = read_bars([bar(open=price, high=price, low=price, close=price)], MINUTE, CENTS)
    assert read.columns.open.tolist() == [units]
    assert read.rounded_prices == 1


def test_trades_go_to_the_tick_and_midpoints_only_to_the_decimals() -> None:
    quarters = PriceScale(Decimal("0.25"))
    between = bar(open=5_000.375, high=5_000.375, low=5_000.375, close=5_000.375)
    traded = read_bars([between], MINUTE, quarters)
    middle = read_bars([between], MINUTE.with_side("MID"), quarters)
    assert (traded.columns.open.tolist(), traded.rounded_prices) == ([500_050], 1)
    assert (middle.columns.open.tolist(), middle.rounded_prices) == ([500_038], 1)


def test_pence_become_pounds() -> None:
    scale = PriceScale(Decimal("0.0002"), magnifier=100)
    read = read_bars([bar(open=99.02, high=99.04, low=99.0, close=99.0)], MINUTE, scale)
    assert read.columns.open.tolist() == [9_902]
    assert read.columns.price(read.columns.open).tolist() == [0.9902]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"high": 99.5}, "high"),
        ({"low": 100.2}, "low"),
        ({"volume": -5}, "negative"),
        ({"close": 0.0, "low": 0.0}, "positive"),
        ({"open": float("nan")}, "missing"),
        ({"volume": float("nan")}, "missing"),
        ({"date": START}, "twice"),
    ],
)
def test_bad_bars_are_kept_apart_with_their_reason(changes: dict[str, Any], reason: str) -> None:
    wrong = bar(1, **changes)
    read = read_bars([bar(), wrong, bar(2)], MINUTE, CENTS)
    assert len(read.columns) == 2
    (reject,) = read.rejects
    assert reject.bar is wrong
    assert reason in reject.reason


def test_bars_out_of_order_are_put_in_order_and_counted() -> None:
    read = read_bars([bar(5), bar(1), bar(2), bar(6)], MINUTE, CENTS)
    assert read.columns.ts.tolist() == [START_NS + minute * MINUTE_NS for minute in (2, 3, 6, 7)]
    assert (read.rejects, read.reordered) == ((), 2)


def test_futures_may_trade_below_zero() -> None:
    crude = PriceScale(Decimal("0.01"), negative_prices=True)
    read = read_bars([bar(open=-37.63, high=-30.0, low=-40.32, close=-37.63)], MINUTE, crude)
    assert read.columns.low.tolist() == [-4_032]
    assert read.rejects == ()


def test_no_bars_are_no_bars() -> None:
    read = read_bars([], MINUTE, CENTS)
    assert len(read.columns) == 0
    assert read.columns.price_precision == 2


@given(
    st.sampled_from(["0.01", "0.25", "0.00005", "0.0001", "0.015625", "1", "0.5"]),
    st.integers(1, 5_000_000),
)
def test_every_price_on_the_tick_comes_through_unchanged(tick: str, count: int) -> None:
    price = Decimal(tick) * count
    sent = float(str(price))
    scale = PriceScale(Decimal(tick))
    read = read_bars([bar(open=sent, high=sent, low=sent, close=sent)], MINUTE, scale)
    assert read.rounded_prices == 0
    assert Decimal(int(read.columns.close[0])).scaleb(-scale.price_precision) == price


@given(st.decimals(Decimal("0.0001"), Decimal(99_999), places=4))
def test_every_other_price_is_rounded_as_decimal_does(price: Decimal) -> None:
    sent = float(str(price))
    read = read_bars(
        [bar(open=sent, high=sent, low=sent, close=sent)], MINUTE, PriceScale(Decimal("0.01"))
    )
    rounded = price.quantize(Decimal("0.01"), ROUND_HALF_EVEN)
    assert Decimal(int(read.columns.close[0])).scaleb(-2) == rounded
    assert read.rounded_prices == (rounded != price)


@pytest.mark.skipif(not RECORDED.exists(), reason="the recordings are not here")
def test_recorded_minutes_are_taken_whole() -> None:
    rows = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    bars = [
        BarData(**(row | {"date": datetime.fromisoformat(row["date"]).replace(tzinfo=UTC)}))
        for row in rows
    ]
    read = read_bars(bars, MINUTE, CENTS)
    assert (len(read.columns), read.rejects, read.rounded_prices) == (60, (), 0)
    assert read.columns.high.tolist() == [round(row["high"] * 100) for row in rows]

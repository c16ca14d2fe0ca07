"""Charts keep their size, lose no spike, and say all they say without colour."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.columns import BarColumns
from tui.candle_chart import Mark, Overlay, candle_chart
from tui.charts import (
    equity_chart,
    growth_chart,
    histogram_chart,
    line_chart,
)
from tui.ticks import number_labels, round_ticks, time_ticks

MINUTE = 60_000_000_000
DAY = 1440 * MINUTE
NEW_YORK = "America/New_York"


def stamp(text: str, zone: str = NEW_YORK) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 10**9


def sessions(count: int) -> np.ndarray:
    """Stamps of the minute bars of `count` regular sessions from 2 January 2024 on, a Tuesday."""
    first = stamp("2024-01-02T09:31")
    return np.concatenate([first + day * DAY + np.arange(390) * MINUTE for day in range(count)])


def bars(ts: np.ndarray, closes: np.ndarray) -> BarColumns:
    close = np.asarray(closes, dtype=np.int64)
    opens = np.append(close[:1], close[:-1])
    return BarColumns(
        ts=np.asarray(ts, dtype=np.int64),
        open=opens,
        high=np.maximum(opens, close) + 2,
        low=np.minimum(opens, close) - 2,
        close=close,
        volume=np.zeros_like(close),
        price_precision=2,
        size_precision=0,
    )


def walk(length: int, seed: int = 7) -> np.ndarray:
    return 10_000 + np.cumsum(np.random.default_rng(seed).integers(-9, 10, length))


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(16, 170),
    height=st.integers(5, 45),
    length=st.integers(0, 900),
    ascii=st.booleans(),
)
def test_every_chart_fills_exactly_the_cells_it_was_given(
    width: int, height: int, length: int, ascii: bool
) -> None:
    ts = np.arange(length, dtype=np.int64) * MINUTE + stamp("2024-01-02T09:31")
    values = walk(length).astype(float)
    drawn = [
        equity_chart(ts, values, width, height, cash=9_000, ascii=ascii, colour=False),
        candle_chart(
            bars(ts, walk(length)),
            width,
            height,
            marks=[Mark(int(at), True) for at in ts[::50]],
            overlays=[
                Overlay("SMA(3)", (np.where(values > 10_000, values / 100, np.nan),), True),
                Overlay("RSI(14)", (np.full(length, np.nan), values), False),
            ],
            cursor=length // 2,
            ascii=ascii,
            colour=False,
        ),
        histogram_chart(values, width, height, title="trades", ascii=ascii, colour=False),
        line_chart(ts, values, width, height, title="Sharpe", ascii=ascii, colour=False),
    ]
    if length:
        held = np.where(np.arange(length) < length // 2, np.nan, values)
        drawn += [
            growth_chart(ts, [values, held], width, height, ascii=ascii, colour=False),
            equity_chart(
                ts,
                values,
                width,
                height,
                cash=1,
                benchmark=values,
                cursor=length // 3,
                ascii=ascii,
                colour=False,
            ),
        ]
    for picture in drawn:
        lines = picture.split("\n")
        assert [len(lines), {len(line) for line in lines}] == [height, {width}]
        assert picture.isascii() or not ascii


def equity_lines(values: np.ndarray, width: int, height: int, cash: float = 0) -> list[str]:
    ts = np.arange(len(values), dtype=np.int64) * MINUTE
    picture = equity_chart(ts, values, width, height, cash=cash, ascii=True, colour=False)
    return picture.split("\n")


def test_a_spike_of_one_bar_in_a_hundred_thousand_reaches_its_height() -> None:
    values = np.full(100_000, 100.0)
    values[61_803] = 200.0
    title, top, *_ = equity_lines(values, 60, 20)
    assert title.strip() == "equity"
    canvas = top.index("+") + 1
    assert (top.index("*") - canvas) / (60 - canvas) == pytest.approx(0.618, abs=0.02)


def test_joined_candles_keep_the_extremes_of_their_bars() -> None:
    prices = np.full(5_000, 10_000)
    calm = bars(np.arange(5_000) * MINUTE, prices)
    wild = bars(np.arange(5_000) * MINUTE, prices)
    wild.high[2_500] = 20_000
    assert "200" not in candle_chart(calm, 80, 20, colour=False)
    picture = candle_chart(wild, 80, 20, colour=False)
    labels = [line.partition("┤")[0] for line in picture.split("\n") if "┤" in line]
    assert max(float(label) for label in labels) > 150


def test_rising_and_falling_candles_differ_without_colour() -> None:
    ts = np.arange(2) * MINUTE
    for ascii, up, down in ((False, "█", "▒"), (True, "#", "o")):
        rising = candle_chart(bars(ts, np.array([100, 200])), 40, 12, ascii=ascii, colour=False)
        falling = candle_chart(bars(ts, np.array([200, 100])), 40, 12, ascii=ascii, colour=False)
        assert rising.count(up) > rising.count(down) == 0
        assert falling.count(down) > falling.count(up)


def test_no_escape_sequence_is_left_without_colour() -> None:
    ts, values = sessions(2), walk(780).astype(float)
    assert "\x1b" in equity_chart(ts, values, 60, 12, cash=0)
    assert "\x1b" not in equity_chart(ts, values, 60, 12, cash=0, colour=False)


def test_fills_stand_at_their_candle_and_fills_before_the_chart_nowhere() -> None:
    ts = sessions(1)[:20]
    series = bars(ts, walk(20))
    marks = [Mark(int(ts[4]), True), Mark(int(ts[15]), False), Mark(int(ts[0]) - DAY, True)]
    lines = candle_chart(series, 90, 20, marks=marks, colour=False).split("\n")
    buys = [line.index("▲") for line in lines if "▲" in line]
    sells = [line.index("▼") for line in lines if "▼" in line]
    assert len(buys) == len(sells) == 1
    # 20 bars on this width have slots of four cells.
    assert sells[0] - buys[0] == 11 * 4


def test_a_crosshair_reads_off_the_candle_that_a_bar_is_part_of() -> None:
    ts = sessions(2)
    series = bars(ts, np.full(780, 10_000))
    series.high[400] = 10_500
    picture = candle_chart(series, 80, 12, cursor=400, zone=NEW_YORK, colour=False)
    # 780 bars on 76 columns are 21 in a candle; bar 400 is in that of 399 to 419.
    assert picture.startswith("2024-01-03 10:00  O 100.00  H 105.00  L 99.98  C 100.00")
    assert "┊" in candle_chart(series, 80, 12, cursor=100, colour=False)


def test_a_short_equity_chart_says_what_stands_below_it() -> None:
    assert equity_lines(walk(90).astype(float), 40, 9)[0].strip() == "equity, drawdown"
    assert equity_lines(walk(90).astype(float), 40, 30)[0].strip() == "equity"


def test_the_benchmark_is_dotted_and_named() -> None:
    values = walk(90).astype(float)
    ts = np.arange(90, dtype=np.int64) * MINUTE
    title, *rest = equity_chart(
        ts, values, 60, 16, cash=1, benchmark=values + 50, ascii=True, colour=False
    ).split("\n")
    assert title.startswith("equity   . held")
    assert any("." in line.partition("+")[2] for line in rest)


def test_each_run_of_a_comparison_is_drawn_with_its_letter_where_it_was() -> None:
    ts = np.arange(100, dtype=np.int64) * MINUTE
    flat, half = np.full(100, 1.0), np.where(np.arange(100) < 50, np.nan, 1.2)
    lines = growth_chart(ts, [flat, half], 70, 12, colour=False).split("\n")
    letters = {letter: [line for line in lines[1:-2] if letter in line] for letter in "AB"}
    assert len(letters["A"]) == len(letters["B"]) == 1
    canvas = letters["B"][0].index("┤") + 1
    assert letters["B"][0].index("B") - canvas == pytest.approx((70 - canvas) / 2, abs=2)


@pytest.mark.parametrize("loss", [-2.0, -0.01])
def test_a_distribution_has_as_many_as_there_are_and_shades_losses(loss: float) -> None:
    """However small they are: no range has losses and gains."""
    values = [loss, loss, loss, 0.01, 30.0]
    lines = histogram_chart(np.array(values), 60, 12, title="", colour=False).split("\n")
    height = {sign: sum(sign in line for line in lines) for sign in "▒█"}
    assert height["▒"] > height["█"] > 0
    assert min(line.index("█") for line in lines if "█" in line) >= lines[-1].index(" 0 ")


def test_drawdown_is_measured_from_the_highest_equity_so_far_and_from_the_cash() -> None:
    def span(values: list[float], cash: float) -> tuple[float, float]:
        """The labels beside the highest and the lowest point of the drawdown."""
        lines = equity_lines(np.array(values), 60, 40, cash)
        below = lines[[line.strip() for line in lines].index("drawdown") :]
        drawn = [line for line in below if "*" in line]
        return float(drawn[0].partition("%")[0]), float(drawn[-1].partition("%")[0])

    assert span([100.0, 200.0, 160.0, 250.0, 225.0], cash=0) == (0, -20)
    assert span([200.0, 80.0, 100.0], cash=160) == (0, -60)
    assert span([200.0, 160.0], cash=400) == (-50, -60)


def test_a_crosshair_on_equity_reads_off_when_how_much_and_how_deep() -> None:
    ts, values = sessions(2), np.full(780, 100_000.0)
    values[390:] = 98_500.0
    lines = equity_chart(
        *(ts, values, 60, 16),
        cash=100_000,
        benchmark=np.full(780, 99_000.0),
        cursor=585,
        zone=NEW_YORK,
        colour=False,
    ).split("\n")
    assert lines[0].strip() == "2024-01-03 12:46  98,500  -1.50 %  held 99,000"
    places = {line.index("┊") for line in lines if "┊" in line}
    canvas = next(line.index("┤") for line in lines if "┤" in line) + 1
    (place,) = places
    assert (place - canvas) / (60 - canvas) == pytest.approx(585 / 780, abs=0.03)


def test_nights_leave_no_hole_and_days_are_named_in_the_exchange_zone() -> None:
    ticks = time_ticks([int(at) for at in sessions(4)[::26]], NEW_YORK, 6)
    assert [text for _, text in ticks] == ["01-03", "01-04", "01-05"]
    assert {after - before for (before, _), (after, _) in pairwise(ticks)} == {15}


def test_hours_within_a_session_are_named_by_the_open_of_their_first_bar() -> None:
    texts = [text for _, text in time_ticks([int(at) for at in sessions(1)], NEW_YORK, 8)]
    assert texts == ["10:00", "11:00", "12:00", "13:00", "14:00", "15:00"]


def test_dates_of_daily_bars_are_the_same_in_every_zone() -> None:
    daily = [day * DAY + DAY - 1 for day in range(19_723, 19_733)]
    for zone in (NEW_YORK, "Asia/Tokyo", "UTC"):
        assert time_ticks(daily, zone, 12)[0] == (1, "01-02")


def test_a_new_year_is_named_among_its_months() -> None:
    daily = [day * DAY + DAY - 1 for day in range(19_600, 19_800, 3)]
    texts = [text for _, text in time_ticks(daily, "UTC", 8)]
    assert texts == ["Sep", "Oct", "Nov", "Dec", "2024", "Feb", "Mar"]


@given(
    low=st.floats(-1e7, 1e7),
    span=st.floats(1e-3, 1e7),
    most=st.integers(2, 12),
)
def test_value_ticks_are_inside_the_limits_and_few(low: float, span: float, most: int) -> None:
    ticks = round_ticks(low, low + span, most)
    assert 1 <= len(ticks) <= most
    assert all(low - span * 1e-6 <= tick <= low + span * (1 + 1e-6) for tick in ticks)
    assert ticks == sorted(set(ticks))


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        ([98_000.0, 100_000.0, 102_000.0], [" 98k", "100k", "102k"]),
        ([31.0, 31.5], ["31.0", "31.5"]),
        ([-3.0, -0.0], ["-3", " 0"]),
        ([9_990.0, 10_000.0], [" 9,990", "10,000"]),
        ([2e7, 3e7], ["20M", "30M"]),
    ],
)
def test_value_labels_have_no_more_digits_than_they_need(
    values: list[float], labels: list[str]
) -> None:
    assert number_labels(values) == labels

"""Equity and trades from fills and closes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.backtest import accounting
from core.backtest.accounting import (
    Fill,
    Marks,
    equity_curve,
    held_from_the_start,
    positions,
    round_trips,
    valued,
)

MINUTE = 60_000_000_000


def marks(closes: list[float], name: str = "A.X", multiplier: float = 1, first: int = 1) -> Marks:
    ts = MINUTE * np.arange(first, first + len(closes))
    return Marks(name, ts, np.array(closes, dtype=float), multiplier)


def fill(bar: int, units: float, price: float, fee: float = 0, name: str = "A.X") -> Fill:
    return Fill(bar * MINUTE, name, "O-1", units, price, fee)


def test_equity_without_fills_is_the_cash() -> None:
    _, value, gross = equity_curve(1_000, [marks([5, 6])], [])
    assert (value.tolist(), gross.tolist()) == ([1_000, 1_000], [0, 0])


def test_a_position_is_marked_at_every_close_from_its_fill_on() -> None:
    fills = [fill(2, 10, 101, fee=1), fill(4, -10, 90, fee=1)]
    _, value, gross = equity_curve(1_000, [marks([100, 101, 80, 90, 50])], fills)
    assert value.tolist() == [1_000, 999, 789, 888, 888]
    assert gross.tolist() == [0, 1_010, 800, 0, 0]


def test_a_short_position_gains_when_the_price_falls() -> None:
    _, value, gross = equity_curve(0, [marks([100, 90])], [fill(1, -5, 100)])
    assert value.tolist() == [0, 50]
    assert gross.tolist() == [500, 450]


def test_instruments_with_other_stamps_keep_their_last_close() -> None:
    early, late = marks([10, 12], "A.X"), marks([20, 30], "B.Y", first=2)
    fills = [fill(1, 1, 10, name="A.X"), fill(2, 1, 20, name="B.Y")]
    ts, value, _ = equity_curve(100, [early, late], fills)
    assert (ts / MINUTE).tolist() == [1, 2, 3]
    assert value.tolist() == [100, 102, 112]


def test_the_multiplier_counts() -> None:
    market = marks([5_000, 5_001], multiplier=50)
    _, value, _ = equity_curve(0, [market], [fill(1, 2, 5_000, fee=4.5)])
    assert value.tolist() == [-4.5, 95.5]


def test_a_turn_ends_one_trade_and_begins_the_next_sharing_the_fee() -> None:
    fills = [fill(1, 10, 100, fee=1), fill(2, -30, 110, fee=3), fill(3, 20, 105, fee=2)]
    first, second = round_trips([marks([100, 110, 105])], fills)
    assert (first.side, first.units, first.pnl, first.fees) == ("long", 10, 100, 2)
    assert (second.side, second.units, second.pnl, second.fees) == ("short", 20, 100, 4)
    assert second.net == 96


def test_additions_and_part_sales_are_one_trade_at_average_prices() -> None:
    fills = [fill(1, 10, 100), fill(2, 30, 104), fill(3, -20, 110), fill(4, -20, 100)]
    (trade,) = round_trips([marks([100, 104, 110, 100])], fills)
    assert (trade.units, trade.entry_price, trade.exit_price) == (40, 103, 105)
    assert trade.pnl == 80
    assert (trade.entry_ts, trade.exit_ts) == (MINUTE, 4 * MINUTE)


def test_an_open_trade_has_no_exit_and_is_worth_its_last_close() -> None:
    (trade,) = round_trips([marks([100, 90])], [fill(1, -5, 100)])
    assert (trade.exit_ts, trade.exit_price, trade.pnl) == (None, None, 50)


moves = st.lists(
    st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 200), st.integers(0, 5)),
    min_size=1,
    max_size=30,
)


@given(moves)
def test_trades_add_up_to_the_change_of_equity(moves: list[tuple[int, int, int]]) -> None:
    market = marks([float(price) for _, price, _ in moves], multiplier=7)
    fills = [fill(bar, units, price, fee) for bar, (units, price, fee) in enumerate(moves, 1)]
    _, value, gross = equity_curve(10_000, [market], fills)
    trades = round_trips([market], fills)
    assert sum(trade.net for trade in trades) == pytest.approx(value[-1] - 10_000)
    assert sum(trade.exit_ts is None for trade in trades) == (gross[-1] > 0)
    last = positions([market], fills)[-1]
    unrealized = (
        last.units * 7 * (market.close[-1] - last.average_price) if last.average_price else 0
    )
    assert last.realized + unrealized == pytest.approx(value[-1] - 10_000)


def test_fractions_of_a_unit_leave_nothing_behind() -> None:
    fills = [fill(1, 0.1, 100), fill(2, 0.2, 100), fill(3, -0.3, 110)]
    market = marks([100, 100, 110, 200])
    (trade,) = round_trips([market], fills)
    assert trade.exit_ts == 3 * MINUTE
    _, value, gross = equity_curve(0, [market], fills)
    assert (gross[-1], value[-1]) == (0, pytest.approx(3))
    assert positions([market], fills)[-1].average_price is None


def test_the_curve_is_the_same_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    early, late = marks([10, 12, 9, 11], "A.X"), marks([20, 30, 25], "B.Y", first=3)
    fills = [fill(1, 1, 10, name="A.X"), fill(4, -2, 30, fee=1, name="B.Y")]
    whole = equity_curve(100, [early, late], fills)
    monkeypatch.setattr(accounting, "_BLOCK", 2)
    for one, other in zip(whole, equity_curve(100, [early, late], fills), strict=True):
        assert one.tolist() == other.tolist()


def test_positions_follow_fill_by_fill() -> None:
    fills = [
        fill(1, 10, 100, fee=1),
        fill(2, 10, 110),
        fill(3, -5, 115, fee=1),
        fill(4, -25, 100, fee=5),
        fill(5, 10, 90),
    ]
    rows = positions([marks([100, 110, 115, 100, 90], multiplier=2)], fills)
    assert [(row.units, row.average_price, row.realized) for row in rows] == [
        (10, 100, -1),
        (20, 105, -1),
        (15, 105, -1 + 5 * 10 * 2 - 1),
        (-10, 100, 98 - 15 * 5 * 2 - 5),
        (0, None, -57 + 10 * 10 * 2),
    ]


def test_slippage_is_what_a_fill_cost_against_the_close_of_its_bar() -> None:
    market = marks([100, 110, 105], multiplier=10)
    fills = valued([market], [fill(1, 2, 100.5), fill(2, -2, 109), fill(3, -1, 105.5)])
    assert [(one.value, one.slippage) for one in fills] == [(2_010, 10), (2_180, 20), (1_055, -5)]
    (first, second) = round_trips([market], fills)
    assert (first.slippage, first.value, first.gain) == (30, 2_010, first.net / 2_010)
    assert second.slippage == -5


def test_the_benchmark_is_the_cash_held_in_the_instrument_from_its_first_close() -> None:
    market = marks([50, 55, 40], first=2)
    ts = MINUTE * np.arange(1, 6)
    assert held_from_the_start(1_000, market, ts).tolist() == [1_000, 1_000, 1_100, 800, 800]
    assert len(held_from_the_start(1_000, marks([-1, 5]), ts)) == 0

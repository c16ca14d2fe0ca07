"""Equity and trades from fills and closes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.backtest.accounting import Fill, Marks, equity_curve, round_trips

MINUTE = 60_000_000_000


def marks(closes: list[float], name: str = "A.X", multiplier: float = 1, first: int = 1) -> Marks:
    ts = MINUTE * np.arange(first, first + len(closes))
    return Marks(name, ts, np.array(closes, dtype=float), multiplier)


def fill(bar: int, units: float, price: float, fee: float = 0, name: str = "A.X") -> Fill:
    return Fill(bar * MINUTE, name, "O-1", units, price, fee)


def test_equity_without_fills_is_the_cash() -> None:
    assert equity_curve(1_000, [marks([5, 6])], []).value.tolist() == [1_000, 1_000]


def test_a_position_is_marked_at_every_close_from_its_fill_on() -> None:
    fills = [fill(2, 10, 101, fee=1), fill(4, -10, 90, fee=1)]
    curve = equity_curve(1_000, [marks([100, 101, 80, 90, 50])], fills)
    assert curve.value.tolist() == [1_000, 999, 789, 888, 888]
    assert curve.gross.tolist() == [0, 1_010, 800, 0, 0]


def test_a_short_position_gains_when_the_price_falls() -> None:
    curve = equity_curve(0, [marks([100, 90])], [fill(1, -5, 100)])
    assert curve.value.tolist() == [0, 50]
    assert curve.gross.tolist() == [500, 450]


def test_instruments_with_other_stamps_keep_their_last_close() -> None:
    early, late = marks([10, 12], "A.X"), marks([20, 30], "B.Y", first=2)
    fills = [fill(1, 1, 10, name="A.X"), fill(2, 1, 20, name="B.Y")]
    curve = equity_curve(100, [early, late], fills)
    assert (curve.ts / MINUTE).tolist() == [1, 2, 3]
    assert curve.value.tolist() == [100, 102, 112]


def test_the_multiplier_counts() -> None:
    curve = equity_curve(0, [marks([5_000, 5_001], multiplier=50)], [fill(1, 2, 5_000, fee=4.5)])
    assert curve.value.tolist() == [-4.5, 95.5]


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
    curve = equity_curve(10_000, [market], fills)
    trades = round_trips([market], fills)
    assert sum(trade.net for trade in trades) == pytest.approx(curve.value[-1] - 10_000)
    assert sum(trade.exit_ts is None for trade in trades) == (curve.gross[-1] > 0)

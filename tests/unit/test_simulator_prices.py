"""Simulated prices: every bar is a sum of the same minutes, whoever asks and in which order."""

from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.simulator.bars import CLOSE, HIGH, LOW, OPEN, Bars, BarSource
from core.simulator.hours import last_trade, sessions
from core.simulator.market import Market
from core.simulator.universe import Instrument, universe

MARKET = Market(seed=7)
SOURCE = BarSource(MARKET)
FOR_EVER = 1 << 40
STEPS = [120, 300, 900, 1800, 3600, 4 * 3600]
QUOTED = [found for found in universe() if found.type != "IND"]
BY_NAME = {found.local_symbol: found for found in universe()}

instruments = st.sampled_from(universe())
days = st.dates(date(2023, 1, 2), date(2026, 12, 31))
whats = st.sampled_from(["TRADES", "MIDPOINT", "BID", "ASK"])


def bars(instrument: Instrument, day: date, what: str, step: int, *, regular: bool) -> Bars | None:
    index = sessions(instrument.hours).on(day)
    return SOURCE.intraday(instrument, index, what, step=step, regular=regular, until=FOR_EVER)


@settings(max_examples=60, deadline=None)
@given(instruments, days, whats, st.sampled_from(STEPS), st.booleans())
def test_minutes_add_up_to_larger_bars_and_those_to_the_day(
    instrument: Instrument, day: date, what: str, step: int, regular: bool
) -> None:
    minutes = bars(instrument, day, what, 60, regular=regular)
    larger = bars(instrument, day, what, step, regular=regular)
    index = sessions(instrument.hours).on(day)
    whole = SOURCE.day(instrument, index, what, regular=regular, until=FOR_EVER)
    if minutes is None or larger is None or whole is None:  # after a future's last day
        assert minutes is larger is whole is None
        assert last_trade(instrument) is not None
        return

    edges = np.append(larger.start, FOR_EVER)
    for row, (begin, end) in enumerate(pairwise(edges)):
        inside = (minutes.start >= begin) & (minutes.start < end)
        assert larger.prices[:, row].tolist() == _ohlc(minutes.prices[:, inside])
        if what == "TRADES":
            assert larger.volume[row] == minutes.volume[inside].sum()
            assert larger.count[row] == minutes.count[inside].sum()
        else:
            assert larger.volume[row] == larger.count[row] == -1
    assert whole.prices[:, 0].tolist() == _ohlc(larger.prices)
    assert whole.volume[0] == (larger.volume.sum() if what == "TRADES" else -1)


def _ohlc(prices: np.ndarray) -> list[int]:
    return [prices[OPEN, 0], prices[HIGH].max(), prices[LOW].min(), prices[CLOSE, -1]]


@settings(max_examples=40, deadline=None)
@given(instruments, days, st.booleans())
def test_the_bid_is_below_the_mid_below_the_ask_and_trades_lie_between(
    instrument: Instrument, day: date, regular: bool
) -> None:
    shown = [
        bars(instrument, day, what, 60, regular=regular)
        for what in ("BID", "MIDPOINT", "ASK", "TRADES")
    ]
    bid, mid, ask, trades = (bar.prices if bar else np.ones((4, 0)) for bar in shown)
    assert (bid > 0).all()
    assert (bid < mid).all()
    assert (mid < ask).all()
    assert ((bid <= trades) & (trades <= ask)).all()
    for prices in (bid, mid, ask, trades):
        assert (prices[HIGH] >= prices.max(axis=0)).all()
        assert (prices[LOW] <= prices.min(axis=0)).all()


@settings(max_examples=25, deadline=None)
@given(instruments, days, whats)
def test_regular_minutes_are_a_part_of_all_minutes(
    instrument: Instrument, day: date, what: str
) -> None:
    regular = bars(instrument, day, what, 60, regular=True)
    everything = bars(instrument, day, what, 60, regular=False)
    if regular is None or everything is None:
        return
    rows = np.isin(everything.start, regular.start)
    assert everything.start[rows].tolist() == regular.start.tolist()
    assert everything.prices[:, rows].tolist() == regular.prices.tolist()
    assert everything.volume[rows].tolist() == regular.volume.tolist()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(instruments, days), min_size=2, max_size=4))
def test_prices_do_not_depend_on_what_was_asked_before(
    asked: list[tuple[Instrument, date]],
) -> None:
    fresh = Market(seed=7)
    for instrument, day in reversed(asked):
        index = sessions(instrument.hours).on(day)
        first, second = MARKET.minutes(instrument, index), fresh.minutes(instrument, index)
        assert first.last.tolist() == second.last.tolist()
        assert first.volume.tolist() == second.volume.tolist()


def test_another_seed_is_another_market() -> None:
    aapl = BY_NAME["AAPL"]
    index = sessions(aapl.hours).on(date(2024, 6, 11))
    assert (MARKET.minutes(aapl, index).last != Market(seed=8).minutes(aapl, index).last).any()


def test_no_two_days_are_alike() -> None:
    aapl = BY_NAME["AAPL"]
    index = sessions(aapl.hours).on(date(2024, 6, 11))
    today, tomorrow = (MARKET.minutes(aapl, day) for day in (index, index + 1))
    assert (np.diff(today.mid[CLOSE]) != np.diff(tomorrow.mid[CLOSE])).mean() > 0.5
    assert (today.volume != tomorrow.volume).mean() > 0.5


@pytest.mark.parametrize("day", [date(2024, 1, 10), date(2024, 7, 10)], ids=["winter", "summer"])
@pytest.mark.parametrize(
    ("symbol", "hours", "starts"),
    [
        ("AAPL", 1, [4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]),
        ("AAPL", 4, [4, 8, 12, 16]),
        ("ESZ6", 8, [17, 0, 8]),
    ],
)
def test_bars_begin_where_the_exchange_clock_shows_whole_steps(
    symbol: str, hours: int, starts: list[int], day: date
) -> None:
    instrument = BY_NAME[symbol]
    found = bars(instrument, day, "TRADES", hours * 3600, regular=False)
    assert found is not None
    zone = ZoneInfo(instrument.time_zone)
    assert [datetime.fromtimestamp(start, zone).hour for start in found.start] == starts


def test_the_open_and_the_close_are_busier_than_noon() -> None:
    minutes = bars(BY_NAME["MSFT"], date(2024, 6, 11), "TRADES", 60, regular=True)
    assert minutes is not None
    first, noon, last = (minutes.volume[part].mean() for part in np.s_[:30, 180:210, -30:])
    assert noon < 0.75 * first
    assert noon < 0.75 * last


@pytest.mark.parametrize("instrument", universe(), ids=lambda i: i.local_symbol)
def test_prices_stay_plausible(instrument: Instrument) -> None:
    """Within a factor of six of the level they are anchored at, over the last three years."""
    table = sessions(instrument.hours)
    last = instrument.expiry or date(2026, 11, 20)
    for index in range(table.on(date(2023, 11, 20)), table.on(last), 10):
        close = MARKET.minutes(instrument, index).last[CLOSE, -1] * float(instrument.tick)
        assert instrument.price / 6 < close < instrument.price * 6


def test_an_index_publishes_no_volume_and_a_half_day_ends_early() -> None:
    half_day = date(2024, 11, 29)
    index_bars = bars(BY_NAME["SPX"], half_day, "TRADES", 60, regular=True)
    assert index_bars is not None
    assert len(index_bars) == 210
    assert not index_bars.volume.any()


def test_a_future_stops_trading_on_the_morning_of_its_last_day() -> None:
    es = BY_NAME["ESM4"]
    last = bars(es, date(2024, 6, 21), "TRADES", 60, regular=False)
    assert last is not None
    assert last.start[-1] + 60 == last_trade(es)

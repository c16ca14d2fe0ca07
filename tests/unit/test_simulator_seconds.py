"""Seconds and ticks: they add up to the minutes that were there before them."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.simulator.bars import CLOSE, HIGH, LOW, OPEN, Bars, BarSource
from core.simulator.contracts import Description
from core.simulator.hours import sessions
from core.simulator.market import Market
from core.simulator.queries import TickQuery
from core.simulator.ticks import TickHistory
from core.simulator.universe import Instrument, universe

MARKET = Market(seed=7)
SOURCE = BarSource(MARKET)
TICKS = TickHistory(MARKET)
FOR_EVER = 1 << 40
BY_NAME = {found.local_symbol: found for found in universe()}
NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)

instruments = st.sampled_from(universe())
days = st.dates(date(2023, 1, 2), date(2026, 12, 31))
whats = st.sampled_from(["TRADES", "MIDPOINT", "BID", "ASK"])


def bars(
    instrument: Instrument, day: date, what: str, step: int, until: int = FOR_EVER
) -> Bars | None:
    index = sessions(instrument.hours).on(day)
    return SOURCE.intraday(instrument, index, what, step=step, regular=True, until=until)


@settings(max_examples=40, deadline=None)
@given(instruments, days, whats, st.sampled_from([1, 5, 10, 15, 30]))
def test_seconds_add_up_to_their_minute(
    instrument: Instrument, day: date, what: str, step: int
) -> None:
    minutes, small = bars(instrument, day, what, 60), bars(instrument, day, what, step)
    if minutes is None or small is None:
        assert minutes is small is None
        return
    assert len(small) == len(minutes) * 60 // step
    whole = small.grouped(np.flatnonzero(small.start % 60 == 0))
    assert whole.start.tolist() == minutes.start.tolist()
    assert whole.prices.tolist() == minutes.prices.tolist()
    assert whole.volume.tolist() == minutes.volume.tolist()
    assert whole.count.tolist() == minutes.count.tolist()
    assert (small.prices[HIGH] >= small.prices.max(axis=0)).all()
    assert (small.prices[LOW] <= small.prices.min(axis=0)).all()


@settings(max_examples=20, deadline=None)
@given(instruments, days)
def test_trades_of_a_second_lie_between_its_bid_and_its_ask(
    instrument: Instrument, day: date
) -> None:
    shown = [bars(instrument, day, what, 1) for what in ("BID", "TRADES", "ASK")]
    bid, trades, ask = (found.prices if found else np.ones((4, 0)) for found in shown)
    assert (bid > 0).all()
    assert ((bid <= trades) & (trades <= ask)).all()


def test_seconds_move_and_trade_within_their_minute() -> None:
    """A minute is not one second and fifty-nine copies of it."""
    seconds = bars(BY_NAME["AAPL"], date(2024, 6, 11), "TRADES", 1)
    assert seconds is not None
    closes, volumes = seconds.prices[CLOSE].reshape(-1, 60), seconds.volume.reshape(-1, 60)
    assert np.median([len(set(minute)) for minute in closes.tolist()]) > 5
    assert (volumes > 0).mean() > 0.9
    assert (volumes.max(axis=1) < volumes.sum(axis=1) / 4).all()


@pytest.mark.parametrize("step", [1, 30, 60, 3600])
def test_the_bar_in_progress_is_made_of_the_seconds_that_have_passed(step: int) -> None:
    aapl, day = BY_NAME["AAPL"], date(2024, 6, 11)
    now = int(datetime(2024, 6, 11, 15, 10, 17, tzinfo=UTC).timestamp())
    seconds = bars(aapl, day, "TRADES", 1)
    known = bars(aapl, day, "TRADES", step, until=now)
    assert seconds is not None
    assert known is not None
    inside = (seconds.start >= known.start[-1]) & (seconds.start < now)
    assert known.prices[OPEN, -1] == seconds.prices[OPEN, inside][0]
    assert known.prices[HIGH, -1] == seconds.prices[HIGH, inside].max()
    assert known.prices[LOW, -1] == seconds.prices[LOW, inside].min()
    assert known.prices[CLOSE, -1] == seconds.prices[CLOSE, inside][-1]
    assert known.volume[-1] == seconds.volume[inside].sum()


@pytest.mark.parametrize("step", [1, 60, 3600])
def test_bid_ask_bars_show_averages_and_extremes(step: int) -> None:
    aapl, day = BY_NAME["AAPL"], date(2024, 6, 11)
    shown = {what: bars(aapl, day, what, step) for what in ("BID", "ASK", "BID_ASK")}
    bid, ask, both = (
        found.averaged() if what == "BID_ASK" else found for what, found in shown.items()
    )  # type: ignore[union-attr]
    assert both.prices[LOW].tolist() == bid.prices[LOW].tolist()
    assert both.prices[HIGH].tolist() == ask.prices[HIGH].tolist()
    assert ((bid.prices[LOW] <= both.prices[OPEN]) & (both.prices[OPEN] <= bid.prices[HIGH])).all()
    assert (
        (ask.prices[LOW] <= both.prices[CLOSE]) & (both.prices[CLOSE] <= ask.prices[HIGH])
    ).all()
    assert (both.prices[CLOSE] - both.prices[OPEN] == 2 * aapl.half_spread).all()
    assert (both.volume == -1).all()
    assert (both.count == -1).all()


# Ticks


def ask_ticks(symbol: str, now: datetime = NOW, **asked: Any) -> list[tuple[Any, ...]]:
    """The ticks of an answer, as rows of numbers and texts."""
    instrument = BY_NAME[symbol]
    description = Description(
        con_id=instrument.con_id,
        exchange=instrument.exchange,
        **dict.fromkeys(("symbol", "type", "expiry", "strike", "right", "multiplier"), ""),
        **dict.fromkeys(("primary", "currency", "local_symbol", "trading_class"), ""),
        include_expired=False,
    )
    default = {"start": "", "end": "", "count": 1000, "what": "TRADES", "regular": True}
    message, request_id, n, *fields, done = TICKS.answer(
        5, TickQuery(contract=description, **default | asked), now
    )
    assert (request_id, done) == (5, 1)
    width = {96: 4, 97: 6, 98: 6}[message]  # type: ignore[index]
    rows = [tuple(fields[at : at + width]) for at in range(0, len(fields), width)]
    assert len(rows) == n
    return rows


def collect(symbol: str, what: str, first: datetime, last: datetime) -> list[tuple[Any, ...]]:
    """All ticks from ``first`` to ``last``, one request after another, as a client pages."""
    found: list[tuple[Any, ...]] = []
    at = int(first.timestamp())
    while at < last.timestamp():
        start = f"{datetime.fromtimestamp(at, UTC):%Y%m%d-%H:%M:%S}"
        rows = ask_ticks(symbol, start=start, what=what)
        if not rows:
            break
        found += rows
        at = rows[-1][0] + 1
    return [row for row in found if row[0] < last.timestamp()]


@pytest.mark.parametrize("symbol", ["AAPL", "ESZ6"])
def test_trades_add_up_to_the_bars_of_a_second(symbol: str) -> None:
    instrument = BY_NAME[symbol]
    first = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
    last = datetime(2026, 11, 18, 15, 10, tzinfo=UTC)
    seconds = bars(instrument, date(2026, 11, 18), "TRADES", 1)
    assert seconds is not None
    ticks = collect(symbol, "TRADES", first, last)
    tick = float(instrument.tick)
    for row in range(len(seconds)):
        start = int(seconds.start[row])
        if not first.timestamp() <= start < last.timestamp():
            continue
        prices = [round(float(each[2]) / tick) for each in ticks if each[0] == start]
        sizes = [int(each[3]) for each in ticks if each[0] == start]
        assert sum(sizes) == seconds.volume[row]
        low, high = seconds.prices[LOW, row], seconds.prices[HIGH, row]
        assert all(low <= price <= high for price in prices)
        if seconds.volume[row] >= 4:
            ohlc = [prices[0], max(prices), min(prices), prices[-1]]
            assert ohlc == seconds.prices[:, row].tolist()


def test_quotes_follow_the_bid_and_the_ask() -> None:
    first = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)
    last = datetime(2026, 11, 18, 15, 5, tzinfo=UTC)
    quotes = collect("AAPL", "BID_ASK", first, last)
    mids = collect("AAPL", "MIDPOINT", first, last)
    minutes = bars(BY_NAME["AAPL"], date(2026, 11, 18), "BID", 60)
    assert minutes is not None
    row = int(np.searchsorted(minutes.start, first.timestamp()))
    bids = [round(float(each[2]) * 100) for each in quotes if each[0] < first.timestamp() + 60]
    assert min(bids) == minutes.prices[LOW, row]
    assert max(bids) == minutes.prices[HIGH, row]
    assert bids[-1] == minutes.prices[CLOSE, row]
    assert [(each[0], round(float(each[2]) + 0.01, 2)) for each in quotes] == [
        (each[0], float(each[2])) for each in mids
    ]
    assert all(float(each[3]) - float(each[2]) == pytest.approx(0.02) for each in quotes)


def test_a_thousand_ticks_and_the_rest_of_the_second() -> None:
    forwards = ask_ticks("AAPL", start="20261118-15:00:00", count=5000)
    assert 1000 <= len(forwards) < 1004
    after = f"{datetime.fromtimestamp(forwards[-1][0] + 1, UTC):%Y%m%d-%H:%M:%S}"
    backwards = ask_ticks("AAPL", end=after, count=len(forwards))
    assert backwards == forwards


def test_ticks_do_not_cross_a_session() -> None:
    tail = ask_ticks("AAPL", start="20261118-20:59:58")
    assert {each[0] for each in tail} == {
        int(datetime(2026, 11, 18, 20, 59, second, tzinfo=UTC).timestamp()) for second in (58, 59)
    }
    overnight = ask_ticks("AAPL", start="20261118-21:00:00", count=10)
    assert overnight[0][0] == datetime(2026, 11, 19, 14, 30, tzinfo=UTC).timestamp()
    head = ask_ticks("AAPL", end="20261119-14:30:01")
    assert {each[0] for each in head} == {overnight[0][0]}
    assert ask_ticks("AAPL", end="20261119-14:30:00")[-1][0] == tail[-1][0]


def test_there_are_no_ticks_of_the_future_and_none_before_the_head() -> None:
    now = datetime(2026, 11, 18, 15, 0, 10, tzinfo=UTC)
    known = ask_ticks("AAPL", start="20261118-15:00:05", now=now)
    assert {each[0] for each in known} == {int(now.timestamp()) - back for back in range(1, 6)}
    assert ask_ticks("AAPL", start="20261119-15:00:00", now=now) == []
    assert ask_ticks("TSLA", end="20100601-15:00:00") == []


def test_an_index_ticks_without_a_size() -> None:
    ticks = ask_ticks("SPX", start="20261118-15:00:00", count=100)
    assert len(ticks) >= 100
    assert {each[3] for each in ticks} == {0}


def test_instruments_differ_by_name_and_not_by_what_they_are_called_today() -> None:
    """The simulated prices of a contract do not change with its symbol."""
    meta = BY_NAME["META"]
    index = sessions(meta.hours).on(date(2021, 6, 1))
    renamed = MARKET.minutes(meta.as_of(date(2021, 6, 1)), index)
    assert meta.as_of(date(2021, 6, 1)).symbol == "FB"
    assert renamed.last.tolist() == MARKET.minutes(replace(meta), index).last.tolist()

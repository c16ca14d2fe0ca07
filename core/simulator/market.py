"""Simulated prices: for a seed, every minute of every instrument is fixed for all time.

Each instrument has one level a session: steady growth, and around it a random walk from the first
session on, pulled back gently, with slowly changing trend and volatility. The minutes of a session
are a random bridge from one level to the next. Both are drawn by (seed, instrument, date), so that
no answer depends on what was asked before, and every larger bar is an aggregate of these minutes.
"""

from functools import lru_cache
from itertools import accumulate

import numpy as np

from core.simulator.hours import FIRST_DAY, LAST_DAY, last_trade, sessions
from core.simulator.seconds import seconds_of
from core.simulator.steps import Floats, Ints, Steps
from core.simulator.universe import Instrument

ANCHOR = np.datetime64("2024-01-02")
SESSIONS_A_YEAR = 252
DAYS_A_YEAR = 365.25
# A day moves at most this many standard deviations.
LARGEST_SHOCK = 2.5
# What is left after a session of a departure from steady growth: half of it after a year.
PULL = 0.5 ** (1 / SESSIONS_A_YEAR)
# Share of a session's variance that falls between its open and the close before.
OVERNIGHT = 0.2
# A minute outside regular hours trades this much of a quiet regular minute.
EXTENDED_ACTIVITY = 0.03
SHARES_A_TRADE = 120
CACHED_SESSIONS = 400
# The seconds of a session are some megabytes.
CACHED_SECONDS = 8


class Market:
    """The prices of the whole universe under one seed (a non-negative integer)."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.minutes = lru_cache(CACHED_SESSIONS)(self._minutes)
        self.seconds = lru_cache(CACHED_SECONDS)(self._seconds)
        self._levels = lru_cache(None)(self._all_levels)

    def _all_levels(self, instrument: Instrument) -> tuple[Floats, Floats]:
        """Log price at the end of each session (one more in front), and each one's volatility."""
        dates = sessions(instrument.hours).dates
        days = (LAST_DAY - FIRST_DAY).days + 1
        rng = np.random.default_rng([self.seed, instrument.path])
        shocks = rng.standard_normal(days).clip(-LARGEST_SHOCK, LARGEST_SHOCK)
        months = days // 30 + 1
        trend = np.repeat(rng.normal(0, 0.06, months), 30)[:days]
        mood = np.repeat(np.exp(rng.normal(0, 0.25, months)), 30)[:days]

        day = (dates - np.datetime64(FIRST_DAY)).astype(np.int64)
        daily = instrument.volatility / SESSIONS_A_YEAR**0.5
        volatility = daily * mood[day]
        returns = daily * trend[day] + volatility * shocks[day]
        wander = np.fromiter(
            accumulate(returns, lambda level, move: level * PULL + move, initial=0.0), float
        )
        years = np.concatenate((day[:1] - 1, day)) / DAYS_A_YEAR
        levels = wander + years * instrument.drift
        anchor = levels[int(np.searchsorted(dates, ANCHOR))]
        return levels - anchor + np.log(instrument.price), volatility

    def _seconds(self, instrument: Instrument, index: int) -> Steps:
        """The seconds of session ``index``, which add up to its minutes."""
        day = sessions(instrument.hours).trading_date(index)
        rng = np.random.default_rng([self.seed, instrument.con_id, day.toordinal(), 1])
        minutes, unit = self.minutes(instrument, index), instrument.tick_on(day)
        return seconds_of(minutes, rng, instrument.half_spread, unit)

    def _minutes(self, instrument: Instrument, index: int) -> Steps:
        """The minutes of session ``index`` of the instrument's hours, to its last trade."""
        table = sessions(instrument.hours)
        parts = table.parts(index, regular=False)
        start = np.concatenate([np.arange(opened, closed, 60) for opened, closed in parts])
        activity = _activity(start, *table.span(index, regular=True))
        levels, volatility = self._levels(instrument)
        # A date alone is the same for every seed and instrument, so all three seed the draw.
        day = table.trading_date(index)
        rng = np.random.default_rng([self.seed, instrument.con_id, day.toordinal()])

        variance = activity**0.5
        variance *= (1 - OVERNIGHT) / variance.sum()
        deviation = np.sqrt(np.concatenate(([OVERNIGHT], variance))) * volatility[index]
        path = _bridge(rng, levels[index], levels[index + 1], deviation)
        unit = instrument.tick_on(day)
        tick = float(instrument.tick * unit)
        points = np.rint(np.exp(path) / tick).astype(np.int64)
        reach = deviation[1:] * points[1:] * 0.5
        mid = _candles(rng, points, reach, instrument.half_spread)
        last = _trades(rng, mid, instrument.half_spread)

        volume = _volume(rng, activity, instrument.volume_on(day))
        count = np.minimum(volume, volume // SHARES_A_TRADE + 1)
        # The typical price lies between low and high.
        turnover = last.mean(axis=0) * volume
        steps = Steps(start, mid, last, volume, turnover, count).times(unit)
        return steps.until(last_trade(instrument))


def _activity(start: Ints, regular_open: int, regular_close: int) -> Floats:
    """How busy each minute is: a U over the regular session, next to nothing outside."""
    position = (start - regular_open) / (regular_close - regular_open)
    inside = (position >= 0) & (position < 1)
    return np.where(inside, 1 + 8 * (position - 0.5) ** 2, EXTENDED_ACTIVITY)


def _bridge(rng: np.random.Generator, begin: float, end: float, deviation: Floats) -> Floats:
    """A random walk from ``begin`` that is at ``end`` after the last step; first point dropped."""
    walk = np.cumsum(rng.standard_normal(len(deviation)) * deviation)
    share = np.cumsum(deviation**2)
    bridge: Floats = begin + walk + share / share[-1] * (end - begin - walk[-1])
    return bridge


def _candles(rng: np.random.Generator, points: Ints, reach: Floats, floor: int) -> Ints:
    """Open, high, low, close of the mid price, kept above ``floor`` so that the bid is positive."""
    points = np.maximum(points, floor + 1)
    opens, closes = points[:-1], points[1:]
    up, down = np.rint(rng.exponential(size=(2, len(closes))) * reach).astype(np.int64)
    highs = np.maximum(opens, closes) + up
    lows = np.maximum(np.minimum(opens, closes) - down, floor + 1)
    return np.stack((opens, highs, lows, closes))


def _trades(rng: np.random.Generator, mid: Ints, half_spread: int) -> Ints:
    """Trades at the bid, the mid or the ask, so never outside the two."""
    bounce = rng.integers(-half_spread, half_spread, endpoint=True, size=(2, mid.shape[1]))
    opens, closes = mid[0] + bounce[0], mid[3] + bounce[1]
    highs = np.maximum(np.maximum(opens, closes), mid[1])
    lows = np.minimum(np.minimum(opens, closes), mid[2])
    return np.stack((opens, highs, lows, closes))


def _volume(rng: np.random.Generator, activity: Floats, daily: int) -> Ints:
    """Shares or contracts a minute, at least one; zeros where no volume is published."""
    if not daily:
        return np.zeros(len(activity), np.int64)
    share = activity / activity.sum()
    noise = np.exp(rng.normal(0, 0.45, len(activity)) + rng.normal(0, 0.2))
    return np.maximum(np.rint(daily * share * noise), 1).astype(np.int64)

"""Equity by the day, month and year."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from catalog.columns import Floats, Ints
from core.backtest.accounting import Equity

ROLLING_DAYS = 63
"""A quarter of trading days: what a rolling ratio looks back on."""


@dataclass(frozen=True, slots=True, eq=False)
class Closes:
    """Equity at the last point of each trading date, `date` in days since 1970-01-01, with the
    starting cash as the first value before them: `value` is one longer than `date`.

    `benchmark` is likewise, or empty.
    """

    date: Ints
    value: Floats
    benchmark: Floats

    @classmethod
    def of(cls, cash: float, equity: Equity) -> Closes:
        """The closes of a curve that began with `cash`."""
        last = np.append(np.flatnonzero(equity.date[1:] != equity.date[:-1]), len(equity.date) - 1)
        held = equity.benchmark
        return cls(
            equity.date[last],
            np.concatenate(([cash], equity.value[last])),
            np.concatenate(([cash], held[last])) if len(held) else held,
        )


@dataclass(frozen=True, slots=True)
class Period:
    """What a month, or a year (its `month` is None), brought, and what the benchmark did in it;
    None where equity or a price was 0 or less at one of its ends."""

    year: int
    month: int | None
    gain: float | None
    benchmark: float | None


def returns(closes: Floats) -> Floats:
    """Changes from each value to the next as parts of it; none once a value is 0 or less."""
    if np.any(closes <= 0):
        return np.empty(0)
    return np.diff(closes) / closes[:-1]


def months(closes: Closes) -> tuple[Period, ...]:
    """The return of each calendar month, from the last close before it to its last one."""
    return _periods(closes, [(day.year, day.month) for day in _days(closes.date)])


def years(closes: Closes) -> tuple[Period, ...]:
    """The return of each calendar year, likewise."""
    return _periods(closes, [(day.year, None) for day in _days(closes.date)])


def rolling_sharpe(daily: Floats, days_a_year: int, window: int = ROLLING_DAYS) -> Floats:
    """The Sharpe ratio of each `window` successive daily returns; nan where they do not vary."""
    if len(daily) < window:
        return np.empty(0)
    seen = np.lib.stride_tricks.sliding_window_view(daily, window)
    deviation = np.std(seen, axis=1, ddof=1)
    deviation[deviation == 0] = np.nan
    return np.mean(seen, axis=1) / deviation * math.sqrt(days_a_year)


def _days(dates: Ints) -> list[date]:
    epoch = date(1970, 1, 1)
    return [epoch + timedelta(days=day) for day in dates.tolist()]


def _periods(closes: Closes, keys: list[tuple[int, int | None]]) -> tuple[Period, ...]:
    ends = [at for at, key in enumerate(keys, 1) if at == len(keys) or keys[at] != key]
    found, start = [], 0
    for end in ends:
        found.append(
            Period(
                *keys[end - 1],
                _gain(closes.value, start, end),
                _gain(closes.benchmark, start, end),
            )
        )
        start = end
    return tuple(found)


def _gain(values: Floats, start: int, end: int) -> float | None:
    if not len(values) or values[start] <= 0 or values[end] <= 0:
        return None
    return float(values[end] / values[start]) - 1

"""Round numbers and round times for the axes of a chart."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)

_DAY = 86_400_000_000_000

type Tick = tuple[int, str]
"""A column of the chart and what is written below it."""

type _Span = tuple[Callable[[datetime], object], Callable[[datetime, datetime], str]]
"""What all times of one span have in common, and what is written where a span begins, from the
last time before it and its first one."""


def moment(stamp: int, zone: str) -> str:
    """When a bar ended (ns UTC), on the clock of a zone; of days the date, whatever the zone."""
    dated = stamp % _DAY == _DAY - 1
    time = datetime.fromtimestamp(stamp // 10**9, ZoneInfo("UTC" if dated else zone))
    return f"{time:%Y-%m-%d}" if dated else f"{time:%Y-%m-%d %H:%M}"


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """Round values in [low, high]: up to `most`, and two where round ones that fine exist.

    The steps are 1, 2, 2.5 or 5 times a power of ten.
    """
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / max(most, 2)))
    for step in (scale * step for scale in (power, power * 10) for step in _STEPS):
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
        if last - first < max(most, 2):
            return [index * step for index in range(first, last + 1)] or [low]
    return [low, high]


def round_step(span: float, most: int) -> float:
    """The least round step that a span above 0 has no more than `most` of."""
    power = 10.0 ** math.floor(math.log10(span / most))
    return next(step * power for step in _STEPS if span <= most * step * power)


def number_labels(values: Sequence[float], suffix: str = "") -> list[str]:
    """The values as text of one width, with no more decimals than they need.

    Whole thousands from 10,000 up are written as `104k`, whole millions as `2M`.
    """
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if any(abs(value) >= 10 * unit for value in values) and all(
            math.isclose(value / unit, round(value / unit, 1), abs_tol=1e-9) for value in values
        ):
            values, suffix = [value / unit for value in values], letter + suffix
            break
    decimals = next(
        (
            digits
            for digits in range(8)
            if all(math.isclose(value, round(value, digits), abs_tol=1e-9) for value in values)
        ),
        8,
    )
    # Adding 0.0 turns a negative zero into zero.
    labels = [f"{round(value, decimals) + 0.0:,.{decimals}f}{suffix}" for value in values]
    width = max(map(len, labels), default=0)
    return [label.rjust(width) for label in labels]


def time_ticks(stamps: Sequence[int], zone: str, most: int) -> list[Tick]:
    """Where a chart's columns pass a round time of `zone`; `stamps` are the closes (ns UTC) of the
    first bar of each column.

    The finest of minutes, hours, days, months and years that gives no more than `most` ticks; a
    chart within one minute has its date. Stamps of daily bars are dates in UTC in every zone.
    """
    if not stamps:
        return []
    dates_only = all(stamp % _DAY == _DAY - 1 for stamp in stamps)
    local = ZoneInfo("UTC" if dates_only else zone)
    # A moment before its close a bar belongs to the span it opened in.
    times = [datetime.fromtimestamp((stamp - 1) // 1_000_000_000, local) for stamp in stamps]
    for bucket, label in _SPANS:
        passed = [
            (column, label(before, after))
            for column, (before, after) in enumerate(pairwise(times), 1)
            if bucket(before) != bucket(after)
        ]
        if 0 < len(passed) <= most:
            return passed
    return [(0, f"{times[0]:%Y-%m-%d}")]


def _minutes(step: int) -> _Span:
    def bucket(time: datetime) -> tuple[int, int]:
        return time.toordinal(), (time.hour * 60 + time.minute) // step

    def label(before: datetime, after: datetime) -> str:
        if before.date() != after.date():
            return _month_and_day(before, after)
        # The round time itself: the column that passes it may begin some bars later.
        hour, minute = divmod(bucket(after)[1] * step, 60)
        return f"{hour:02}:{minute:02}"

    return bucket, label


def _days(step: int) -> _Span:
    # Ordinal 1 is a Monday, so that steps of seven days are weeks.
    return lambda time: (time.toordinal() - 1) // step, _month_and_day


def _months(step: int) -> _Span:
    return (
        lambda time: (time.year * 12 + time.month - 1) // step,
        lambda _, after: f"{after:%Y}" if after.month <= step else f"{after:%b}",
    )


def _years(step: int) -> _Span:
    return lambda time: time.year // step, lambda _, after: f"{after:%Y}"


def _month_and_day(_: datetime, after: datetime) -> str:
    return f"{after:%m-%d}"


_SPANS = (
    *(_minutes(step) for step in (1, 2, 5, 10, 15, 30, 60, 120)),
    *(_days(step) for step in (1, 2, 7, 14)),
    *(_months(step) for step in (1, 2, 3, 6)),
    *(_years(step) for step in (1, 2, 5, 10, 20)),
)

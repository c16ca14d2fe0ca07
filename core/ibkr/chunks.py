"""What is missing, cut into requests that IBKR answers.

A request asks for a duration before its end. Requests hold about 2,000 bars, so that decoding one
answer does not hold up the screen, and begin and end with sessions. "N D" means N sessions,
whatever the calendar says, so an answer may reach back before what was asked: it is clipped.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from catalog.coverage import Interval
from catalog.errors import WrongInput
from catalog.series import NANOS_PER_SECOND, BarSpec
from catalog.sessions import Sessions

BARS_A_REQUEST = 2_000

_NANOS_PER_DAY = 86_400 * NANOS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Chunk:
    """One request: the bars whose opens lie in [start, end), ns in the coordinate of the series
    (for days 00:00 UTC of the date)."""

    start: int
    end: int
    until: int
    """The moment the request ends at, ns UTC: a session's close, or the end of what is asked."""
    duration: str
    bars: int
    """How many bars are expected."""

    @property
    def until_time(self) -> datetime:
        """`until` as an aware datetime."""
        return datetime.fromtimestamp(self.until // NANOS_PER_SECOND, UTC)


def bar_size(spec: BarSpec) -> str:
    """IBKR's name of a bar size. Raises `WrongInput` for one that it does not have."""
    sizes = _table()["bar_sizes"]
    size = sizes.get(spec.unit)
    if size is None or spec.step not in size["steps"]:
        legal = ", ".join(
            f"{'/'.join(map(str, row['steps']))}-{unit}" for unit, row in sizes.items()
        )
        raise WrongInput(
            f"bars of {spec.step}-{spec.unit} cannot be fetched",
            f"these can: {legal}",
            "fetch a smaller size that divides it, or another one",
        )
    name: str = size["one"] if spec.step == 1 else size["many"].format(spec.step)
    return name


def what_to_show(spec: BarSpec) -> str:
    """IBKR's word for the price bars are made of."""
    return {"LAST": "TRADES", "MID": "MIDPOINT", "BID": "BID", "ASK": "ASK"}[spec.side]


def plan(missing: list[Interval], spec: BarSpec, sessions: Sessions) -> list[Chunk]:
    """The requests for all missing intervals, in time order; none for closed time."""
    chunks: list[Chunk] = []
    for interval in missing:
        if spec.intraday:
            chunks += _intraday_chunks(interval, spec, sessions)
        else:
            chunks += _daily_chunks(interval, sessions)
    return chunks


def reached(chunk: Chunk, first_open: int, spec: BarSpec, sessions: Sessions) -> int:
    """From where on an answer speaks for its chunk, given the open of its first bar.

    That is the chunk's start, unless whole sessions before the first bar have no bars: whether
    they are empty or the answer did not reach that far is only known by asking for them.
    """
    if first_open <= chunk.start:
        return chunk.start
    opens = [start for start, end in sessions.open_times(spec) if end > chunk.start]
    index = int(np.searchsorted(opens, first_open, side="right")) - 1
    return chunk.start if index <= 0 else min(opens[index], chunk.end)


def before(chunk: Chunk, start: int, spec: BarSpec, sessions: Sessions) -> Chunk | None:
    """The request for the part of a chunk that opens before `start`; None when there is none."""
    return next(iter(plan([(chunk.start, start)], spec, sessions)), None)


def _intraday_chunks(interval: Interval, spec: BarSpec, sessions: Sessions) -> Iterator[Chunk]:
    inside = sessions.clip(interval)
    pieces: list[tuple[int, int, int, int]] = []  # open, close, trading date, expected bars
    for (opened, closed), day in zip(inside.intervals(), inside.dates.tolist(), strict=True):
        for start, end in _split(opened, closed, spec):
            count = sessions.expected_bars((start, end), spec)
            if pieces and sum(piece[3] for piece in pieces) + count > BARS_A_REQUEST:
                yield _intraday_chunk(pieces, spec)
                pieces = []
            pieces.append((start, end, day, count))
    if pieces:
        yield _intraday_chunk(pieces, spec)


def _intraday_chunk(pieces: list[tuple[int, int, int, int]], spec: BarSpec) -> Chunk:
    start, end = pieces[0][0], pieces[-1][1]
    days = len({piece[2] for piece in pieces})
    longest = _table()["longest"]
    seconds = -(-(end - start) // NANOS_PER_SECOND)
    if days == 1 and spec.nanos <= longest["seconds_largest_bar"] * NANOS_PER_SECOND:
        duration = f"{seconds} S"
    else:
        duration = f"{days} D"
    return Chunk(start, end, end, duration, sum(piece[3] for piece in pieces))


def _split(opened: int, closed: int, spec: BarSpec) -> Iterator[Interval]:
    """A session in parts of one request each, cut on the grid of its bars."""
    longest = _table()["longest"]
    bars = longest["seconds_of_one_second_bars"] if spec.nanos == NANOS_PER_SECOND else None
    span = spec.nanos * min(bars or BARS_A_REQUEST, BARS_A_REQUEST)
    start = opened
    while start < closed:
        end = min((start // spec.nanos) * spec.nanos + span, closed)
        yield start, end
        start = end


def _daily_chunks(interval: Interval, sessions: Sessions) -> Iterator[Chunk]:
    start, end = interval
    starts = sessions.dates * _NANOS_PER_DAY
    rows = np.flatnonzero((starts >= start) & (starts < end))
    dates = np.unique(sessions.dates[rows])
    for first in range(0, len(dates), BARS_A_REQUEST):
        days = dates[first : first + BARS_A_REQUEST]
        last_close = int(sessions.closes[sessions.dates == days[-1]].max())
        yield Chunk(
            int(days[0]) * _NANOS_PER_DAY,
            (int(days[-1]) + 1) * _NANOS_PER_DAY,
            last_close,
            _days_duration(len(days), int(days[-1] - days[0]) + 1),
            len(days),
        )


def _days_duration(sessions: int, calendar_days: int) -> str:
    longest = _table()["longest"]
    if sessions <= longest["days"]:
        return f"{sessions} D"
    return f"{min(-(-calendar_days // 365), longest['years'])} Y"


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("core.ibkr").joinpath("durations.toml").read_text())

"""What is missing, cut into requests that IBKR answers.

A request asks for a duration before its end. Requests hold about 2,000 bars, so that decoding one
answer does not hold up the screen, and begin and end with sessions; only a session of more bars is
cut within. "N D" means N sessions, whatever the calendar says, and years reach back further than
they need to: what an answer holds beyond what was asked is clipped.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from catalog.columns import Ints
from catalog.coverage import Interval
from catalog.errors import WrongInput
from catalog.series import NANOS_PER_SECOND, BarSpec
from catalog.sessions import Sessions

BARS_A_REQUEST = 2_000
_LONGEST_UNTIL_NOW = 30_000  # bars around the clock

_NANOS_PER_DAY = 86_400 * NANOS_PER_SECOND


@dataclass(frozen=True, slots=True)
class Chunk:
    """One request: the bars whose opens lie in [start, end), ns in the coordinate of the series
    (for days 00:00 UTC of the date)."""

    start: int
    end: int
    until: int | None
    """The moment the request ends at, ns UTC: a session's close, or the end of what is asked. None
    for a request that can name no end: it ends now."""
    duration: str
    bars: int
    """How many bars are expected."""

    @property
    def until_time(self) -> datetime | None:
        """`until` as an aware datetime."""
        if self.until is None:
            return None
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


def what_to_show(spec: BarSpec, sec_type: str, *, adjusted: bool = False) -> str:
    """IBKR's word for the price that bars of a kind of contract are made of; `adjusted` for
    dividends as well as for splits."""
    if adjusted:
        return "ADJUSTED_LAST"
    if spec.side == "LAST" and sec_type == "CRYPTO":
        return "AGGTRADES"
    return {"LAST": "TRADES", "MID": "MIDPOINT", "BID": "BID", "ASK": "ASK"}[spec.side]


def kept_since(spec: BarSpec, now: datetime) -> int:
    """From which midnight on (ns UTC) the broker still has bars of this size; 0 for all time."""
    kept = _table()["kept"]
    if spec.nanos > kept["small_bar_seconds"] * NANOS_PER_SECOND:
        return 0
    today = int(now.timestamp()) * NANOS_PER_SECOND // _NANOS_PER_DAY
    return (today + 1 - int(kept["days"])) * _NANOS_PER_DAY


def plan(missing: list[Interval], spec: BarSpec, sessions: Sessions) -> list[Chunk]:
    """The requests for all missing intervals, in time order; none for closed time."""
    of_size = _intraday_chunks if spec.intraday else _dated_chunks
    return [chunk for interval in missing for chunk in of_size(interval, spec, sessions)]


def plan_until_now(
    missing: list[Interval], spec: BarSpec, sessions: Sessions, now: datetime
) -> list[Chunk]:
    """The request for all that is missing where IBKR takes no end: for continuous futures (error
    10339) and adjusted prices. It reaches from now back to the first bar that is missing.

    Raises `WrongInput` for more bars than one answer should bring: decoding them holds the loop.
    """
    if not missing:
        return []
    start, end = missing[0][0], missing[-1][1]
    reach = int(now.timestamp()) - start // NANOS_PER_SECOND
    if reach * NANOS_PER_SECOND > _LONGEST_UNTIL_NOW * spec.nanos:
        raise WrongInput(
            "the range begins too long ago for bars of this size",
            "IBKR gives continuous futures and adjusted prices only up to now, in one answer",
            f"begin {_LONGEST_UNTIL_NOW * spec.nanos // _NANOS_PER_DAY:,} days ago at most, or ask "
            "for longer bars",
        )
    longest = _table()["longest"]
    if reach <= longest["seconds"] and spec.nanos <= longest["seconds_largest_bar"] * 10**9:
        duration = f"{reach} S"
    else:
        # There are no more sessions than days; one may begin on the evening before its date.
        last = int(now.timestamp()) * NANOS_PER_SECOND // _NANOS_PER_DAY
        days = np.arange(start // _NANOS_PER_DAY - 1, last + 1)
        duration = (
            _days_duration(len(days), len(days)) if spec.intraday else _dated_duration(days, spec)
        )
    return [Chunk(start, end, None, duration, sessions.expected_bars((start, end), spec))]


def reached(chunk: Chunk, first_open: int, spec: BarSpec, sessions: Sessions) -> int:
    """From where on an answer speaks for its chunk, given the open of its first bar.

    That is the chunk's start, unless whole sessions before the first bar have no bars: whether
    they are empty or the answer did not reach that far is only known by asking for them. Without
    an end to name, that would be the same request once more.
    """
    if first_open <= chunk.start or chunk.until is None:
        return chunk.start
    opens = [start for start, end in sessions.open_times(spec) if end > chunk.start]
    index = int(np.searchsorted(opens, first_open, side="right")) - 1
    return chunk.start if index <= 0 else min(opens[index], chunk.end)


def once_more(chunk: Chunk, spec: BarSpec) -> Chunk:
    """The same question, reaching one bar or day further back: IBKR wants 15 seconds between
    identical ones for small bars. What it brings beyond the chunk is clipped."""
    count, unit = chunk.duration.split()
    further = spec.nanos // NANOS_PER_SECOND if unit == "S" else 1
    return replace(chunk, duration=f"{int(count) + further} {unit}")


def before(chunk: Chunk, start: int, spec: BarSpec, sessions: Sessions) -> Chunk | None:
    """The request for the part of a chunk that opens before `start`; None when there is none."""
    return next(iter(plan([(chunk.start, start)], spec, sessions)), None)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A session, or a part of one that is too long for one request."""

    start: int
    end: int
    date: int
    bars: int
    part: bool


def _intraday_chunks(interval: Interval, spec: BarSpec, sessions: Sessions) -> Iterator[Chunk]:
    gathered: list[_Piece] = []
    for piece in _pieces(interval, spec, sessions):
        bars = sum(one.bars for one in gathered) + piece.bars
        # Days around a part of a session would bring all of that session.
        alone = piece.part or any(one.part for one in gathered)
        if gathered and (alone or bars > BARS_A_REQUEST):
            yield _intraday_chunk(gathered, spec)
            gathered = []
        gathered.append(piece)
    if gathered:
        yield _intraday_chunk(gathered, spec)


def _pieces(interval: Interval, spec: BarSpec, sessions: Sessions) -> Iterator[_Piece]:
    inside = sessions.clip(interval)
    by_seconds = spec.nanos == NANOS_PER_SECOND  # for which there are no durations in days
    for (opened, closed), day in zip(inside.intervals(), inside.dates.tolist(), strict=True):
        parts = list(_split(opened, closed, spec))
        for start, end in parts:
            bars = sessions.expected_bars((start, end), spec)
            yield _Piece(start, end, day, bars, by_seconds or len(parts) > 1)


def _intraday_chunk(pieces: list[_Piece], spec: BarSpec) -> Chunk:
    start, end = pieces[0].start, pieces[-1].end
    days = len({piece.date for piece in pieces})
    longest = _table()["longest"]
    if days == 1 and spec.nanos <= longest["seconds_largest_bar"] * NANOS_PER_SECOND:
        duration = f"{-(-(end - start) // NANOS_PER_SECOND)} S"
    else:
        duration = _days_duration(days, pieces[-1].date - pieces[0].date + 1)
    return Chunk(start, end, end, duration, sum(piece.bars for piece in pieces))


def _split(opened: int, closed: int, spec: BarSpec) -> Iterator[Interval]:
    """A session in parts of one request each, cut on the grid of its bars."""
    bars = BARS_A_REQUEST
    if spec.nanos == NANOS_PER_SECOND:
        bars = min(bars, _table()["longest"]["seconds_of_one_second_bars"] - 1)  # see `once_more`
    span = spec.nanos * bars
    start = opened
    while start < closed:
        end = min((start // spec.nanos) * spec.nanos + span, closed)
        yield start, end
        start = end


def _dated_chunks(interval: Interval, spec: BarSpec, sessions: Sessions) -> Iterator[Chunk]:
    """Requests for bars of a day and longer, whose coordinate is a date."""
    start, end = interval
    starts = sessions.dates * _NANOS_PER_DAY
    dates = np.unique(sessions.dates[(starts >= start) & (starts < end)])
    bars = sessions.expected_bars(interval, spec)
    # Of weeks and months there never are as many as one request may hold.
    size = BARS_A_REQUEST if spec.unit == "DAY" else max(len(dates), 1)
    for first in range(0, len(dates), size):
        days = dates[first : first + size]
        yield Chunk(
            int(days[0]) * _NANOS_PER_DAY,
            (int(days[-1]) + 1) * _NANOS_PER_DAY,
            int(sessions.closes[sessions.dates == days[-1]].max()),
            _dated_duration(days, spec),
            len(days) if spec.unit == "DAY" else bars,
        )


def _dated_duration(days: Ints, spec: BarSpec) -> str:
    calendar_days = int(days[-1] - days[0]) + 1
    if spec.unit == "DAY":
        return _days_duration(len(days), calendar_days)
    unit = spec.unit[0]
    # From somewhere in the first period to somewhere in the last one.
    periods = -(-calendar_days * _NANOS_PER_DAY // spec.nanos) + 1
    longest = _table()["longest"]
    if periods <= longest["periods"][spec.unit]:
        return f"{periods} {unit}"
    return _years(calendar_days)


def _days_duration(sessions: int, calendar_days: int) -> str:
    if sessions <= _table()["longest"]["days"]:
        return f"{sessions} D"
    return _years(calendar_days)


def _years(calendar_days: int) -> str:
    return f"{min(-(-calendar_days // 365), _table()['longest']['years'])} Y"


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("core.ibkr").joinpath("durations.toml").read_text())

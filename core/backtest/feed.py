"""What an instrument is traded on, and the bars of a run in time order, window by window.

Imports Nautilus: for worker processes only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from nautilus_trader.model import Bar

from catalog.coverage import Interval
from catalog.errors import DataUnavailable
from catalog.series import PriceSide, Series
from core.backtest.data import InstrumentData
from core.backtest.stream import Cursor, Stream, read_stream

PLENTY = 1_000_000_000
"""The volume given to bars that have none, so that orders on them can fill: no order reaches the
quarter of it beyond which Nautilus fills one tick worse."""
_FIRST, _FEWEST, _MOST = 200, 10, 10_000
_WINDOW_S = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class InstrumentFeed:
    """What an instrument is traded on.

    `seen` is what the strategy sees and positions are valued at; `streams` is all the engine
    gets, those that orders fill on first, so that at one moment the market is there before the
    strategy acts. Longer bars come last; Nautilus lets the shortest of an instrument alone move
    its market. `warnings` is what can mislead the reader of the result.
    """

    seen: Stream
    streams: tuple[Stream, ...]
    warnings: tuple[str, ...]


def load(data: InstrumentData, interval: Interval) -> InstrumentFeed:
    """Find an instrument's bars, the longer ones that the strategy asks for among them.

    Series without volume get one. MID, and a side without the other, are filled on stored BID and
    ASK where both are there for every bar, else on BID = ASK = what the strategy sees.

    Raises `DataUnavailable` when there are no bars in the interval or a file cannot be used,
    `WrongInput` when files of a series do not go together.
    """
    feed = _traded(data, interval)
    longer = (_there(series, data, interval) for series in data.longer)
    # Those of quotes lose their volume, as the MID that a strategy sees does.
    told = (one if one.series.spec.side == "LAST" else one.with_volume(0) for one in longer)
    return replace(feed, streams=(*feed.streams, *told))


def _there(series: Series, data: InstrumentData, interval: Interval) -> Stream:
    stream = read_stream(series, data.files_of(series), interval)
    if stream is None:
        raise DataUnavailable(
            f"no bar of {series} closes in the range",
            "the market was closed, or the range, with its warm-up, is shorter than one of them",
            "choose a longer range, or another --warm-up",
        )
    return stream


def _traded(data: InstrumentData, interval: Interval) -> InstrumentFeed:
    """The feed of the bars of the run alone."""
    only = data.sessions if data.only_sessions else None
    main, *others = (read_stream(one, data.files_of(one), interval, only) for one in data.series)
    if main is None:
        raise DataUnavailable(
            f"there are no bars of {data.series[0]} in the range",
            "the market was closed, or nothing was fetched",
            "choose another range, or fetch it",
        )
    if main.series.spec.side == "LAST":
        if main.traded:
            return InstrumentFeed(main, (main,), ())
        main = main.with_volume(PLENTY)
        warning = f"{main.series} has no volume: orders of any size fill at the close"
        return InstrumentFeed(main, (main,), (warning,))
    stored = {stream.series.spec.side: stream for stream in others if stream is not None}
    return _quoted(main, {**stored, main.series.spec.side: main})


_QUOTES: tuple[PriceSide, PriceSide] = ("BID", "ASK")


def _quoted(main: Stream, stored: Mapping[PriceSide, Stream]) -> InstrumentFeed:
    """The feed of a strategy that sees MID, BID or ASK."""
    side = main.series.spec.side
    warnings: tuple[str, ...] = ()
    if not all(quote in stored and np.isin(main.ts, stored[quote].ts).all() for quote in _QUOTES):
        warnings = (f"spread 0: {main.series.instrument_id} is bought and sold at {side}",)
        stored = {quote: main.of_side(quote) for quote in _QUOTES}
    market = tuple(stored[quote].with_volume(PLENTY) for quote in _QUOTES)
    if side in _QUOTES:
        return InstrumentFeed(market[_QUOTES.index(side)], market, warnings)
    # Nautilus would take MID with a volume for trades, and move the market to it.
    seen = main.with_volume(0)
    return InstrumentFeed(seen, (*market, seen), warnings)


def windows(streams: Sequence[Stream], size: int | None = None) -> Iterator[list[list[Bar]]]:
    """The bars of all streams, window by window: one list a stream in each, every bar of a window
    stamped after all of the window before.

    A window has about `size` bars; without it, what takes a tenth of a second, the time the
    caller needs for one window deciding on the next, so that it has word of the run and can end
    it even where a strategy takes its time.
    """
    cursors = [Cursor(stream) for stream in streams]
    done, left = [0] * len(streams), sum(len(stream) for stream in streams)
    count = size or _FIRST
    while left:
        began = time.perf_counter()
        last = min(
            int(stream.ts[min(row + count, len(stream)) - 1])
            for stream, row in zip(streams, done, strict=True)
            if row < len(stream)
        )
        ends = [int(np.searchsorted(stream.ts, last, "right")) for stream in streams]
        window = [
            cursor.bars(end - row)
            for cursor, row, end in zip(cursors, done, ends, strict=True)
            if end > row
        ]
        left -= sum(len(bars) for bars in window)
        done = ends
        yield window
        if size is None:
            pace = _WINDOW_S / (time.perf_counter() - began)
            count = min(max(int(count * min(pace, 4)), _FEWEST), _MOST)

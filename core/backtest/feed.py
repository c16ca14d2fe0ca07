"""From files to the bars an engine is fed with, in time order and in windows.

Imports Nautilus: for worker processes only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from nautilus_trader.model import Bar
from nautilus_trader.persistence import BarDataWrangler

from catalog.columns import BarColumns, Ints, concat
from catalog.coverage import Interval
from catalog.encoding import from_arrow, read_table, to_arrow
from catalog.errors import DataUnavailable, WrongInput
from catalog.series import PriceSide, Series
from core.backtest.data import InstrumentData

WINDOW = 10_000
"""Bars fed to the engine at a time: about 0.1 s between two words of progress."""
PLENTY = 1_000_000_000
"""The volume given to bars that have none, so that orders on them can fill: no order reaches the
quarter of it beyond which Nautilus fills one tick worse."""


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Bars of one series as the engine gets them."""

    series: Series
    bars: BarColumns


@dataclass(frozen=True, slots=True, eq=False)
class InstrumentFeed:
    """What an instrument is traded on.

    `seen` is what the strategy sees and positions are valued at; `streams` is all the engine
    gets, those that orders fill on first, so that at one moment the market is there before the
    strategy acts. `notes` is what the reader of the result has to know.
    """

    seen: Stream
    streams: tuple[Stream, ...]
    notes: tuple[str, ...]


def load(data: InstrumentData, interval: Interval) -> InstrumentFeed:
    """Read an instrument's bars.

    Series without volume get one. MID, and a side without the other, are filled on stored BID and
    ASK where both are there for every bar, else on BID = ASK = what the strategy sees.

    Raises `DataUnavailable` when there are no bars in the interval or a file cannot be used.
    """
    main, *others = data.series
    bars = _read(main, data.files_of(main), interval)
    if not len(bars):
        raise DataUnavailable(
            f"there are no bars of {main} in the range",
            "the market was closed, or nothing was fetched",
            "choose another range, or fetch it",
        )
    if main.spec.side == "LAST":
        notes: tuple[str, ...] = ()
        if not bars.volume.any():
            bars = _with_volume(bars, PLENTY)
            notes = (f"{main} has no volume: orders of any size fill at the close",)
        seen = Stream(main, bars)
        return InstrumentFeed(seen, (seen,), notes)
    stored: dict[PriceSide, BarColumns] = {main.spec.side: _with_volume(bars, PLENTY)}
    for other in others:
        found = _read(other, data.files_of(other), interval)
        stored[other.spec.side] = _with_volume(found, PLENTY)
    return _quoted(main, bars, stored)


_QUOTES: tuple[PriceSide, PriceSide] = ("BID", "ASK")


def _quoted(
    main: Series, bars: BarColumns, stored: Mapping[PriceSide, BarColumns]
) -> InstrumentFeed:
    """The feed of a strategy that sees MID, BID or ASK."""
    notes: tuple[str, ...] = ()
    if not all(side in stored and np.isin(bars.ts, stored[side].ts).all() for side in _QUOTES):
        notes = (f"spread 0: {main.instrument_id} is bought and sold at {main.spec.side}",)
        stored = dict.fromkeys(_QUOTES, stored[main.spec.side])
    market = tuple(
        Stream(Series(main.instrument_id, main.spec.with_side(side)), stored[side])
        for side in _QUOTES
    )
    if main.spec.side in _QUOTES:
        return InstrumentFeed(market[_QUOTES.index(main.spec.side)], market, notes)
    # Nautilus would take MID with a volume for trades, and move the market to it.
    seen = Stream(main, _with_volume(bars, 0))
    return InstrumentFeed(seen, (*market, seen), notes)


def windows(streams: Sequence[Stream], size: int = WINDOW) -> Iterator[list[list[Bar]]]:
    """The bars of all streams, window by window: one list a stream in each, about `size` bars
    together, every bar of a window stamped after all of the window before."""
    stamps = np.sort(np.concatenate([stream.bars.ts for stream in streams]))
    wranglers = [_wrangler(stream) for stream in streams]
    done = [0] * len(streams)
    for last in _borders(stamps, size):
        window = []
        for number, stream in enumerate(streams):
            upto = int(np.searchsorted(stream.bars.ts, last, "right"))
            if upto > done[number]:
                part = stream.bars.take(slice(done[number], upto))
                window.append(_to_nautilus(wranglers[number], stream.series, part))
                done[number] = upto
        yield window


def _borders(stamps: Ints, size: int) -> list[int]:
    return [int(stamp) for stamp in np.unique(np.append(stamps[size - 1 :: size], stamps[-1]))]


def _read(series: Series, files: Sequence[Path], interval: Interval) -> BarColumns:
    parts = []
    for file in sorted(files):
        try:
            parts.append(from_arrow(read_table(file)))
        except (OSError, pa.ArrowException, ValueError) as error:
            raise DataUnavailable(
                f"{file} cannot be read", str(error), "check the catalog, fetch the range again"
            ) from error
    if not parts:
        return BarColumns.empty(0, 0)
    if len({(part.price_precision, part.size_precision) for part in parts}) > 1:
        raise WrongInput(
            f"the files of {series} have different price precisions",
            "Nautilus would reject every order of one part",
            "fetch the series again",
        )
    bars = concat(parts).between(*interval)
    if np.any(np.diff(bars.ts) <= 0):
        raise DataUnavailable(
            f"the bars of {series} are not in time order, each stamp once",
            "files of the series overlap",
            "check the catalog, fetch the range again",
        )
    return bars


def _with_volume(bars: BarColumns, units: int) -> BarColumns:
    return replace(bars, volume=np.full(len(bars), units * 10**bars.size_precision))


def _wrangler(stream: Stream) -> BarDataWrangler:
    bars = stream.bars
    return BarDataWrangler(stream.series.bar_type, bars.price_precision, bars.size_precision)


def _to_nautilus(wrangler: BarDataWrangler, series: Series, bars: BarColumns) -> list[Bar]:
    table = to_arrow(series, bars)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    return wrangler.process_record_batch_bytes(sink.getvalue().to_pybytes())

"""From files to the bars an engine is fed with, in time order and in windows.

Bars stay in Nautilus' Arrow form all the way; the files were decoded and checked before.
Imports Nautilus: for worker processes only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from nautilus_trader.model import Bar
from nautilus_trader.persistence import BarDataWrangler

from catalog.columns import Floats, Ints
from catalog.coverage import Interval
from catalog.encoding import SCHEMA, read_table
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
    """Bars of one series as the engine gets them: a table in Nautilus' schema, and its stamps."""

    series: Series
    table: pa.Table
    ts: Ints
    price_precision: int
    size_precision: int

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def close(self) -> Floats:
        """The closes as floats, to value positions by."""
        values: Floats = self.table["close"].cast(pa.float64()).to_numpy()
        return values

    @property
    def traded(self) -> bool:
        """Whether any bar has a volume."""
        return bool(pc.max(self.table["volume"]).as_py())

    def of_side(self, side: PriceSide) -> Stream:
        """The same bars under the name of another side."""
        return replace(
            self, series=Series(self.series.instrument_id, self.series.spec.with_side(side))
        )

    def with_volume(self, units: int) -> Stream:
        """The same bars, each with this volume."""
        place = SCHEMA.get_field_index("volume")
        field = SCHEMA.field(place)
        volume = pa.repeat(pa.scalar(Decimal(units), field.type), len(self))
        return replace(self, table=self.table.set_column(place, field, volume))

    def bars(self, first: int, end: int) -> list[Bar]:
        """The bars of rows `first` to `end`, excluded, as Nautilus' objects."""
        part = self.table.slice(first, end - first)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, part.schema) as stream:
            stream.write_table(part)
        wrangler = BarDataWrangler(self.series.bar_type, self.price_precision, self.size_precision)
        return wrangler.process_record_batch_bytes(sink.getvalue().to_pybytes())


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

    Raises `DataUnavailable` when there are no bars in the interval or a file cannot be used,
    `WrongInput` when files of a series do not go together.
    """
    main, *others = (_read(series, data.files_of(series), interval) for series in data.series)
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
        note = f"{main.series} has no volume: orders of any size fill at the close"
        return InstrumentFeed(main, (main,), (note,))
    stored = {stream.series.spec.side: stream for stream in others if stream is not None}
    return _quoted(main, {**stored, main.series.spec.side: main})


_QUOTES: tuple[PriceSide, PriceSide] = ("BID", "ASK")


def _quoted(main: Stream, stored: Mapping[PriceSide, Stream]) -> InstrumentFeed:
    """The feed of a strategy that sees MID, BID or ASK."""
    side = main.series.spec.side
    notes: tuple[str, ...] = ()
    if not all(quote in stored and np.isin(main.ts, stored[quote].ts).all() for quote in _QUOTES):
        notes = (f"spread 0: {main.series.instrument_id} is bought and sold at {side}",)
        stored = {quote: main.of_side(quote) for quote in _QUOTES}
    market = tuple(stored[quote].with_volume(PLENTY) for quote in _QUOTES)
    if side in _QUOTES:
        return InstrumentFeed(market[_QUOTES.index(side)], market, notes)
    # Nautilus would take MID with a volume for trades, and move the market to it.
    seen = main.with_volume(0)
    return InstrumentFeed(seen, (*market, seen), notes)


def windows(streams: Sequence[Stream], size: int = WINDOW) -> Iterator[list[list[Bar]]]:
    """The bars of all streams, window by window: one list a stream in each, about `size` bars
    together, every bar of a window stamped after all of the window before."""
    stamps = np.sort(np.concatenate([stream.ts for stream in streams]))
    done = [0] * len(streams)
    for last in np.unique(np.append(stamps[size - 1 :: size], stamps[-1])):
        ends = [int(np.searchsorted(stream.ts, last, "right")) for stream in streams]
        yield [
            stream.bars(first, end)
            for stream, first, end in zip(streams, done, ends, strict=True)
            if end > first
        ]
        done = ends


def _read(series: Series, files: Sequence[Path], interval: Interval) -> Stream | None:
    """The bars of the interval, or None when there are none."""
    tables = [_table(file) for file in sorted(files)]
    kinds = {
        (_number(table, "price_precision"), _number(table, "size_precision")) for table in tables
    }
    if len(kinds) > 1:
        raise WrongInput(
            f"the files of {series} have different precisions",
            "Nautilus would reject every order of one part",
            "fetch the series again",
        )
    if not tables:
        return None
    plain = SCHEMA.with_metadata(None)
    table = pa.concat_tables(table.select(SCHEMA.names).cast(plain) for table in tables)
    ts: Ints = table["ts_init"].cast(pa.int64()).to_numpy()
    if np.any(np.diff(ts) <= 0):
        raise DataUnavailable(
            f"the bars of {series} are not in time order, each stamp once",
            "files of the series overlap",
            "check the catalog, fetch the range again",
        )
    first, end = (int(row) for row in np.searchsorted(ts, interval, "right"))
    if first == end:
        return None
    part = table.slice(first, end - first).combine_chunks()
    return Stream(series, part, ts[first:end], *kinds.pop())


def _table(file: Path) -> pa.Table:
    try:
        return read_table(file)
    except (OSError, pa.ArrowException) as error:
        raise DataUnavailable(
            f"{file} cannot be read", str(error), "check the catalog, fetch the range again"
        ) from error


def _number(table: pa.Table, key: str) -> int:
    return int(table.schema.metadata[key.encode()])

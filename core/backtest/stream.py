"""The bars of one series of a run, read from their files a window at a time.

Bars stay in Nautilus' Arrow form all the way; of the whole series only stamps and closes are held
in memory, 16 bytes a bar. Imports Nautilus: for worker processes only.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from nautilus_trader.model import Bar
from nautilus_trader.persistence import BarDataWrangler

from catalog.columns import Floats, Ints
from catalog.coverage import Interval
from catalog.encoding import SCHEMA, int64s
from catalog.errors import DataUnavailable, WrongInput
from catalog.series import PriceSide, Series
from catalog.sessions import Sessions
from core.backtest.sweep_sharing import ARROW

_BATCH = 2_000
_PLAIN = SCHEMA.with_metadata(None)


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """The bars of a series in the range of a run: where they are, when they close and at what.

    `skipped` is how many rows of the files lie before the range; `kept` says which of those in it
    are bars of the run, None that all are. `volume` is given to every bar
    in place of its own, unless None. `traded` says whether any bar has a volume of its own.
    """

    series: Series
    files: tuple[Path, ...]
    skipped: int
    ts: Ints
    close: Floats
    price_precision: int
    size_precision: int
    traded: bool
    volume: int | None = None
    kept: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.ts)

    def of_side(self, side: PriceSide) -> Stream:
        """The same bars under the name of another side."""
        return replace(
            self, series=Series(self.series.instrument_id, self.series.spec.with_side(side))
        )

    def with_volume(self, units: int) -> Stream:
        """The same bars, each with this volume."""
        return replace(self, volume=units)

    def between(self, start: int, end: int) -> tuple[Ints, Floats]:
        """Stamps and closes of the bars that are stamped after `start`, up to `end` (ns)."""
        first, last = (int(row) for row in np.searchsorted(self.ts, (start, end), "right"))
        return self.ts[first:last], self.close[first:last]


class Cursor:
    """Reads a stream from front to back, each bar once."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        end = stream.skipped + len(stream.ts if stream.kept is None else stream.kept)
        rows = _rows(stream.files, SCHEMA.names, stream.skipped, end)
        self._batches = rows if stream.kept is None else _only(stream.kept, rows)
        self._rest = _PLAIN.empty_table()
        self._wrangler = BarDataWrangler(
            stream.series.bar_type, stream.price_precision, stream.size_precision
        )

    def bars(self, count: int) -> list[Bar]:
        """The next bars, at most as many as there are."""
        part = self._next(count)
        if self._stream.volume is not None:
            place = SCHEMA.get_field_index("volume")
            field = SCHEMA.field(place)
            volume = pa.repeat(pa.scalar(Decimal(self._stream.volume), field.type), len(part))
            part = part.set_column(place, field, volume)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, part.schema) as stream:
            stream.write_table(part.combine_chunks())
        return self._wrangler.process_record_batch_bytes(sink.getvalue().to_pybytes())

    def _next(self, count: int) -> pa.Table:
        parts, wanted = [self._rest], count - len(self._rest)
        while wanted > 0:
            parts.append(next(self._batches))
            wanted -= len(parts[-1])
        table = pa.concat_tables(parts)
        self._rest = table.slice(count)
        return table.slice(0, count)


def read_stream(
    series: Series, files: Sequence[Path], interval: Interval, only: Sessions | None = None
) -> Stream | None:
    """The bars of a series that open in the interval, or None when there are none; with `only`
    those of its sessions.

    Raises `DataUnavailable` when a file cannot be read or bars are not in time order,
    `WrongInput` when the files do not go together.
    """
    ordered = tuple(sorted(files))
    heads = [_head(file) for file in ordered]
    count, kinds = sum(head.rows for head in heads), {head.precisions for head in heads}
    if len(kinds) > 1:
        raise WrongInput(
            f"the files of {series} have different precisions",
            "Nautilus would reject every order of one part",
            "fetch the series again",
        )
    if not count:
        return None
    ts = np.empty(count, np.int64)
    _fill(ts, (int64s(part["ts_init"]) for part in _rows(ordered, ["ts_init"])))
    if np.any(ts[1:] <= ts[:-1]):
        raise DataUnavailable(
            f"the bars of {series} are not in time order, each stamp once",
            "files of the series overlap",
            "check the catalog, fetch the range again",
        )
    first, end = (int(row) for row in np.searchsorted(ts, interval, "right"))
    if first == end:
        return None
    close = np.empty(end - first)
    _fill(close, (_floats(part["close"]) for part in _rows(ordered, ["close"], first, end)))
    traded = any(pc.max(part["volume"]).as_py() for part in _rows(ordered, ["volume"]))
    every = Stream(series, ordered, first, ts[first:end], close, *kinds.pop(), traded)
    return every if only is None else _in_sessions(every, only)


def _in_sessions(every: Stream, sessions: Sessions) -> Stream | None:
    opens = every.ts - every.series.spec.nanos
    place = np.searchsorted(sessions.closes, opens, "right")
    known = place < len(sessions)
    kept = np.zeros(len(opens), np.bool_)
    kept[known] = opens[known] >= sessions.opens[place[known]]
    if not kept.any():
        return None
    return replace(every, ts=every.ts[kept], close=every.close[kept], kept=kept)


def _only(kept: npt.NDArray[np.bool_], parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
    done = 0
    for part in parts:
        yield part.filter(pa.array(kept[done : done + len(part)]))
        done += len(part)


def _fill(column: npt.NDArray[Any], parts: Iterable[npt.NDArray[Any]]) -> None:
    done = 0
    for part in parts:
        column[done : done + len(part)] = part
        done += len(part)


def _floats(column: pa.ChunkedArray) -> Floats:
    return cast(Floats, np.from_dlpack(column.cast(pa.float64()).combine_chunks()))


def _rows(
    files: Sequence[Path], columns: list[str], first: int = 0, end: int = sys.maxsize
) -> Iterator[pa.Table]:
    """The rows of the files, one file after the other, from `first` to `end`, in tables of a few
    thousand. No more of the files is decoded than that takes."""
    schema = pa.schema([_PLAIN.field(name) for name in columns])
    row = 0
    for file in files:
        try:
            for batch in _batches(file, columns):
                begin, row = row, row + len(batch)
                if first < row:
                    part = batch[max(first - begin, 0) : end - begin]
                    yield pa.Table.from_batches([part]).select(columns).cast(schema)
                if row >= end:
                    return
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(file, error) from error


def _batches(file: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    return _arrow_batches(file) if file.suffix == ARROW else _parquet_batches(file, columns)


@dataclass(frozen=True, slots=True)
class _Head:
    """What a file says of its bars: how many, and the decimals of prices and volumes."""

    rows: int
    precisions: tuple[int, int]


def _head(file: Path) -> _Head:
    try:
        if file.suffix == ARROW:
            with pa.memory_map(str(file)) as source:
                reader = pa.ipc.open_file(source)
                metadata = reader.schema.metadata
                rows = sum(batch.num_rows for batch in _batches_of(reader))
        else:
            with _parquet(file) as parquet:
                rows, metadata = parquet.metadata.num_rows, parquet.schema_arrow.metadata
        precisions = int(metadata[b"price_precision"]), int(metadata[b"size_precision"])
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(file, error) from error
    return _Head(rows, precisions)


def _arrow_batches(file: Path) -> Iterator[pa.RecordBatch]:
    """The batches of a file that is mapped into memory, which other workers share."""
    with pa.memory_map(str(file)) as source:
        yield from _batches_of(pa.ipc.open_file(source))


def _batches_of(reader: pa.ipc.RecordBatchFileReader) -> Iterator[pa.RecordBatch]:
    for number in range(reader.num_record_batches):
        yield reader.get_batch(number)


def _parquet_batches(file: Path, columns: list[str]) -> Iterator[pa.RecordBatch]:
    with _parquet(file) as parquet:
        yield from parquet.iter_batches(_BATCH, columns=columns, use_threads=False)


def _parquet(file: Path) -> pq.ParquetFile:
    return pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=False)


def _unreadable(file: Path, error: Exception) -> DataUnavailable:
    return DataUnavailable(
        f"{file} cannot be read", str(error), "check the catalog, fetch the range again"
    )

"""Bars as Nautilus stores them: its Arrow schema and metadata, and Parquet files of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.columns import BarColumns, Ints
from catalog.series import Series

_SCALE = 16
_DECIMAL = pa.decimal128(38, _SCALE)
_STAMP = pa.timestamp("ns", tz="UTC")
_WORTH_THREADS = 50_000
_PRICES = ("open", "high", "low", "close")
_VALUES = (*_PRICES, "volume")
SCHEMA = pa.schema(
    [pa.field(name, _DECIMAL, nullable=False) for name in _VALUES]
    + [pa.field(name, _STAMP, nullable=False) for name in ("ts_event", "ts_init")]
)
"""Nautilus' Arrow schema of bars, without its metadata."""


def to_arrow(series: Series, bars: BarColumns, **extra: str) -> pa.Table:
    """The bars as Nautilus' own writer would store them.

    `extra` joins the schema's metadata, which Nautilus reads over.
    """
    columns = [
        *(decimals(values, bars.price_precision) for values in bars.arrays()[1:5]),
        decimals(bars.volume, bars.size_precision),
    ]
    # Buffers, because `pa.array` of a NumPy array imports pandas.
    stamps = pa.Array.from_buffers(
        _STAMP, len(bars), [None, pa.py_buffer(np.ascontiguousarray(bars.ts))]
    )
    metadata = {
        "bar_type": series.bar_type,
        "instrument_id": series.instrument_id,
        "price_precision": str(bars.price_precision),
        "size_precision": str(bars.size_precision),
        "type_name": "Bar",
        **extra,
    }
    return pa.table([*columns, stamps, stamps], schema=SCHEMA.with_metadata(metadata))


def from_arrow(table: pa.Table) -> BarColumns:
    """The bars of a table in Nautilus' schema, in the order of their rows.

    Raises `ValueError` when the schema is another, or a value does not fit the precision the
    metadata claims.
    """
    metadata = table.schema.metadata or {}
    try:
        price_precision = int(metadata[b"price_precision"])
        size_precision = int(metadata[b"size_precision"])
        table = table.select(SCHEMA.names).cast(SCHEMA)
    except (KeyError, pa.ArrowException) as error:
        raise ValueError(f"not a table of Nautilus bars: {error}") from error
    opens, highs, lows, closes = (integers(table[name], price_precision) for name in _PRICES)
    ts = int64s(table["ts_init"])
    volume = integers(table["volume"], size_precision)
    return BarColumns(ts, opens, highs, lows, closes, volume, price_precision, size_precision)


def decimals(values: Ints, precision: int) -> pa.Array:
    """Integers in units of 10**-precision as Nautilus' decimals, exactly."""
    # An int64 in two limbs is a decimal128 of its own precision; Arrow rescales it exactly.
    limbs = np.empty((len(values), 2), dtype=np.int64)
    limbs[:, 0] = values
    limbs[:, 1] = values >> 63
    raw = pa.Array.from_buffers(
        pa.decimal128(38, precision), len(values), [None, pa.py_buffer(limbs)]
    )
    return raw.cast(_DECIMAL)


def integers(column: pa.ChunkedArray, precision: int) -> Ints:
    """Decimals as integers in units of 10**-precision, exactly; the reverse of `decimals`.

    Raises `ValueError` when a value has more decimals or does not fit 64 bits.
    """
    try:
        raw = column.combine_chunks().cast(pa.decimal128(38, precision))
    except pa.ArrowInvalid as error:
        raise ValueError(f"a value has more than {precision} decimals") from error
    limbs = _buffer(raw, 2)
    low = np.ascontiguousarray(limbs[:, 0])
    if not np.array_equal(low >> 63, limbs[:, 1]):
        raise ValueError(f"a value does not fit 64 bits at {precision} decimals")
    return low


def int64s(column: pa.ChunkedArray) -> Ints:
    """A column of stamps or integers of 64 bits as NumPy; pyarrow's own way imports pandas."""
    return _buffer(column.combine_chunks(), 1)[:, 0]


def _buffer(array: pa.Array, words: int) -> Ints:
    values = array.buffers()[1]
    if values is None:
        return np.empty((0, words), dtype=np.int64)
    rows = np.frombuffer(values, dtype=np.int64).reshape(-1, words)
    return rows[array.offset : array.offset + len(array)]


def content_hash(bars: BarColumns) -> str:
    """SHA-256 of every value and both precisions: equal bars have equal hashes, however they
    are compressed."""
    digest = hashlib.sha256(f"{bars.price_precision} {bars.size_precision}".encode())
    for column in bars.arrays():
        digest.update(np.ascontiguousarray(column))
    return digest.hexdigest()


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table of bars with page checksums, in the encodings that keep it smallest."""
    pq.write_table(
        table,
        path,
        compression="zstd",
        use_dictionary=list(_VALUES),
        column_encoding=dict.fromkeys(("ts_event", "ts_init"), "DELTA_BINARY_PACKED"),
        write_page_checksum=True,
    )


def read_table(path: Path) -> pa.Table:
    """Read a Parquet file with its metadata, page checksums verified.

    Raises `FileNotFoundError`, and `OSError` or `pyarrow.ArrowException` when it is damaged.
    """
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        # Handing the columns of a short file to other threads takes longer than decoding them.
        table = file.read(use_threads=file.metadata.num_rows > _WORTH_THREADS)
        # Nautilus keeps its metadata in the Arrow schema alone, which `read` passes over.
        return table.replace_schema_metadata(file.schema_arrow.metadata)

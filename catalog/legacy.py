"""Bars as NautilusTrader 1.x stored them, read as those of 2.x."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from catalog.columns import BarColumns
from catalog.encoding import SCHEMA, decimals, from_arrow, int64s, read_table
from catalog.files import damaged
from catalog.series import Series

LEGACY_BARS = Path("data/bar")
"""Where 1.x keeps its bars, relative to the root; files are named as in 2.x."""

LEGACY_FOLDERS = frozenset(
    ("bar", "quote_tick", "trade_tick", "order_book_delta", "order_book_depths", "custom")
)
"""Folders inside `data` that only a 1.x catalog has."""

_STANDARD_WIDTH, _STANDARD_SCALE = 8, 9
"""Bytes and decimals of a raw value where 1.x was built with standard precision."""


def is_legacy(schema: pa.Schema) -> bool:
    """Whether bars or an instrument are in the schema of 1.x."""
    return b"type_name" not in (schema.metadata or {}) and any(
        pa.types.is_fixed_size_binary(field.type) or pa.types.is_uint64(field.type)
        for field in schema
    )


def read_legacy(path: Path) -> tuple[Series, BarColumns]:
    """The series of a 1.x file of bars and its bars, in the order of their rows.

    Raises `DamagedFile`, and `FileNotFoundError` when it is gone.
    """
    try:
        table = read_table(path)
        metadata = table.schema.metadata
        series = Series.from_bar_type(metadata[b"bar_type"].decode())
        columns = [_modern(table[name]) for name in SCHEMA.names]
        return series, from_arrow(pa.table(columns, schema=SCHEMA.with_metadata(metadata)))
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise damaged(path, error) from error


def _modern(column: pa.ChunkedArray) -> pa.Array:
    """The same values in the type of 2.x."""
    raw = column.combine_chunks()
    if pa.types.is_uint64(raw.type):
        return raw.view(SCHEMA.field("ts_init").type)
    if raw.type.byte_width == _STANDARD_WIDTH:
        wide = pa.Array.from_buffers(pa.int64(), len(raw), raw.buffers(), offset=raw.offset)
        return decimals(int64s(pa.chunked_array([wide])), _STANDARD_SCALE)
    # High precision differs in its name only: 16 bytes of a value times 10**16.
    return pa.Array.from_buffers(
        SCHEMA.field("close").type, len(raw), raw.buffers(), offset=raw.offset
    )

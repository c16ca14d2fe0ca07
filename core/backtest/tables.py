"""Columns, and rows of a dataclass, as Parquet files and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

_ARROW = {"int": pa.int64(), "float": pa.float64(), "str": pa.string()}


def write_columns(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns of equal length."""
    _write(path, pa.table(dict(columns)))


def columns_of(arrays: Any) -> dict[str, Any]:
    """The fields of a dataclass of NumPy arrays as columns; empty ones are left out."""
    columns = {field.name: getattr(arrays, field.name) for field in _fields(arrays)}
    return {name: column for name, column in columns.items() if len(column)}


def read_columns(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read what `write_columns` wrote. Raises as `read_rows`."""
    with pq.ParquetFile(path) as file:
        table = file.read()
    # Not `to_numpy`: it imports pandas into the dashboard, 0.7 s.
    return {
        name: cast(npt.NDArray[Any], np.from_dlpack(cast(Any, table[name].combine_chunks())))
        for name in table.column_names
    }


def table_of[T](kind: type[T], rows: Sequence[T]) -> pa.Table:
    """Rows of a dataclass whose fields are int, float or str, each perhaps `| None`."""
    columns = {}
    for field in _fields(kind):
        arrow = _ARROW[str(field.type).removesuffix(" | None")]
        columns[field.name] = pa.array([getattr(row, field.name) for row in rows], arrow)
    return pa.table(columns)


def write_rows[T](path: Path, kind: type[T], rows: Sequence[T]) -> None:
    """Write rows as `table_of` makes them a table."""
    _write(path, table_of(kind, rows))


def read_rows[T](path: Path, kind: type[T]) -> list[T]:
    """Read what `write_rows` wrote. Raises `OSError` or `pyarrow.ArrowException` when damaged."""
    with pq.ParquetFile(path) as file:
        columns = file.read().to_pydict()
    return [kind(*row) for row in zip(*(columns[each.name] for each in _fields(kind)), strict=True)]


def _write(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path, compression="zstd", use_dictionary=False)


def _fields(kind: Any) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(kind)

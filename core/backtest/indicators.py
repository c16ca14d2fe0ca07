"""What the indicators of a strategy said, as a file of the run: for its chart."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.columns import Floats, Ints

_ABOUT = b"quarterdeck.lines"


@dataclass(frozen=True, slots=True, eq=False)
class IndicatorLine:
    """One number of an indicator at the stamps `ts` (ns UTC), nan where it had not begun: `name` is
    that of the indicator, `output` which of its numbers, empty where it has one.

    `on_price` says that it is measured in prices of the instrument; `every` how many bars it was
    read at once, 1 unless the run was long.
    """

    instrument_id: str
    name: str
    output: str
    on_price: bool
    every: int
    ts: Ints
    values: Floats

    def at(self, ts: Ints) -> Floats:
        """Its values at some stamps, on a straight line between those it was read at; nan before
        and after them."""
        known = np.isfinite(self.values)
        if not known.any():
            return np.full(len(ts), np.nan)
        return np.interp(ts, self.ts[known], self.values[known], left=np.nan, right=np.nan)


def write_lines(path: Path, lines: Sequence[IndicatorLine]) -> None:
    """Write one line or more: a column each, a row for each stamp that any of them has."""
    ts = np.unique(np.concatenate([line.ts for line in lines]))
    columns: dict[str, Any] = {"ts": ts}
    for number, line in enumerate(lines):
        column = columns[str(number)] = np.full(len(ts), np.nan)
        column[np.searchsorted(ts, line.ts)] = line.values
    about = [(one.instrument_id, one.name, one.output, one.on_price, one.every) for one in lines]
    table = pa.table(columns).replace_schema_metadata({_ABOUT: json.dumps(about)})
    pq.write_table(table, path, compression="zstd", use_dictionary=False)


def read_lines(path: Path) -> tuple[IndicatorLine, ...]:
    """Read what `write_lines` wrote. Raises `OSError`, `KeyError`, `ValueError` or
    `pyarrow.ArrowException` when damaged."""
    with pq.ParquetFile(path) as file:
        table = file.read()
    ts, *columns = (_array(column) for column in table.columns)
    about = json.loads(table.schema.metadata[_ABOUT])
    return tuple(
        IndicatorLine(instrument_id, name, output, on_price, every, ts, values)
        for (instrument_id, name, output, on_price, every), values in zip(
            about, columns, strict=True
        )
    )


def _array(column: pa.ChunkedArray) -> Any:
    # Not `to_numpy`: it imports pandas into the dashboard, 0.7 s.
    return np.from_dlpack(cast(Any, column.combine_chunks()))

"""One file of bars: what it says of itself in its footer, and whether that is true."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.columns import BarColumns, Ints
from catalog.coverage import Interval
from catalog.encoding import content_hash, from_arrow, int64s, read_table, to_arrow, write_table
from catalog.errors import DataUnavailable, QuarterdeckError
from catalog.layout import NANOS_PER_DAY, open_of
from catalog.series import Series
from catalog.sessions import Hours

type Origin = Literal["simulated", "real"]
"""Whether bars come from the simulator or a real broker; a catalog holds one kind."""

FOOTER_KEY = "quarterdeck.asked"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of whom to get the bars of a file; it stands in the file's footer.

    `intervals` is what was asked and answered of this file's span, over bar opens, ns.
    `sha256` is the hash of the bars' values.
    """

    intervals: tuple[Interval, ...]
    hours: Hours
    con_id: int | None
    origin: Origin
    fetched_at: str
    sha256: str = ""

    @classmethod
    def from_metadata(cls, metadata: Mapping[bytes, bytes]) -> Self | None:
        """What a file's metadata says was asked, if it says it; raises like `from_json`."""
        note = metadata.get(FOOTER_KEY.encode())
        return cls.from_json(note.decode()) if note else None

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Raises `ValueError`, `KeyError` or `TypeError` when it is something else."""
        fields = json.loads(text)
        fields["intervals"] = tuple((start, end) for start, end in fields["intervals"])
        return cls(**fields)

    def to_json(self) -> str:
        """One line of JSON, keys in a fixed order."""
        fields = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return json.dumps(fields, sort_keys=True)


@dataclass(frozen=True, slots=True)
class BarFile:
    """A file of bars as its footer, its metadata and the file system describe it.

    `first` and `last` are stamps, ns. `asked` is None for a file that another program wrote.
    `covered` is what was asked; such a foreign file covers only the very bars it holds, since
    nobody says that there are none between them.
    """

    path: Path
    series: Series
    rows: int
    first: int
    last: int
    price_precision: int
    size_precision: int
    size: int
    mtime_ns: int
    asked: Asked | None
    covered: tuple[Interval, ...]


class DamagedFile(DataUnavailable):
    """A file that cannot be read, or whose bars are not those that were written."""

    def __init__(self, title: str, reason: str = "", *steps: str) -> None:
        super().__init__(title, reason, *(steps or ("move the file away", "fetch its range again")))


def damaged(path: Path, reason: object) -> DamagedFile:
    """The error for a damaged file."""
    return DamagedFile(f"{path} is damaged", str(reason))


def inspect(path: Path) -> BarFile | None:
    """What a file of bars is, from its footer; None when it holds no rows.

    Raises `DamagedFile`, and `FileNotFoundError` when it is gone.
    """
    try:
        # Of one open file, since a writer may replace what stands under the name meanwhile.
        with path.open("rb") as handle, pq.ParquetFile(handle) as file:
            status = os.fstat(handle.fileno())
            metadata = file.schema_arrow.metadata or {}
            if file.metadata.num_rows == 0:
                return None
            series = Series.from_bar_type(metadata[b"bar_type"].decode())
            asked = Asked.from_metadata(metadata)
            first, last = _stamp_range(file)
            return BarFile(
                path=path,
                series=series,
                rows=file.metadata.num_rows,
                first=first,
                last=last,
                price_precision=int(metadata[b"price_precision"]),
                size_precision=int(metadata[b"size_precision"]),
                size=status.st_size,
                mtime_ns=status.st_mtime_ns,
                asked=asked,
                covered=asked.intervals if asked else _held(file, series),
            )
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, QuarterdeckError, KeyError, ValueError, TypeError) as error:
        raise damaged(path, error) from error


def read(path: Path) -> BarColumns:
    """All bars of a file, every page decoded and its checksum verified.

    Raises `DamagedFile`, also when a value is not the one that was written, and
    `FileNotFoundError` when the file is gone.
    """
    try:
        table = read_table(path)
        bars = from_arrow(table)
        asked = Asked.from_metadata(table.schema.metadata)
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise damaged(path, error) from error
    if np.any(np.diff(bars.ts) <= 0):
        raise damaged(path, "its bars are not in time order, each stamp once")
    if asked and content_hash(bars) != asked.sha256:
        raise damaged(path, "its bars are not those that were written")
    return bars


def write(path: Path, series: Series, bars: BarColumns, asked: Asked) -> BarFile:
    """Write bars with what was asked for them, read the file back and compare.

    Raises `DamagedFile` when what comes back is not what was written.
    """
    asked = replace(asked, sha256=content_hash(bars))
    write_table(to_arrow(series, bars, **{FOOTER_KEY: asked.to_json()}), path)
    file = inspect(path)
    if file is None or file.asked != asked or file.series != series or read(path) != bars:
        raise damaged(path, "what was written does not read back")
    return file


def _stamp_range(file: pq.ParquetFile) -> Interval:
    column = file.schema_arrow.names.index("ts_init")
    groups = range(file.metadata.num_row_groups)
    found = [file.metadata.row_group(group).column(column).statistics for group in groups]
    if all(statistics is not None and statistics.has_min_max for statistics in found):
        return min(one.min_raw for one in found), max(one.max_raw for one in found)
    stamps = _stamps(file)
    return int(stamps.min()), int(stamps.max())


def _stamps(file: pq.ParquetFile) -> Ints:
    return int64s(file.read(["ts_init"])["ts_init"])


def _held(file: pq.ParquetFile, series: Series) -> tuple[Interval, ...]:
    span = series.spec.nanos if series.spec.intraday else NANOS_PER_DAY
    opens = np.sort(open_of(_stamps(file), series.spec))
    breaks = np.flatnonzero(np.diff(opens) > span)
    starts = opens[np.concatenate(([0], breaks + 1))]
    ends = opens[np.concatenate((breaks, [len(opens) - 1]))] + span
    return tuple(zip(starts.tolist(), ends.tolist(), strict=True))

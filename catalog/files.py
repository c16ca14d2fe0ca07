"""One file of bars: what it says of itself in its footer, and whether that is true."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.columns import BarColumns, Ints
from catalog.coverage import Interval
from catalog.encoding import content_hash, from_arrow, int64s, read_table, to_arrow, write_table
from catalog.errors import DataUnavailable, QuarterdeckError
from catalog.layout import NANOS_PER_DAY, open_of
from catalog.origin import Origin as Origin
from catalog.series import BarSpec, Series
from catalog.sessions import Hours

FOOTER_KEY = "quarterdeck.asked"
SEAL_KEY = "quarterdeck.seal"


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of whom to get the bars of a file; it stands in the file's footer.

    `intervals` is what was asked and answered of this file's span, over bar opens, ns. The rest is
    filled in when a file is written: `first` and `last` are the stamps of its bars, `sha256` is
    the hash of their values.
    """

    intervals: tuple[Interval, ...]
    hours: Hours
    con_id: int | None
    origin: Origin
    fetched_at: str
    first: int = 0
    last: int = 0
    sha256: str = ""

    @classmethod
    def from_metadata(cls, metadata: Mapping[bytes, bytes]) -> Self | None:
        """What a file's metadata says was asked, if it says it.

        Raises `ValueError`, `KeyError` or `TypeError` when the metadata is not as it was written.
        """
        note = metadata.get(FOOTER_KEY.encode())
        if note is None:
            return None
        if metadata[SEAL_KEY.encode()] != _seal(metadata):
            raise ValueError("its footer is not the one that was written")
        return cls.from_json(note.decode())

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


_STEPS = (
    "put it aside, its interval becomes missing: quarterdeck catalog repair --yes",
    "then fetch its range again",
)


class DamagedFile(DataUnavailable):
    """A file that cannot be read, or whose bars are not those that were written."""

    def __init__(self, title: str, reason: str = "", *steps: str) -> None:
        super().__init__(title, reason, *(steps or _STEPS))


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
            # What tells of a foreign file are its rows; statistics are not protected either.
            stamps = np.array([asked.first, asked.last]) if asked else _stamps(file)
            return BarFile(
                path=path,
                series=series,
                rows=file.metadata.num_rows,
                first=int(stamps[0]),
                last=int(stamps[-1]),
                price_precision=int(metadata[b"price_precision"]),
                size_precision=int(metadata[b"size_precision"]),
                size=status.st_size,
                mtime_ns=status.st_mtime_ns,
                asked=asked,
                covered=asked.intervals if asked else held(stamps, series.spec),
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


def read_between(path: Path, interval: Interval) -> BarColumns:
    """The bars of a file that open in an interval; no more of the file is decoded than that takes,
    and only the checksums of its pages are verified.

    Raises `DamagedFile`, and `FileNotFoundError` when the file is gone.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            stamps = int64s(file.read(["ts_init"], use_threads=False)["ts_init"])
            first, end = (int(row) for row in np.searchsorted(stamps, interval, "right"))
            rows = next(file.iter_batches(max(end, 1), use_threads=False)).slice(first, end - first)
            table = pa.Table.from_batches([rows])
            return from_arrow(table.replace_schema_metadata(file.schema_arrow.metadata))
    except FileNotFoundError:
        raise
    except (OSError, pa.ArrowException, ValueError) as error:
        raise damaged(path, error) from error


def write(path: Path, series: Series, bars: BarColumns, asked: Asked | None) -> BarFile:
    """Write bars with what was asked for them, if anybody knows, read the file back and compare.

    Raises `DamagedFile` when what comes back is not what was written.
    """
    if asked is None:
        table = to_arrow(series, bars)
    else:
        first, last = int(bars.ts[0]), int(bars.ts[-1])
        asked = replace(asked, first=first, last=last, sha256=content_hash(bars))
        table = to_arrow(series, bars, **{FOOTER_KEY: asked.to_json()})
        metadata = table.schema.metadata
        table = table.replace_schema_metadata({**metadata, SEAL_KEY.encode(): _seal(metadata)})
    write_table(table, path)
    file = inspect(path)
    if file is None or file.asked != asked or file.series != series or read(path) != bars:
        raise damaged(path, "what was written does not read back")
    return file


def _seal(metadata: Mapping[bytes, bytes]) -> bytes:
    """A hash over all other metadata: nothing else in a Parquet file protects it."""
    digest = hashlib.sha256()
    for key in sorted(metadata.keys() - {SEAL_KEY.encode()}):
        digest.update(key + b"=" + metadata[key] + b"\n")
    return digest.hexdigest().encode()


def _stamps(file: pq.ParquetFile) -> Ints:
    return np.sort(int64s(file.read(["ts_init"])["ts_init"]))


def held(stamps: Ints, spec: BarSpec) -> tuple[Interval, ...]:
    """The spans of bars that follow one another without a gap; over opens, ns."""
    span = spec.nanos if spec.intraday else NANOS_PER_DAY
    opens = open_of(stamps, spec)
    breaks = np.flatnonzero(np.diff(opens) > span)
    starts = opens[np.concatenate(([0], breaks + 1))]
    ends = opens[np.concatenate((breaks, [len(opens) - 1]))] + span
    return tuple(zip(starts.tolist(), ends.tolist(), strict=True))

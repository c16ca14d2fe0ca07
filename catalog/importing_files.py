"""Files of bars that other programs wrote: CSV, Parquet and Arrow, and which column is which."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.feather as feather
import pyarrow.parquet as pq

from catalog.errors import WrongInput

FIELDS = ("time", "open", "high", "low", "close", "volume")
"""What columns can be mapped to; only `volume` may be absent."""

_NAMES: dict[str, tuple[str, ...]] = {
    "time": (
        *("timestamp", "datetime", "date", "time", "ts", "ts_init", "ts_event"),
        *("index", "__index_level_0__"),  # data frames
    ),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "last", "c"),
    "volume": ("volume", "vol", "v"),
}
_DELIMITERS = ",;\t|"


@dataclass(frozen=True, slots=True)
class RawBars:
    """The columns of one file as they stand there: text in a CSV file, any type in the others.

    `names` says which column each field was taken from. The first row of data has the number
    `first_row`: in CSV files the header is row 1.
    """

    path: Path
    columns: dict[str, pa.Array]
    names: dict[str, str]
    first_row: int

    def __len__(self) -> int:
        return len(self.columns["time"])


def read_raw(path: Path, mapped: Mapping[str, str]) -> RawBars:
    """Read a file and find its columns by name; `mapped` names those of some fields.

    Raises `WrongInput` when the file cannot be read or a column is not found.
    """
    try:
        table, first_row = _read(path)
    except FileNotFoundError:
        raise WrongInput(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError, pa.ArrowException, csv.Error) as error:
        raise WrongInput(
            f"{path} cannot be read", str(error), "give a CSV, Parquet or Arrow file of bars"
        ) from error
    names = _find(path, table.column_names, mapped)
    columns = {field: table[name].combine_chunks() for field, name in names.items()}
    clock = _clock(table.column_names, names, mapped)
    if clock is not None and pa.types.is_string(columns["time"].type):
        columns["time"] = pc.binary_join_element_wise(
            columns["time"], table[clock].combine_chunks(), " "
        )
        names["time"] += f" {clock}"
    return RawBars(path, columns, names, first_row)


def _read(path: Path) -> tuple[pa.Table, int]:
    match path.name.lower().removesuffix(".gz").rpartition(".")[2]:
        case "parquet" | "pq":
            return pq.read_table(path, partitioning=None), 1
        case "arrow" | "feather" | "ipc":
            return feather.read_table(path), 1
        case _:
            return _read_csv(path), 2


def _read_csv(path: Path) -> pa.Table:
    """All columns as text, so that no digit is lost before it is looked at."""
    with pa.input_stream(path, compression="detect") as file:
        header = file.read(65_536).decode("utf-8-sig").partition("\n")[0].strip("\r")
    delimiter = max(_DELIMITERS, key=header.count)
    titles = next(csv.reader([header], delimiter=delimiter), [])
    # Exports of data frames begin with a column without a title.
    titles = [title or f"column {number}" for number, title in enumerate(titles, 1)]
    return pa_csv.read_csv(
        path,
        read_options=pa_csv.ReadOptions(column_names=titles, skip_rows=1, use_threads=False),
        parse_options=pa_csv.ParseOptions(delimiter=delimiter),
        convert_options=pa_csv.ConvertOptions(column_types=dict.fromkeys(titles, pa.string())),
    )


def _find(path: Path, present: Sequence[str], mapped: Mapping[str, str]) -> dict[str, str]:
    if unknown := mapped.keys() - set(FIELDS):
        raise WrongInput(
            f"'{min(unknown)}' is no field of a bar", f"the fields are {', '.join(FIELDS)}"
        )
    if absent := [name for name in mapped.values() if name not in present]:
        raise WrongInput(f"{path} has no column '{absent[0]}'", f"it has {', '.join(present)}")
    plain = {_plain(name): name for name in reversed(present)}
    names = dict(mapped)
    for field, known in _NAMES.items():
        found = next((plain[name] for name in known if name in plain), None)
        if field not in names and found is not None:
            names[field] = found
    if lacking := [field for field in FIELDS[:-1] if field not in names]:
        raise WrongInput(
            f"{path} has no column for {', '.join(lacking)}",
            f"it has {', '.join(present)}",
            *(f"say which it is: --column {field}=NAME" for field in lacking),
        )
    return names


def _clock(present: Sequence[str], names: dict[str, str], mapped: Mapping[str, str]) -> str | None:
    """The column with the time of day, where a column of dates stands beside it."""
    if "time" in mapped or _plain(names["time"]) != "date":
        return None
    return next((name for name in present if _plain(name) == "time"), None)


def _plain(name: str) -> str:
    return re.sub(r"[<>\s]", "", name).lower()

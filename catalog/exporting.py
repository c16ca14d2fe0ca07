"""Exporting bars to files that other programs read."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, get_args

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from catalog.columns import BarColumns, Floats
from catalog.coverage import Interval
from catalog.encoding import decimals, to_arrow
from catalog.errors import WrongInput
from catalog.events import Event, Report, ignore
from catalog.layout import folder_name
from catalog.series import Series
from catalog.store import Catalog

type Format = Literal["csv", "parquet", "arrow"]

FORMATS: tuple[Format, ...] = get_args(Format.__value__)
_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class BarsExported(Event):
    """Bars were written to a file for other programs."""

    channel: ClassVar[str] = "catalog"

    series: Series
    bars: int
    path: Path

    def __str__(self) -> str:
        return f"{self.series}: {self.bars:,} bars exported to {self.path}"


def export_name(series: Series, kind: Format) -> str:
    """The name of a series' file where several are exported to one folder."""
    return f"{folder_name(f'{series.instrument_id}-{series.spec}')}.{kind}"


def export_bars(
    catalog: Catalog,
    series: Series,
    path: Path,
    kind: Format,
    report: Report = ignore,
    *,
    span: Interval | None = None,
    replace: bool = False,
) -> int:
    """Write the bars that open in a span (ns), or all of the series, to a file; gives how many.

    Columns are `timestamp`, `open`, `high`, `low`, `close` and `volume`. The timestamp is the
    close of the bar in UTC, for bars of a day and longer its date. CSV holds all decimals of the
    series, the others floats and 64-bit timestamps, as data frames have them. A file appears whole
    or not at all. Raises `DataUnavailable` when nothing of the series is stored, `WrongInput` when
    the file exists and `replace` is not set, or cannot be written.
    """
    bars = catalog.read_bars(series, *(span or ()))
    if path.exists() and not replace:
        raise WrongInput(
            f"{path} exists", "nothing was written", "choose another name, or say --replace"
        )
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _WRITERS[kind](
            _as_text(series, bars) if kind == "csv" else _plain(series, bars), unfinished
        )
        unfinished.replace(path)
    except OSError as error:
        raise WrongInput(f"{path} cannot be written", str(error)) from error
    finally:
        with suppress(OSError):
            unfinished.unlink()
    report(BarsExported(series, len(bars), path))
    return len(bars)


def _as_text(series: Series, bars: BarColumns) -> pa.Table:
    time_format = "%Y-%m-%dT%H:%M:%SZ" if series.spec.intraday else "%Y-%m-%d"
    stamps = to_arrow(series, bars)["ts_init"].cast(pa.timestamp("s"), safe=False)
    exact = pa.decimal128(38, bars.price_precision)
    columns = [decimals(each, bars.price_precision).cast(exact) for each in bars.arrays()[1:5]]
    volume = decimals(bars.volume, bars.size_precision).cast(pa.decimal128(38, bars.size_precision))
    return pa.table(
        [pc.strftime(stamps, format=time_format), *columns, volume],
        names=["timestamp", *_PRICES, "volume"],
    )


def _plain(series: Series, bars: BarColumns) -> pa.Table:
    table = to_arrow(series, bars)
    stamps = table["ts_init"]
    if not series.spec.intraday:
        stamps = pc.floor_temporal(stamps.cast(pa.timestamp("ns")), unit="day")
    columns = [_floats(bars.price(each)) for each in bars.arrays()[1:5]]
    return pa.table(
        [stamps, *columns, _floats(bars.volumes())],
        names=["timestamp", *_PRICES, "volume"],
        metadata={"series": series.bar_type, "timestamp": "close of the bar, UTC"},
    )


def _floats(values: Floats) -> pa.Array:
    # Buffers, because `pa.array` of a NumPy array imports pandas.
    return pa.Array.from_buffers(pa.float64(), len(values), [None, pa.py_buffer(values)])


def _write_csv(table: pa.Table, path: Path) -> None:
    pa_csv.write_csv(table, path, pa_csv.WriteOptions(quoting_style="none", quoting_header="none"))


def _write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd")


def _write_arrow(table: pa.Table, path: Path) -> None:
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)


_WRITERS: dict[Format, Callable[[pa.Table, Path], None]] = {
    "csv": _write_csv,
    "parquet": _write_parquet,
    "arrow": _write_arrow,
}

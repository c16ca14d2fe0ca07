"""The bars of a sweep, decoded once: Arrow files that all its workers map into their memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from catalog.coverage import Interval
from catalog.encoding import int64s, read_table
from catalog.errors import DataUnavailable
from core.backtest.data import RunData
from core.backtest.fingerprint import data_hashes

ARROW = ".arrow"
"""How the files end, by which a worker knows them."""
_BATCH = 10_000


def share(data: RunData, folder: Path) -> RunData:
    """Write the bars of the runs as Arrow files below the folder; gives the data of the same runs
    on them. Blocking.

    Raises `DataUnavailable` when a file cannot be read.
    """
    return replace(
        data,
        instruments=tuple(
            replace(each, files=tuple(_shared(file, data.fed, folder) for file in each.files))
            for each in data.instruments
        ),
        rates=tuple(
            replace(each, files=tuple(_shared(file, data.rated, folder) for file in each.files))
            for each in data.rates
        ),
        hashes=data_hashes(data),
    )


def _shared(file: Path, interval: Interval, folder: Path) -> Path:
    """The file with its bars of the range, in a folder of the same name."""
    target = folder / file.parent.name / file.with_suffix(ARROW).name
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        table = read_table(file)
        first, end = np.searchsorted(int64s(table["ts_init"]), interval, "right")
        with pa.OSFile(str(target), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            part = table.slice(int(first), int(end - first)).combine_chunks()
            writer.write_table(part, max_chunksize=_BATCH)
    except (OSError, pa.ArrowException) as error:
        raise DataUnavailable(
            f"{file} cannot be read", str(error), "check the catalog, fetch the range again"
        ) from error
    return target

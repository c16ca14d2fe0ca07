"""A run as files for other programs: JSON, a folder of CSV tables, an HTML report.

All of it is done in a worker process: millions of rows, and libraries that load pandas.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.csv

from catalog import workers
from catalog.errors import CatalogUnusable
from core.backtest.accounting import Fill, Position, Trade
from core.backtest.analysis import Analysis, Share, analyse
from core.backtest.drawdowns import Drawdown
from core.backtest.indicators import IndicatorLine
from core.backtest.metrics import Metrics, metric_names
from core.backtest.periods import Period
from core.backtest.records import Balance, Order
from core.backtest.results import RunStore, StoredRun
from core.backtest.tables import columns_of, table_of

type Format = Literal["json", "csv", "html"]

_STAMP = pa.timestamp("ns", tz="UTC")


async def export(store: RunStore, run_id: str, form: Format, to: Path) -> tuple[Path, ...]:
    """Write a run to the file `to`, an absolute path, for CSV to a folder of that name; gives
    what was written.

    Raises `WrongInput` for an unknown run or where the HTML report is not installed,
    `DataUnavailable` for a run without figures, `CatalogUnusable` when `to` cannot be written.
    """
    return await workers.run(export_here, store.folder, run_id, form, to)


def export_here(runs: Path, run_id: str, form: Format, to: Path) -> tuple[Path, ...]:
    """As `export`, in this process."""
    store = RunStore(runs)
    run, lines = store.load(run_id), store.indicators(run_id)
    try:
        return _WRITERS[form](run, lines, to)
    except OSError as error:
        raise CatalogUnusable(
            f"the run cannot be exported to {to}", str(error), "name another place with --to"
        ) from error


def as_json(run: StoredRun, lines: Sequence[IndicatorLine]) -> dict[str, Any]:
    """Everything of a run as one JSON-able object; stamps are ns, columns are lists."""
    analysis = analyse(run)
    return {
        "run_id": run.run_id,
        "spec": run.spec.to_json(),
        "result": run.result.to_json(),
        "remarks": run.remarks.to_json(),
        "rolling_sharpe": {
            "date": analysis.rolling_sharpe.date.tolist(),
            "value": [_number(one) for one in analysis.rolling_sharpe.value.tolist()],
        },
        "equity": {name: column.tolist() for name, column in columns_of(run.equity).items()},
        **{
            name: [dataclasses.asdict(row) for row in rows]
            for name, (_, rows) in _row_tables(run, analysis).items()
        },
        "indicators": [
            {
                "instrument_id": line.instrument_id,
                "indicator": line.name,
                "output": line.output,
                "ts": line.ts.tolist(),
                "value": [_number(one) for one in line.values.tolist()],
            }
            for line in lines
        ],
        "log": list(run.log),
    }


def _write_json(run: StoredRun, lines: Sequence[IndicatorLine], to: Path) -> tuple[Path, ...]:
    content = json.dumps(as_json(run, lines), indent=1, allow_nan=False)
    return (_written(to, lambda path: path.write_text(content + "\n")),)


def _write_csv(run: StoredRun, lines: Sequence[IndicatorLine], folder: Path) -> tuple[Path, ...]:
    analysis = analyse(run)
    folder.mkdir(parents=True, exist_ok=True)
    tables = {"metrics": _table_of_metrics(run.metrics), "equity": pa.table(columns_of(run.equity))}
    rows_of = _row_tables(run, analysis)
    tables |= {name: table_of(kind, rows) for name, (kind, rows) in rows_of.items()}
    rolling = analysis.rolling_sharpe
    values = pa.array(rolling.value, from_pandas=True)  # nan is not available
    tables["rolling_sharpe"] = pa.table({"date": rolling.date, "value": values})
    if lines:
        tables["indicators"] = pa.concat_tables([_table_of_line(line) for line in lines])
    return tuple(
        _written(folder / f"{name}.csv", partial(pa.csv.write_csv, _dated(table)))
        for name, table in tables.items()
    )


def _table_of_metrics(metrics: Metrics) -> pa.Table:
    """A line a figure, with that of the benchmark where it has one."""
    names = metric_names()

    def column(of: object) -> list[float | None]:
        values = (getattr(of, name, None) for name in names)
        return [None if value is None else float(value) for value in values]

    return pa.table(
        {"figure": names, "value": column(metrics), "benchmark": column(metrics.benchmark)}
    )


def _table_of_line(line: IndicatorLine) -> pa.Table:
    known = np.isfinite(line.values)
    count = int(known.sum())
    return pa.table(
        {
            "ts": line.ts[known],
            "instrument_id": pa.repeat(line.instrument_id, count),
            "indicator": pa.repeat(line.name, count),
            "output": pa.repeat(line.output, count),
            "value": line.values[known],
        }
    )


def _write_html(run: StoredRun, _lines: Sequence[IndicatorLine], to: Path) -> tuple[Path, ...]:
    from core.backtest.tearsheet import write_tearsheet

    return (_written(to, lambda path: write_tearsheet(run, path)),)


type _Writer = Callable[[StoredRun, Sequence[IndicatorLine], Path], tuple[Path, ...]]

_WRITERS: Mapping[Format, _Writer] = MappingProxyType(
    {"json": _write_json, "csv": _write_csv, "html": _write_html}
)


def _row_tables(run: StoredRun, analysis: Analysis) -> dict[str, tuple[type, tuple[Any, ...]]]:
    return {
        "trades": (Trade, run.trades),
        "fills": (Fill, run.fills),
        "orders": (Order, run.orders),
        "positions": (Position, run.positions),
        "balances": (Balance, run.balances),
        "months": (Period, analysis.months),
        "years": (Period, analysis.years),
        "drawdowns": (Drawdown, analysis.drawdowns),
        "by_instrument": (Share, analysis.by_instrument),
        "by_side": (Share, analysis.by_side),
    }


def _dated(table: pa.Table) -> pa.Table:
    """The table with stamps and dates as such, UTC, where they are numbers."""
    for place, name in enumerate(table.column_names):
        if name == "ts" or name.endswith("_ts"):
            table = table.set_column(place, name, table[name].cast(_STAMP))
        elif name == "date":
            table = table.set_column(place, name, table[name].cast(pa.int32()).cast(pa.date32()))
    return table


def _written(path: Path, write: Callable[[Path], object]) -> Path:
    """The file, which is the old one or the new one whatever happens."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}{path.suffix}")
    try:
        write(beside)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    return path


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None

"""What a run does but for its engine, on bars made up, so that a worker that waits for a run has
the memory of its own already that it will write to. For worker processes only."""

from __future__ import annotations

import pickle
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from catalog.columns import BarColumns
from catalog.encoding import to_arrow, write_table
from catalog.layout import file_name, folder_name
from catalog.series import Series
from core.backtest.currencies import purse, read_rates
from core.backtest.data import InstrumentData, RunData
from core.backtest.feed import windows
from core.backtest.instruments import traded
from core.backtest.settling import Ended, settle
from core.backtest.spec import RunSpec
from core.backtest.task import Task

_BARS = 60


def rehearse() -> None:
    """Read, decode, value and write as a run does. Without an engine: what Nautilus keeps for a
    whole process, such as its logger, is for the run alone."""
    with TemporaryDirectory(prefix="quarterdeck-") as folder:
        task: Task = pickle.loads(pickle.dumps(_task(Path(folder))))
        market = traded(task.data.instruments[0], task)
        for _ in windows(market.feed.streams):
            pass
        start, end = task.data.interval
        rates = read_rates("USD", [], start)
        ended = Ended((), (), {}, 1.0, purse(task.spec.all_cash(), ["USD"], rates, start), rates)
        pickle.dumps(settle(task, [market.holding(start, end)], [market.venue], ended))


def _task(folder: Path) -> Task:
    spec = RunSpec("rehearsal", instruments=("A.B",), cash="1 USD")
    series = Series("A.B", spec.bars)
    ts = spec.bars.nanos * np.arange(1, _BARS + 1)
    bars = BarColumns(ts, ts, ts, ts, ts, ts, price_precision=2, size_precision=0)
    file = folder / folder_name(series.bar_type) / file_name(int(ts[0]), int(ts[-1]))
    file.parent.mkdir()
    write_table(to_arrow(series, bars), file)
    data = InstrumentData("A.B", None, (series,), (file,))
    return Task(spec, {}, RunData((data,), (0, int(ts[-1]))), folder)

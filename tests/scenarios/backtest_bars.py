"""Bars and instruments for backtests, written as files of a catalog."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from catalog.columns import BarColumns, Floats
from catalog.encoding import to_arrow, write_table
from catalog.layout import file_name, series_folder
from catalog.series import BarSpec, Series
from core.backtest.data import InstrumentData, RunData
from core.backtest.spec import RunSpec

MINUTE = 60_000_000_000
START = 1_704_205_800_000_000_000  # 2024-01-02 14:30 UTC, the open in New York
MINUTES = BarSpec(1, "MINUTE")

type Definition = dict[str, object]


def equity(instrument_id: str = "AAPL.NASDAQ", **changes: object) -> Definition:
    return {
        "type": "Equity",
        "id": instrument_id,
        "raw_symbol": instrument_id.rpartition(".")[0],
        "currency": "USD",
        "price_precision": 2,
        "price_increment": "0.01",
        "margin_init": "0",
        "margin_maint": "0",
        "ts_event": 0,
        "ts_init": 0,
        "info": {"time_zone": "America/New_York"},
        **changes,
    }


def future(instrument_id: str = "ESH4.CME", **changes: object) -> Definition:
    return {
        "type": "FuturesContract",
        "id": instrument_id,
        "raw_symbol": "ESH4",
        "asset_class": "INDEX",
        "underlying": "ES",
        "activation_ns": 0,
        "expiration_ns": START + 70 * 1440 * MINUTE,
        "currency": "USD",
        "price_precision": 2,
        "price_increment": "0.25",
        "size_precision": 0,
        "size_increment": "1",
        "multiplier": "50",
        "lot_size": "1",
        "margin_init": "0",
        "margin_maint": "0",
        "ts_event": 0,
        "ts_init": 0,
        "info": {"time_zone": "America/Chicago"},
        **changes,
    }


def currency_pair(instrument_id: str = "EUR/USD.IDEALPRO") -> Definition:
    return {
        "type": "CurrencyPair",
        "id": instrument_id,
        "raw_symbol": "EUR/USD",
        "base_currency": "EUR",
        "quote_currency": "USD",
        "price_precision": 5,
        "size_precision": 0,
        "price_increment": "0.00005",
        "size_increment": "1",
        "multiplier": "1",
        "margin_init": "0",
        "margin_maint": "0",
        "ts_event": 0,
        "ts_init": 0,
        "info": {"time_zone": "America/New_York"},
    }


def flat_bars(
    closes: Sequence[float] | Floats,
    *,
    precision: int = 2,
    volume: int = 10_000,
    first: int = START,
) -> BarColumns:
    """Minute bars that stand at their closes; `first` is the open of the first one, ns."""
    close = np.rint(np.array(closes) * 10**precision).astype(np.int64)
    ts = first + MINUTE * np.arange(1, len(close) + 1)
    return BarColumns(ts, close, close, close, close, np.full(len(close), volume), precision, 0)


def walk(count: int, seed: int = 1, *, first: int = START) -> BarColumns:
    """Minute bars that wander around 500."""
    steps = np.random.default_rng(seed).integers(-5, 6, count)
    close = 50_000 + np.cumsum(steps)
    ts = first + MINUTE * np.arange(1, count + 1)
    return BarColumns(ts, close - steps, close + 6, close - 6, close, np.full(count, 10_000), 2, 0)


def store(root: Path, series: Series, bars: BarColumns) -> Path:
    """Write the bars where a catalog keeps them."""
    path = root / series_folder(series) / file_name(int(bars.ts[0]), int(bars.ts[-1]))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_table(to_arrow(series, bars), path)
    return path


def instrument(
    root: Path,
    bars: BarColumns | dict[str, BarColumns],
    definition: Definition | None,
    instrument_id: str | None = None,
) -> InstrumentData:
    """An instrument with stored bars: of LAST, or of the sides given, the first for the
    strategy."""
    instrument_id = instrument_id or str((definition or {})["id"])
    sides = bars if isinstance(bars, dict) else {"LAST": bars}
    series = tuple(Series(instrument_id, MINUTES.with_side(side)) for side in sides)
    files = tuple(store(root, each, sides[each.spec.side]) for each in series)
    return InstrumentData(instrument_id, definition, series, files)


def run_of(*instruments: InstrumentData) -> RunData:
    """The instruments over the day of `START` and a year on."""
    return RunData(instruments, (START, START + 525_600 * MINUTE))


def spec_for(data: RunData, strategy: str, fees: str = "zero", **parameters: object) -> RunSpec:
    return RunSpec(
        strategy,
        parameters,
        tuple(each.instrument_id for each in data.instruments),
        data.instruments[0].series[0].spec,
        "2024-01-02",
        "2024-12-31",
        cash="100000 USD",
        fees=fees,
    )

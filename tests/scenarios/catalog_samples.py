"""Instruments and bars for catalog tests, and what Nautilus makes of them in a worker."""

from __future__ import annotations

import itertools
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from catalog.columns import BarColumns
from catalog.series import Series
from catalog.store import Catalog

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
DAY = 86_400 * SECOND
START = 1_704_119_400 * SECOND  # 2024-01-01 14:30 UTC

AAPL = Series.from_bar_type("AAPL.NASDAQ-1-MINUTE-LAST-EXTERNAL")
ES = Series.from_bar_type("ESH4.CME-1-HOUR-LAST-EXTERNAL")
EURUSD = Series.from_bar_type("EUR/USD.IDEALPRO-1-MINUTE-MID-EXTERNAL")
SPX = Series.from_bar_type("^SPX.CBOE-1-DAY-LAST-EXTERNAL")


def definition(series: Series, **changes: object) -> dict[str, Any]:
    """A definition as the broker floor makes them, of the class the id suggests."""
    common = {
        "id": series.instrument_id,
        "raw_symbol": series.symbol,
        "ts_event": 1_000,
        "ts_init": 1_000,
        "margin_init": "0",
        "margin_maint": "0",
    }
    by_id: dict[str, dict[str, Any]] = {
        "AAPL.NASDAQ": {
            "type": "Equity",
            "currency": "USD",
            "price_precision": 2,
            "price_increment": "0.01",
            "isin": "US0378331005",
            "info": {"con_id": 265598, "source": "simulated", "trading_hours": "today"},
        },
        "ESH4.CME": {
            "type": "FuturesContract",
            "asset_class": "INDEX",
            "underlying": "ES",
            "activation_ns": 0,
            "expiration_ns": 1_710_511_200 * SECOND,
            "currency": "USD",
            "price_precision": 2,
            "price_increment": "0.25",
            "size_precision": 0,
            "size_increment": "1",
            "multiplier": "50",
            "lot_size": "1",
            "exchange": "XCME",
            "info": {"con_id": 495512563, "source": "simulated"},
        },
        "EUR/USD.IDEALPRO": {
            "type": "CurrencyPair",
            "base_currency": "EUR",
            "quote_currency": "USD",
            "price_precision": 5,
            "size_precision": 0,
            "price_increment": "0.00005",
            "size_increment": "1",
            "multiplier": "1",
            "info": {"con_id": 12087792, "source": "simulated"},
        },
        "^SPX.CBOE": {
            "type": "IndexInstrument",
            "currency": "USD",
            "price_precision": 2,
            "size_precision": 0,
            "price_increment": "0.01",
            "size_increment": "1",
            "info": {"con_id": 416904, "source": "simulated"},
        },
    }
    return {**common, **by_id[series.instrument_id], **changes}


def bars(series: Series, count: int, *, first_open: int = START, low: int = 10_000) -> BarColumns:
    """Bars of plausible shape, one span after the other."""
    span = series.spec.nanos
    ts = first_open + span * np.arange(1, count + 1)
    if not series.spec.intraday:
        ts = ts - 1
    close = low + np.arange(count) % 97
    precision = 5 if series is EURUSD else 2
    return BarColumns(ts, close - 1, close + 3, close - 4, close, 100 + close % 7, precision, 0)


def session(series: Series, day: int = 0, minutes: int = 390) -> tuple[int, int]:
    """A stretch of time as a range over opens, some days after the first."""
    return START + day * DAY, START + day * DAY + minutes * MINUTE


def store(
    catalog: Catalog, series: Series, columns: BarColumns, asked: tuple[int, int], **changes: Any
) -> int:
    """Store simulated bars of regular hours, whatever their contract."""
    how = {"hours": "regular", "con_id": None, "origin": "simulated"} | changes
    return catalog.store_bars(series, columns, asked=asked, **how)


def chunk(number: int) -> tuple[int, int]:
    """The number-th half hour."""
    return START + number * 30 * MINUTE, START + (number + 1) * 30 * MINUTE


def store_chunks(root: str, first: int, *, send: Callable[[int], None]) -> None:
    """Store AAPL half hour by half hour without end, and send the number of each one persisted."""
    catalog = Catalog.open(Path(root))
    for number in itertools.count(first):
        asked = chunk(number)
        given = bars(AAPL, 30, first_open=asked[0])
        store(catalog, AAPL, given, asked, report=lambda _, number=number: send(number))


def store_on_a_small_disk(root: str) -> None:
    """Store a day of AAPL where no file may grow over 6 kB, as when a disk is full."""
    catalog = Catalog.open(Path(root))
    resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))
    store(catalog, AAPL, bars(AAPL, 390), session(AAPL))


def write_with_nautilus(root: str, bar_type: str, columns: BarColumns) -> None:
    """Let Nautilus write bars: what another program leaves, saying nothing of what was asked."""
    from nautilus_trader.model import Bar, BarType, Price, Quantity
    from nautilus_trader.persistence import ParquetDataCatalog

    def price(value: int) -> Price:
        return Price.from_str(f"{value / 10**columns.price_precision:.{columns.price_precision}f}")

    parsed = BarType.from_str(bar_type)
    rows = zip(*(column.tolist() for column in columns.arrays()), strict=True)
    ParquetDataCatalog(root).write_bars(
        [
            Bar(parsed, *map(price, prices), Quantity(float(volume), 0), ts, ts)
            for ts, *prices, volume in rows
        ]
    )


def read_with_nautilus(root: str, bar_type: str) -> list[str]:
    """The bars a query of Nautilus gives, precisions and stamps included."""
    from nautilus_trader.persistence import ParquetDataCatalog

    found = ParquetDataCatalog(root).query_bars([bar_type])
    return [f"{bar!r} {bar.ts_event} {bar.ts_init}" for bar in found]

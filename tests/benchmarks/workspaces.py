"""Workspaces to measure in: a catalog with minutes in it, and no broker needed."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from catalog.columns import BarColumns
from catalog.files import Asked, Origin, write
from catalog.layout import file_name, series_folder
from catalog.series import NANOS_PER_SECOND, BarSpec, Series
from catalog.sessions import Sessions
from core.backtest.spec import RunSpec
from core.options import Options
from core.workspace import Workspace

SERIES = Series("AAPL.NASDAQ", BarSpec(1, "MINUTE"))
FIRST = datetime(2024, 1, 1, tzinfo=UTC)
_MINUTE = 60 * NANOS_PER_SECOND
_DAY = 1440 * _MINUTE
_SEED = 11


@asynccontextmanager
async def workspace_with_minutes(home: Path, count: int) -> AsyncIterator[Workspace]:
    """A workspace whose catalog holds `count` successive minutes of one stock, made up here."""
    workspace = await Workspace.open(Options(home=home, port=1))
    try:
        store_minutes(workspace, count)
        await workspace.warm_up()
        yield workspace
    finally:
        await workspace.close()


def spec_of(count: int) -> RunSpec:
    """A run over the first `count` minutes."""
    last = FIRST + timedelta(minutes=count)
    return RunSpec(
        strategy="sma_crossover",
        instruments=(SERIES.instrument_id,),
        bars=SERIES.spec,
        start=FIRST.isoformat(),
        end=last.isoformat(),
        cash="1000000 USD",
        source="catalog",
    )


def random_minutes(count: int) -> BarColumns:
    """A random walk in cents with highs and lows around it."""
    generator = np.random.default_rng(_SEED)
    close = 20_000 + np.cumsum(generator.integers(-5, 6, count))
    opens = np.concatenate(([20_000], close[:-1]))
    first = int(FIRST.timestamp()) * NANOS_PER_SECOND
    return BarColumns(
        ts=first + _MINUTE * np.arange(1, count + 1),
        open=opens,
        high=np.maximum(opens, close) + generator.integers(0, 5, count),
        low=np.minimum(opens, close) - generator.integers(0, 5, count),
        close=close,
        volume=generator.integers(10_000, 1_000_000, count),
        price_precision=2,
        size_precision=0,
    )


def make_many_series(root: Path, count: int, files: int, origin: Origin = "real") -> None:
    """Fill a catalog with series of minutes `S0000.NASDAQ` and so on, of a file each, which stands
    there under as many names as there are to be files."""
    bars = random_minutes(60)
    first, last = int(bars.ts[0]), int(bars.ts[-1])
    for number in range(count):
        series = Series(f"S{number:04}.NASDAQ", BarSpec(1, "MINUTE"))
        folder = root / series_folder(series)
        folder.mkdir(parents=True)
        asked = Asked(((first - 1, last),), "regular", number, origin, "2026-01-01")
        path = folder / file_name(first, last)
        write(path, series, bars, asked)
        for later in range(1, files):
            moved = later * 30 * _DAY
            os.link(path, folder / file_name(first + moved, last + moved))


def store_minutes(workspace: Workspace, count: int) -> None:
    """Store successive minutes of one stock, with its instrument. They are bars round the clock, so
    sessions are whole days."""
    catalog = workspace.catalog
    first = int(FIRST.timestamp()) * NANOS_PER_SECOND
    days = -(-count // 1440)
    opens = first + _DAY * np.arange(days)
    span = (first, first + days * _DAY)
    sessions = Sessions(opens // _DAY, opens, opens + _DAY, "UTC", "broker")
    catalog.store_instrument(definition(), origin="simulated")
    catalog.store_sessions(SERIES.instrument_id, "regular", span, sessions)
    catalog.store_bars(
        SERIES,
        random_minutes(count),
        asked=span,
        hours="regular",
        con_id=265598,
        origin="simulated",
    )


def definition() -> dict[str, object]:
    """The stock the bars are of."""
    return {
        "type": "Equity",
        "id": SERIES.instrument_id,
        "raw_symbol": "AAPL",
        "currency": "USD",
        "price_precision": 2,
        "price_increment": "0.01",
        "lot_size": "100",
        "isin": None,
        "max_quantity": None,
        "min_quantity": None,
        "max_price": None,
        "min_price": None,
        "margin_init": "0",
        "margin_maint": "0",
        "tick_scheme": None,
        "ts_event": 0,
        "ts_init": 0,
        "info": {"con_id": 265598, "time_zone": "UTC", "source": "simulated"},
    }

"""The Backtest screen as pictures, over a run with frozen figures.

After an intended change: run with `--snapshot-update`, and look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot

from catalog.series import BarSpec
from core.backtest.accounting import Fill, Trade
from core.backtest.metrics import Metrics, Performance
from core.backtest.records import EQUITY, FILLS, ORDERS, TRADES, Order
from core.backtest.results import RunResult
from core.backtest.spec import RunSpec
from core.backtest.tables import write_columns, write_rows
from core.backtest.venues import VenueDetected
from core.options import Options
from core.workspace import Workspace
from tests.tui.conftest import NOW
from tests.tui.deck import Deck
from tui.app import QuarterdeckApp

DAY = 86_400_000_000_000
SPEC = RunSpec(
    "sma_crossover",
    {"fast_period": 10, "slow_period": 20},
    ("AAPL",),
    BarSpec.parse("1-DAY-LAST"),
    "2024-01-02",
    "2024-03-28",
    cash="100000 USD",
)
METRICS = Metrics(
    start_equity=100_000,
    end_equity=104_210,
    total_return=0.0421,
    benchmark_return=0.068,
    cagr=0.186,
    volatility=0.124,
    sharpe=1.41,
    sortino=2.02,
    max_drawdown=0.031,
    calmar=6.0,
    exposure=0.96,
    leverage=1.0,
    trades=218,
    open_trades=1,
    win_rate=0.472,
    profit_factor=1.18,
    expectancy=19.3,
    fees=436,
    rejected=0,
    bars=23_790,
    seconds=0.31,
    days=61,
    benchmark=Performance(
        total_return=0.068,
        cagr=0.321,
        volatility=0.151,
        sharpe=1.92,
        sortino=2.8,
        max_drawdown=0.042,
        calmar=7.64,
    ),
)


@pytest.fixture
def frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    """A workspace that connects nowhere, with one run of February in its store."""
    monkeypatch.setattr(Workspace, "connect", lambda _: None)
    options = Options(profile="demo", home=tmp_path, port=4010, now=NOW)
    asyncio.run(_store(options))
    return options


async def _store(options: Options) -> None:
    workspace = await Workspace.open(options)
    store_run(workspace, SPEC)
    await workspace.close()


def store_run(workspace: Workspace, spec: RunSpec, *, hour: int = 15, **changes: Any) -> None:
    """Store a run that began at an hour of that February day; `changes` are of its result."""
    started = datetime(2026, 2, 3, hour, 30, tzinfo=UTC)
    staging = workspace.runs.begin(started)
    ts = (np.arange(19_724, 19_810) + 1) * DAY - 1
    value = 100_000 + 2_500 * np.sin(np.arange(len(ts)) / 9) + np.linspace(0, 4_210, len(ts))
    write_columns(staging / EQUITY, {"ts": ts, "value": value, "gross": value})
    entry, out = int(ts[20]), int(ts[30])
    write_rows(staging / FILLS, Fill, [Fill(entry, "AAPL.NASDAQ", "1", 500.0, 180.5, 2.5)])
    write_rows(
        staging / TRADES,
        Trade,
        [Trade("AAPL.NASDAQ", "LONG", 500, entry, 180.5, out, 181.25, 375.0, 5.0)],
    )
    write_rows(
        staging / ORDERS,
        Order,
        [Order(entry, "AAPL.NASDAQ", "1", "BUY", "MARKET", 500, 500, 180.5, "FILLED", "")],
    )
    result = RunResult(
        staging.name,
        "done",
        started.isoformat(),
        started.isoformat(),
        (VenueDetected(venue="NASDAQ", source="instrument", instrument_id="AAPL.NASDAQ"),),
        simulated=True,
        warnings=("1 positions are open at the end, valued at the last close",),
        metrics=METRICS,
    )
    workspace.runs.keep(staging, spec, replace(result, **changes), [])


type Compare = Callable[..., bool]


def _picture(
    options: Options,
    snap_compare: Compare,
    size: tuple[int, int],
    keys: tuple[str, ...],
    texts: tuple[str, ...],
) -> bool:
    app = QuarterdeckApp(lambda: Workspace.open(options), title_profile="demo")

    async def shown(pilot: Pilot[Any]) -> None:
        deck = Deck(app, pilot)
        await deck.until(lambda: app.workspace is not None)
        await deck.press("4")
        await deck.shows("[Summary]", "┤")
        await deck.press(*keys)
        await deck.shows(*texts)
        await deck.settles()

    return snap_compare(app, terminal_size=size, run_before=shown)


@pytest.mark.parametrize("size", [(80, 24), (160, 45)])
def test_a_result(size: tuple[int, int], frozen: Options, snap_compare: Compare) -> None:
    assert _picture(frozen, snap_compare, size, (), ("+4.21 %", "History"))


def test_the_form_filled_in_from_a_run(frozen: Options, snap_compare: Compare) -> None:
    texts = ("New backtest", "2024-03-28", "slow_period=20")
    assert _picture(frozen, snap_compare, (80, 24), ("e",), texts)


def test_the_trades(frozen: Options, snap_compare: Compare) -> None:
    texts = ("[Trades]", "+370.00", "2024-01-22")
    assert _picture(frozen, snap_compare, (80, 24), ("t", "t", "t"), texts)

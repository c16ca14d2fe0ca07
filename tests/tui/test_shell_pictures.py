"""Two screens as pictures, at the smallest size and at a wide one, over frozen data.

After an intended change: `pytest tests/tui/test_shell_pictures.py --snapshot-update`, and look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot

from catalog.columns import BarColumns
from catalog.events import Level
from catalog.series import Series
from catalog.sessions import Sessions
from catalog.store import Catalog
from core.ibkr.connection import ConnectionKind, ConnectionState, Ping
from core.ibkr.notices import Notice
from core.options import Options
from core.workspace import Workspace
from tests.scenarios.catalog_samples import AAPL, DAY, MINUTE, SPX, definition
from tests.tui.conftest import NOW
from tests.tui.deck import Deck
from tui.app import QuarterdeckApp

SIZES = [(80, 24), (160, 45)]
SESSION = 390
FIRST = 1_768_228_200_000_000_000
"""Monday 2026-01-12 09:30 in New York."""

type Compare = Callable[..., bool]


@pytest.fixture
def frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    """A workspace that connects nowhere and whose sizes on disk do not depend on the hour."""

    monkeypatch.setattr(Workspace, "connect", lambda _: None)
    monkeypatch.setattr("tui.screens.connection._offset", lambda *_: 0.04)
    monkeypatch.setattr("tui.widgets.series_detail.size_text", lambda _: "41.2 kB")
    monkeypatch.setattr("tui.widgets.series_table.size_text", lambda _: "41.2 kB")
    return Options(profile="demo", home=tmp_path, port=4010, now=NOW)


def dashboard(options: Options) -> QuarterdeckApp:
    return QuarterdeckApp(lambda: Workspace.open(options), title_profile="demo")


@pytest.mark.parametrize("size", SIZES)
def test_connection(size: tuple[int, int], frozen: Options, snap_compare: Compare) -> None:
    app = dashboard(frozen)

    async def connected(pilot: Pilot[Any]) -> None:
        shown = Deck(app, pilot)
        await shown.until(lambda: app.workspace is not None)
        broker, early = shown.workspace.broker, datetime(2026, 3, 4, 14, 29, tzinfo=UTC)
        broker.pings.append(Ping(0.011, 0.04))
        broker.farms.update(usfarm="ok", ushmds="ok", secdefil="ok", cashfarm="broken")
        broker.notices += [
            Notice(early, 2104, "Market data farm connection is OK:usfarm", Level.INFO),
            Notice(early, 2103, "Market data farm connection is broken:cashfarm", Level.WARNING),
        ]
        broker.state = ConnectionState(
            ConnectionKind.DEGRADED,
            "data farm down: cashfarm",
            ("wait: data of these farms comes late or not at all until they are back",),
            since=early,
            server_version=178,
            accounts=("DUSIM0001",),
            client_id=7,
        )
        await shown.shows("degraded since 09:29 E", "11 ms", "WARNING Market data farm")
        await shown.settles()

    assert snap_compare(app, terminal_size=size, run_before=connected)


@pytest.mark.parametrize("size", SIZES)
def test_catalog(size: tuple[int, int], frozen: Options, snap_compare: Compare) -> None:
    asyncio.run(fill(frozen))
    app = dashboard(frozen)

    async def chosen(pilot: Pilot[Any]) -> None:
        shown = Deck(app, pilot)
        await shown.until(lambda: app.workspace is not None)
        await pilot.press("2")
        await shown.shows("─ AAPL.NASDAQ 1-MINUTE-LAST", "┤", "ORPHAN")
        await shown.settles()

    assert snap_compare(app, terminal_size=size, run_before=chosen)


async def fill(options: Options) -> None:
    """Ten sessions of minutes, the fifth and sixth not asked for; daily bars without instrument."""
    workspace = await Workspace.open(options)
    await asyncio.to_thread(fill_catalog, workspace.catalog)
    await workspace.close()


def fill_catalog(catalog: Catalog) -> None:
    opens = [FIRST + DAY * (day + 2 * (day // 5)) for day in range(10)]
    closes = [start + SESSION * MINUTE for start in opens]
    dates = np.array(opens) // DAY
    catalog.store_instrument(definition(AAPL), origin="simulated")
    for span in ((opens[0], closes[3]), (opens[6], closes[9])):
        asked = [start for start in opens if span[0] <= start < span[1]]
        stamps = np.concatenate([start + MINUTE * np.arange(1, SESSION + 1) for start in asked])
        _store(catalog, AAPL, stamps, span)
    sessions = Sessions(dates, np.array(opens), np.array(closes), "America/New_York", "broker")
    catalog.store_sessions(AAPL.instrument_id, "regular", (opens[0], closes[9]), sessions)
    catalog.store_instrument(definition(SPX), origin="simulated")
    stamps = (dates + 1) * DAY - 1
    _store(catalog, SPX, stamps, (int(dates[0]) * DAY, int(dates[-1] + 1) * DAY))
    for file in catalog.root.glob("data/index*/**/*.parquet"):
        file.unlink()


def _store(catalog: Catalog, series: Series, ts: Any, asked: tuple[int, int]) -> None:
    """Bars of a price that swings around 200 with a period of three sessions."""
    close = (20_000 + 500 * np.sin(np.arange(len(ts)) / SESSION * 2)).astype(np.int64)
    bars = BarColumns(ts, close - 5, close + 12, close - 15, close, close // 10, 2, 0)
    terms: dict[str, Any] = {"hours": "regular", "con_id": None, "origin": "simulated"}
    catalog.store_bars(series, bars, asked=asked, fetched=NOW, **terms)

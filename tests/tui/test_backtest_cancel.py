"""Runs and sweeps that are cancelled on the screen: what is done stays and is called so."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.series import BarSpec
from core.backtest.run_index import Search
from core.backtest.spec import RunSpec
from core.fetch import FetchRequest
from core.options import Options
from core.workspace import Workspace
from tests.scenarios.user_strategies import write
from tests.tui.conftest import NOW
from tests.tui.deck import Deck, deck
from tests.tui.fields import field, fill
from tui.widgets.result_view import ResultView

PATIENT = """
    import pathlib
    import time
    from nautilus_trader.model import BarType, OrderSide, Quantity
    from nautilus_trader.trading import Strategy, StrategyConfig
    from dataclasses import dataclass

    @dataclass(kw_only=True)
    class PatientConfig(StrategyConfig):
        bars: BarType
        units: int = 1
        folder: str = ""

    class Patient(Strategy):
        \"\"\"Buys at each bar; of 2 units and more, it waits at the 100th.\"\"\"

        def __init__(self, config: PatientConfig):
            super().__init__(config)
            self.settings = config
            self.seen = 0

        def on_start(self):
            self.subscribe_bars(self.settings.bars)

        def on_bar(self, bar):
            self.seen += 1
            size = Quantity.from_int(self.settings.units)
            self.submit_order(
                self.order_factory.market(bar.bar_type.instrument_id, OrderSide.BUY, size)
            )
            folder = pathlib.Path(self.settings.folder)
            runs = folder / "demo" / "runs"
            if self.seen == 100 and self.settings.units > 1:
                (folder / "waiting").touch()
                while not (folder / "go").exists() and not list(runs.glob(".staging/*/*/stop")):
                    time.sleep(0.01)
"""
BARS = BarSpec(1, "MINUTE")


@pytest.fixture(scope="module")
async def stocked(tmp_path_factory: pytest.TempPathFactory, gateway_port: int) -> Path:
    """A home with two sessions of minute bars, a strategy that waits, and settings of its own."""
    home = tmp_path_factory.mktemp("stocked")
    write(home / "strategies", "patient", PATIENT)
    (home / "settings.toml").write_text('fees = "zero"\nworkers = 1\n')
    workspace = await Workspace.open(Options(profile="demo", home=home, port=gateway_port, now=NOW))
    try:
        request = FetchRequest(("AAPL",), BARS, "2026-03-02", "2026-03-03")
        assert not (await workspace.fetch(request).wait()).failed
    finally:
        await workspace.close()
    return home


@asynccontextmanager
async def form(stocked: Path, to: Path, port: int, units: str) -> AsyncIterator[Deck]:
    """The form of a run of the patient strategy, in a copy of that home."""
    home = Path(shutil.copytree(stocked, to / "home"))
    spec = RunSpec(
        "patient:Patient",
        {"units": units, "folder": str(home)},
        ("AAPL.NASDAQ",),
        BARS,
        "2026-03-02",
        "2026-03-03",
    )
    async with deck(home, port, size=(120, 36)) as shown:
        await shown.press("4", "n")
        await shown.shows("New backtest", "Patient")
        usual = field(shown, "fees").value
        await shown.app.screen.fill_in(replace(spec, fees=usual))  # type: ignore[attr-defined]
        await shown.shows("Buys at each bar")
        yield shown


async def test_a_cancelled_run_is_kept_and_called_partial(
    stocked: Path, tmp_path: Path, gateway_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.backtest.following.STOP_S", 30)  # a busy machine takes its time
    async with form(stocked, tmp_path, gateway_port, "2") as shown:
        await shown.press("enter")
        home = shown.workspace.home.data
        await shown.until((home / "waiting").exists, "it has come to the 100th bar", 30)
        await shown.press("x")
        await shown.shows("PARTIAL, cancelled", "partial patient:Patient", seconds=30)
        (kept,) = shown.workspace.runs.list()
        view = shown.app.screen.query_one(ResultView)
        assert (kept.result.state, kept.spec.fees) == ("partial", "zero")
        assert view.run is not None
        assert 100 <= view.run.metrics.bars < 780
        await shown.press("T")
        await shown.shows("[Log", "partial: cancelled at 2026-03-0")


async def test_a_cancelled_sweep_keeps_what_has_ended_and_goes_on_from_there(
    stocked: Path, tmp_path: Path, gateway_port: int
) -> None:
    async with form(stocked, tmp_path, gateway_port, "1") as shown:
        home = shown.workspace.home.data
        shown.app.screen.query_one("#strategies").focus()
        await shown.press("S")
        await shown.shows("Grid", "several values")
        assert field(shown, "workers").value == "1"
        await fill(shown, workers="0")
        await shown.shows("!workers", "at least 1")
        await fill(shown, workers="1", units="1,2,3")
        await shown.press("enter")
        await shown.shows("1 of 3 runs", seconds=30)
        await shown.until((home / "waiting").exists, "the second run waits", 30)
        await shown.press("x")
        await shown.shows("cancelled, 1 of 3 runs", seconds=30)
        (kept,) = shown.workspace.runs.list()
        assert kept.result.state == "done"
        (home / "go").touch()
        await shown.press("n", "enter")
        await shown.shows("done, 3 of 3 runs", seconds=30)
        of_sweep = shown.workspace.runs.list(Search(sweep=kept.result.sweep))
        assert [run.spec.parameters["units"] for run in of_sweep] == [3, 2, 1]
        assert of_sweep[-1].run_id == kept.run_id, "what had ended was not run again"

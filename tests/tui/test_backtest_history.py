"""What can be done with runs: compare, remark, sort, reproduce, export, delete, sweep, presets."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from catalog.series import BarSpec
from core.backtest.presets import Preset
from core.backtest.results import RunResult, RunStore
from core.backtest.run_index import Search
from core.backtest.spec import RunSpec
from core.fetch import FetchRequest
from core.home import Home
from core.options import Options
from core.profiles import BUILT_IN
from core.settings import Settings
from core.workspace import Workspace
from tests.tui.conftest import NOW
from tests.tui.deck import SMALL, Deck, deck
from tests.tui.fields import field, fill
from tui.widgets.result_table import ResultTable
from tui.widgets.result_view import ResultView

SPEC = RunSpec(
    "sma_crossover",
    {"fast_period": 5, "slow_period": 20},
    ("AAPL.NASDAQ",),
    BarSpec.parse("1-MINUTE-LAST"),
    "2026-03-02",
    "2026-03-03",
    cash="100000 USD",
    source="catalog",
)
SLOW = replace(SPEC, parameters={"fast_period": 20, "slow_period": 60})
BROKEN = "import nautilus_trader\nthis is no Python\n"


@pytest.fixture(scope="module")
async def run_home(tmp_path_factory: pytest.TempPathFactory, gateway_port: int) -> Path:
    """A home with two sessions of minute bars, two runs on them, and a broken strategy."""
    home = tmp_path_factory.mktemp("runs")
    (home / "mine").mkdir()
    (home / "mine" / "broken.py").write_text(BROKEN)
    (home / "settings.toml").write_text('strategy_folders = ["mine"]\n')
    workspace = await Workspace.open(Options(profile="demo", home=home, port=gateway_port, now=NOW))
    try:
        request = FetchRequest(SPEC.instruments, SPEC.bars, SPEC.start, SPEC.end)
        assert not (await workspace.fetch(request).wait()).failed
        for spec in (SPEC, SLOW):
            await workspace.backtest(spec).wait()
    finally:
        await workspace.close()
    return home


@asynccontextmanager
async def runs(
    home: Path, to: Path, port: int, size: tuple[int, int] = SMALL
) -> AsyncIterator[Deck]:
    """The Backtest screen over a copy of that home, the log folded away."""
    async with deck(Path(shutil.copytree(home, to / "home")), port, size=size) as shown:
        await shown.press("4", "z")
        await shown.shows("sma_crossover 5/20", "sma_crossover 20/60", "[Summary]")
        history(shown).point_at(id_of(shown, SLOW))
        yield shown


def id_of(shown: Deck, spec: RunSpec) -> str:
    return next(run.run_id for run in shown.workspace.runs.list() if run.spec == spec)


def history(shown: Deck) -> ResultTable:
    return shown.app.screen.query_one("#history", ResultTable)


async def test_marked_runs_are_compared_side_by_side(
    run_home: Path, tmp_path: Path, gateway_port: int
) -> None:
    async with runs(run_home, tmp_path, gateway_port) as shown:
        await shown.press("c")
        await shown.shows("One run alone cannot be compared")
        await shown.press("g", "space", "space", "c")
        await shown.shows("gain of each run", "A  sma_crossover", "B  sma_crossover")
        await shown.shows("! fast_period", "AAA", "BBB")
        await shown.shows("return", " <")
        await shown.press("escape")
        await shown.shows("History")


async def test_a_run_whose_files_are_damaged_says_so_in_its_place(
    run_home: Path, tmp_path: Path, gateway_port: int
) -> None:
    async with runs(run_home, tmp_path, gateway_port) as shown:
        damaged = id_of(shown, SLOW)
        (shown.workspace.runs.folder / damaged / "fills.parquet").write_bytes(b"PAR1")
        await shown.press("enter")
        await shown.shows("failed: run", "cannot be read", "1. run it again")
        await shown.press("e")
        await shown.shows("─ New backtest ", "slow_period=60")


async def test_a_failed_run_says_why_in_its_row(
    run_home: Path, tmp_path: Path, gateway_port: int
) -> None:
    home = shutil.copytree(run_home, tmp_path / "copy")
    store = RunStore(BUILT_IN["demo"].runs_folder(Home.find(home)))
    staging = store.begin(NOW)
    times = (NOW.isoformat(), NOW.isoformat())
    error = {"title": "no bars of MSFT.NASDAQ are stored"}
    store.keep(staging, SPEC, RunResult(staging.name, "failed", *times, error=error), [])
    async with runs(home, tmp_path, gateway_port, (160, 45)) as shown:
        await shown.shows("failed: no bars of")


async def test_the_chosen_zone_rules_the_times_of_runs_and_is_named(
    run_home: Path, tmp_path: Path, gateway_port: int
) -> None:
    async with runs(run_home, tmp_path, gateway_port) as shown:
        await shown.shows("run (ET)")
        shown.app.apply(Settings(zone="Asia/Tokyo"))
        try:
            await shown.press("1", "4")
            started = shown.workspace.runs.list()[0].result.started
            there = datetime.fromisoformat(started).astimezone(ZoneInfo("Asia/Tokyo"))
            await shown.shows("run (Tokyo)", f"{there:%H:%M}")
            # What is of one exchange stays in its zone.
            await shown.press("t", "t", "t")
            await shown.shows("entry (ET)")
        finally:
            shown.app.apply(Settings())


async def test_runs_get_stars_notes_and_tags_and_are_found_by_them(
    run_home: Path, tmp_path: Path, gateway_port: int
) -> None:
    async with runs(run_home, tmp_path, gateway_port, (160, 45)) as shown:
        chosen = id_of(shown, SLOW)
        await shown.press("asterisk")
        await shown.shows("* sma_crossover 20/60")
        await shown.press("number_sign", *"calm", "enter")
        await shown.shows("#calm")
        await shown.press("N", *"keep", "enter")
        await shown.shows("#calm keep")
        store = shown.workspace.runs
        assert [run.run_id for run in store.list(Search("calm", starred=True))] == [chosen]
        await shown.press("slash", *"keep", "enter")
        await shown.shows("1 of 2")


async def test_the_best_run_by_any_metric_stands_first(
    run_home: Path, tmp_path: Path, gateway_port: int
) -> None:
    async with runs(run_home, tmp_path, gateway_port, (160, 45)) as shown:
        by_turnover = [one.run_id for one in shown.workspace.runs.list(Search(sort="turnover"))]
        await shown.press("o")
        await shown.shows("▲")
        await shown.press("M", *"nonsense", "enter")
        await shown.shows("Best by which metric?", "nonsense")
        await shown.press("home", "ctrl+k", *"turn", "right", "enter")
        await shown.shows("best turnover first")
        assert "▲" not in shown.text
        await shown.press("g")
        await shown.until(lambda: history(shown).cursor_key == by_turnover[0])


async def test_deleting_asks_and_then_leaves_nothing(
    run_home: Path, tmp_path: Path, gateway_port: int
) -> None:
    async with runs(run_home, tmp_path, gateway_port) as shown:
        await shown.press("D")
        await shown.shows("Delete 1 run?", "bars stay", "sma_crossover 20/60")
        await shown.press("n")
        await shown.press("enter")
        await shown.shows("sma_crossover 20/60 · AAPL.NASDAQ")
        await shown.press("D", "y")
        await shown.shows("this run is deleted")
        assert [run.spec for run in shown.workspace.runs.list()] == [SPEC]


async def test_a_run_is_reproduced_and_exported(
    run_home: Path, tmp_path: Path, gateway_port: int
) -> None:
    async with runs(run_home, tmp_path, gateway_port) as shown:
        run_id = history(shown).cursor_key
        await shown.press("R")
        await shown.shows("reproduced", "changed: nothing")
        history(shown).point_at(str(run_id))
        await shown.press("E")
        await shown.shows("Export", f"{run_id}.json")
        to = tmp_path / "run.json"
        await shown.press("home", "ctrl+k", *str(to), "enter")
        await shown.until(to.exists)
        assert json.loads(to.read_text())["run_id"] == run_id


async def test_a_sweep_shows_its_runs_best_first_and_as_a_heatmap(
    run_home: Path, tmp_path: Path, gateway_port: int
) -> None:
    async with runs(run_home, tmp_path, gateway_port, (120, 36)) as shown:
        await shown.press("S")
        await shown.shows("Grid", "several values")
        await shown.press("enter")
        await shown.shows("give a parameter several values first")
        await fill(shown, fast_period="ten,20")
        await shown.shows("!fast_period")
        await fill(shown, fast_period="5:10:5", slow_period="20,40", by="total_return")
        await shown.shows("4 runs")
        await shown.press("enter")
        await shown.shows("done, 4 of 4 runs", "fast_period ↓  slow_period →", seconds=20.0)
        swept = shown.app.screen.query_one("#swept", ResultTable)
        best = shown.workspace.runs.list(Search(sort="total_return"))
        of_sweep = [run for run in best if run.result.sweep]
        assert len(of_sweep) == 4
        await shown.press("g")
        await shown.until(lambda: swept.cursor_key == of_sweep[0].run_id, "the best one on top")
        await shown.press("enter")
        view = shown.app.screen.query_one(ResultView)
        await shown.until(lambda: view.run is not None and view.run.run_id == of_sweep[0].run_id)


async def test_presets_are_kept_and_filled_in_and_broken_strategies_say_why(
    run_home: Path, tmp_path: Path, gateway_port: int
) -> None:
    async with runs(run_home, tmp_path, gateway_port, (120, 36)) as shown:
        await shown.press("e")
        await shown.shows("! broken")
        await shown.press("P", *"slow one", "enter")
        presets = shown.workspace.presets
        await shown.until(lambda: "slow one" in presets.of("sma_crossover"))
        await fill(shown, fast_period="7", end="2026-03-02")
        shown.app.screen.query_one("#strategies").focus()
        await shown.press("p")
        await shown.shows("presets of sma_crossover: slow one")
        await shown.press("enter")
        await shown.until(lambda: field(shown, "fast_period").value == "20")
        assert field(shown, "end").value == "2026-03-03"
        presets.save("sma_crossover", "by command", Preset({"fast_period": 9}))
        await shown.press("p")
        await shown.shows("presets of sma_crossover: slow one, by command")
        await shown.press("home", "ctrl+k", *"by command", "enter")
        await shown.until(lambda: field(shown, "fast_period").value == "9")
        assert field(shown, "slow_period").value == "20", "as usual, where nothing was kept"
        assert field(shown, "end").value == "2026-03-03"
        for answer in ("n", "y"):
            await shown.press("D")
            await shown.shows("Delete which preset?", "slow one")
            await shown.press("enter")
            await shown.shows("Delete the preset slow one?", "forgotten for good")
            assert "slow one" in presets.of("sma_crossover")
            await shown.press(answer)
        await shown.until(lambda: list(presets.of("sma_crossover")) == ["by command"], "it is gone")
        await shown.press("G")
        await shown.shows("broken", "SyntaxError")
        await shown.press("enter")
        assert not [job for job in shown.workspace.jobs.all if job.kind == "backtest"]

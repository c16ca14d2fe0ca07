"""The Backtest screen, by keyboard: from the form to a result, on a simulated gateway."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from catalog.series import BarSpec
from core.backtest.results import StoredRun
from core.fetch import FetchRequest
from core.options import Options
from core.workspace import Workspace
from tests.tui.conftest import NOW
from tests.tui.deck import SMALL, Deck, deck
from tests.tui.fields import field, fill
from tui.widgets.backtest_spec import command_of
from tui.widgets.result_equity import EquityCurve
from tui.widgets.result_table import ResultTable
from tui.widgets.result_view import ResultView

EXCHANGE = ZoneInfo("America/New_York")
MINUTES = BarSpec.parse("1-MINUTE-LAST")


@pytest.fixture(scope="module")
async def stocked(tmp_path_factory: pytest.TempPathFactory, gateway_port: int) -> Path:
    """A home with two sessions of minute bars of AAPL."""
    home = tmp_path_factory.mktemp("stocked")
    workspace = await Workspace.open(Options(profile="demo", home=home, port=gateway_port, now=NOW))
    request = FetchRequest(("AAPL.NASDAQ",), MINUTES, "2026-03-02", "2026-03-03")
    try:
        summary = await workspace.fetch(request).wait()
        assert not summary.failed
    finally:
        await workspace.close()
    return home


@pytest.fixture
def home(stocked: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(stocked, tmp_path / "home"))


@asynccontextmanager
async def form(home: Path, port: int, size: tuple[int, int] = SMALL) -> AsyncIterator[Deck]:
    """The dashboard with the form of a new run filled in."""
    async with deck(home, port, size=size) as shown:
        await shown.press("4", "n")
        await shown.shows("New backtest")
        await fill(shown, ids="AAPL.NASDAQ", start="2026-03-02", end="2026-03-03")
        yield shown


def result(shown: Deck) -> StoredRun:
    run = shown.app.screen.query_one(ResultView).run
    assert run is not None
    return run


async def run_it(shown: Deck) -> StoredRun:
    await shown.press("enter")
    await shown.shows("[Summary]", "ran in")
    return result(shown)


async def test_before_the_first_run_the_screen_says_what_to_press(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("4")
        await shown.shows("no run yet: press n")


async def test_a_run_on_stored_bars_shows_figures_venue_and_curve(
    home: Path, gateway_port: int
) -> None:
    async with form(home, gateway_port) as shown:
        run = await run_it(shown)
        await shown.shows(
            f"{run.metrics.total_return:+.2%}".replace("%", " %"),
            f"{run.metrics.trades}",
            "venue NASDAQ (instrument)",
            "simulated data",
            "equity",
            "History",
        )
        # Two sessions are too few for anything scaled to a year.
        assert run.metrics.sharpe is None
        await shown.shows("n/a")
        assert [each.run_id for each in shown.workspace.runs.list()] == [run.run_id]


async def test_every_tab_of_a_result_shows_its_part(home: Path, gateway_port: int) -> None:
    async with form(home, gateway_port) as shown:
        run = await run_it(shown)
        await shown.press("t")
        await shown.shows("[Chart]", "780 of 780 bars", "▲", "▼", "03-03")
        await shown.press("right_square_bracket")
        await shown.shows("390 of 780 bars")
        await shown.press("right")
        await shown.shows("┊", "  C 1", "SMA(10) 1", "SMA(20) 1")
        await shown.press("t")
        await shown.shows("[Returns]", "Mar", f"returns of {run.metrics.trades} trades")
        for tab, *texts in (
            ("[Trades]", "entry (ET)", "2026-03-02 09:"),
            ("[Fills]", "slippage", "2026-03-02 09:"),
            ("[Orders]", "filled"),
            ("[Positions]", "realized", "long"),
            ("[Account]", "locked", "USD"),
            ("[Log", f"WARNING {run.result.warnings[0][:40]}"),
            ("[Summary]", "held"),
        ):
            await shown.press("t")
            await shown.shows(tab, *texts)


async def test_equity_is_zoomed_moved_and_read_off(home: Path, gateway_port: int) -> None:
    async with form(home, gateway_port, size=(120, 36)) as shown:
        run = await run_it(shown)
        curve = shown.app.screen.query_one(EquityCurve)
        curve.focus()
        await shown.shows("] closer")
        await shown.press("right_square_bracket", "right_square_bracket", *["l"] * 9, "right")
        last = len(run.equity.ts) - 1
        place = last - 195 + 1 + 97
        stamp = datetime.fromtimestamp(int(run.equity.ts[place]) // 10**9, EXCHANGE)
        peak = max(100_000, run.equity.value[: place + 1].max())
        fall = 100 * (run.equity.value[place] / peak - 1)
        await shown.shows(f"{stamp:%Y-%m-%d %H:%M}  {run.equity.value[place]:,.0f}  {fall:+.2f} %")


async def test_enter_on_a_trade_shows_it_among_its_candles(home: Path, gateway_port: int) -> None:
    async with form(home, gateway_port) as shown:
        await run_it(shown)
        await shown.press("t", "t", "t", "enter")
        await shown.shows("[Chart]", "of 780 bars", "▲")
        assert "780 of 780" not in shown.text


async def test_a_run_on_a_deleted_instrument_is_called_synthetic(
    home: Path, gateway_port: int
) -> None:
    async with form(home, gateway_port) as shown:
        for folder in (shown.workspace.catalog.root / "data").glob("*/AAPL.NASDAQ"):
            shutil.rmtree(folder)
        await fill(shown, source="catalog")
        await run_it(shown)
        await shown.shows("venue NASDAQ (bars)", "synthetic")


async def test_parameters_are_checked_while_they_are_typed(home: Path, gateway_port: int) -> None:
    async with form(home, gateway_port) as shown:
        await fill(shown, fast_period="ten")
        await shown.shows("!fast_period", "'ten' does not fit fast_period")
        await fill(shown, fast_period="30")
        await shown.shows("!fast_period", "fast_period must be less than slow_period")
        await shown.press("enter")
        assert not [job for job in shown.workspace.jobs.all if job.kind == "backtest"]
        await fill(shown, fast_period="5")
        await shown.shows("--param fast_period=5")


async def test_what_cannot_be_read_is_told_at_its_field(tmp_path: Path, gateway_port: int) -> None:
    async with form(tmp_path, gateway_port) as shown:
        for key, typed, told in (
            ("ids", "A..B", "is not an id"),
            ("bars", "1-EON", "is not a bar type"),
            ("end", "tomorrow", "is not a time"),
            ("end", "2026-02-27", "the end lies before the start"),
            ("cash", "-5 USD", "is no starting cash"),
            ("fees", "ibkr_teird", "there are no fees 'ibkr_teird'"),
        ):
            right = field(shown, key).value
            await fill(shown, **{key: typed})
            await shown.shows(told)
            assert field(shown, key).problem
            await fill(shown, **{key: right})
            await shown.until(lambda key=key: not field(shown, key).problem)


async def test_another_strategy_has_other_parameters_and_typed_ones_are_kept(
    tmp_path: Path, gateway_port: int
) -> None:
    async with form(tmp_path, gateway_port) as shown:
        await fill(shown, fast_period="7")
        shown.app.screen.query_one("#strategies").focus()
        await shown.press("j", "j")
        await shown.shows("oversold", "overbought", "Buy when the RSI falls")
        await shown.press("k", "k")
        await shown.shows("fast_period", "7")
        await shown.press(*["j"] * 5)
        await shown.shows("!ids", "pairs_spread trades 2 instruments together: one was named")


async def test_the_command_shown_is_the_one_that_does_the_same(
    home: Path, gateway_port: int
) -> None:
    async with form(home, gateway_port, size=(160, 45)) as shown:
        await fill(shown, fast_period="5", cash="50000 USD")
        await shown.shows("quarterdeck backtest run sma_crossover")
        run = await run_it(shown)
        assert command_of(run.spec) == (
            "quarterdeck backtest run sma_crossover --instrument AAPL.NASDAQ "
            "--bars 1-MINUTE-LAST --start 2026-03-02 --end 2026-03-03 "
            "--param fast_period=5 --param slow_period=20 --cash '50000 USD' --fees ibkr_fixed"
        )
        await shown.press("y")
        assert shown.app.clipboard == command_of(run.spec)


async def test_a_run_is_edited_and_run_again(home: Path, gateway_port: int) -> None:
    async with form(home, gateway_port) as shown:
        first = await run_it(shown)
        await shown.press("e")
        await shown.shows("New backtest", "AAPL.NASDAQ", "2026-03-02")
        await fill(shown, fast_period="3")
        await shown.press("enter")
        await shown.shows("sma_crossover 3/20")
        await shown.until(lambda: result(shown).run_id != first.run_id, "the second run")
        history = shown.app.screen.query_one("#history", ResultTable)
        await shown.until(lambda: history.cursor_key == result(shown).run_id)
        history.point_at(first.run_id)
        await shown.press("enter")
        await shown.until(lambda: result(shown).run_id == first.run_id, "the first run again")


async def test_a_run_without_data_says_what_to_do_and_is_opened_corrected_and_run(
    home: Path, gateway_port: int
) -> None:
    async with form(home, gateway_port) as shown:
        await fill(shown, ids="IBM.NYSE", source="catalog")
        await shown.press("enter")
        await shown.shows(
            "failed: Data for IBM.NYSE is missing", "1. fetch it", "IBM.NYSE  failed:"
        )
        await shown.press("e")
        await shown.shows("New backtest", "IBM.NYSE")
        await fill(shown, ids="AAPL.NASDAQ")
        run = await run_it(shown)
        kept = shown.workspace.runs.list()
        assert [(one.run_id == run.run_id, one.result.state) for one in kept] == [
            (True, "done"),
            (False, "failed"),
        ]
        shown.app.screen.query_one("#history", ResultTable).point_at(kept[1].run_id)
        await shown.press("enter")
        await shown.shows("failed: Data for IBM.NYSE is missing", "1. fetch it")


async def test_leaving_the_form_keeps_what_was_typed(tmp_path: Path, gateway_port: int) -> None:
    async with form(tmp_path, gateway_port) as shown:
        await shown.press("escape")
        await shown.shows("History")
        await shown.press("n")
        await shown.shows("New backtest", "2026-03-03")


async def test_a_series_chosen_elsewhere_is_filled_in_with_the_dates_that_are_stored(
    home: Path, gateway_port: int
) -> None:
    async with deck(home, gateway_port) as shown:
        await shown.app.go_with("backtest", ("AAPL.NASDAQ",), MINUTES)
        await shown.shows("New backtest", "AAPL.NASDAQ", "1-MINUTE-LAST", "--start 2026-03-02")
        assert field(shown, "end").value == "2026-03-03"


async def test_a_new_run_is_about_the_last_thirty_days_and_shorthands_become_dates(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port, size=(120, 24)) as shown:
        await shown.press("4", "n")
        await shown.shows("--start 2026-02-02 --end 2026-03-04")
        await fill(shown, start="2025-11", end="ytd")
        await shown.shows("--start 2025-11-01 --end 2026-01-01")


async def test_a_cancelled_run_leaves_nothing(tmp_path: Path, gateway_port: int) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("4", "n")
        await fill(shown, ids="AAPL", start="2025-03-03", end="2026-03-03")
        await shown.press("enter")
        await shown.shows("% ", " left")
        await shown.press("x")
        await shown.until(lambda: not shown.workspace.jobs.running)
        await shown.shows("no run yet")
        assert shown.workspace.runs.list() == []

"""The settings on the screen and in the file are one; the first start asks, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.widgets import Input

from core.options import Options
from core.settings import Settings
from core.workspace import Workspace
from tests.tui.conftest import NOW
from tests.tui.deck import SMALL, Deck, deck
from tests.tui.terminal import terminal
from tui import signs
from tui.app import QuarterdeckApp
from tui.palette import Thing, best
from tui.widgets.result_table import ResultTable
from tui.zone import EXCHANGE_ZONE


@pytest.fixture(autouse=True)
def back_to_usual() -> object:
    yield
    EXCHANGE_ZONE.choose("America/New_York")
    signs.choose("auto")


async def change(shown: Deck, setting: str, text: str) -> None:
    """Change a setting on the screen, from the keyboard."""
    await shown.press("comma")
    await shown.shows("Settings: ", "low_bandwidth")
    shown.app.screen.query_one(ResultTable).point_at(setting)
    await shown.press("enter")
    shown.app.screen.query_one(Input).value = ""
    await shown.press(*text, "enter")


async def test_a_theme_is_chosen_on_the_screen_and_stands_in_the_file(tmp_path: Path) -> None:
    async with deck(tmp_path, size=(120, 40)) as shown:
        await change(shown, "theme", "quarterdeck-light")
        await shown.until(lambda: shown.app.theme == "quarterdeck-light")
        assert Settings.load(tmp_path / "settings.toml").theme == "quarterdeck-light"
        await shown.press("escape")
    async with deck(tmp_path) as shown:
        await shown.until(lambda: shown.app.theme == "quarterdeck-light")


async def test_what_does_not_fit_is_told_and_the_field_stays(tmp_path: Path) -> None:
    async with deck(tmp_path, size=(120, 40)) as shown:
        await change(shown, "workers", "many")
        await shown.shows("workers cannot be 'many'")
        assert isinstance(shown.app.focused, Input)
        await shown.press("escape", "escape")
        await shown.shows("─ Session ")
        assert not (tmp_path / "settings.toml").exists()


async def test_a_key_is_moved_and_the_help_tells_the_new_one(tmp_path: Path) -> None:
    async with deck(tmp_path, size=(120, 40)) as shown:
        await change(shown, "keys.app.backtest", "ctrl+t")
        await shown.press("escape", "ctrl+t")
        await shown.shows("─ Result ")
        await shown.press("1", "4")
        await shown.shows("─ Session ")
        await shown.press("question_mark")
        await shown.shows("^t")


async def test_the_clock_goes_by_the_chosen_zone(tmp_path: Path) -> None:
    async with deck(tmp_path, size=(120, 40)) as shown:
        await change(shown, "zone", "Europe/London")
        await shown.press("escape")
        await shown.shows("15:41 GMT")


async def test_ascii_signs_are_a_choice(tmp_path: Path) -> None:
    async with deck(tmp_path, size=(120, 40)) as shown:
        await change(shown, "charts", "ascii")
        await shown.press("escape")
        await shown.shows("x refused", "+- Session ")
        for key, panel in (("2", "Series"), ("3", "New fetch"), ("4", "History"), ("1", "Session")):
            await shown.press(key)
            await shown.shows(f"- {panel} ")
            assert shown.text.isascii()
        await shown.press("D")
        await shown.shows("x nothing accepts connections")
        assert shown.text.isascii()


async def test_broken_settings_are_told_and_the_last_good_ones_used(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    options = Options(profile="demo", home=tmp_path, port=1, now=NOW, last_good=True)

    def app() -> QuarterdeckApp:
        return QuarterdeckApp(lambda: Workspace.open(options), title_profile="demo")

    file.write_text('zone = "Europe/London"\n')
    first = app()
    async with first.run_test(size=SMALL) as pilot:
        await Deck(first, pilot).shows("15:41 GMT")
    file.write_text('zone = "Europe/London"\nworkers = "many"\n')
    second = app()
    async with second.run_test(size=(120, 40), notifications=True) as pilot:
        # Word by word: where it wraps depends on the path of the file.
        await Deck(second, pilot).shows("15:41 GMT", "2:", "workers:", "correct")


async def test_the_palette_finds_strategies_and_what_other_screens_do(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        await shown.press("colon")
        await shown.press(*"donch")
        await shown.shows("donchian_breakout", "strategy: set up a run")
        await shown.press("enter", "enter")
        await shown.shows("─ New backtest ", "> donchian_breakout")
        await shown.press("escape", "colon")
        await shown.press(*"connection diag")
        await shown.shows("Connection: diagnose", "D  Try step by step")
        await shown.press("enter")
        await shown.shows("─ Session ", "─ Diagnosis ")


def test_the_palette_finds_the_best_of_each_kind_by_letters_of_their_words() -> None:
    def things(kind: str, *names: str) -> list[Thing]:
        return [Thing(kind, name, kind, lambda: None) for name in names]

    def found(typed: str) -> list[str]:
        ranked = sorted(best(there, typed.split()), key=lambda match: -match.score)
        return [match.thing.name for match in ranked]

    runs = [f"sma_crossover {fast}/50 · AAPL.NASDAQ 1-DAY" for fast in range(2_000)]
    there = [
        *things("strategy", "sma_crossover", "sma_momentum"),
        *things("series", "ES[Z6].CME 1-MINUTE", "AAPL.NASDAQ 1-MINUTE", "AAL.NASDAQ 1-DAY"),
        *things("run", *runs),
    ]
    assert found("aapl")[0] == "AAPL.NASDAQ 1-MINUTE"  # however many runs were on it
    assert len(found("aapl")) == 1 + 20
    assert found("smom")[0] == "sma_momentum"
    assert found("1999 sma")[0] == runs[1999]  # words in any order
    assert found("es[z")[0] == "ES[Z6].CME 1-MINUTE"
    assert found("a" * 40) == []
    assert [match.places for match in best(there[:1], ["sco"])] == [[0, 4, 6]]


def test_the_first_start_asks_once(tmp_path: Path) -> None:
    program = """
from tui.cli import main
sys.argv = ["quarterdeck", "--home", home]
main()
"""
    with terminal(tmp_path, 1, spoil=program) as shown:
        shown.shows("Welcome aboard", "nobody listens")
        shown.press("\x1b", "refused")
        assert "Welcome" not in shown.text
        assert 'profile = "paper-gateway"' in (tmp_path / "settings.toml").read_text()
    with terminal(tmp_path, 1, spoil=program) as shown:
        shown.shows("refused")
        assert b"Welcome" not in shown.received


def test_the_first_start_takes_the_demo_and_a_folder(tmp_path: Path) -> None:
    program = """
from tui.cli import main
sys.argv = ["quarterdeck", "--home", home]
main()
"""
    with terminal(tmp_path, 1, spoil=program) as shown:
        shown.shows("nobody listens", "> demo")
        shown.press("\r2\r", "● connected")
        assert "SIMULATED" in shown.text and "catalog catalog2" in shown.text


def test_a_terminal_without_a_cursor_is_refused_in_words(tmp_path: Path) -> None:
    with terminal(tmp_path, 1, TERM="dumb") as shown:
        shown.shows("told: The dashboard cannot draw on this terminal")


def test_another_profile_is_opened_without_leaving_the_terminal(
    tmp_path: Path, gateway_port: int
) -> None:
    (tmp_path / "settings.toml").write_text(
        f"[profiles.other]\nport = {gateway_port}\n[profiles.demo]\nsimulated = true\n"
    )
    with terminal(tmp_path, gateway_port) as shown:
        shown.shows("demo SIMULATED   ● connected")
        shown.press("p", "─ Profiles ─", "other")
        shown.press("G\r", "other SIMULATED   ● connected")
        shown.press("q")
        assert shown.ends() == 0

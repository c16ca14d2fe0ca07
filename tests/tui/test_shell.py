"""What all screens share: header, keys, help, log, the way in and the way out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.widgets import Input
from textual.widgets._toast import Toast

from catalog.errors import WrongInput
from catalog.events import Event, Level
from core.jobs import Job, JobState
from core.workspace import Workspace
from tests.tui.deck import Deck, deck
from tui.app import REFRESH_S, QuarterdeckApp
from tui.keys import telling
from tui.screens.base import BaseScreen
from tui.widgets.log import LogPanel


@dataclass(frozen=True, slots=True)
class Said(Event):
    """A line of somebody's work."""

    channel = "test"

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Warned(Said):
    level = Level.WARNING


async def test_the_header_names_profile_origin_catalog_and_exchange_time(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        await shown.shows("demo SIMULATED", "catalog demo", "10:41 ET")


async def test_until_the_workspace_is_open_the_screen_says_so() -> None:
    never: asyncio.Future[Workspace] = asyncio.get_running_loop().create_future()
    app = QuarterdeckApp(lambda: never, title_profile="paper-gateway")
    async with app.run_test(size=(80, 24)) as pilot:
        shown = Deck(app, pilot)
        await shown.shows("paper-gateway", "opening the catalog ...")
        await shown.press("2", "question_mark", "escape", "1")
        await shown.shows("opening the catalog ...")


async def test_a_workspace_that_cannot_be_opened_ends_the_app_with_its_error() -> None:
    async def refuse() -> Workspace:
        raise WrongInput("the catalog is a file", "a catalog is a folder", "name another one")

    app = QuarterdeckApp(refuse, title_profile="demo")
    async with app.run_test() as pilot:
        await Deck(app, pilot).until(lambda: app.failure is not None)
    assert app.failure is not None and app.failure.title == "the catalog is a file"
    assert app.return_code == WrongInput.exit_code


@pytest.mark.parametrize("keys", [("2", "3", "4", "1"), ("f2", "f3", "f4", "f1")])
async def test_digits_and_function_keys_change_the_screen(
    tmp_path: Path, keys: tuple[str, ...]
) -> None:
    async with deck(tmp_path) as shown:
        panels = ("Series", "New fetch", "Result", "Session")
        for key, panel in zip(keys, panels, strict=True):
            await shown.press(key)
            await shown.shows(f"─ {panel} ")


async def test_function_keys_work_inside_a_field_and_letters_do_not(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        await shown.press("3", "n")
        await shown.until(lambda: isinstance(shown.app.focused, Input), "a field in focus")
        await shown.press("q", "1")
        await shown.shows("q1", "leave the field")
        await shown.press("f1")
        await shown.shows("─ Session ")


@pytest.mark.parametrize("screen", ["1", "2", "3", "4"])
async def test_the_help_names_every_key_in_force(tmp_path: Path, screen: str) -> None:
    async with deck(tmp_path, size=(80, 60)) as shown:
        await shown.press(screen)
        await shown.pilot.pause()
        told = telling(shown.app.screen)
        assert {"f1", "f2", "f3", "f4"} <= {active.binding.key for active in told}
        await shown.press("question_mark")
        await shown.shows(*(active.tooltip or active.binding.description for active in told))
        await shown.press("escape")
        await shown.until(lambda: "Help:" not in shown.text)


async def test_the_key_bar_fits_on_one_line_and_keeps_help_and_quit(tmp_path: Path) -> None:
    async with deck(tmp_path, size=(40, 24)) as shown:
        await shown.press("2")
        last = shown.text.splitlines()[-1]
        assert last.rstrip().endswith("1-4 screens  ? help  q quit")
        assert len(last) == 40
        await shown.press("slash")
        await shown.until(lambda: shown.text.rstrip().endswith("\n esc all lines  F1-F4 screens"))


async def test_the_log_shows_brackets_as_they_are_and_warnings_with_the_word(
    tmp_path: Path,
) -> None:
    async with deck(tmp_path, size=(80, 40)) as shown:
        log = shown.workspace.jobs.log
        log.write(Said("ES[Z6].CME [bold]stored[/bold] [/nonsense]"))
        log.write(Warned("spread 0"))
        await shown.shows("ES[Z6].CME [bold]stored[/bold] [/nonsense]", "WARNING spread 0")


async def test_the_log_follows_its_end_unless_the_reader_scrolled_up(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        log, panel = shown.workspace.jobs.log, shown.app.screen.query_one(LogPanel)
        for number in range(30):
            log.write(Said(f"line {number}"))
        await shown.shows("line 29")
        await shown.press("Z")
        panel.focus()
        await shown.until(lambda: panel.has_focus)
        await shown.press("g")
        await shown.shows("line 0")
        before = panel.virtual_size.height
        log.write(Said("line 30"))
        await shown.until(lambda: panel.virtual_size.height > before)
        assert "line 0" in shown.text and "line 30" not in shown.text
        await shown.press("G")
        await shown.shows("line 30")


async def test_a_long_line_wraps_and_is_wrapped_anew_at_another_width(tmp_path: Path) -> None:
    async with deck(tmp_path, size=(80, 40)) as shown:
        shown.workspace.jobs.log.write(Said("word " * 30 + "end"))
        await shown.shows("end ")
        assert sum("word" in line for line in shown.text.splitlines()) > 1
        await shown.pilot.resize_terminal(200, 40)
        await shown.until(lambda: sum("word" in line for line in shown.text.splitlines()) == 1)


async def test_z_folds_the_log_on_all_screens_and_shift_z_grows_it(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:

        def height() -> int:
            return shown.app.screen.query_one(LogPanel).outer_size.height

        await shown.press("z")
        await shown.until(lambda: height() == 1)
        shown.app.screen.query_one(LogPanel).focus()
        shown.workspace.jobs.log.write(Said("told from its beginning, " + 9 * "and on "))
        await shown.shows("told from its beginning, and on ")
        assert height() == 1
        await shown.press("2")
        await shown.until(lambda: height() == 1)
        await shown.press("Z")
        await shown.until(lambda: height() > 10)
        await shown.press("Z")
        await shown.until(lambda: height() == 6)


async def test_a_job_that_fails_off_screen_is_told_briefly_over_the_log(tmp_path: Path) -> None:
    async def fail(job: Job[None]) -> None:
        raise WrongInput("unknown symbol [XYZ]", "the broker knows no [XYZ]", "search for it")

    async with deck(tmp_path) as shown:
        shown.workspace.jobs.start("fetch", "XYZ", fail)
        told = ("unknown symbol [XYZ]", "the broker knows no [XYZ]", "search for it")
        await shown.shows(*told, "3 shows more")
        assert shown.app.screen.query_one(Toast).region.y >= 24 - 7


async def test_a_job_that_fails_on_its_own_screen_raises_no_toast(tmp_path: Path) -> None:
    async def fail(job: Job[None]) -> None:
        raise WrongInput("unknown symbol [XYZ]", "the broker knows no [XYZ]", "search for it")

    async with deck(tmp_path) as shown:
        await shown.shows("✕ refused")
        await shown.settles()
        await shown.press("3")
        await shown.shows("─ New fetch ")
        shown.workspace.jobs.start("fetch", "XYZ", fail)
        await shown.shows("ERROR unknown symbol [XYZ]")
        await shown.pilot.pause(2 * REFRESH_S)
        assert not shown.app.screen.query(Toast)


async def test_the_screen_is_left_alone_once_its_panels_are_gone(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        screen = shown.app.screen
        assert isinstance(screen, BaseScreen)
    assert not screen.query(LogPanel)
    with shown.app._context():
        screen.tick()


def wait_for_ever(job: Job[None]) -> Awaitable[None]:
    return asyncio.get_running_loop().create_future()


async def test_a_late_call_finds_no_screens_any_more_and_does_nothing(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        await shown.until(lambda: not shown.workspace.jobs.running, "the refused connection")
        while shown.app._screen_stack:  # as the app does before it ends
            await shown.app._screen_stack.pop().remove()
        shown.app.tick()
        shown.app.exit()
    assert shown.app.failure is None


async def test_quitting_asks_while_a_job_runs_and_cancels_it(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        job = shown.workspace.jobs.start("fetch", "GDX.ARCA [1]", wait_for_ever)
        await shown.shows("1 job")
        await shown.press("q")
        await shown.shows("Quit while jobs run?", "fetch GDX.ARCA [1]")
        await shown.press("n")
        await shown.until(lambda: "Quit while" not in shown.text)
        assert job.running
        await shown.press("q")
        await shown.press("y")
    assert job.snapshot.state is JobState.CANCELLED


async def test_quitting_without_jobs_does_not_ask(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        await shown.until(lambda: not shown.workspace.jobs.running, "the refused connection")
        await shown.press("q")
        await shown.until(lambda: not shown.app.is_running)
    assert shown.app.return_code == 0


async def test_the_palette_offers_the_keys_of_the_screen_by_name(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        await shown.press("colon")
        await shown.press(*"backtest"[:4])
        await shown.shows("Backtest")
        await shown.press("escape")
        await shown.press("colon")
        await shown.press(*"catalog", "enter", "enter")
        await shown.shows("─ Series ")

"""Every key that any help or last line names is pressed where it works, and must be seen to.

The keys come from the bindings themselves; a binding without a story here fails a test.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import pkgutil
import shutil
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from textual.binding import Binding

import tui
from catalog.series import BarSpec
from core.backtest.spec import RunSpec
from core.fetch import FetchRequest
from core.jobs import Job
from core.options import Options
from core.workspace import Workspace
from tests.tui.conftest import NOW
from tests.tui.deck import Deck, deck
from tests.tui.fields import field
from tui.widgets.log import LogPanel
from tui.widgets.reading import Reading
from tui.widgets.result_table import ResultTable

type Step = str | Callable[[Deck], object]

SIZE = (120, 36)
SCREENS = {"catalog": "2", "fetch": "3", "backtest": "4"}
MINUTE = BarSpec(1, "MINUTE")
RUN = RunSpec(
    "sma_crossover",
    {"fast_period": 5, "slow_period": 20},
    ("AAPL.NASDAQ", "GDX.ARCA"),
    MINUTE,
    "2026-03-03",
    "2026-03-03",
    source="catalog",
)


class Story(NamedTuple):
    """`key` does something that is seen: a text that was not there, or a value that was another.

    The steps before and after are keys, texts to wait for (after a ~), and things to do.
    """

    key: str
    seen: str | Callable[[Deck], object]
    before: tuple[Step, ...] = ()
    after: tuple[Step, ...] = ()


# What is looked at


def screen(shown: Deck) -> object:
    return shown.app.screen


def focus(shown: Deck) -> object:
    return shown.app.focused


def body(shown: Deck) -> str:
    """What stands between the header and the log."""
    return shown.text.partition("\n")[2].split("─ Log ")[0]


def cursor(shown: Deck) -> str | None:
    assert isinstance(shown.app.focused, ResultTable)
    return shown.app.focused.cursor_key


def scrolled(shown: Deck) -> float:
    return shown.app.screen.query_one(Reading).scroll_offset.y


def clipboard(shown: Deck) -> str:
    return shown.app.clipboard


def jobs(shown: Deck) -> int:
    return len(shown.workspace.jobs.all)


def running(shown: Deck) -> int:
    return len(shown.workspace.jobs.running)


def pings(shown: Deck) -> int:
    return len(shown.workspace.broker.pings)


def log_height(shown: Deck) -> int:
    return shown.app.screen.query_one(LogPanel).outer_size.height


def log_panel(shown: Deck) -> str:
    return shown.text.split("─ Log ")[1]


# What is done


async def never(_job: Job[None]) -> None:
    await asyncio.get_running_loop().create_future()


def work(kind: str) -> Callable[[Deck], object]:
    """Let a job run for ever."""
    return lambda shown: shown.workspace.jobs.start(kind, "something", never)


def idle(shown: Deck) -> Awaitable[None]:
    return shown.until(lambda: not shown.workspace.jobs.running, "the end of all jobs", 30.0)


def focused(selector: str) -> Callable[[Deck], object]:
    return lambda shown: shown.app.screen.query_one(selector).focus()


def into(name: str) -> Callable[[Deck], object]:
    return lambda shown: field(shown, name).enter()


def nothing_copied(shown: Deck) -> None:
    shown.app.copy_to_clipboard("")


def at(key: str) -> Callable[[Deck], object]:
    """Put the cursor of the dialog's table on a row."""
    return lambda shown: shown.app.screen.query_one(ResultTable).point_at(key)


def damage(shown: Deck) -> None:
    """A file of GDX goes from the disk, behind the program's back."""
    for file in shown.workspace.catalog.root.glob("data/bars/GDX*/*.parquet"):
        file.write_bytes(b"PAR1 no more")


def welcome(shown: Deck) -> Awaitable[None]:
    from tui.screens.welcome import Welcome

    return shown.app.push_screen(Welcome(shown.workspace.home))


async def compare_six(shown: Deck) -> None:
    """Six runs, of which five fit side by side."""
    from core.backtest.comparing import compare
    from tui.screens.compare import Compare

    store = shown.workspace.runs
    run = store.load(store.list()[0].run_id)
    runs = [replace(run, result=replace(run.result, run_id=letter)) for letter in "abcdef"]
    await shown.app.push_screen(Compare(compare(runs)))


def checking(shown: Deck) -> None:
    shown.app.screen._job = shown.workspace.jobs.start("check", "something", never)  # type: ignore[attr-defined]


def backtesting(shown: Deck) -> None:
    from tui.widgets.backtest_running import RunningRun

    job: Job[Any] = shown.workspace.jobs.start("backtest", "something", never)
    shown.app.screen._started[job.id] = RunningRun(job, "something")  # type: ignore[attr-defined]


def sweeping(shown: Deck) -> None:
    from core.backtest.sweep import SweepSpec
    from tui.widgets.sweep_board import SweepBoard

    job: Job[Any] = shown.workspace.jobs.start("sweep", "something", never)
    shown.app.screen._board = SweepBoard(job, SweepSpec(RUN, ()))  # type: ignore[attr-defined]


def end(shown: Deck) -> None:
    for job in shown.workspace.jobs.running:
        job.cancel()


FINDINGS: tuple[Step, ...] = ("c", "~─ Findings ", idle, "~ in ")
FORM: tuple[Step, ...] = ("e", "~─ New backtest ", focused("#strategies"))
PROFILES: tuple[Step, ...] = ("p", "~─ Profiles ", "~a simulator of its own")
SWEEP: tuple[Step, ...] = ("S", "~─ Grid ", focused("#swept"))
LOG: tuple[Step, ...] = (focused("#log"),)
CHART: tuple[Step, ...] = (focused("#detail RunCandles"),)
HISTORY: tuple[Step, ...] = (focused("#history"),)
SIX: tuple[Step, ...] = (compare_six, "~gain of each run", "~A  ")
RESULT_CHART: tuple[Step, ...] = ("~[Chart]", focused("#page-chart"))

PLACES: dict[str, tuple[Story, ...]] = {
    "connection": (
        Story("ConnectionScreen.disconnect", "disconnected since"),
        Story("ConnectionScreen.connect", "● connected"),
        Story("ConnectionScreen.ping", pings),
        Story("ConnectionScreen.diagnose", "─ Diagnosis ", after=("escape",)),
        Story("Diagnosis.dismiss", screen, ("D", "~─ Diagnosis ")),
        Story("ConnectionScreen.profiles", "─ Profiles ", after=("escape",)),
        Story("Profiles.dismiss", screen, PROFILES),
        Story("ProfileTable.open", screen, (*PROFILES, at("demo"))),
        Story("Profiles.use", body, (*PROFILES, at("paper-tws")), ("escape",)),
        Story("Profiles.new", "─ New profile ", PROFILES, ("escape", "escape")),
        Story("Profiles.remove", "cannot be removed", (*PROFILES, at("live-tws")), ("escape",)),
        Story("Profiles.edit", screen, (*PROFILES, at("paper-tws")), ("escape", "escape")),
        Story("QuarterdeckApp.go('catalog')", "─ Series ", after=("1",)),
        Story("QuarterdeckApp.go('fetch')", "─ New fetch ", after=("1",)),
        Story("QuarterdeckApp.go('backtest')", "─ History ", after=("1",)),
        Story("QuarterdeckApp.go('connection')", "─ Session ", ("2", "~─ Series ")),
        Story("QuarterdeckApp.command_palette", "Search for commands", after=("escape",)),
        Story("QuarterdeckApp.settings", "─ Settings: ", after=("escape",)),
        Story("SettingsScreen.back", screen, ("comma", "~low_bandwidth")),
        Story("SettingTable.open", focus, ("comma", "~low_bandwidth"), ("escape", "escape")),
        Story("QuarterdeckApp.help", "─ Help: ", after=("escape",)),
        Story("Help.dismiss", screen, ("question_mark", "~─ Help: ")),
        Story("QuarterdeckApp.size_log('folded')", log_height, after=("z",)),
        Story("QuarterdeckApp.size_log('grown')", log_height, after=("Z",)),
        Story("Welcome.skip", screen, (welcome, "~Welcome aboard")),
        Story("GatewayTable.open", focus, (welcome, "~demo"), ("escape",)),
        Story("QuarterdeckApp.quit", "Quit while jobs run?", (work("fetch"),), ("n", end)),
    ),
    "log": (
        Story("LinePanel.level", "warnings and errors", LOG, ("v", "v")),
        Story("LinePanel.follow", "not following", LOG, ("F",)),
        Story("LinePanel.copy_line", clipboard, LOG),
        Story("LinePanel.pager", "The pager cannot be shown", LOG),  # a pilot has no terminal
        Story("FilteredView.filter", "/_", LOG, ("escape",)),
        Story("FilteredView.clear_filter", log_panel, (*LOG, "slash", "x", "enter")),
    ),
    "catalog": (
        Story("FilteredView.move(1)", cursor, ("g",)),
        Story("FilteredView.move(-1)", cursor, ("G",)),
        Story("FilteredView.page(1)", cursor, ("g",)),
        Story("FilteredView.page(-1)", cursor, ("G",)),
        Story("FilteredView.edge(-1)", cursor, ("g",)),
        Story("FilteredView.edge(0)", cursor, ("G",)),
        Story("Reading.scroll_down", scrolled, ("question_mark",), ("escape",)),
        Story("Reading.scroll_up", scrolled, ("question_mark", "G"), ("escape",)),
        Story("Reading.page_down", scrolled, ("question_mark",), ("escape",)),
        Story("Reading.page_up", scrolled, ("question_mark", "G"), ("escape",)),
        Story("Reading.scroll_end", scrolled, ("question_mark",), ("escape",)),
        Story("Reading.scroll_home", scrolled, ("question_mark", "G"), ("escape",)),
        Story("CatalogScreen.fetch", "─ New fetch ", after=("f2",)),
        Story("CatalogScreen.backtest", "─ New backtest ", after=("escape", "2")),
        Story("CatalogScreen.check", "─ Findings ", after=("escape",)),
        Story("CatalogScreen.repair", "─ Findings ", after=("escape",)),
        Story("Findings.check", jobs, FINDINGS, ("escape",)),
        Story("Findings.repair", "nothing that a repair would mend", FINDINGS, ("escape",)),
        Story("Findings.backfill", jobs, FINDINGS, (idle, "escape")),
        Story("Findings.cancel", running, (*FINDINGS, checking), ("escape",)),
        Story("Findings.close", screen, FINDINGS),
        Story("CatalogScreen.details", screen, after=("escape",)),
        Story("SeriesDetails.dismiss", screen, ("d", "~─ instrument ")),
        Story("CatalogScreen.backfill", jobs, after=(idle,)),
        Story("CatalogScreen.import", "─ Import bars ", after=("escape",)),
        Story("Dialog.dismiss", screen, ("i", "~─ Import bars ")),
        Story("Dialog.app.help", "─ Help ", ("N", "~series anew?"), ("escape", "escape")),
        Story("CatalogScreen.export", "─ Export ", after=("escape",)),
        Story("CatalogScreen.rebuild", "series anew?", after=("n",)),
        Story("CatalogScreen.update_instruments", "all instruments again?", after=("n",)),
        Story("CatalogScreen.undo", "there is nothing to undo"),
        Story("CatalogScreen.delete", "─ Delete bars ", after=("escape",)),
        Story("CatalogScreen.copy", clipboard),
        Story("CatalogScreen.zoom(0.5)", body),
        Story("CatalogScreen.pan(0.5)", body),
        Story("CatalogScreen.pan(-0.5)", body),
        Story("CatalogScreen.zoom(2.0)", body),
        Story("SeriesTable.open", body, after=("escape",)),
        Story("CatalogScreen.enlarge", body, CHART, ("escape",)),
        Story("ResultTable.mark", "1 marked", after=("escape",)),
        Story("ResultTable.sort", "▲", after=("o",) * 12),
        Story("ResultTable.reverse", "▼", ("o",), ("o",) * 12),
        Story("ResultTable.copy_row", clipboard),
        Story("Confirm.answer(False)", screen, ("N", "~series anew?")),
        Story("Confirm.answer(True)", screen, ("I", "~all instruments again?"), (idle,)),
        Story("CatalogScreen.update", jobs, after=(idle,)),
        Story("CatalogScreen.reload", "DAMAGED", (damage,)),
    ),
    "fetch": (
        Story("FetchScreen.new", focus, after=("escape",)),
        Story("BaseScreen.back", focus, ("n",)),
        Story("FetchScreen.search", "─ Search instruments ", after=("escape",)),
        Story("MatchTable.open", screen, ("n", *"aapl", "ctrl+s", "~APPLE", focused("#matches"))),
        Story("Choice.turn(1)", body, (into("hours"),)),
        Story("Choice.turn(-1)", body, (into("hours"),)),
        Story("Choice.submit", jobs, (into("hours"),), ("~done", idle, focused("#jobs"))),
        Story("BaseScreen.copy", clipboard),
        Story("FetchScreen.fold", body, after=("f",)),
        Story("FetchScreen.retry", jobs, ("g",), (idle,)),
        Story("JobTable.open", screen, ("g",), ("escape",)),
        Story("JobLog.dismiss", screen, ("g", "enter", "~esc close")),
        Story("JournalDetails.dismiss", screen, ("G", "enter", "~─ fetch ")),
        Story("FetchScreen.cancel", running, (work("fetch"), "~something", "g", "~x cancel")),
        Story("FetchScreen.update", jobs, after=(idle,)),
    ),
    "backtest": (
        Story("BacktestScreen.turn_tab(1)", "[Chart]"),
        Story("ChartWindow.zoom(0.5)", body, RESULT_CHART),
        Story("ChartWindow.pan(0.5)", body),
        Story("ChartWindow.pan(-0.5)", body),
        Story("ChartWindow.point(-1)", body),
        Story("ChartWindow.point(1)", body),
        Story("ChartWindow.zoom(2.0)", body),
        Story("RunCandles.next_market", body),
        Story("BacktestScreen.turn_tab(-1)", "[Summary]"),
        Story("ResultTable.open", body, (*HISTORY, "G")),
        Story("RunHistory.copy", clipboard, HISTORY),
        Story("RunHistory.star", "* sma_crossover"),
        Story("RunHistory.note", "─ Note ", after=("escape",)),
        Story("RunHistory.tag", "─ Tags ", after=("escape",)),
        Story("RunHistory.by_metric", "Best by which metric?", after=("escape",)),
        Story("BacktestScreen.export", "─ Export ", after=("escape",)),
        Story("BacktestScreen.reproduce", jobs, after=(idle,)),
        Story("BacktestScreen.compare", "gain of each run", ("g", "space", "space"), ("escape",)),
        Story("Compare.turn(1)", body, SIX, ("escape",)),
        Story("Compare.turn(-1)", body, (*SIX, "l", "~F  "), ("escape",)),
        Story("Compare.back", screen, ("c", "~gain of each run")),
        Story("BacktestScreen.sweep", "─ Grid ", ("escape",), ("escape",)),
        Story("Sweep.grid", focus, SWEEP, ("escape", "escape")),
        Story("Sweep.back", screen, SWEEP),
        Story("Sweep.cancel", running, (*SWEEP, sweeping), ("escape",)),
        Story("BacktestScreen.new", "─ New backtest ", after=("escape",)),
        Story("BacktestScreen.edit", "─ New backtest ", after=("escape",)),
        Story("BacktestForm.sweep", "─ Grid ", FORM, ("escape",)),
        Story("BacktestForm.copy_command", clipboard, (*FORM, nothing_copied), ("escape",)),
        Story("BacktestForm.preset", "Which preset?", FORM, ("escape", "escape")),
        Story("BacktestForm.drop_preset", "Delete which preset?", FORM, ("escape", "escape")),
        Story("BacktestForm.keep_preset", "Keep as preset", FORM, ("escape", "escape")),
        Story("Strategies.open", jobs, FORM, (idle,)),
        Story("BacktestForm.run", jobs, FORM, (idle,)),
        Story("BacktestScreen.cancel", running, (backtesting, "~x cancel"), (end,)),
        Story("RunHistory.delete", "Delete 1 run?", after=("n",)),
    ),
}


def keys_there_are() -> dict[str, str]:
    """The keys of every binding that is described, by its class and action."""
    found = {}
    for module in pkgutil.walk_packages(tui.__path__, "tui."):
        for kind in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(kind) and kind.__module__.startswith("tui."):
                for one in vars(kind).get("BINDINGS", ()):
                    if isinstance(one, Binding) and one.description:
                        found[f"{kind.__name__}.{one.action}"] = one.key
    return found


@pytest.fixture(scope="module")
async def filled(tmp_path_factory: pytest.TempPathFactory, gateway_port: int) -> Path:
    """A home with an hour of two instruments, a session between hours, and two runs on it."""
    home = tmp_path_factory.mktemp("filled")
    workspace = await Workspace.open(Options(profile="demo", home=home, port=gateway_port, now=NOW))
    try:
        request = FetchRequest(RUN.instruments, MINUTE, RUN.start, RUN.end)
        assert not (await workspace.fetch(request).wait()).failed
        for _ in range(2):
            await workspace.backtest(RUN).wait()
    finally:
        await workspace.close()
    return home


def test_every_key_has_a_story() -> None:
    told = {story.key for stories in PLACES.values() for story in stories}
    assert told == set(keys_there_are())


@pytest.mark.timeout(300)
@pytest.mark.parametrize("place", PLACES)
async def test_every_key_does_what_it_says(
    place: str, filled: Path, tmp_path: Path, gateway_port: int
) -> None:
    home, keys = Path(shutil.copytree(filled, tmp_path / "home")), keys_there_are()
    async with deck(home, gateway_port, size=SIZE) as shown:
        await shown.shows("● connected")
        await shown.press(SCREENS.get(place, "1"))
        for story in PLACES[place]:
            for key in keys[story.key].split(","):
                await follow(shown, story, key)


async def follow(shown: Deck, story: Story, key: str) -> None:
    for step in story.before:
        await take(shown, step)
    before = look(shown, story)
    assert before is not True, f"{story.seen} is there before {key}"
    await shown.press(key)
    await shown.until(lambda: look(shown, story) != before, f"{story.key} by {key}", 30.0)
    for step in story.after:
        await take(shown, step)


def look(shown: Deck, story: Story) -> object:
    return story.seen in shown.text if isinstance(story.seen, str) else story.seen(shown)


async def take(shown: Deck, step: Step) -> None:
    if not isinstance(step, str):
        done = step(shown)
        if inspect.isawaitable(done):
            await done
        await shown.pilot.pause()
    elif step.startswith("~"):
        await shown.shows(step[1:], seconds=30.0)
    else:
        await shown.press(step)

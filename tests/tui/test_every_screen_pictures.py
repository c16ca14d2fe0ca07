"""Every screen as a picture, empty, at work and in trouble; every dialog at the smallest size.

The clock stands still and nobody is connected. After an intended change: run with
`--snapshot-update`, and look.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from textual.pilot import Pilot

from catalog.errors import CatalogUnusable
from catalog.series import BarSpec, Series
from core.fetch_events import ChunkReceived, FetchPlanned, SeriesDone, SeriesFailed
from core.ibkr.connection import ConnectionKind, ConnectionState
from core.ibkr.diagnosis import StepDoubtful, StepFailed, StepPassed
from core.jobs import Job
from core.journal import EntryState, JournalEntry
from core.options import Options
from core.workspace import Workspace
from tests.tui.conftest import NOW
from tests.tui.deck import SMALL, Deck
from tests.tui.test_backtest_screen_pictures import METRICS, SPEC, store_run
from tests.tui.test_shell_pictures import SIZES, Compare, fill_catalog
from tests.tui.test_shell_pictures import frozen as frozen
from tui.app import QuarterdeckApp

type Scene = Callable[[Deck], Awaitable[None]]

MINUTE = BarSpec(1, "MINUTE")
EARLY = datetime(2026, 3, 4, 14, 29, tzinfo=UTC)
SLOW = replace(SPEC, parameters={"fast_period": 20, "slow_period": 60})


class StandingClock(datetime):
    """What time it is, at `NOW`."""

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return NOW.astimezone(tz)


@pytest.fixture(autouse=True)
def standing_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (
        "core.jobs",
        "tui.screens.backtest",
        "tui.screens.fetch",
        "tui.screens.run_history",
        "tui.screens.sweep",
        "tui.widgets.fetch_jobs",
    ):
        monkeypatch.setattr(f"{module}.datetime", StandingClock)
    # What a calendar adds comes later, from a process of its own.
    monkeypatch.setattr("tui.screens.catalog.by_calendar", lambda detail: detail)


async def never(_job: Job[None]) -> None:
    await asyncio.get_running_loop().create_future()


# Screens


async def connection_disconnected(shown: Deck) -> None:
    await shown.shows("disconnected since 09:29")


async def connection_refused(shown: Deck) -> None:
    shown.workspace.broker.state = ConnectionState(
        ConnectionKind.REFUSED,
        "nothing accepts connections there (Connection refused)",
        ("start TWS or IB Gateway and log in", "enable the API in its settings"),
        since=EARLY,
    )
    await shown.shows("refused since 09:29")


async def catalog_empty(shown: Deck) -> None:
    await shown.press("2")
    await shown.shows("Nothing is stored yet")


async def catalog_damaged(shown: Deck) -> None:
    await asyncio.to_thread(fill_catalog, shown.workspace.catalog)
    for file in shown.workspace.catalog.root.glob("data/bars/AAPL*/*.parquet"):
        file.write_bytes(b"PAR1 no more")
    await shown.press("2")
    await shown.shows("DAMAGED", "ORPHAN")
    await shown.press("j")
    await shown.shows("no instrument is stored with these bars", "┤")


async def catalog_unreadable(shown: Deck) -> None:
    def fail(*_: object) -> None:
        raise CatalogUnusable("the disk is gone", "no such device", "look at the disk")

    shown.workspace.catalog.list_series = fail  # type: ignore[method-assign, assignment]
    await shown.press("2")
    await shown.shows("the disk is gone: no such device", "-> look at the disk", "-> R tries again")


async def fetch_empty(shown: Deck) -> None:
    await shown.press("3")
    await shown.shows("nothing fetched yet", "2026-02-02")


async def fetch_wrong(shown: Deck) -> None:
    await shown.press("3")
    await shown.shows("2026-02-02")
    await shown.press("n", *"AAPL", "tab", *"5-HOURS", "enter")
    await shown.shows("!bars")


async def fetch_at_work(shown: Deck) -> None:
    async def work(job: Job[None]) -> None:
        aapl, gdx = Series("AAPL.NASDAQ", MINUTE), Series("GDX.ARCA", MINUTE)
        job.report(FetchPlanned(aapl, 2, 3_900))
        job.report(FetchPlanned(gdx, 4, 7_800))
        job.report(ChunkReceived(aapl, 0, 10**18, 1_950, 0.8))
        job.report(SeriesDone(aapl, 1_950, 3_900, 2))
        job.report(ChunkReceived(gdx, 0, 10**18, 1_950, 0.9))
        job.report(SeriesFailed("XYZ", MINUTE, "unknown symbol XYZ", "the broker knows none"))
        await never(job)

    async def journal() -> tuple[JournalEntry, ...]:
        return tuple(
            JournalEntry(str(at), "fetch", "demo", title, {}, state, before, before, 1, note)
            for at, (title, state, note) in enumerate(
                (
                    ("IBM 1-DAY-LAST", EntryState.DONE, ""),
                    ("ESZ6.CME 1-HOUR-LAST", EntryState.INTERRUPTED, ""),
                    ("EUR/USD.IDEALPRO 1-MINUTE-MID", EntryState.FAILED, "no data permissions"),
                )
            )
            for before in (NOW - timedelta(days=1, hours=at),)
        )

    shown.workspace.journal_elsewhere = journal  # type: ignore[method-assign]
    shown.workspace.jobs.start("fetch", "AAPL GDX XYZ 1-MINUTE-LAST", work)
    await shown.press("3")
    await shown.shows("XYZ", "unfinished", "ESZ6")


async def backtest_empty(shown: Deck) -> None:
    await shown.press("4")
    await shown.shows("no run yet: press n")


async def backtest_form(shown: Deck) -> None:
    await shown.press("4", "n", "tab", *"fast", "tab", "tab", "tab", *"AAPL", "enter")
    await shown.shows("!fast_period")


async def backtest_failed(shown: Deck) -> None:
    error = {"title": "no bars of GDX.ARCA", "reason": "none are stored", "steps": ["fetch them"]}
    store_run(shown.workspace, SPEC, state="failed", error=error, metrics=None)
    await shown.press("4")
    await shown.shows("no bars of GDX.ARCA", "1. fetch them")


async def backtest_compare(shown: Deck) -> None:
    store_run(shown.workspace, SPEC)
    store_run(shown.workspace, SLOW, hour=16, metrics=replace(METRICS, sharpe=1.6, fees=210))
    await shown.press("4")
    await shown.shows("[Summary]", "┤")
    await shown.press("g", "space", "space", "c")
    await shown.shows("gain of each run", "┤", "! fast_period")


async def backtest_sweep(shown: Deck) -> None:
    store_run(shown.workspace, SPEC)
    await shown.press("4")
    await shown.shows("[Summary]", "┤")
    await shown.press("S", *"5:20:5", "tab", *"50,100")
    await shown.shows("8 runs")


SCREENS = (
    connection_disconnected,
    connection_refused,
    catalog_empty,
    catalog_damaged,
    catalog_unreadable,
    fetch_empty,
    fetch_wrong,
    fetch_at_work,
    backtest_empty,
    backtest_form,
    backtest_failed,
    backtest_compare,
    backtest_sweep,
)

# Dialogs


async def settings(shown: Deck) -> None:
    await shown.press("comma")
    await shown.shows("low_bandwidth")
    shown.app.screen.query_one("#settings").border_title = "Settings: ~/settings.toml"


async def welcome(shown: Deck) -> None:
    from tui.screens.welcome import Welcome

    await shown.app.push_screen(Welcome(shown.workspace.home))
    await shown.shows("listens", "nobody listens", "> paper-tws")


async def help_of_the_catalog(shown: Deck) -> None:
    await shown.press("2", "question_mark")
    await shown.shows("─ Help: Catalog ", "filter")


async def palette(shown: Deck) -> None:
    await shown.press("2", "colon", *"theme")
    await shown.shows("Change the colours")


async def profiles(shown: Deck) -> None:
    await shown.press("p")
    await shown.shows("a simulator of its own", "LIVE")


async def findings(shown: Deck) -> None:
    await asyncio.to_thread(fill_catalog, shown.workspace.catalog)
    await shown.press("2", "c")
    await shown.shows("orphan", "->")


async def details(shown: Deck) -> None:
    await asyncio.to_thread(fill_catalog, shown.workspace.catalog)
    await shown.press("2")
    await shown.shows("┤")
    await shown.press("d")
    await shown.shows("never asked")


async def diagnosis(shown: Deck) -> None:
    async def work(job: Job[None]) -> None:
        job.report(StepPassed("tcp", "127.0.0.1:4002 accepts connections"))
        job.report(StepDoubtful("handshake", "it took 4 s", "look at the load of the machine"))
        job.report(StepFailed("login", "client id 1 is in use", ("choose another one",)))

    job = shown.workspace.jobs.start("diagnose", "127.0.0.1:4002", work)
    shown.workspace.diagnose = lambda: job  # type: ignore[method-assign]
    await shown.shows("D diagnose")
    await shown.press("D")
    await shown.shows("✕ client id 1 is in use", "not tried")


async def quitting(shown: Deck) -> None:
    shown.workspace.jobs.start("fetch", "AAPL 1-MINUTE-LAST", never)
    await shown.press("q")
    await shown.shows("Quit while jobs run?")


DIALOGS = (settings, welcome, help_of_the_catalog, palette, profiles, findings, details)
DIALOGS += (diagnosis, quitting)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("scene", SCREENS, ids=lambda one: one.__name__)
def test_screen(
    scene: Scene, size: tuple[int, int], frozen: Options, snap_compare: Compare
) -> None:
    assert picture(scene, size, frozen, snap_compare)


@pytest.mark.parametrize("scene", DIALOGS, ids=lambda one: one.__name__)
def test_dialog(
    scene: Scene, frozen: Options, snap_compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def listening() -> dict[int, bool]:
        return {4001: False, 4002: False, 7496: False, 7497: True}

    monkeypatch.setattr("tui.screens.welcome._listening", listening)
    assert picture(scene, SMALL, frozen, snap_compare)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_the_first_moment(size: tuple[int, int], snap_compare: Compare) -> None:
    app = QuarterdeckApp(lambda: asyncio.sleep(3600), title_profile="paper-gateway")  # type: ignore[arg-type, return-value]
    assert snap_compare(app, terminal_size=size)


def picture(scene: Scene, size: tuple[int, int], options: Options, compare: Compare) -> bool:
    app = QuarterdeckApp(lambda: Workspace.open(options), title_profile="demo")
    assert options.home is not None
    (options.home / "settings.toml").write_text("workers = 2\n")  # not what this machine has

    async def run_before(pilot: Pilot[Any]) -> None:
        shown = Deck(app, pilot)
        await shown.until(lambda: app.workspace is not None)
        shown.workspace.broker.state = ConnectionState(since=EARLY)
        await scene(shown)
        before = ""
        while before != shown.text:
            before = shown.text
            app.tick()
            await pilot.pause(0.2)

    return compare(app, terminal_size=size, run_before=run_before)

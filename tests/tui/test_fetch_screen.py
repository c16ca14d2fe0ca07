"""The Fetch screen, by keyboard, on a simulated gateway."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import cast

from textual.events import Key
from textual.widgets import Input

from catalog.errors import DataUnavailable
from catalog.events import Event
from catalog.series import BarSpec, Series
from core.fetch import FetchRequest
from core.fetch_events import (
    ChunkEmpty,
    ChunkReceived,
    ChunkRequested,
    ConnectionAwaited,
    ConnectionBack,
    FetchPlanned,
    IdCorrected,
    PacingWait,
    SeriesDone,
    SeriesFailed,
)
from core.ibkr.pacing_rules import open_rule
from core.jobs import Job, JobProgress, Jobs, JobState
from core.journal import Journal
from tests.tui.deck import Deck, deck
from tests.tui.fields import field, fill
from tui.widgets.fetch_jobs import FetchBoard

AAPL = Series("AAPL.NASDAQ", BarSpec.parse("1-MINUTE-LAST"))
IBM = Series("IBM.NYSE", AAPL.spec)
GDX = Series("GDX.ARCA", AAPL.spec)
MINUTES_A_DAY = 390

# The gateway refuses an identical request within 15 seconds: each test has a request of its own.


def fetches(shown: Deck) -> list[Job[object]]:
    return [job for job in shown.workspace.jobs.all if job.kind == "fetch"]


def stored_minutes(shown: Deck, series: Series = AAPL) -> int:
    try:
        return len(shown.workspace.catalog.read_bars(series))
    except DataUnavailable:
        return 0


async def test_two_sessions_are_fetched_once_and_again_asks_for_nothing(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("3")
        await shown.shows("nothing fetched yet: press n")
        await shown.press("n")
        await shown.press(*"AAPL", "tab", "tab", *"2026-02-25", "tab", *"2026-02-26", "enter")
        await shown.until(lambda: bool(fetches(shown)), "the job")
        await shown.until(lambda: fetches(shown)[0].snapshot.state is JobState.DONE)
        await shown.shows("AAPL 1-MINUTE-LAST", "done", "780", "R retry")
        assert stored_minutes(shown) == 2 * MINUTES_A_DAY
        await shown.press("R")
        await shown.until(lambda: len(fetches(shown)) == 2 and not fetches(shown)[1].running)
        await shown.press("g", "f")
        await shown.shows("  AAPL.NASDAQ ", "780 bars are held")
        await shown.press("f", "enter")
        await shown.shows("AAPL.NASDAQ 1-MINUTE-LAST: nothing to do, 780 bars", "esc close")
        assert stored_minutes(shown) == 2 * MINUTES_A_DAY


async def test_each_series_of_a_fetch_has_its_own_outcome(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("3", "n")
        await fill(shown, ids="GDX.NASDAQ NOSUCH", start="2026-03-02", end="2026-03-02")
        await shown.press("enter")
        await shown.shows("GDX.ARCA for GDX.NASDAQ", "390")
        await shown.shows("NOSUCH  failed: unknown symbol", "…", "done", "1 failed")
        await shown.shows("plan: 2 series (not NOSUCH: see the log)")
        await shown.press("G", "enter")
        await shown.shows("1-MINUTE-LAST: NOSUCH ─", "ERROR NOSUCH 1-MINUTE-LAST: unknown", " -> ")
        assert "390 bars stored" not in shown.text.split("esc close")[0]


async def test_what_is_wrong_is_told_at_its_field_while_typing_and_starts_nothing(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("3", "n")
        await shown.press(*"AAPL", "tab", "end", *["backspace"] * 7, "T")
        await shown.shows("!bars", "'1-MINUT' is not a bar type")
        await fill(shown, bars="1-MINUTE-LAST", start="2nd of March")
        await shown.shows("!from", "is not a time")
        await shown.press("enter")
        assert not fetches(shown)
        await fill(shown, start="2026-03-02")
        assert "!from" not in shown.text


async def test_keys_typed_in_a_burst_land_in_the_fields_they_were_meant_for(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        await shown.press("3", "n")
        for key in (*"AAPL", "tab", *"1-DAY-LAST", "tab", *"2024-01", "tab", *"ytd"):
            shown.app.post_message(Key(key, key if len(key) == 1 else None))
        await shown.until(lambda: field(shown, "end").value == "ytd")
        typed = [field(shown, key).value for key in ("ids", "bars", "start")]
        assert typed == ["AAPL", "1-DAY-LAST", "2024-01"]


async def test_a_form_begins_a_month_back_and_completes_what_is_known(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("3")
        await shown.until(lambda: field(shown, "start").value == "2026-02-02")
        await shown.press("n", "tab", "tab", *"yt")
        entry = field(shown, "start").query_one(Input)
        await shown.until(lambda: entry._suggestion == "ytd")
        await shown.press("right")
        assert entry.value == "ytd"
        bars = field(shown, "bars").query_one(Input)
        await shown.press("shift+tab", *"1-d")
        await shown.until(lambda: bars._suggestion == "1-dAY-LAST")


async def test_what_another_process_left_is_offered_again_and_goes_on(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        request = {
            "ids": ["AAPL"],
            "bars": "1-MINUTE-LAST",
            "start": "2026-01-05",
            "end": "2026-01-05",
            "hours": None,
            "recheck": False,
        }
        journal = shown.workspace.home.state / "journal.sqlite"
        await asyncio.to_thread(enter_and_die, journal, request)
        await shown.press("3")
        await shown.shows("AAPL of yesterday", "unfinished: R goes on")
        await shown.press("enter")
        await shown.shows("─ AAPL of yesterday ─", "state", "interrupted", "process", "2026-01-05")
        await shown.press("escape")
        await shown.press("R")
        await shown.until(lambda: stored_minutes(shown) == MINUTES_A_DAY)
        await shown.shows("AAPL 1-MINUTE-LAST", "went on later")


async def test_what_runs_elsewhere_is_shown_with_how_far_it_is(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        # Not begun in this workspace: that is what another process is here.
        journal = Journal(shown.workspace.home.state / "journal.sqlite")
        await asyncio.to_thread(journal.begin, "x", "update", "demo", "from cron", {"ids": []})
        await asyncio.to_thread(journal.progress, "x", 0.45)
        await shown.press("3")
        await shown.shows("from cron", "running elsewhere 45%")
        await asyncio.to_thread(journal.progress, "x", 0.9)
        await shown.shows("running elsewhere 90%")


async def test_an_update_that_failed_is_asked_for_again(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        shown.workspace.update(("NOSUCH",))
        await shown.until(lambda: not fetches(shown)[0].running)
        await shown.press("3")
        await shown.shows("update NOSUCH: ", " -> ", "R retry")
        await shown.press("R")
        await shown.until(lambda: len(fetches(shown)) == 2 and not fetches(shown)[1].running)
        assert fetches(shown)[1].title == "update NOSUCH"


def enter_and_die(journal: Path, request: dict[str, object]) -> None:
    """Let another process enter a fetch into the journal and end without a word."""
    code = (
        "import json, sys; from pathlib import Path; from core.journal import Journal; "
        "Journal(Path(sys.argv[1])).begin("
        "'x', 'fetch', 'demo', 'AAPL of yesterday', json.loads(sys.argv[2]))"
    )
    subprocess.run([sys.executable, "-c", code, journal, json.dumps(request)], check=True)


async def test_nothing_typed_is_told_when_it_is_asked_for(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("3", "n", "enter")
        await shown.shows("!ids", "no instrument")
        assert not fetches(shown)


async def test_what_was_typed_is_there_after_a_look_at_another_screen(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("3", "n")
        await fill(shown, ids="IBM.NYSE")
        await shown.press("f2", "f3")
        await shown.shows("New fetch", "IBM.NYSE")


async def test_ids_with_brackets_are_shown_as_they_are(tmp_path: Path, gateway_port: int) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("3", "n")
        await fill(shown, ids="[ES]")
        await shown.shows("!ids", "'[ES]'")


async def test_instruments_chosen_elsewhere_are_filled_in(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.app.go_with("fetch", ("EUR/USD.IDEALPRO",), BarSpec.parse("1-HOUR-MID"))
        await shown.shows("EUR/USD.IDEALPRO", "1-HOUR-MID")


async def test_a_fetch_without_a_gateway_says_what_failed(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        await shown.press("3", "n")
        await fill(shown, ids="AAPL", start="2026-03-02", end="2026-03-02")
        await shown.press("enter")
        await shown.shows("AAPL  failed:")
        assert re.search(r"AAPL 1-MINUTE-LAST +failed \d\d:\d\d ", shown.text)
        assert stored_minutes(shown) == 0


async def test_a_cancelled_fetch_keeps_what_was_stored(tmp_path: Path, gateway_port: int) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("3", "n")
        await fill(shown, ids="IBM", start="2023", end="2025")
        await shown.press("enter")
        # A large fetch starts only when its plan was seen.
        await shown.shows("plan: 1 series, ", " requests, ", "enter starts")
        assert not fetches(shown)
        await shown.press("enter")
        await shown.until(lambda: fetches(shown)[0].snapshot.done > 0, "the first bars")
        await shown.press("x")
        await shown.until(lambda: fetches(shown)[0].snapshot.state is JobState.CANCELLED)
        await shown.shows(", cancelled", "cancelled ")
        assert 0 < stored_minutes(shown, IBM) < 3 * 250 * MINUTES_A_DAY


async def test_adjusted_prices_go_to_a_catalog_of_their_own(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port, size=(200, 30)) as shown:
        await shown.press("3", "n")
        await fill(shown, ids="IBM", bars="1-DAY-LAST", start="2026-02-02")
        field(shown, "prices").enter()
        await shown.press("right", "enter")
        await shown.shows("adjusted for dividends", "IBM 1-DAY-LAST adjusted", "done")
        assert shown.workspace.catalog.origin == "simulated adjusted"
        field(shown, "prices").enter()
        await shown.press("right", "enter")
        await shown.shows("IBM  failed: the catalog ", "raw ones must not mix")
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("3")
        await shown.shows("prices  adjusted for dividends")


async def test_a_wait_for_the_broker_stands_where_the_progress_was() -> None:
    board, report = board_of("GDX.NASDAQ")
    report(IdCorrected("GDX.NASDAQ", "GDX.ARCA"))
    report(FetchPlanned(GDX, 4, 8_000))
    report(ChunkReceived(GDX, 0, 1, 1_950, 0.8))
    report(JobProgress(6_000, 8_000, "bars"))
    report(PacingWait(15.0, "60 requests in 10 minutes"))
    # An answer to what was asked before comes all the same; then nothing moves.
    assert texts_of(board)[0][1].endswith(" 75%")
    first, second = texts_of(board, later=5.0)
    assert first[1:3] == [" 75% waiting 0:10: pacing", "1,950"]
    assert first[-1] == "0:10"  # what is left takes no less
    assert second == ["  GDX.ARCA for GDX.NASDAQ", "1/4, waiting 0:10: pacing", "1,950", ""]
    assert texts_of(board, later=15.1)[0][1].endswith(" 75%")
    report(ChunkReceived(GDX, 1, 2, 1_950, 0.8))
    report(JobProgress(7_000, 8_000, "bars"))
    # As in the header: both go by what the job says of itself.
    assert texts_of(board)[0][1].endswith(" 87%")
    assert board.job.snapshot.fraction == 0.875
    board.job.cancel()


async def test_a_wait_that_ends_with_another_request_says_what_it_waits_for() -> None:
    board, report = board_of("IBM.NYSE")
    report(FetchPlanned(IBM, 2, 4_000))
    report(ChunkRequested(IBM, 0, 10))
    report(PacingWait(0.0, open_rule()))
    assert [row[1] for row in texts_of(board, later=2.1)] == [
        "  0% waiting: 50 requests open",
        "0/2, waiting: 50 requests open",
    ]
    report(ChunkReceived(IBM, 0, 10, 1_950, 0.8))
    assert texts_of(board, later=2.1)[1][1] == "1/2, waits its turn"
    board.job.cancel()


async def test_a_fetch_without_a_broker_is_paused_until_it_is_back() -> None:
    board, report = board_of("IBM.NYSE")
    report(FetchPlanned(IBM, 2, 4_000))
    report(ConnectionAwaited("the gateway went away"))
    report(ChunkRequested(IBM, 0, 10))  # another one that is just about to find out
    assert [row[1] for row in texts_of(board)] == [
        "  0% paused: no broker",
        "0/2, paused: no broker",
    ]
    report(ConnectionBack())
    assert texts_of(board)[1][1] == "0/2, 1 under way"
    board.job.cancel()


async def test_a_fetch_is_followed_while_another_screen_is_shown(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        go_on = asyncio.Event()

        async def work(job: Job[None]) -> None:
            job.report(FetchPlanned(IBM, 3_000, 3_000))
            for at in range(3_000):
                job.report(ChunkReceived(IBM, at, at + 1, 1, 0.1))
                if at % 1_000 == 0:
                    shown.app.tick()
            await go_on.wait()

        shown.workspace.jobs.start("fetch", "IBM", work)
        await shown.press("3")
        await shown.shows("3000/3000, storing", "3,000")
        go_on.set()


async def test_what_is_asked_for_again_is_under_way_once() -> None:
    board, report = board_of("IBM.NYSE")
    report(FetchPlanned(IBM, 2, 4_000))
    for _ in range(2):  # the connection was lost between them
        report(ChunkRequested(IBM, 0, 10))
    assert texts_of(board)[1][1] == "0/2, 1 under way"
    report(ChunkReceived(IBM, 5, 10, 1_000, 0.8))  # the rest of it is one more request
    report(ChunkRequested(IBM, 0, 5))
    report(ChunkRequested(IBM, 10, 20))
    assert texts_of(board)[1][1] == "1/3, 2 under way"
    report(ChunkReceived(IBM, 0, 5, 900, 0.8))
    report(ChunkEmpty(IBM, 10, 20, "no data"))
    assert texts_of(board)[1][1] == "3/3, storing"
    board.job.cancel()


async def test_series_stand_as_they_were_typed_and_those_of_one_instrument_apart() -> None:
    days = Series("IBM.NYSE", BarSpec.parse("1-DAY-LAST"))
    board, report = board_of("IBM.NYSE", "GDX.NASDAQ")
    report(IdCorrected("GDX.NASDAQ", "GDX.ARCA"))
    report(FetchPlanned(GDX, 1, 390))
    report(FetchPlanned(IBM, 1, 390))
    assert [row[0] for row in texts_of(board)[1:]] == [
        "  IBM.NYSE",
        "  GDX.ARCA for GDX.NASDAQ",
    ]
    report(FetchPlanned(days, 1, 250))
    report(SeriesFailed("IBM.NYSE", IBM.spec, "it is stale", "a split", ("rebuild it", "or not")))
    report(SeriesDone(days, 250, 250, 1))
    assert [row[0] for row in texts_of(board)[1:3]] == [
        "  IBM.NYSE 1-MINUTE-LAST  failed: it is stale, a split -> rebuild it",
        "  IBM.NYSE 1-DAY-LAST",
    ]
    board.job.cancel()


def board_of(*ids: str) -> tuple[FetchBoard, Callable[[Event], None]]:
    """The lines of a job of these ids, and what it reports by."""

    async def work(_: Job[None]) -> None:
        await asyncio.Event().wait()

    job = Jobs().start("fetch", " ".join(ids), work)
    return FetchBoard(cast("Job[object]", job), ids), job.report


def texts_of(board: FetchBoard, *, later: float = 0.0) -> list[list[str]]:
    """The cells of the rows, so many seconds after the last event."""
    now = board.job.log.since(0)[-1].time + timedelta(seconds=later)
    return [[cell.text for cell in row.cells] for row in board.rows(now)]


async def test_a_fetch_begun_before_the_screen_was_seen_stands_there_once(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        request = FetchRequest(("GDX",), BarSpec(1, "DAY"), "2026-03-02", "2026-03-03")
        await shown.workspace.fetch(request).wait()
        await shown.press("3")
        await shown.shows("GDX 1-DAY-LAST", "done")
        screen = shown.app.screen
        await screen._read_journal(shown.workspace)  # type: ignore[attr-defined]
        await shown.settles()
        assert shown.text.count("GDX 1-DAY-LAST  ") == 1

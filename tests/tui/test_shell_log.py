"""The log panel of every screen: filtered by level and words, stopped, copied, read in a pager."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog.events import Event, Level
from tests.tui.deck import Deck, deck
from tests.tui.terminal import terminal
from tui.widgets.log import LogPanel


@dataclass(frozen=True, slots=True)
class Said(Event):
    channel = "fetch"

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Warned(Said):
    level = Level.WARNING


@dataclass(frozen=True, slots=True)
class Failed(Said):
    level = Level.ERROR


@asynccontextmanager
async def log_in_focus(home: Path) -> AsyncIterator[tuple[Deck, LogPanel]]:
    """The dashboard with ten lines, a warning and an error, the log grown and in focus."""
    async with deck(home) as shown:
        await shown.until(lambda: not shown.workspace.jobs.running, "the refused connection")
        log = shown.workspace.jobs.log
        for number in range(10):
            log.write(Said(f"GDX.ARCA chunk {number} stored"))
        log.write(Warned("spread 0"))
        log.write(Failed("unknown symbol XYZ"))
        await shown.press("Z")
        panel = shown.app.screen.query_one(LogPanel)
        panel.focus()
        await shown.shows("chunk 9", "unknown symbol XYZ")
        yield shown, panel


def log_lines(shown: Deck) -> str:
    return shown.text.rpartition("─ Log ")[2]


async def test_v_shows_warnings_then_errors_then_all(tmp_path: Path) -> None:
    async with log_in_focus(tmp_path) as (shown, _):
        await shown.press("v")
        await shown.shows("warnings and errors")
        assert "spread 0" in log_lines(shown) and "chunk" not in log_lines(shown)
        await shown.press("v")
        await shown.until(lambda: "spread 0" not in log_lines(shown))
        shown.workspace.jobs.log.write(Said("nobody sees this"))
        shown.workspace.jobs.log.write(Failed("pacing violation"))
        await shown.shows("pacing violation", "unknown symbol XYZ")
        assert "nobody sees this" not in log_lines(shown)
        await shown.press("v")
        await shown.shows("nobody sees this", "chunk 9")


async def test_slash_searches_and_the_search_holds_for_new_lines(tmp_path: Path) -> None:
    async with log_in_focus(tmp_path) as (shown, _):
        await shown.press("slash", *"unknown xyz")
        await shown.shows("unknown symbol XYZ", "/unknown xyz_  1 of ")
        assert "chunk 4" not in log_lines(shown)
        shown.workspace.jobs.log.write(Said("XYZ is still unknown"))
        shown.workspace.jobs.log.write(Said("MSFT.NASDAQ chunk 31 stored"))
        await shown.shows("XYZ is still unknown")
        assert "chunk 31" not in log_lines(shown)
        await shown.press("escape")
        await shown.shows("chunk 31")


async def test_it_can_be_stopped_and_followed_again(tmp_path: Path) -> None:
    async with log_in_focus(tmp_path) as (shown, panel):
        await shown.press("F")
        await shown.shows("not following")
        total = panel.virtual_size.height
        for number in range(40, 60):
            shown.workspace.jobs.log.write(Said(f"chunk {number}"))
        await shown.until(lambda: panel.virtual_size.height > total)
        assert "chunk 59" not in log_lines(shown)
        await shown.press("F")
        await shown.shows("chunk 59")
        assert "not following" not in shown.text


async def test_y_copies_the_lit_line_as_it_stands(tmp_path: Path) -> None:
    async with log_in_focus(tmp_path) as (shown, _):
        await shown.press("y")
        assert shown.app.clipboard.endswith("fetch    ERROR unknown symbol XYZ")
        await shown.press("k", "k", "y")
        assert shown.app.clipboard.endswith("fetch    GDX.ARCA chunk 9 stored")
        await shown.shows("fetch   >GDX.ARCA chunk 9 stored")


def test_the_pager_borrows_the_terminal_while_the_loop_goes_on(
    tmp_path: Path, gateway_port: int
) -> None:
    pager = tmp_path / "pager"
    pager.write_text('#!/bin/sh\nprintf "in the pager: "; grep -c . "$1"; read answer\n')
    pager.chmod(0o755)
    with terminal(tmp_path, gateway_port, PAGER=str(pager)) as shown:
        shown.shows("● connected")
        shown.press("\to", "in the pager:")  # the next panel is the log
        before = shown.received
        assert b"\x1b[?1049l" in before  # the other screen is left
        shown.press("\n", "● connected", "─ Session")
        shown.press("q")
        assert shown.ends() == 0

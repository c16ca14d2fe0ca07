"""The terminal's bell: rung when a job ends for who looks elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from core.jobs import Job, Kind
from tests.tui.deck import Deck, deck
from tui import bell
from tui.widgets.result_table import ResultTable

type Work = Callable[[Job[None]], Awaitable[None]]


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The rings so far; without a terminal there is none to hear."""
    heard: list[str] = []
    monkeypatch.setattr("tui.app.QuarterdeckApp.bell", lambda _: heard.append("ring"))
    return heard


async def at_once(_: Job[None]) -> None:
    """Work that takes no time."""


async def run(shown: Deck, kind: Kind, work: Work = at_once) -> None:
    """Let a job end, and the dashboard take note of it."""
    await shown.workspace.jobs.start(kind, "a job", work).wait()
    shown.app.tick()


async def test_what_ends_in_sight_is_silent_and_elsewhere_it_rings(
    tmp_path: Path, rung: list[str]
) -> None:
    async with deck(tmp_path) as shown:
        await shown.press("3")
        await shown.shows("─ New fetch ")
        await run(shown, "fetch")
        assert rung == []
        await run(shown, "backtest")
        await run(shown, "check")
        assert rung == ["ring"] * 2
        await run(shown, "connect")
        shown.app.tick()
        assert rung == ["ring"] * 2  # once for each, and never for a connection


async def test_what_took_long_rings_also_in_sight(
    tmp_path: Path, rung: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "LONG_S", 0.0)
    async with deck(tmp_path) as shown:
        await shown.press("3")
        await shown.shows("─ New fetch ")
        await run(shown, "fetch")
        assert rung == ["ring"]


async def test_who_cancels_a_job_hears_nothing(tmp_path: Path, rung: list[str]) -> None:
    async def for_ever(_: Job[None]) -> None:
        await asyncio.Event().wait()

    async with deck(tmp_path) as shown:
        job = shown.workspace.jobs.start("fetch", "a job", for_ever)
        await shown.pilot.pause()
        job.cancel()
        await job.ended()
        shown.app.tick()
        assert rung == []


async def test_the_bell_is_turned_off_in_the_settings(tmp_path: Path, rung: list[str]) -> None:
    async with deck(tmp_path) as shown:
        await shown.press("comma")
        await shown.shows("Settings: ", "on_job_end")
        shown.app.screen.query_one(ResultTable).point_at("bell")
        await shown.shows("Ring the terminal")
        await shown.press("enter", "ctrl+u", *"no", "enter", "escape")
        await shown.until(lambda: "bell = false" in settings_of(tmp_path))
        await run(shown, "backtest")
        assert rung == []


def settings_of(home: Path) -> str:
    file = home / "settings.toml"
    return file.read_text() if file.exists() else ""

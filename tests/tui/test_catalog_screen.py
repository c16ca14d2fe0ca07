"""The catalog screen over a real catalog."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from catalog.errors import CatalogUnusable
from catalog.events import Report, ignore
from catalog.listing import FoldersRead, SeriesSummary
from catalog.series import NANOS_PER_SECOND, BarSpec, Series
from catalog.stretches import State, Stretch
from core.fetch import FetchRequest
from tests.tui.deck import Deck, deck
from tui.widgets.coverage import Coverage, strip

MINUTE = 60 * NANOS_PER_SECOND


async def store_hour(shown: Deck, *ids: str) -> None:
    """Fetch one hour of Wednesday morning in minutes."""
    request = FetchRequest(
        ids, BarSpec(1, "MINUTE"), "2026-03-04T14:30", "2026-03-04T15:30", "regular"
    )
    await shown.workspace.fetch(request).wait()


async def test_an_empty_catalog_says_what_to_do(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        await shown.press("2")
        await shown.shows("Nothing is stored yet: f fetches bars")
        await shown.press("f")
        await shown.shows("─ New fetch ")


async def test_what_a_fetch_stores_appears_without_a_key(tmp_path: Path, gateway_port: int) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("2")
        await shown.shows("Nothing is stored yet")
        await store_hour(shown, "GDX.NASDAQ")
        await shown.shows("GDX.ARCA", "1-MINUTE", "2026-03-04", "60", "ok")
        await shown.shows("tick 0.01", "conId", "regular hours", "█", "┤")


async def test_a_series_is_dated_by_the_clock_of_its_exchange(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        request = FetchRequest(("700.SEHK",), BarSpec(1, "HOUR"), "2026-03-03", "2026-03-03")
        await shown.workspace.fetch(request).wait()
        await shown.press("2")
        await shown.shows("700.SEHK", "1-HOUR")  # its open is still the second in New York
        (line,) = [one for one in shown.text.splitlines() if "1-HOUR " in one and "> " in one]
        assert line.split().count("2026-03-03") == 2, line


async def test_the_filter_finds_words_and_escape_clears_it(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA", "IBM.NYSE")
        await shown.press("2")
        await shown.shows("GDX.ARCA", "IBM.NYSE")
        await shown.press("slash")
        await shown.press(*"ibm minute")
        await shown.shows("/ibm minute_  1 of 2", "─ IBM.NYSE 1-MINUTE-LAST")
        assert "GDX" not in shown.text.split("─ Log ")[0]
        await shown.press("x")
        await shown.shows("nothing contains these words; esc shows all")
        await shown.press("escape")
        await shown.shows("GDX.ARCA", "IBM.NYSE")


async def test_bars_without_their_instrument_are_called_orphans(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA")
        for file in shown.workspace.catalog.root.glob("data/equit*/**/*.parquet"):
            file.unlink()
        await shown.press("2")
        await shown.shows("ORPHAN", "no instrument is stored with these bars")


async def test_a_damaged_file_is_named_and_the_rest_still_shown(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA", "IBM.NYSE")
        (file,) = shown.workspace.catalog.files(Series("GDX.ARCA", BarSpec(1, "MINUTE")))
        file.write_bytes(b"PAR1 no more")
        await shown.press("2")
        await shown.shows("DAMAGED", "ok")
        await shown.press("j")
        await shown.shows("─ IBM.NYSE 1-MINUTE-LAST", "┤")


@pytest.mark.parametrize(("key", "panel"), [("f", "New fetch"), ("b", "New backtest")])
async def test_a_series_is_taken_over_to_the_form_of_another_screen(
    tmp_path: Path, gateway_port: int, key: str, panel: str
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA")
        await shown.press("2")
        await shown.shows("─ GDX.ARCA 1-MINUTE-LAST")
        await shown.press("y")
        assert shown.app.clipboard == "GDX.ARCA"
        await shown.press(key)
        await shown.shows(f"─ {panel} ", "GDX.ARCA", "1-MINUTE-LAST")


async def test_enter_gives_the_chart_the_screen_and_back(tmp_path: Path, gateway_port: int) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA")
        await shown.press("2")
        await shown.shows("─ Series ", "┤")
        await shown.press("enter")
        await shown.until(lambda: "─ Series " not in shown.text)
        await shown.press("enter")
        await shown.shows("─ Series ")


async def test_a_catalog_that_cannot_be_listed_says_why_and_is_tried_again(
    tmp_path: Path, gateway_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_report: Report) -> None:
        raise CatalogUnusable("the disk [sda] is gone", "no such device", "look at the disk")

    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA")
        await shown.press("2")
        await shown.shows("GDX.ARCA", "┤")
        with monkeypatch.context() as broken:
            broken.setattr(shown.workspace.catalog, "list_series", fail)
            await shown.press("R")
            await shown.shows("the disk [sda] is gone: no such device", "-> look at the disk")
            await shown.shows("-> R tries again")
        await shown.press("R")
        await shown.shows("> GDX.ARCA", "┤")


async def test_a_first_listing_that_takes_its_time_counts_on_the_screen(
    tmp_path: Path, gateway_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()
    async with deck(tmp_path, gateway_port) as shown:
        await store_hour(shown, "GDX.ARCA")
        really = shown.workspace.catalog.list_series

        def slowly(report: Report = ignore) -> list[SeriesSummary]:
            report(FoldersRead("bars", 1_200, 5_000))
            go_on.wait()
            return really(report)

        monkeypatch.setattr(shown.workspace.catalog, "list_series", slowly)
        try:
            await shown.press("2")
            await shown.shows("reading the catalog: 1,200 of 5,000 folders of bars")
        finally:
            go_on.set()
        await shown.shows("> GDX.ARCA", "┤")


async def test_columns_give_way_to_an_id_that_is_shown_whole(
    tmp_path: Path, gateway_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    option = "GDX   270115C00045000.SMART"
    async with deck(tmp_path, gateway_port, size=(112, 30)) as shown:
        await store_hour(shown, "GDX.ARCA")
        (held,) = shown.workspace.catalog.list_series()
        renamed = replace(held, series=Series(option, held.series.spec))
        monkeypatch.setattr(shown.workspace.catalog, "list_series", lambda _report: [renamed])
        await shown.press("2")
        await shown.shows(f"> {option} ", " from ", "  size │", " kB")
        await shown.press(*"oooo")  # by the date of the last bar
        await shown.shows(" to▲ ")
        for width, gone in ((90, " size "), (80, " from ")):
            await shown.pilot.resize_terminal(width, 24)
            await shown.until(lambda gone=gone: gone not in shown.text)
            await shown.shows(f"> {option} ", " to▲ ", " rows ", " health ")


def test_the_strip_tells_five_states_apart() -> None:
    def stretch(state: State, start: int, end: int) -> Stretch:
        return Stretch(state, start * MINUTE, end * MINUTE, 0)

    told = (
        stretch("held", 0, 150),
        stretch("held", 200, 250),
        stretch("missing", 250, 400),
        stretch("none", 400, 500),
    )
    open_times = tuple((a * MINUTE, b * MINUTE) for a, b in ((0, 100), (200, 500)))
    span = (0, 500 * MINUTE)
    assert strip(span, 5, Coverage(told, open_times)) == "█ ▒·x"
    assert strip(span, 5, Coverage(told, None)) == "██▒·x"

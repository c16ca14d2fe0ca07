"""Instruments found by a text on the Fetch screen, on a simulated gateway."""

from __future__ import annotations

from pathlib import Path

from textual.widgets import Input

from tests.tui.deck import Deck, deck
from tests.tui.fields import field, fill
from tui.screens.search import Search
from tui.widgets.result_table import ResultTable


async def search(shown: Deck, text: str) -> None:
    """Search in the panel that is open."""
    await shown.shows("─ Search instruments ")
    entry = shown.app.screen.query_one(Input)
    entry.focus()
    entry.value = text
    await shown.pilot.pause()
    await shown.press("enter")


async def test_what_is_found_and_marked_goes_into_the_form_by_its_canonical_id(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("3")
        await shown.shows("nothing fetched yet")
        await shown.press("s")
        await search(shown, "s")
        await shown.shows("MICROSOFT CORP", "SPX     index    CBOE      USD")
        matches = shown.app.screen.query_one(ResultTable)
        await shown.until(lambda: matches.has_focus, "the list in focus")
        await shown.press("space")
        await shown.press("slash", *"stock index")
        await shown.shows("─ esc all lines ─╯")
        await shown.press("enter")
        await shown.shows("─ ⏎ take  space mark  esc all lines  / filter ─╯")
        await shown.press("space", "escape", "enter")
        await shown.until(lambda: not isinstance(shown.app.screen, Search), "the form")
        assert field(shown, "ids").value == "MSFT.NASDAQ ^SPX.CBOE"
        assert field(shown, "ids").has_focus_within


async def test_from_the_field_the_word_at_its_end_is_searched_for_and_replaced(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("3")
        await fill(shown, ids="IBM.NYSE eur")
        await shown.press("ctrl+s")
        await shown.shows("1 contract like 'eur'", "EUR     FX    IDEALPRO  USD")
        await shown.press("enter")
        await shown.until(lambda: field_is(shown, "IBM.NYSE EUR/USD.IDEALPRO"))
        # Another text than the word in the field leaves the word alone.
        await shown.press("ctrl+s")
        await search(shown, "GDX")
        await shown.shows("VANECK GOLD MINERS")
        await shown.press("enter")
        await shown.until(lambda: field_is(shown, "IBM.NYSE EUR/USD.IDEALPRO GDX.ARCA"))


def field_is(shown: Deck, ids: str) -> bool:
    return not isinstance(shown.app.screen, Search) and field(shown, "ids").value == ids


async def test_futures_are_offered_behind_the_index_that_stands_for_them(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("3", "s")
        await search(shown, "E-mini")
        await shown.shows("ES      index    CME", "ES      futures  CME")
        matches = shown.app.screen.query_one(ResultTable)
        await shown.until(lambda: matches.has_focus, "the list in focus")
        matches.point_at("ES.CME")
        await shown.press("enter")
        await shown.until(lambda: field_is(shown, "ES.CME"))


async def test_nothing_found_is_told_and_leaving_changes_nothing(
    tmp_path: Path, gateway_port: int
) -> None:
    async with deck(tmp_path, gateway_port) as shown:
        await shown.press("3")
        await fill(shown, ids="AAPL ")
        await shown.press("ctrl+s")
        await search(shown, "zzzz")
        await shown.shows("the broker knows nothing like 'zzzz'")
        await shown.press("escape")
        assert field(shown, "ids").value == "AAPL"


async def test_without_a_broker_the_panel_says_why(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        await shown.press("3", "s")
        await search(shown, "app")
        await shown.shows("cannot reach the broker", "Connection refused", "start TWS")
        assert not shown.app.screen.query_one(ResultTable).cursor_key

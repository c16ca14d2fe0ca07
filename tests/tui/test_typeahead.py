"""Keys that come in one piece do what the same keys do one by one."""

from __future__ import annotations

from pathlib import Path

from textual._xterm_parser import XTermParser
from textual.events import Key, Paste

from core.settings import Settings
from tests.tui.deck import Deck, deck


def burst(shown: Deck, *keys: str) -> None:
    """Hand the keys to the app as a terminal that read them at once does."""
    for key in keys:
        typed = " " if key == "space" else key
        shown.app.post_message(Key(key, typed if len(typed) == 1 else None))


async def test_a_form_is_opened_filled_in_and_sent_in_one_piece(
    tmp_path: Path, gateway_port: int
) -> None:
    dates = ("tab", "ctrl+a", "ctrl+k", *"2026-03-02", "tab", *"2026-03-03", "enter")
    async with deck(tmp_path, gateway_port) as shown:
        await shown.shows("connected since")
        burst(shown, "3", "n", *"GDX.NASDAQ", "tab", *dates)
        await shown.shows("GDX.NASDAQ 1-MINUTE-LAST", "done", "780", seconds=30)


async def test_what_is_wrong_takes_the_rest_of_the_piece(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        burst(shown, "3", "n", *"AAPL", "tab", "tab", *"never", "shift+tab", "enter", *"!!")
        await shown.shows("'!!' is not a time", "AAPL ", "1-MINUTE-LAST")


async def test_screens_lists_and_fields_follow_each_other_in_one_piece(tmp_path: Path) -> None:
    async with deck(tmp_path, size=(120, 40)) as shown:
        burst(shown, "2", "comma", "slash", *"workers", "enter", "enter", "ctrl+a", "ctrl+k")
        burst(shown, "7", "enter", "escape", "escape", "4", "n", "tab", "ctrl+a", "ctrl+k", "9")
        await shown.shows("─ New backtest ", "fast_period=9")
        assert Settings.load(tmp_path / "settings.toml").workers == 7


async def test_a_paste_keeps_to_the_order(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        burst(shown, "3", "n")
        shown.app.post_message(Paste("AAPL IBM"))
        burst(shown, "space", *"GDX", "escape", "1")
        await shown.shows("─ Session ")
        await shown.press("3")
        await shown.shows("AAPL IBM GDX")


async def test_escape_and_a_number_that_a_slow_line_joined_are_two_keys(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        await shown.press("3", "n")
        terminal = XTermParser()
        for key in (*terminal.feed("\x1b2"), *terminal.feed("")):
            shown.app.post_message(key)
        await shown.shows("─ Series ")


async def test_what_is_closed_by_a_key_does_not_hold_up_the_next_one(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        burst(shown, *("question_mark", "escape", "p", "escape", "colon", "escape") * 3, "2")
        await shown.shows("─ Series ")

"""Keys that come in one piece do what the same keys do one by one."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.events import Key, Paste

from core.settings import Settings
from tests.tui.deck import Deck, deck
from tui.driver import KeyParser


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


async def test_the_palette_finds_what_was_typed_while_it_opened(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        burst(shown, "colon", *"backt")
        await shown.shows("Backtest: edit & rerun")


async def test_a_paste_keeps_to_the_order(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        burst(shown, "3", "n")
        shown.app.post_message(Paste("AAPL IBM"))
        burst(shown, "space", *"GDX", "escape", "1")
        await shown.shows("─ Session ")
        await shown.press("3")
        await shown.shows("AAPL IBM GDX")


@pytest.mark.parametrize(
    ("pieces", "keys"),
    [
        (["\x1b\r"], "escape enter"),
        (["\x1b4"], "escape 4"),
        (["\x1bf\x1b/ibm\r"], "escape f escape slash i b m enter"),
        (["\x1bO"], "escape O"),
        (["\x1b\x1b\x1b:"], "escape escape escape colon"),
        (["\x1b", "j"], "escape j"),  # sooner after each other than one key is told from two
        (["\x1b", "[A"], "up"),  # one key, torn apart by the line
        (["\x1b[", "A\x1bOB"], "up down"),
        (["\x1b\x1b[A"], "escape up"),
        (["\x1b[106;3u"], "alt+j"),  # from a terminal that tells them apart itself
    ],
)
def test_escape_is_a_key_of_its_own(pieces: list[str], keys: str) -> None:
    parser = KeyParser()
    read = [one for piece in pieces for one in (*parser.feed(piece), *parser.tick())]
    assert " ".join(one.key for one in read if isinstance(one, Key)) == keys


def test_an_escape_after_which_nothing_comes_is_a_key_in_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parser = KeyParser()
    assert [*parser.feed("x\x1b"), *parser.tick()][1:] == []
    monkeypatch.setattr("textual.constants.ESCAPE_DELAY", 0.0)
    assert [one.key for one in parser.tick() if isinstance(one, Key)] == ["escape"]
    assert [*parser.tick()] == []


async def test_what_is_closed_by_a_key_does_not_hold_up_the_next_one(tmp_path: Path) -> None:
    async with deck(tmp_path) as shown:
        burst(shown, *("question_mark", "escape", "p", "escape", "colon", "escape") * 3, "2")
        await shown.shows("─ Series ")

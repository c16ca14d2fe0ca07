"""Filling in the forms."""

from __future__ import annotations

from tests.tui.deck import Deck
from tui.widgets.form import FormField


def field(shown: Deck, key: str) -> FormField:
    """A field of the form on the screen."""
    return next(each for each in shown.app.screen.query(FormField) if each.key == key)


async def fill(shown: Deck, **values: str) -> None:
    """Paste into fields of the form on the screen, what was there before is replaced."""
    for key, value in values.items():
        field(shown, key).enter()
        field(shown, key).value = value
        await shown.pilot.pause()

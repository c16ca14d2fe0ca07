"""The help, made from the bindings that are in force: it cannot be out of date."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from tui.keys import MOVING, telling
from tui.screens.base import BaseScreen


class Help(ModalScreen[None]):
    """The keys of the screen it was opened from, and those that work everywhere."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,question_mark,q,enter", "dismiss", "close"),
        Binding("j", "scroll('down')", show=False),
        Binding("k", "scroll('up')", show=False),
    ]

    def __init__(self, screen: Screen[object]) -> None:
        super().__init__()
        self._title = screen.HELP_TITLE if isinstance(screen, BaseScreen) else ""
        self._text = screen.HELP_TEXT if isinstance(screen, BaseScreen) else ""
        active = telling(screen)
        self._here = _rows(one for one in active if one.node is not screen.app)
        self._everywhere = _rows(one for one in active if one.node is screen.app)

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog", id="help") as dialog:
            dialog.border_title = f"Help: {self._title}" if self._title else "Help"
            dialog.border_subtitle = "esc close"
            if self._text:
                yield Static(self._text, markup=False, classes="help-text")
            for title, rows in (("Here", self._here), ("Everywhere", self._everywhere)):
                if rows:
                    yield Static(_table(title, rows), classes="help-text")
            yield Static(MOVING, markup=False, classes="hint")

    def action_scroll(self, direction: str) -> None:
        """Scroll by one line."""
        scroll = self.query_one("#help", VerticalScroll)
        scroll.scroll_relative(y=1 if direction == "down" else -1, animate=False)


def _rows(bindings: Iterable[ActiveBinding]) -> dict[str, list[str]]:
    """Keys by what they do, in the order of the bindings."""
    rows: dict[str, list[str]] = {}
    for active in bindings:
        keys = rows.setdefault(active.tooltip or active.binding.description, [])
        keys.append(active.node.app.get_key_display(active.binding))
    return rows


def _table(title: str, rows: dict[str, list[str]]) -> Content:
    lines = [Content.styled(title, "bold")]
    for what, keys in rows.items():
        lines.append(Content.assemble("  ", (f"{' '.join(keys):<14}", "$accent"), " ", what))
    return Content("\n").join(lines)

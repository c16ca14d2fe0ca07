"""The help, made from the bindings that are in force: it cannot be out of date."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from tui.keys import moving, named, telling
from tui.screens.base import BaseScreen
from tui.screens.dialog import Dialog
from tui.widgets.reading import Reading

_WIDTH = 69
"""Of the text in the dialog, whose width the style fixes."""

_HINT = (
    "Tab goes to the next panel or field. What stands on the right is the name of the key in the "
    "settings, which can change it."
)


class _Told(NamedTuple):
    what: str
    keys: list[str]
    name: str


class Help(Dialog[None]):
    """The keys of the screen it was opened from, and those that work everywhere."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        "dialog",
        Binding("escape,question_mark,q,enter", "dismiss", "close"),
    )

    def __init__(self, screen: Screen[object]) -> None:
        super().__init__()
        self._title = screen.HELP_TITLE if isinstance(screen, BaseScreen) else ""
        self._text = screen.HELP_TEXT if isinstance(screen, BaseScreen) else ""
        active = telling(screen)
        self._parts = {
            "Here": _rows(one for one in active if one.node is not screen.app),
            "Moving": _rows(moving(screen)),
            "Everywhere": _rows(one for one in active if one.node is screen.app),
        }

    def compose(self) -> ComposeResult:
        with Reading(classes="dialog", id="help") as dialog:
            dialog.border_title = f"Help: {self._title}" if self._title else "Help"
            if self._text:
                yield Static(self._text, markup=False, classes="help-text")
            for title, rows in self._parts.items():
                if rows:
                    yield Static(_table(title, rows), classes="help-text")
            yield Static(_HINT, markup=False, classes="hint")


def _rows(bindings: Iterable[ActiveBinding]) -> list[_Told]:
    """What there are keys for, in the order of the bindings."""
    rows: dict[str, _Told] = {}
    for active in bindings:
        binding = active.binding
        what = active.tooltip or binding.description
        told = rows.setdefault(what, _Told(what, [], binding.id or ""))
        key = active.node.app.get_key_display(binding)
        if key not in told.keys:
            told.keys.append(key)
    return list(rows.values())


def _table(title: str, rows: list[_Told]) -> Content:
    lines = [Content.styled(title, "bold")]
    for what, keys, name in rows:
        line = Content.assemble("  ", (f"{' '.join(keys):<10}", "$accent"), " ", what)
        if line.cell_length + len(name) >= _WIDTH:
            lines.append(line)
            line = Content("")
        room = _WIDTH - line.cell_length - len(name)
        lines.append(Content.assemble(line, " " * room, (name, "dim")) if name else line)
    return Content("\n").join(lines)

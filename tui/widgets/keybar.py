"""The last line of every screen: the keys that work here, the most useful first."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding
from textual.content import Content
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

from tui.keys import is_typed_in, shown

_SCREENS = ("app.connection", "app.catalog", "app.fetch", "app.backtest")


class KeyBar(Widget):
    """The shown bindings of what has the focus, on one line that never wraps.

    Keys that a field would take as text are left out while one is being typed in. Where the line
    is too narrow, the last keys of the screen give way, not those that work everywhere.
    """

    ALLOW_SELECT: ClassVar[bool] = False

    told: Reactive[Content] = Reactive(Content())
    """The line as it is drawn."""

    def on_mount(self) -> None:
        self.screen.bindings_updated_signal.subscribe(self, self._bindings_changed)

    def on_resize(self) -> None:
        self.told = self._line()

    def _bindings_changed(self, _screen: Screen[object]) -> None:
        self.told = self._line()

    def render(self) -> Content:
        return self.told

    def _line(self) -> Content:
        here, everywhere = self._keys()
        room = self.size.width - _width(everywhere) - 1
        while here and _width(here) > room:
            here.pop()
        return Content.assemble(" ", *_drawn(here), *_drawn(everywhere))

    def _keys(self) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        here = shown(self.screen)
        if is_typed_in(self.screen):
            leave = self.screen.active_bindings["escape"].binding
            word = "leave the field" if leave.description == "back" else leave.description
            here = [one for one in here if one.key != "escape"]
            return self._told(here), [("esc", word), ("F1-F4", "screens")]
        return self._told(here), self._everywhere()

    def _told(self, bindings: Iterable[Binding]) -> list[tuple[str, str]]:
        return [(self.app.get_key_display(one), one.description) for one in bindings]

    def _everywhere(self) -> list[tuple[str, str]]:
        first: dict[str | None, str] = {}
        for active in self.screen.active_bindings.values():
            first.setdefault(active.binding.id, self.app.get_key_display(active.binding))
        screens = " ".join(first[name] for name in _SCREENS if name in first)
        keys = {"1-4" if screens == "1 2 3 4" else screens: "screens"}
        return [
            *keys.items(),
            (first.get("app.help", ""), "help"),
            (first.get("app.quit", ""), "quit"),
        ]


def _width(keys: list[tuple[str, str]]) -> int:
    return sum(len(key) + len(word) + 3 for key, word in keys)


def _drawn(keys: list[tuple[str, str]]) -> list[str | Content | tuple[str, str]]:
    parts: list[str | Content | tuple[str, str]] = []
    for key, word in keys:
        parts += [(key, "bold $accent"), f" {word}  "]
    return parts

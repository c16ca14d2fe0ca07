"""The last line of every screen: the keys that work here, the most useful first."""

from __future__ import annotations

from typing import ClassVar

from textual.content import Content
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

_EVERYWHERE = (("1-4", "screens"), ("?", "help"), ("q", "quit"))
_IN_A_FIELD = (("esc", "leave the field"), ("F1-F4", "screens"))


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
        focused = self.screen.focused
        typing = focused is not None and focused.check_consume_key("a", "a")
        here: dict[str, tuple[str, str]] = {}
        for active in self.screen.active_bindings.values():
            binding = active.binding
            if not binding.show or not active.enabled or binding.action in here:
                continue
            if typing and (len(binding.key) == 1 or binding.key == "escape"):
                continue
            here[binding.action] = (self.app.get_key_display(binding), binding.description)
        if "filter" in here:  # as everywhere: after what is special here
            here["filter"] = here.pop("filter")
        return list(here.values()), list(_IN_A_FIELD if typing else _EVERYWHERE)


def _width(keys: list[tuple[str, str]]) -> int:
    return sum(len(key) + len(word) + 3 for key, word in keys)


def _drawn(keys: list[tuple[str, str]]) -> list[str | Content | tuple[str, str]]:
    parts: list[str | Content | tuple[str, str]] = []
    for key, word in keys:
        parts += [(key, "bold $accent"), f" {word}  "]
    return parts

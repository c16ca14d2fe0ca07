"""A dialog: a box over the screen, with the keys that work in it on its lower edge."""

from __future__ import annotations

from typing import Any, ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen, Screen

from tui.keys import named, shown
from tui.widgets.filtering import FilteredView

CLOSE = "dismiss"
"""The name of the key that leaves a dialog, for those that do more then than to go."""


class Dialog[T](ModalScreen[T]):
    """Its box is a widget of the class `dialog`; `ENTER` says what enter does in a field of it."""

    ENTER: ClassVar[str] = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        *named("dialog", Binding("escape", "dismiss", "close")),
        *named("app", Binding("question_mark", "app.help", "This help", show=False, id="help")),
    ]

    def on_screen_resume(self) -> None:
        self.bindings_updated_signal.subscribe(self, self._tell_keys)
        self._tell_keys(self)

    def _tell_keys(self, _screen: Screen[Any]) -> None:
        keys = shown(self)
        if self.ENTER and not isinstance(self.focused, FilteredView):
            keys.insert(0, Binding("enter", "", self.ENTER))
        told = [f"{self.app.get_key_display(one)} {one.description}" for one in keys]
        self.query_one(".dialog").border_subtitle = Content("  ".join(told))

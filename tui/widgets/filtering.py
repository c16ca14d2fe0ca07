"""What tables and logs have in common: `/` and words show only the lines that contain them."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.reactive import Reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.keys import MOVES, named

_EDITING: dict[str, Callable[[str], str]] = {
    "backspace": lambda typed: typed[:-1],
    "ctrl+w": lambda typed: typed.rstrip().rpartition(" ")[0],
    "ctrl+u": lambda _typed: "",
    "delete": lambda typed: typed,
}
"""What is left of the words; there is nothing behind the last one to delete."""


class FilteredView(ScrollView, can_focus=True):
    """Lines of which those are shown that contain the typed words; escape clears them, as ctrl-u
    does, and ctrl-w takes the last one away.

    A subclass gives `render_row`, `filter_changed` and, for what else its last line tells, `told`.
    The last line is there only while there is something to tell.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {"view--told"}
    ALLOW_SELECT: ClassVar[bool] = False
    BINDINGS: ClassVar[list[BindingType]] = named(
        "list",
        Binding(
            "slash",
            "filter",
            "filter",
            tooltip="Only lines that contain some words; esc clears",
        ),
        Binding("escape", "clear_filter", "all lines", tooltip="Clear the filter"),
        Binding("j,down", "move(1)", "Down", show=False, group=MOVES, id="down"),
        Binding("k,up", "move(-1)", "Up", show=False, group=MOVES, id="up"),
        Binding("pagedown,ctrl+d", "page(1)", "Page down", show=False, group=MOVES, id="page_down"),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", show=False, group=MOVES, id="page_up"),
        Binding("g,home", "edge(0)", "To the first", show=False, group=MOVES, id="first"),
        Binding("G,end", "edge(-1)", "To the last", show=False, group=MOVES, id="last"),
    )

    virtual_size: Reactive[Size] = Reactive(Size(0, 0), repaint=False)
    """Neither layout nor border is drawn anew at every change, as Textual would."""

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._filter = ""
        self._typing = False

    @property
    def words(self) -> list[str]:
        """What a line must contain to be shown."""
        return self._filter.split()

    @property
    def rows_in_view(self) -> int:
        """How many lines of text there is room for."""
        return max(self.size.height - (1 if self._told else 0), 1)

    def watch_virtual_size(self, _before: Size, size: Size) -> None:
        if self.show_vertical_scrollbar != (size.height > self.size.height):
            self.refresh(layout=True)
        elif self.show_vertical_scrollbar:
            self.vertical_scrollbar.window_virtual_size = size.height

    def render_row(self, y: int) -> Strip:
        """Line `y` of the widget."""
        raise NotImplementedError

    def filter_changed(self) -> None:
        """Show the lines that contain `words`."""
        raise NotImplementedError

    def told(self) -> list[str]:
        """What the last line tells beside the filter."""
        return []

    def clear_filter(self) -> None:
        """Show all lines again."""
        self._type("", typing=False)

    def action_filter(self) -> None:
        """Begin to type words."""
        self._type(self._filter, typing=True)

    def action_clear_filter(self) -> None:
        """Show all lines again."""
        self.clear_filter()

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Escape is ours only while a filter stands; else it goes back, as everywhere."""
        if action == "clear_filter":
            return self._typing or bool(self._filter)
        return action != "filter" or not self._typing

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Letters are words while one types; enter keeps them."""
        printable = character is not None and character.isprintable()
        return self._typing and (printable or key in (*_EDITING, "enter"))

    def on_key(self, event: events.Key) -> None:
        if not self._typing:
            return
        if event.key == "escape":
            self.clear_filter()
        elif event.key == "enter":
            self._type(self._filter, typing=False)
        elif event.key in _EDITING:
            self._type(_EDITING[event.key](self._filter), typing=True)
        elif event.is_printable and event.character:
            self._type(self._filter + event.character, typing=True)
        else:
            return
        event.stop()
        event.prevent_default()

    def on_blur(self) -> None:
        if self._typing:
            self._type(self._filter, typing=False)

    def render_line(self, y: int) -> Strip:
        if y == self.size.height - 1 and (told := self._told):
            style = self.get_component_rich_style("view--told")
            return Strip([Segment(told, style)]).crop_extend(0, self.size.width, style)
        return self.render_row(y)

    @property
    def _told(self) -> str:
        words = f"/{self._filter}{'_' if self._typing else ''}"
        parts = [words] if self._typing or self._filter else []
        return "  ".join([*parts, *self.told()])

    def _type(self, text: str, *, typing: bool) -> None:
        self._filter, self._typing = text, typing
        self.filter_changed()
        self.refresh_bindings()
        self.refresh()

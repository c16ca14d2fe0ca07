"""A page that is longer than its place, and is read line by line or page by page."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll

from tui.keys import MOVES, named


class Reading(VerticalScroll, can_focus=True):
    """Scrolls with the keys that move the cursor of a table."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        "page",
        Binding("j,down", "scroll_down", "Scroll down", show=False, group=MOVES, id="down"),
        Binding("k,up", "scroll_up", "Scroll up", show=False, group=MOVES, id="up"),
        Binding("pagedown,ctrl+d", "page_down", "Page down", show=False, group=MOVES),
        Binding("pageup,ctrl+u", "page_up", "Page up", show=False, group=MOVES),
        Binding("g,home", "scroll_home", "To the top", show=False, group=MOVES, id="top"),
        Binding("G,end", "scroll_end", "To the end", show=False, group=MOVES, id="end"),
    )

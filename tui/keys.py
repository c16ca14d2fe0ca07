"""Which keys there are to tell of: the one source of the help and of the command palette."""

from __future__ import annotations

from textual.binding import ActiveBinding, Binding
from textual.containers import ScrollableContainer
from textual.screen import Screen
from textual.widgets import Input

MOVING = "Arrows or h j k l move, pgup pgdn home end as well, tab goes to the next panel."

_MOVES = {
    binding.action
    for kind in (Screen, ScrollableContainer, Input)
    for binding in kind.BINDINGS
    if isinstance(binding, Binding)
}


def telling(screen: Screen[object]) -> list[ActiveBinding]:
    """The bindings in force that do more than move the cursor, those of the focus first."""
    return [
        active
        for active in screen.active_bindings.values()
        if active.binding.description
        and not active.binding.system
        and active.binding.action not in _MOVES
    ]

"""The keys there are: to be told in the help and the palette, and to be named in the settings."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from textual.binding import ActiveBinding, Binding, BindingType
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


def named(place: str, bindings: Iterable[BindingType]) -> list[BindingType]:
    """The bindings, those without a name called by place and action: `catalog.fetch`."""
    taken: set[str] = set()
    found: list[BindingType] = []
    for binding in bindings:
        if isinstance(binding, Binding) and binding.id is None and binding.description:
            words = re.findall(r"-?\w+", binding.action.replace("-", "minus_"))
            name = f"{place}.{'_'.join(words)}"
            if name not in taken:
                taken.add(name)
                binding = replace(binding, id=name)
        found.append(binding)
    return found


def key_names(kinds: Iterable[type]) -> dict[str, Binding]:
    """Every named key of these screens and widgets, by its name."""
    return {
        binding.id: binding
        for kind in kinds
        for binding in vars(kind).get("BINDINGS", ())
        if isinstance(binding, Binding) and binding.id is not None
    }

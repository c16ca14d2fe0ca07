"""The keys there are: to be told in the help and the palette, and to be named in the settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from textual.binding import ActiveBinding, Binding, BindingType
from textual.keys import key_to_character
from textual.screen import Screen

MOVES = Binding.Group("Moving")
"""The group of the keys that only move; they are told apart from those that do something."""


def named(place: str, *bindings: Binding) -> list[BindingType]:
    """The bindings, each called by place and action, as the settings know it: `catalog.fetch`.

    An action with arguments has no name of its own: its binding says one by its `id`.
    """
    return [replace(one, id=f"{place}.{one.id or one.action}") for one in bindings]


def telling(screen: Screen[Any]) -> list[ActiveBinding]:
    """The bindings in force that do more than move, those of the focus first."""
    return [active for active in _ours(screen) if active.binding.group is not MOVES]


def moving(screen: Screen[Any]) -> list[ActiveBinding]:
    """The bindings in force that only move."""
    return [active for active in _ours(screen) if active.binding.group is MOVES]


def shown(screen: Screen[Any]) -> list[Binding]:
    """The bindings that are told where they work, one of each action: those of the focus first,
    what leaves and the filter, which all lists have, last.

    What a field would take as text is left out while one is being typed in.
    """
    focused = screen.focused
    found: dict[str, Binding] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        text = focused and focused.check_consume_key(binding.key, key_to_character(binding.key))
        if binding.show and active.enabled and not text:
            found.setdefault(binding.action, binding)
    return sorted(found.values(), key=lambda one: (one.action == "filter", one.key == "escape"))


def is_typed_in(screen: Screen[Any]) -> bool:
    """Whether what has the focus takes letters as text."""
    return screen.focused is not None and screen.focused.check_consume_key("a", "a")


def _ours(screen: Screen[Any]) -> list[ActiveBinding]:
    return [active for active in screen.active_bindings.values() if active.binding.id is not None]

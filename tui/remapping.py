"""Other keys, chosen in the settings: those there are by name, and what is wrong with a choice."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from textual.app import App
from textual.binding import Binding
from textual.keys import Keys, format_key, key_to_character
from textual.screen import ModalScreen, Screen

from catalog.errors import WrongInput

if TYPE_CHECKING:
    from core.settings import Home, Settings

_MODIFIERS = {"ctrl", "alt", "shift", "super", "hyper", "meta"}
_NAMES = {key.value for key in Keys}


@dataclass
class NamedKey:
    """The keys that do something by default, and what that is."""

    keys: list[str]
    meaning: str


class Fault(NamedTuple):
    """Why something cannot be done with the key of that name."""

    name: str
    reason: str


def places() -> list[type]:
    """Every class that has keys of its own. It imports all of them: for a thread."""
    from tui import screens, widgets
    from tui.app import QuarterdeckApp

    modules = [
        importlib.import_module(module.name)
        for package in (screens, widgets)
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    ]
    kinds = [
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and kind.__module__ == module.__name__
    ]
    return [QuarterdeckApp, *(kind for kind in kinds if "BINDINGS" in vars(kind))]


def named_keys() -> dict[str, NamedKey]:
    """Every key of the dashboard by its name; for a thread."""
    found: dict[str, NamedKey] = {}
    for kind in sorted(places(), key=lambda kind: len(kind.__mro__)):  # what is meant in general
        for binding in _bindings(kind):
            meaning = binding.tooltip or binding.description
            known = found.setdefault(str(binding.id), NamedKey([], meaning))
            known.keys += [key for key in _split(binding.key) if key not in known.keys]
    return dict(sorted(found.items()))


def faults(chosen: Mapping[str, str]) -> Iterator[Fault]:
    """What is wrong with keys that a user chose, by their names: no such name, no such key, or a
    key that would do two things in one place. For a thread.
    """
    by_default = named_keys()
    there = {kind: _there(kind) for kind in places()}
    for name, typed in chosen.items():
        if name not in by_default:
            yield Fault(name, "there is no key of that name; the settings screen lists them all")
            continue
        for key in _split(typed) or [""]:
            if not _is_a_key(key):
                yield Fault(name, f"'{typed}' is no key; keys are such as f, F, ctrl+f, f5, space")
            elif key not in by_default[name].keys and (other := _taken(key, name, chosen, there)):
                yield Fault(name, f"'{format_key(key)}' is the key of {other} in the same place")


def load_settings(home: Home) -> tuple[Settings, WrongInput | None]:
    """The settings of a home, or of them what was good the last time; and what is wrong with them.

    For a thread. Raises `WrongInput` as `load_or_last_good`.
    """
    from core.preferences import keep_as_good, last_good, load_or_last_good
    from core.settings import unfit

    settings, problem = load_or_last_good(home)
    if problem is not None:
        return settings, problem
    fault = next(faults(settings.keys), None) if settings.keys else None
    if fault is None:
        keep_as_good(home)
        return settings, None
    before = last_good(home)
    keys = before.keys if before is not None else {}
    text = home.settings_file.read_text(encoding="utf-8")
    problem = unfit(home.settings_file, text, ("keys", fault.name), fault.reason)
    return settings.model_copy(update={"keys": keys}), problem


def _bindings(kind: type) -> list[Binding]:
    return [one for one in vars(kind).get("BINDINGS", ()) if isinstance(one, Binding) and one.id]


def _split(keys: str) -> list[str]:
    """The keys of a list, as Textual calls them: `?` is question_mark."""
    typed = [Binding(key.strip(), "") for key in keys.split(",") if key.strip()]
    return [one.key for one in Binding.make_bindings(typed)]


def _is_a_key(key: str) -> bool:
    *modifiers, last = key.split("+")
    known = last in _NAMES or key_to_character(last) is not None
    return known and _MODIFIERS.issuperset(modifiers)


def _there(kind: type) -> dict[str, str]:
    """The names of the keys in a place, by the keys."""
    return {
        key: str(binding.id)
        for base in reversed(kind.__mro__)
        for binding in _bindings(base)
        for key in _split(binding.key)
    }


def _taken(
    key: str, name: str, chosen: Mapping[str, str], there: Mapping[type, Mapping[str, str]]
) -> str | None:
    """The other name that has the key in a place where this name is known as well."""
    for kind in (kind for kind, names in there.items() if name in names.values()):
        for other, names in there.items():
            if other is kind or _meet(kind, other) or _meet(other, kind):
                for usual, owner in names.items():
                    if owner != name and key in _split(chosen.get(owner, usual)):
                        return owner
    return None


def _meet(one: type, other: type) -> bool:
    """Whether keys of both can be in force at once: tables and logs are on every screen, the keys
    of the app work everywhere but in dialogs."""
    from tui.widgets.filtering import FilteredView

    if issubclass(one, App):
        return not issubclass(other, ModalScreen)
    return issubclass(one, FilteredView) and issubclass(other, Screen)

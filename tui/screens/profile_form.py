"""The form of a profile: where its gateway listens, whose account it is, where its bars go."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from tui.screens.form_dialog import FormDialog
from tui.widgets.form import FormField

if TYPE_CHECKING:
    from core.settings import Home, Profile, Settings

_PAPER, _LIVE = "paper", "live"
_TYPED = {"host": "host", "port": "port", "client_id": "client id", "timeout": "time-out"}
"""The fields that say where a gateway listens, by their labels."""

_USUAL = {
    "host": "127.0.0.1",
    "port": "4002; live 4001, TWS 7497, its live 7496",
    "client_id": "the first free one of 1 to 10",
    "timeout": "5 seconds for the handshake",
}


def profile_form(home: Home, settings: Settings, profile: Profile | None = None) -> FormDialog[str]:
    """A form that makes a profile, or changes this one; dismissed with its name once the settings
    file has it."""
    from core.profiles import add_profile, edit_profile, read_field, read_name

    before = _as_typed(profile) if profile else {"live": _PAPER}
    readers: dict[str, Callable[[str], object]] = {
        "name": partial(read_name, taken=settings.profiles),
        "live": lambda text: text == _LIVE,
        **{key: partial(read_field, key) for key in (*_TYPED, "catalog")},
    }

    async def take(typed: Mapping[str, str]) -> str:
        values = {
            key: readers[key](text)
            for key, text in typed.items()
            if key != "name" and text != before.get(key, "")
        }
        file = home.settings_file
        if profile is None:
            return (await asyncio.to_thread(add_profile, file, typed["name"], values)).name
        return (await asyncio.to_thread(edit_profile, file, profile.name, values)).name

    return FormDialog(
        f"Profile {profile.name}" if profile else "New profile",
        "What is left empty is as usual.",
        tuple(_fields(profile, before, home)),
        take,
        readers=readers,
    )


def _fields(profile: Profile | None, before: Mapping[str, str], home: Home) -> Iterator[FormField]:
    if profile is None:
        yield FormField("name", "name", placeholder="e.g. office")
    if profile is None or not profile.simulated:  # the simulator listens where there is room
        for key, label in _TYPED.items():
            yield FormField(key, label, before.get(key, ""), placeholder=_USUAL[key])
        yield FormField("live", "account", before["live"], choices=(_PAPER, _LIVE))
    usual = str(profile.catalog_root(home)) if profile else "the default one"
    yield FormField("catalog", "catalog", before.get("catalog", ""), placeholder=usual)


def _as_typed(profile: Profile) -> dict[str, str]:
    from core.preferences import told

    typed = {key: told(getattr(profile, key)) for key in (*_TYPED, "catalog")}
    return typed | {"live": _LIVE if profile.live else _PAPER}

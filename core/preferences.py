"""Single settings as a person types them, and the settings that were good the last time."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from catalog.errors import WrongInput
from core.profiles import change_settings
from core.settings import Home, Settings

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_LAST_GOOD = "settings.last-good.toml"


def load_or_last_good(home: Home) -> tuple[Settings, WrongInput | None]:
    """The settings of a home; where they cannot be used, those of the last time, and what is wrong.

    Raises `WrongInput` where there are none of before.
    """
    try:
        return Settings.load(home.settings_file), None
    except WrongInput as problem:
        if (before := last_good(home)) is None:
            raise
        return before, problem


def last_good(home: Home) -> Settings | None:
    """The settings that were kept for such a time; None where there are none that can be used."""
    try:
        text = (home.state / _LAST_GOOD).read_text(encoding="utf-8")
        return Settings.parse(text, home.settings_file)
    except (OSError, WrongInput):
        return None


def keep_as_good(home: Home) -> None:
    """Keep the settings file, which can be used now, for a time when it cannot."""
    if home.settings_file.exists() and home.state.is_dir():
        text = home.settings_file.read_text(encoding="utf-8")
        (home.state / _LAST_GOOD).write_text(text, encoding="utf-8")


def change_setting(file: Path, keys: tuple[str, ...], text: str) -> Settings:
    """Set what `keys` name, such as ("profiles", "demo", "port"), to what was typed; an empty text
    puts the default back.

    Gives the settings as they are then. Raises `WrongInput` when the text does not fit, and
    `CatalogUnusable` when the file cannot be written.
    """
    value = _read(keys, text) if text else None

    def change(document: TOMLDocument) -> None:
        table: Any = document
        for key in keys[:-1]:
            table = table.setdefault(key, {})
        if value is None:
            table.pop(keys[-1], None)
        else:
            table[keys[-1]] = value

    return change_settings(file, change)


def _read(keys: tuple[str, ...], text: str) -> object:
    """The text as TOML keeps it: yes and no, numbers, lists of words."""
    nested: Any = text.replace(",", " ").split() if keys[0] == "watchlists" else text
    for key in reversed(keys[1:]):
        nested = {key: nested}
    try:
        read: Any = Settings.model_validate({keys[0]: nested})
    except ValidationError as error:
        raise WrongInput(
            f"{'.'.join(keys)} cannot be '{text}'",
            error.errors()[0]["msg"].removeprefix("Value error, "),
            "type another value",
        ) from error
    for key in keys:
        read = getattr(read, key) if isinstance(read, BaseModel) else read[key]
    if isinstance(read, Path):
        return str(read)
    return list(read) if isinstance(read, tuple) else read


def told(value: object) -> str:
    """A value as it is typed."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return " ".join(map(str, value))
    return "" if value is None else str(value)

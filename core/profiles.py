"""Profiles in the settings file: made, changed, removed, switched. The file stays the user's own:
comments and order are kept, and it is replaced as a whole or not at all."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout
from pydantic import ValidationError

from catalog.errors import CatalogUnusable, WrongInput
from core.settings import BUILT_IN, Profile, Settings, adapted

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_LOCK_SECONDS = 10.0


def add_profile(file: Path, name: str, values: Mapping[str, object]) -> Profile:
    """Make a profile; values are fields of `Profile`, others have their defaults.

    Raises `WrongInput` for a name that is taken or cannot be one, and for values that do not fit.
    """
    read_name(name, Settings.load(file).profiles)
    return _write(file, Profile(name=name), values)


def read_name(name: str, taken: Container[str]) -> str:
    """A name for a new profile. Raises `WrongInput` for one that is taken or cannot be one."""
    if not _NAME.fullmatch(name):
        raise WrongInput(
            f"a profile cannot be named '{name}'",
            "a name has up to 40 letters, digits, dashes and underscores",
            "choose another name",
        )
    if name in taken:
        raise WrongInput(
            f"there is a profile '{name}' already",
            "names are unique",
            f"change it: quarterdeck profile edit {name}",
            "choose another name",
        )
    return name


def read_field(field: str, text: str) -> object:
    """A field of `Profile` as it is typed; None for an empty text, which stands for the default.

    Raises `WrongInput` for what does not fit.
    """
    if not text:
        return None
    try:
        value: object = getattr(Profile.model_validate({field: text}), field)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise WrongInput(f"it cannot be '{text}'", reason, "type another one") from error
    return value.expanduser().absolute() if isinstance(value, Path) else value


def edit_profile(file: Path, name: str, values: Mapping[str, object]) -> Profile:
    """Change fields of a profile; None puts one back to its default.

    Raises `WrongInput` for a name there is not, and for values that do not fit.
    """
    return _write(file, Settings.load(file).choose(name), values)


def remove_profile(file: Path, name: str) -> bool:
    """Remove what the file says of a profile; False when it is back to a built-in one then.

    Raises `WrongInput` when the file says nothing of it, or when it is the one in use.
    """
    settings = Settings.load(file)
    settings.choose(name)
    if name == settings.profile and name not in BUILT_IN:
        raise WrongInput(
            f"the profile '{name}' is in use",
            "it is the one that is taken where none is named",
            "switch first: quarterdeck profile use NAME",
        )

    def remove(document: TOMLDocument) -> None:
        profiles = document.get("profiles", {})
        if name not in profiles:
            raise WrongInput(
                f"the profile '{name}' cannot be removed",
                "it is built in",
                "change it instead: quarterdeck profile edit",
            )
        del profiles[name]

    change_settings(file, remove)
    return name not in BUILT_IN


def use_profile(file: Path, name: str) -> Profile:
    """Make a profile the one that is taken where none is named.

    Raises `WrongInput` for a name there is not.
    """
    profile = Settings.load(file).choose(name)

    def switch(document: TOMLDocument) -> None:
        document["profile"] = name

    change_settings(file, switch)
    return profile


def _write(file: Path, profile: Profile, values: Mapping[str, object]) -> Profile:
    adapted(profile, **values)  # tells what does not fit by the name of its option

    def write(document: TOMLDocument) -> None:
        profiles: Any = document.setdefault("profiles", {})
        table = profiles.setdefault(profile.name, {})
        for key, value in values.items():
            if value is not None:
                table[key] = str(value) if isinstance(value, Path) else value
            else:
                table.pop(key, None)

    return change_settings(file, write).profiles[profile.name]


def change_settings(file: Path, change: Callable[[TOMLDocument], None]) -> Settings:
    """Change the file, alone; what it says then is checked before it is written."""
    import tomlkit  # 4 MB, for what is seldom done

    file = file.resolve()  # a link to it stays one
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(file.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            before = file.read_text(encoding="utf-8") if file.exists() else ""
            Settings.parse(before, file)
            document = tomlkit.parse(before)
            change(document)
            text = tomlkit.dumps(document)
            settings = Settings.parse(text, file)
            _replace(file, text)
    except (OSError, Timeout) as error:
        raise CatalogUnusable(
            "the settings cannot be written",
            f"{file}: {error}",
            "look at the permissions of the file and its folder",
        ) from error
    return settings


def _replace(file: Path, text: str) -> None:
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=file.parent, prefix=f".{file.name}.", delete=False
    ) as new:
        try:
            new.write(text)
            new.flush()
            os.fsync(new.fileno())
            if file.exists():
                Path(new.name).chmod(file.stat().st_mode)
            Path(new.name).replace(file)
        except BaseException:
            Path(new.name).unlink(missing_ok=True)
            raise

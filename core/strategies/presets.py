"""Parameters of strategies, saved by name in a TOML file of the home."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import tomlkit
from filelock import FileLock
from tomlkit.exceptions import TOMLKitError

from catalog.errors import WrongInput
from core.strategies.parameters import near_first

type Preset = dict[str, object]


class Presets:
    """The presets in one file, by strategy. Every method reads or writes it: call them in a
    thread.

    Raises `WrongInput` when the file cannot be understood.
    """

    def __init__(self, file: Path) -> None:
        self.file = file

    def of(self, strategy: str) -> dict[str, Preset]:
        """The presets of a strategy by name."""
        found = self._read().get(strategy, {})
        return {name: dict(values) for name, values in found.items()}

    def load(self, strategy: str, name: str) -> Preset:
        """The parameters of a preset. Raises `WrongInput` when there is none of that name."""
        known = self.of(strategy)
        if name not in known:
            raise _unknown(strategy, name, known)
        return known[name]

    def save(self, strategy: str, name: str, parameters: Mapping[str, object]) -> None:
        """Keep parameters under a name, in place of what had it."""
        if not name.strip():
            raise WrongInput("a preset needs a name", "none was given", "give it a name")
        with self._writing() as document:
            document.setdefault(strategy, tomlkit.table())[name] = {
                key: _plain(value) for key, value in parameters.items() if value is not None
            }

    def delete(self, strategy: str, name: str) -> None:
        """Forget a preset. Raises `WrongInput` when there is none of that name."""
        with self._writing() as document:
            known = document.get(strategy, {})
            if name not in known:
                raise _unknown(strategy, name, known)
            del known[name]

    def _read(self) -> tomlkit.TOMLDocument:
        try:
            return tomlkit.parse(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return tomlkit.document()
        except (OSError, UnicodeDecodeError, TOMLKitError) as error:
            raise WrongInput(
                "The presets cannot be read",
                f"{self.file}: {error}",
                "correct or remove the file",
            ) from error

    @contextmanager
    def _writing(self) -> Iterator[tomlkit.TOMLDocument]:
        """The file's content, written whole at the end; other processes wait."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.file.with_suffix(".lock"), timeout=10):
                document = self._read()
                yield document
                fresh = self.file.with_suffix(".new")
                fresh.write_text(tomlkit.dumps(document), encoding="utf-8")
                fresh.replace(self.file)
        except OSError as error:
            raise WrongInput(
                "The presets cannot be written",
                f"{self.file}: {error.strerror or error}",
                "make the file and its folder writable",
            ) from error


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Decimal) else value


def _unknown(strategy: str, name: str, known: Mapping[str, object]) -> WrongInput:
    return WrongInput(
        f"{strategy} has no preset '{name}'",
        f"its presets are {near_first(name, known)}" if known else "none is saved",
        "choose one of them" if known else f"save one: quarterdeck strategy save {strategy} {name}",
    )

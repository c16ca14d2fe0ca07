"""Specs of runs that a person keeps by name, in one file."""

from __future__ import annotations

import json
from pathlib import Path

from catalog.errors import DataUnavailable, WrongInput
from core.backtest.run_files import replace_json
from core.backtest.spec import RunSpec


class Presets:
    """The presets in a JSON file. Every method does file work: call them in a thread."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def all(self) -> dict[str, RunSpec]:
        """The specs by their names, in the order they were first kept.

        Raises `DataUnavailable` when the file is damaged.
        """
        try:
            records = json.loads(self._file.read_text(encoding="utf-8"))
            return {name: RunSpec.from_json(record) for name, record in records.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, WrongInput) as error:
            raise DataUnavailable(
                "the presets cannot be read", f"{self._file}: {error}", "correct or move the file"
            ) from error

    def keep(self, name: str, spec: RunSpec) -> None:
        """Keep a spec under a name, in place of the one before."""
        self._write({**self.all(), name: spec})

    def drop(self, name: str) -> None:
        """Forget a preset. Raises `WrongInput` for a name that none has."""
        presets = self.all()
        if name not in presets:
            known = ", ".join(presets) or "none yet"
            raise WrongInput(f"there is no preset '{name}'", f"presets: {known}", "choose one")
        del presets[name]
        self._write(presets)

    def _write(self, presets: dict[str, RunSpec]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        replace_json(self._file, {name: spec.to_json() for name, spec in presets.items()})

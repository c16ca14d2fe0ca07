"""Parameters of strategies, and whole runs, that a person keeps by name: a table each in a TOML
file of the home.

    [sma_crossover.quick]
    fast_period = 5

    [sma_crossover.quick.run-terms]    # where the run was kept too; no parameter has such a name
    instruments = ["AAPL"]
    bars = "1-MINUTE-LAST"
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from catalog.errors import WrongInput
from catalog.series import BarSpec
from core.backtest.spec import RunSpec, plain_value
from core.strategies.parameters import near_first

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

_TERMS = "run-terms"


@dataclass(frozen=True, slots=True)
class Preset:
    """Parameters of a strategy, and `terms` of a run besides them: some fields of a `RunSpec`, as
    in its JSON, or none."""

    parameters: Mapping[str, object]
    terms: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: RunSpec) -> Preset:
        """Everything of a run but the name of its strategy."""
        terms = spec.to_json()
        del terms["strategy"], terms["parameters"]
        return cls(spec.parameters, terms)

    def applied(self, spec: RunSpec, given: Collection[str] = ()) -> RunSpec:
        """The run with what was kept, where the terms `given` and the parameters that it names
        itself go before."""
        kept = {name: value for name, value in self.terms.items() if name not in given}
        parameters = {**self.parameters, **spec.parameters}
        return RunSpec.from_json({**spec.to_json(), **kept, "parameters": parameters})


class Presets:
    """The presets in one file, by strategy. Every method reads or writes it: call them in a
    thread.

    `old` is the JSON file in which the dashboard kept whole runs apart, if there is one: its
    presets are among the others, and move over when something is written.

    Raises `WrongInput` when a file cannot be understood.
    """

    def __init__(self, file: Path, old: Path | None = None) -> None:
        self.file = file
        self._old = old

    def of(self, strategy: str) -> dict[str, Preset]:
        """The presets of a strategy by name."""
        found = self._read().unwrap().get(strategy, {})
        return {name: self._preset(name, table) for name, table in found.items()}

    def load(self, strategy: str, name: str) -> Preset:
        """A preset. Raises `WrongInput` when there is none of that name."""
        known = self.of(strategy)
        if name not in known:
            raise _unknown(strategy, name, known)
        return known[name]

    def save(self, strategy: str, name: str, preset: Preset) -> None:
        """Keep a preset under a name, in place of what had it."""
        if not name.strip():
            raise WrongInput("a preset needs a name", "none was given", "give it a name")
        with self._writing() as document:
            document.setdefault(strategy, {})[name] = _table(preset)

    def delete(self, strategy: str, name: str) -> None:
        """Forget a preset. Raises `WrongInput` when there is none of that name."""
        with self._writing() as document:
            known = document.get(strategy, {})
            if name not in known:
                raise _unknown(strategy, name, known)
            del known[name]

    def _preset(self, name: str, table: Mapping[str, Any]) -> Preset:
        parameters = dict(table)
        terms = parameters.pop(_TERMS, {})
        try:
            _check_terms(terms)
        except (ValueError, WrongInput) as error:
            raise _unreadable(self.file, f"preset {name}: {error}") from error
        return Preset(parameters, terms)

    def _read(self) -> TOMLDocument:
        import tomlkit  # 4 MB, for what is seldom done
        from tomlkit.exceptions import TOMLKitError

        try:
            document = tomlkit.parse(self.file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            document = tomlkit.document()
        except (OSError, UnicodeDecodeError, TOMLKitError) as error:
            raise _unreadable(self.file, str(error)) from error
        for name, spec in self._old_runs().items():
            known = document.setdefault(spec.strategy, {})
            while name in known:
                name += " (run)"
            known[name] = _table(Preset.of(spec))
        return document

    def _old_runs(self) -> dict[str, RunSpec]:
        if self._old is None:
            return {}
        try:
            records = json.loads(self._old.read_text(encoding="utf-8"))
            return {name: RunSpec.from_json(record) for name, record in records.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, WrongInput) as error:
            raise _unreadable(self._old, str(error)) from error

    @contextmanager
    def _writing(self) -> Iterator[TOMLDocument]:
        """The file's content, written whole at the end; other processes wait."""
        import tomlkit

        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.file.with_suffix(".lock"), timeout=10):
                document = self._read()
                yield document
                fresh = self.file.with_suffix(".new")
                fresh.write_text(tomlkit.dumps(document), encoding="utf-8")
                fresh.replace(self.file)
                if self._old is not None and self._old.exists():
                    self._old.replace(self._old.with_suffix(".json.old"))
        except OSError as error:
            raise WrongInput(
                "The presets cannot be written",
                f"{self.file}: {error.strerror or error}",
                "make the file and its folder writable",
            ) from error


def _table(preset: Preset) -> dict[str, object]:
    """A preset as it stands in the file, parameters without a value left out."""
    given = {name: value for name, value in preset.parameters.items() if value is not None}
    parameters = {name: plain_value(value) for name, value in given.items()}
    return {**parameters, **({_TERMS: preset.terms} if preset.terms else {})}


def _check_terms(terms: Mapping[str, Any]) -> None:
    """Raise `WrongInput` or `ValueError` for terms that a run has not, or of another type."""
    usual = RunSpec("").to_json()
    for name, value in terms.items():
        kind = (int, float) if isinstance(usual.get(name), float) else type(usual.get(name))
        if not isinstance(value, kind) or name in ("strategy", "parameters"):
            raise ValueError(f"{name} = {value!r} is no term of a run")
    BarSpec.parse(terms.get("bars", "1-MINUTE"))


def _unreadable(file: Path, reason: str) -> WrongInput:
    return WrongInput(
        "The presets cannot be read", f"{file}: {reason}", "correct or remove the file"
    )


def _unknown(strategy: str, name: str, known: Mapping[str, object]) -> WrongInput:
    return WrongInput(
        f"{strategy} has no preset '{name}'",
        f"its presets are {near_first(name, known)}" if known else "none is saved",
        "choose one of them" if known else f"save one: quarterdeck strategy save {strategy} {name}",
    )

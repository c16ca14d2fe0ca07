"""What can be set on a strategy, as plain data, and typed values read as what they stand for.

Nothing here needs Nautilus: forms and commands read values in the dashboard's process, also those
of strategies that only a worker has imported.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal

from catalog.errors import WrongInput

type ParameterType = Literal[
    "int", "float", "decimal", "bool", "str", "choice", "instrument", "bar type"
]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One thing to set.

    `default` is plain: a number, text, True, or None where there is none. `choices` are the words
    a `choice` can be. `optional` parameters may be left empty, `required` ones have no default.
    Bounds are inclusive.
    """

    name: str
    type: ParameterType
    default: object
    doc: str = ""
    at_least: float | None = None
    at_most: float | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False
    required: bool = False

    def read(self, value: object) -> object:
        """The value, text read as what it stands for: an int, float, Decimal, bool or str.

        Raises `WrongInput` when it does not fit the type or the bounds.
        """
        if self.optional and value in (None, ""):
            return None
        # Through text: `True` is no whole number, 10.0 is none either, and a Decimal stays exact.
        try:
            read = _READERS[self.type](str(value).strip())
        except (ValueError, InvalidOperation):
            raise self._refused(value, f"it must be {IN_WORDS[self.type]}") from None
        if self.choices and read not in self.choices:
            raise self._refused(value, f"it must be one of {near_first(str(read), self.choices)}")
        if isinstance(read, int | float | Decimal):
            check_bounds(self.name, read, self.at_least, self.at_most)
        return read

    def _refused(self, value: object, reason: str) -> WrongInput:
        example = self.choices[0] if self.choices else self.default
        if example is None:
            example = _EXAMPLES[self.type]
        return WrongInput(
            f"'{value}' does not fit {self.name}", reason, f"for example {self.name}={example}"
        )


@dataclass(frozen=True, slots=True)
class StrategyInfo:
    """What a person reads before choosing a strategy, and where it is found.

    `instruments` is how many one instance of it trades: with more, each set of so many gets an
    instance of its own; None is any number. `file` is its source. A strategy with an `error`
    cannot be used.
    """

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    instruments: int | None = 1
    file: Path | None = None
    error: str = ""

    def read(self, given: Mapping[str, object]) -> dict[str, object]:
        """What is given, each value read as what it stands for.

        Raises `WrongInput` for an unknown parameter, a value that does not fit, or one that is
        lacking.
        """
        known = {each.name: each for each in self.parameters}
        for name in given:
            if name not in known:
                raise WrongInput(
                    f"{self.name} has no parameter '{name}'",
                    f"its parameters are {near_first(name, known)}" if known else "it has none",
                    "correct the name",
                )
        for each in self.parameters:
            if each.required and each.name not in given:
                raise WrongInput(
                    f"{self.name} needs {each.name}",
                    each.doc or f"it has no default; it is {IN_WORDS[each.type]}",
                    f"give --param {each.name}=...",
                )
        return {name: known[name].read(value) for name, value in given.items()}

    def refuse_count(self, markets: int) -> None:
        """Raise `WrongInput` for a number of instruments that it cannot trade."""
        if self.instruments and markets % self.instruments:
            raise WrongInput(
                f"{self.name} trades {self.instruments} instruments together",
                f"{markets} were named" if markets > 1 else "one was named",
                f"name {self.instruments} instruments, or a multiple",
            )


def check_bounds(
    name: str, value: float | Decimal, at_least: float | None, at_most: float | None
) -> None:
    """Raise `WrongInput` for a number that is out of its bounds, or none at all."""
    low = at_least is not None and value < at_least
    high = at_most is not None and value > at_most
    if low or high or not math.isfinite(value):
        bounds = (("at least", at_least), ("at most", at_most))
        wanted = " and ".join(f"{word} {bound}" for word, bound in bounds if bound is not None)
        raise WrongInput(
            f"{name}={value} is out of bounds",
            f"it must be {wanted or 'a finite number'}",
            f"choose another {name}",
        )


def near_first(typed: str, names: Iterable[str]) -> str:
    """All names in a line, those that look like what was typed first."""
    known = list(names)
    near = difflib.get_close_matches(typed, known, n=3, cutoff=0.5)
    return ", ".join([*near, *(name for name in known if name not in near)])


_TRUE, _FALSE = frozenset({"true", "yes", "on", "1"}), frozenset({"false", "no", "off", "0"})


def _bool(text: str) -> bool:
    if text.lower() not in _TRUE | _FALSE:
        raise ValueError(text)
    return text.lower() in _TRUE


_READERS: Mapping[ParameterType, Callable[[str], object]] = {
    "int": int,
    "float": float,
    "decimal": Decimal,
    "bool": _bool,
    "str": str,
    "choice": str,
    "instrument": str,
    "bar type": str,
}
IN_WORDS: Mapping[ParameterType, str] = {
    "int": "a whole number",
    "float": "a number",
    "decimal": "a number",
    "bool": "true or false",
    "str": "text",
    "choice": "one of its choices",
    "instrument": "the id of an instrument of the run",
    "bar type": "a bar type: 5-MINUTE-LAST is made of the run's bars, 1-DAY-LAST-EXTERNAL stored",
}
"""What a value of each type is."""
_EXAMPLES: Mapping[ParameterType, str] = {
    "int": "100",
    "float": "1.5",
    "decimal": "100",
    "bool": "true",
    "str": "text",
    "choice": "one",
    "instrument": "AAPL.NASDAQ",
    "bar type": "5-MINUTE-LAST",
}

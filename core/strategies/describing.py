"""From a strategy's own annotations to what a person can set.

Works on any class, Nautilus' own among them, and imports nothing of Nautilus: its types are known
by their names.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import itertools
import textwrap
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from types import UnionType
from typing import Any, Literal

from core.strategies.parameters import Parameter, ParameterType

_PLAIN: Mapping[object, ParameterType] = {
    int: "int",
    float: "float",
    Decimal: "decimal",
    bool: "bool",
    str: "str",
}
_NAUTILUS: Mapping[str, ParameterType] = {"InstrumentId": "instrument", "BarType": "bar type"}
_SEQUENCES = (list, tuple)
_DOC = ("doc", "description", "help")
_AT_LEAST = ("at_least", "ge", "min", "minimum")
_AT_MOST = ("at_most", "le", "max", "maximum")


@dataclass(frozen=True, slots=True)
class Field:
    """One thing a configuration is made of, as its author wrote it.

    `default` is `inspect.Parameter.empty` where there is none.
    """

    name: str
    hint: Any
    default: Any
    metadata: Mapping[str, Any]
    doc: str = ""

    @property
    def required(self) -> bool:
        """Whether a value has to be given."""
        return self.default is inspect.Parameter.empty

    @property
    def type(self) -> ParameterType | None:
        """What a person can type for it; None when nothing."""
        hint = self.plain_hint
        if isinstance(hint, type) and hint in _PLAIN:
            return _PLAIN[hint]
        name = getattr(hint, "__name__", "")
        return _NAUTILUS.get(name) or ("choice" if choices_of(hint) else None)

    @property
    def plain_hint(self) -> Any:
        """The type of a value, None aside."""
        return without_none(self.hint)

    @property
    def of_market(self) -> ParameterType | None:
        """`instrument` or `bar type` where the run fills it in, alone or in a list."""
        hint = self.element_hint or self.plain_hint
        return _NAUTILUS.get(getattr(hint, "__name__", ""))

    @property
    def element_hint(self) -> Any:
        """The type of the elements of a list or tuple, else None."""
        hint = self.plain_hint
        if typing.get_origin(hint) in _SEQUENCES:
            return typing.get_args(hint)[0]
        return None

    def parameter(self) -> Parameter | None:
        """The field as a person sets it; None where there is nothing to type."""
        kind = self.type
        if kind is None:
            return None
        return Parameter(
            self.name,
            kind,
            _plain(self.default),
            str(self._noted(_DOC) or self.doc),
            self._noted(_AT_LEAST),
            self._noted(_AT_MOST),
            choices_of(self.plain_hint),
            optional=self.plain_hint is not self.hint,
            required=self.required and kind not in ("instrument", "bar type"),
        )

    def _noted(self, keys: tuple[str, ...]) -> Any:
        return next((self.metadata[key] for key in keys if key in self.metadata), None)


def fields_of(kind: type) -> list[Field]:
    """What a configuration class is made of: the fields of a dataclass, else the arguments of its
    constructor that carry a type or a default.

    Raises `NameError` for a field of a type that is only imported for type checkers.
    """
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        docs = _attribute_docs(kind)
        return [
            Field(
                each.name,
                hints[each.name],
                _default(each),
                each.metadata,
                docs.get(each.name, ""),
            )
            for each in dataclasses.fields(kind)
            if each.init
        ]
    constructor = constructor_of(kind)
    if constructor is None:
        return []
    hints = _hints(constructor)
    empty = inspect.Parameter.empty
    named = list(inspect.signature(constructor).parameters.values())[1:]
    return [
        Field(each.name, hints.get(each.name, type(each.default)), each.default, {})
        for each in named
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
        and (each.name in hints or each.default is not empty)
    ]


def constructor_of(kind: type) -> Any:
    """The `__init__` that a class has or inherits, if it is written in Python."""
    constructor = getattr(kind, "__init__", None)
    return constructor if inspect.isfunction(constructor) else None


def choices_of(hint: Any) -> tuple[str, ...]:
    """The words that a `Literal`, an enum or an enum of Nautilus' can be; empty for the rest."""
    if typing.get_origin(hint) is Literal:
        return tuple(str(value) for value in typing.get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return tuple(hint.__members__)
    variants = getattr(hint, "variants", None)
    return tuple(each.name for each in variants()) if callable(variants) else ()


def without_none(hint: Any) -> Any:
    """`X` of `X | None`."""
    if typing.get_origin(hint) in (UnionType, typing.Union):
        plain = [one for one in typing.get_args(hint) if one is not type(None)]
        return plain[0] if len(plain) == 1 else hint
    return hint


def summary_of(*kinds: type | None) -> str:
    """The first line of the first docstring of the classes."""
    docs = (vars(kind).get("__doc__") or "" for kind in kinds if kind is not None)
    # A dataclass without a docstring gets its signature as one.
    own = (doc.strip() for doc in docs if "(" not in doc.partition(" ")[0])
    return next((_first_sentence(doc) for doc in own if doc), "")


def _first_sentence(doc: str) -> str:
    return " ".join(doc.partition("\n\n")[0].split())


def _hints(constructor: Any) -> dict[str, Any]:
    try:
        return typing.get_type_hints(constructor)
    except NameError:  # the types are only imported for type checkers
        return {}


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default


def _plain(value: Any) -> object:
    if value is None or value is inspect.Parameter.empty:
        return None
    if isinstance(value, bool | int | float | Decimal | str) and not isinstance(value, Enum):
        return value
    return str(getattr(value, "name", value))


def _attribute_docs(kind: type) -> dict[str, str]:
    """The texts that stand below the fields of a class and its bases."""
    docs: dict[str, str] = {}
    for each in reversed(kind.__mro__):
        docs.update(_own_attribute_docs(each))
    return docs


def _own_attribute_docs(kind: type) -> Iterator[tuple[str, str]]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError):
        return
    body = typing.cast(ast.ClassDef, tree.body[0]).body
    for field, text in itertools.pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            yield field.target.id, " ".join(text.value.value.split())

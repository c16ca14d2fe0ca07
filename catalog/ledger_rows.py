"""Rows of the ledger's tables, and what they stand for."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from catalog.coverage import Interval
from catalog.errors import QuarterdeckError
from catalog.files import Asked, BarFile, Origin
from catalog.series import Series
from catalog.sessions import Hours

type Note = Literal["stale", "begin", "flags"]
"""What is noted of a series: why its stored history is no longer the broker's, from where on there
are data, and, line by line and for good, what changed its history."""

type NameSource = Literal["typed", "broker"]
"""Who calls an instrument so; what was typed was found to mean it."""


@dataclass(frozen=True, slots=True)
class Empty:
    """A span the broker answered with no bars, in which there is no file to say so."""

    interval: Interval
    hours: Hours
    con_id: int | None
    origin: Origin


@dataclass(frozen=True, slots=True)
class LostFile:
    """A file of ours that went, or lost its footer, without our doing; `path` is relative to the
    root, `asked` what its footer said."""

    path: str
    bar_type: str
    rows: int
    first: int
    last: int
    asked: Asked


def sound[R, T](decode: Callable[[R], T], row: R) -> T | None:
    """A row of a cache decoded; None when it rotted: it is then read again from its file."""
    with suppress(ValueError, KeyError, TypeError, QuarterdeckError):
        return decode(row)
    return None


def bar_row(root: Path, file: BarFile) -> tuple[object, ...]:
    """A file of bars as the table keeps it, but for whether it was checked."""
    path = file.path.relative_to(root)
    return (
        str(path),
        str(path.parent),
        file.series.bar_type,
        file.rows,
        file.first,
        file.last,
        file.price_precision,
        file.size_precision,
        file.size,
        file.mtime_ns,
        file.asked.to_json() if file.asked else None,
        json.dumps(file.covered),
    )


def bar_file(root: Path, row: tuple[Any, ...]) -> BarFile:
    """What `bar_row` gave, and whether it was checked, which is dropped."""
    path, _, bar_type, rows, first, last, prices, sizes, size, mtime_ns, asked, covered, _ = row
    return BarFile(
        path=root / path,
        series=Series.from_bar_type(bar_type),
        rows=rows,
        first=first,
        last=last,
        price_precision=prices,
        size_precision=sizes,
        size=size,
        mtime_ns=mtime_ns,
        asked=Asked.from_json(asked) if asked else None,
        covered=tuple((start, end) for start, end in json.loads(covered)),
    )


def lost_file(row: tuple[Any, ...]) -> LostFile:
    """A row of the lost files."""
    path, bar_type, rows, first, last, asked = row
    return LostFile(path, bar_type, rows, first, last, Asked.from_json(asked))

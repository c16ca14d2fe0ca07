"""An exception of a user's code in a few lines: the first cause first, each with the lines of
the user's own files that led there."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parent.parent
# What stands between Nautilus and the user's code; the shipped strategies do not.
_OURS = tuple(str(_ROOT / part) for part in ("backtest", "strategies/loading.py"))
_MOST_FRAMES = 8


def causes(error: BaseException) -> str:
    """The exception and what it came from, one line each and one for each place in the code."""
    return "\n".join(line for one in reversed(list(_chain(error))) for line in _lines(one))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _lines(error: BaseException) -> Iterator[str]:
    yield f"{type(error).__name__}: {error}".removesuffix(": ")
    if isinstance(error, SyntaxError) and error.text:
        yield f"  {error.filename}, line {error.lineno}: {error.text.strip()}"
        return
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not _passed_through(frame.filename)]
    for frame in (own or frames)[-_MOST_FRAMES:]:
        yield f"  {frame.filename}, line {frame.lineno}, in {frame.name}: {frame.line}"


def _passed_through(file: str) -> bool:
    return file.startswith((*_OURS, "<frozen ", "<string>")) or "/importlib/" in file

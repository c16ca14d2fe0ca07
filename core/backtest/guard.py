"""Exceptions inside an engine, kept instead of logged and forgotten.

Nautilus logs what a strategy raises and runs on. A run of ours ends there and says so.
Imports Nautilus: for worker processes only.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable
from typing import Any

from nautilus_trader.trading import Strategy

from catalog.errors import DataUnavailable, QuarterdeckError


class Failure:
    """The first exception in a run of strategy `name`, if there was one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._error: BaseException | None = None

    def __bool__(self) -> bool:
        return self._error is not None

    def keep(self, error: BaseException) -> None:
        """Remember it, unless there is one already, and write its traceback to the log."""
        if self._error is None:
            self._error = error
            traceback.print_exception(error)

    def raise_again(self) -> None:
        """Raise it in the user's words, if there is one."""
        if self._error is None:
            return
        if isinstance(self._error, QuarterdeckError):
            raise self._error
        place = traceback.extract_tb(self._error.__traceback__)[-1]
        raise DataUnavailable(
            f"{self._name} raised {type(self._error).__name__}: {self._error}",
            f"in {place.name}, line {place.lineno} of {place.filename}: {place.line}",
            "correct the strategy or its parameters",
        )


def guarded(kind: type[Strategy], failure: Failure) -> type[Any]:
    """The strategy class with each of its own `on_...` ending the run when it raises."""
    handlers = {
        name: _guard(getattr(kind, name), failure)
        for name in dir(kind)
        if name.startswith("on_") and getattr(kind, name) is not getattr(Strategy, name, None)
    }
    return type(kind.__name__, (kind,), handlers)


def _guard(handler: Callable[..., Any], failure: Failure) -> Callable[..., Any]:
    @functools.wraps(handler)
    def guard(strategy: Strategy, *args: Any) -> Any:
        try:
            return handler(strategy, *args)
        except BaseException as error:  # SystemExit too: Nautilus would swallow it
            failure.keep(error)
            strategy.shutdown_system(f"{type(error).__name__}: {error}")
            return None

    return guard

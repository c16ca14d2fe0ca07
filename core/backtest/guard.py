"""Exceptions inside an engine, kept instead of logged and forgotten.

Nautilus logs what a strategy raises and runs on. A run of ours ends there and says so.
Imports Nautilus: for worker processes only.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from nautilus_trader.trading import Strategy

from catalog.errors import DataUnavailable, QuarterdeckError, WrongInput
from core.backtest.limits import out_of_memory
from core.backtest.recording import Recorder
from core.strategies.causes import causes

type _Handler = Callable[..., Any]


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
        if isinstance(self._error, MemoryError):
            raise out_of_memory(self._name, causes(self._error))
        told = f"{type(self._error).__name__}: {self._error}".removesuffix(": ")
        raise DataUnavailable(
            f"{self._name} raised {told}",
            causes(self._error),
            "correct the strategy or its parameters",
        )


@dataclass(slots=True)
class HeldBack:
    """How many orders a strategy wanted to send before the start of its run."""

    orders: int = 0


def guarded(
    kind: type[Strategy],
    number: int,
    *,
    failure: Failure,
    recorder: Recorder,
    fed: Collection[str],
    start: int | None,
    held_back: HeldBack,
) -> type[Any]:
    """The strategy class with each of its own `on_...` ending the run when it raises, refusing to
    subscribe to bars that are not among those `fed` to the engine, or made of them, and having its
    indicators read.

    Bars that open before `start` (ns), if any, warm the strategy up: they reach the indicators it
    registered and its `on_warm_up_bar` if it has one, but not `on_bar`; until they are over orders
    are `held_back`. `number` tells apart the instances of a run, whose ids Nautilus makes of the
    names of their classes.
    """
    own = {
        name: getattr(kind, name)
        for name in dir(kind)
        if name.startswith("on_") and getattr(kind, name) is not getattr(Strategy, name, None)
    }
    handlers = {name: _guard(handler, failure) for name, handler in own.items()}
    if "on_bar" in own:
        handlers["on_bar"] = _guard_bars(own["on_bar"], failure, recorder)
    if start is not None and "on_bar" in own:
        warm_up = handlers.get("on_warm_up_bar", lambda _strategy, _bar: None)
        handlers["on_bar"] = _after(start, warm_up, handlers["on_bar"])
    if start is not None:
        handlers["submit_order"] = _sent_after(start, kind.submit_order, held_back)
        handlers["submit_order_list"] = _sent_after(start, kind.submit_order_list, held_back)
    handlers["subscribe_bars"] = _subscribe(kind.subscribe_bars, fed)
    handlers["register_indicator_for_bars"] = recorder.registering(kind.register_indicator_for_bars)
    name = kind.__name__ if number == 1 else f"{kind.__name__}{number}"
    return type(name, (kind,), handlers)


def _guard(handler: _Handler, failure: Failure) -> _Handler:
    @functools.wraps(handler)
    def guard(strategy: Strategy, *args: Any) -> Any:
        try:
            return handler(strategy, *args)
        except BaseException as error:  # SystemExit too: Nautilus would swallow it
            _end(strategy, failure, error)
            return None

    return guard


def _guard_bars(on_bar: _Handler, failure: Failure, recorder: Recorder) -> _Handler:
    """As `_guard`, with indicators read. One function for both: each costs something a bar."""
    left = recorder.every

    @functools.wraps(on_bar)
    def guard(strategy: Strategy, bar: Any) -> None:
        nonlocal left
        try:
            on_bar(strategy, bar)
            left -= 1
            if not left:
                left = recorder.every
                recorder.read(strategy, bar)
        except BaseException as error:
            _end(strategy, failure, error)

    return guard


def _end(strategy: Strategy, failure: Failure, error: BaseException) -> None:
    failure.keep(error)
    strategy.shutdown_system(f"{type(error).__name__}: {error}")


def _subscribe(subscribe: _Handler, fed: Collection[str]) -> _Handler:
    def checked(strategy: Strategy, bar_type: Any, *args: Any, **options: Any) -> Any:
        composite = bar_type.is_composite()
        made_of = bar_type.composite() if composite else bar_type
        # Bars that are made of made ones are looked at where those are subscribed to.
        made_twice = composite and made_of.is_internally_aggregated()
        if str(made_of) not in fed and not made_twice:
            raise WrongInput(
                f"the strategy subscribes to {bar_type}, of which this run has no bars",
                f"it has {', '.join(sorted(fed))}",
                "name longer bars in a parameter, such as slow=1-DAY-LAST-EXTERNAL",
                "or let them be made of those of the run: slow=1-DAY-LAST",
            )
        return subscribe(strategy, bar_type, *args, **options)

    return checked


def _after(start: int, warm_up: _Handler, on_bar: _Handler) -> _Handler:
    def handle(strategy: Strategy, bar: Any) -> Any:
        return on_bar(strategy, bar) if bar.ts_init > start else warm_up(strategy, bar)

    return handle


def _sent_after(start: int, submit: _Handler, held_back: HeldBack) -> _Handler:
    def send(strategy: Strategy, orders: Any, *args: Any, **options: Any) -> Any:
        if strategy.clock.timestamp_ns() > start:
            return submit(strategy, orders, *args, **options)
        held_back.orders += 1
        return None

    return send

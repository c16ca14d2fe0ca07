"""Jobs for the tests of worker processes, in a module that is quick to import."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from catalog import workers
from catalog.errors import WrongInput


def process_id() -> int:
    return os.getpid()


def whats_loaded() -> dict[str, bool]:
    return {name: name in sys.modules for name in ("textual", "typer", "nautilus_trader")}


def session_and_stdin() -> tuple[bool, str]:
    return os.getsid(0) == os.getpid(), sys.stdin.read()


def refuses() -> None:
    raise WrongInput("no such thing", "it was never there", "look elsewhere")


def raises() -> None:
    raise ZeroDivisionError("the divisor was zero")


def returns_what_does_not_pickle() -> object:
    return threading.Lock()


def prints_and_aborts() -> None:
    print("these are my last words", flush=True)
    os.abort()


def prints() -> None:
    print("not flushed")


def chatters(*, send: Callable[[object], None]) -> int:
    print("on stdout", flush=True)
    print("on stderr", file=sys.stderr, flush=True)
    for number in range(100):
        send(number)
    return 100


def tells_its_id_and_hangs(*, send: Callable[[int], None]) -> None:
    send(os.getpid())
    signal.pause()


def hangs() -> None:
    signal.pause()


def niceness_that_gives_way() -> int:
    workers.give_way()
    return os.nice(0)


_rehearsed = False


def rehearses() -> None:
    global _rehearsed
    _rehearsed = True


def has_rehearsed() -> bool:
    return _rehearsed


def rehearses_a_run(folder: Path) -> list[Path]:
    from core.backtest.rehearsal import rehearse

    tempfile.tempdir = str(folder)
    rehearse()
    return list(folder.iterdir())

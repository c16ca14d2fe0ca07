"""One job in one fresh process: start it, hear from it, kill it.

Whatever Nautilus does with engines and files runs here, and so does everything that imports
pandas: a panic, a leak or a stray `print` then costs one job and never the dashboard. Processes
come from a forkserver that has the heavy modules imported and never uses them, so a job starts in
about 10 ms.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast

from catalog.errors import QuarterdeckError

_PRELOADED = [
    "catalog.workers",
    "multiprocessing.popen_forkserver",  # which a process that is unpickled stands on
    "nautilus_trader.backtest",
    "nautilus_trader.common",
    "nautilus_trader.execution",
    "nautilus_trader.indicators",
    "nautilus_trader.model",
    "nautilus_trader.persistence",
    "nautilus_trader.trading",
    "decimal",
    "numpy",
    # An engine's banner imports it, and so does pyarrow wherever it makes an array: 0.7 s.
    "pandas",
    "pyarrow",
    "pyarrow.fs",
    "pyarrow.pandas_compat",
    "pyarrow.vendored.version",
    "pyarrow.parquet",
]
_PR_SET_PDEATHSIG = 1
_LAST_WORDS = 8
_GRACE_SECONDS = 1.0

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(_PRELOADED)
_main_module = threading.Lock()
# Threads that wait for a worker must not fill asyncio's own few, which pyarrow and SQLite use.
_waiting_rooms = ThreadPoolExecutor(max_workers=64, thread_name_prefix="worker")

type _Outcome = tuple[Literal["message", "result", "refused", "raised"], Any]


class WorkerDied(QuarterdeckError):
    """A worker process raised something unforeseen, was killed, or took too long."""


async def run[T](
    function: Callable[..., T],
    *args: Any,
    on_message: Callable[[Any], None] | None = None,
    log: Path | None = None,
    timeout: float | None = None,
) -> T:
    """Run `function(*args)` in a fresh process and give its result.

    The function is importable (not from `__main__`), arguments and result pickle. With
    `on_message` the function gets a keyword `send`; what it sends arrives on this loop in order,
    all of it before the result. stdout and stderr of the process are appended to `log`.

    Cancelling kills the process and waits until it is gone. Raises what `QuarterdeckError` the
    function raised; `WorkerDied` for any other exception or end, and after `timeout` seconds.
    """
    loop = asyncio.get_running_loop()

    def tell(message: Any) -> None:
        if on_message is not None:
            loop.call_soon_threadsafe(on_message, message)

    job = _Job(function, args, tell if on_message else None, log)
    waiting = loop.run_in_executor(_waiting_rooms, job.result, timeout)
    try:
        return cast(T, await asyncio.shield(waiting))
    except asyncio.CancelledError:
        waiting.add_done_callback(lambda ended: ended.exception())
        job.kill()
        await asyncio.wait([waiting])
        raise


def run_blocking[T](
    function: Callable[..., T],
    *args: Any,
    log: Path | None = None,
    timeout: float | None = None,
) -> T:
    """As `run`, from a thread: blocks until the result is there."""
    return cast(T, _Job(function, args, None, log).result(timeout))


def preload(*modules: str) -> None:
    """Have the forkserver import these modules as well, so that no job has to.

    For a room to say, as it is imported, what its jobs stand on; no use once the first job ran.
    """
    _PRELOADED.extend(modules)
    _context.set_forkserver_preload(_PRELOADED)


def warm_up() -> None:
    """Start the forkserver and wait until its imports are done; about 0.4 s, for a thread."""
    run_blocking(os.getpid)


class _Job:
    """The parent's side of one process. `result` blocks, in a thread; `kill` does not."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        tell: Callable[[Any], None] | None,
        log: Path | None,
    ) -> None:
        self._tell = tell
        self._log = log
        self._name = getattr(function, "__name__", str(function))
        self._killed = False
        self._exitcode: int | None = None
        self._receiver, self._sender = _context.Pipe(duplex=False)
        self._process = _context.Process(
            target=_work,
            args=(self._sender, log, function, args, tell is not None),
            daemon=True,
        )

    def result(self, timeout: float | None) -> Any:
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            self._start()
            kind, content = self._outcome(deadline)
        finally:
            self._end()
        match kind:
            case "result":
                return content
            case "refused":
                raise content
            case _:
                raise self._died(content)

    def kill(self) -> None:
        """Kill the process now, or as soon as it has started."""
        self._killed = True
        with contextlib.suppress(ValueError):  # raised once the process has ended and is closed
            if self._process.pid is not None:
                self._process.kill()

    def _start(self) -> None:
        # A child imports its parent's `__main__`: with a screen in it that takes 0.7 s.
        with _main_module:
            main = sys.modules["__main__"]
            sys.modules["__main__"] = ModuleType("__main__")
            try:
                self._process.start()
            finally:
                sys.modules["__main__"] = main
        self._sender.close()
        if self._killed:
            self._process.kill()

    def _outcome(self, deadline: float | None) -> _Outcome:
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not self._receiver.poll(left):
                self._process.kill()
                return "raised", "it took longer than it was given and was ended"
            try:
                kind, content = cast(_Outcome, self._receiver.recv())
            except (EOFError, OSError):
                return "raised", ""
            if kind != "message":
                return kind, content
            if self._tell is not None:
                self._tell(content)

    def _end(self) -> None:
        self._receiver.close()
        self._sender.close()
        if self._process.pid is None:
            return
        self._process.join(_GRACE_SECONDS)
        if self._process.exitcode is None:
            self._process.kill()
            self._process.join()
        self._exitcode = self._process.exitcode
        self._process.close()

    def _died(self, reason: str) -> WorkerDied:
        ended = "\n".join((_how_it_ended(self._exitcode), *_last_words(self._log)))
        return WorkerDied(
            f"the worker process for {self._name} ended without a result",
            reason or ended,
            f"read the whole log: {self._log}" if self._log else "run it again with a log",
        )


def _how_it_ended(exitcode: int | None) -> str:
    if exitcode is not None and exitcode < 0:
        return f"it was ended by {signal.Signals(-exitcode).name}"
    return f"it ended with exit code {exitcode}"


def _last_words(log: Path | None) -> list[str]:
    if log is None or not log.exists():
        return []
    with log.open(errors="replace") as lines:
        return [line.rstrip() for line in deque(lines, maxlen=_LAST_WORDS)]


def _work(
    sender: Connection,
    log: Path | None,
    function: Callable[..., Any],
    args: tuple[Any, ...],
    wants_messages: bool,
) -> None:
    """The child's side."""
    gc.freeze()  # what the forkserver imported stays shared: no collection copies its pages
    _detach(log)
    send: dict[str, Callable[[Any], None]] = {}
    if wants_messages:
        send["send"] = lambda message: sender.send(("message", message))
    try:
        sender.send(("result", function(*args, **send)))
    except QuarterdeckError as error:
        sender.send(("refused", error))
    except BaseException as error:
        traceback.print_exc()
        sender.send(("raised", f"{type(error).__name__}: {error}"))


def _detach(log: Path | None) -> None:
    """Leave the terminal alone and die with the parent."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Our parent is the forkserver. It ends when nobody holds this pipe any more: the dashboard
    # and, unless we let go of it, we ourselves.
    os.close(cast(Any, forkserver)._forkserver._forkserver_alive_fd)
    nowhere = os.open(os.devnull, os.O_RDWR)
    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644) if log else nowhere
    for target, source in ((0, nowhere), (1, output), (2, output)):
        os.dup2(source, target)

"""One job in one fresh process: start it, hear from it, kill it.

Whatever Nautilus does with engines and files runs here, and so does everything that imports
pandas: a panic, a leak or a stray `print` then costs one job and never the dashboard. Processes
come from a forkserver that has the heavy modules imported and never uses them. That takes about
10 ms, so one process is made beforehand and waits for the next job.
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
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
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
_AT_REST_S = 0.05
_PATIENCE = 10

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(_PRELOADED)
_rehearsals: list[Callable[[], None]] = []
# The threads share `__main__`, and multiprocessing looks after all children in each `start`.
_one_at_a_time = threading.Lock()
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


def rehearse(rehearsal: Callable[[], None]) -> None:
    """Have each process that waits for a job do this first.

    Forked memory is shared until it is written to, and a thousand first writes take 5 ms: better
    before the job than in it. For a room to say, as `preload`; the rehearsal is importable, and
    leaves nothing behind that a job could notice.
    """
    _rehearsals.append(rehearsal)


def give_way() -> None:
    """In a worker: leave the processor to all who are waited for, the dashboard first."""
    os.nice(_PATIENCE)
    with contextlib.suppress(OSError):  # Linux weighs whole sessions against each other as well
        Path("/proc/self/autogroup").write_text(str(_PATIENCE))


def warm_up() -> None:
    """Have the forkserver's imports done (0.4 s) and from now on a process ready for the next job;
    for a thread."""
    run_blocking(os.getpid)
    _standby.keep()


class _Process:
    """The parent's side of one process, which waits for its job at the other end of `line`."""

    def __init__(self) -> None:
        self.line, theirs = _context.Pipe()
        self._process = _context.Process(target=_work, args=(theirs, _rehearsals), daemon=True)
        # A child imports its parent's `__main__`: with a screen in it that takes 0.7 s.
        with _one_at_a_time, theirs:
            main = sys.modules["__main__"]
            sys.modules["__main__"] = ModuleType("__main__")
            try:
                self._process.start()
            finally:
                sys.modules["__main__"] = main

    @property
    def alive(self) -> bool:
        """Whether it still waits, or works."""
        with _one_at_a_time:
            return self._process.is_alive()

    def kill(self) -> None:
        """Kill it now; it may have ended."""
        with contextlib.suppress(ValueError):  # raised once it is closed
            self._process.kill()

    def end(self) -> int | None:
        """Wait until it is gone, for a moment, then kill it; its exit code."""
        self.line.close()
        if not wait([self._process.sentinel], _GRACE_SECONDS):
            self._process.kill()
            wait([self._process.sentinel])
        with _one_at_a_time:
            exitcode = self._process.exitcode
            self._process.close()
        return exitcode


class _Standby:
    """One process that is ready for the next job, once it is wanted."""

    def __init__(self) -> None:
        self._ready: _Process | None = None
        self._kept = False
        self._taking = threading.Lock()

    def keep(self) -> None:
        """Have one ready from now on."""
        self._kept = True
        self._fill()

    def take(self) -> _Process:
        """The one that is ready, else a fresh one."""
        with self._taking:
            ready, self._ready = self._ready, None
        if ready is not None and not ready.alive:
            ready.end()
            ready = None
        return ready or _Process()

    def refill(self) -> None:
        """Have the next one made, if one is wanted."""
        if self._kept:
            _waiting_rooms.submit(self._fill)

    def _fill(self) -> None:
        fresh: _Process | None = _Process()
        with self._taking:
            if self._ready is None:
                self._ready, fresh = fresh, None
        if fresh is not None:
            fresh.end()


_standby = _Standby()


class _Job:
    """One job in its process. `result` blocks, in a thread; `kill` does not."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        tell: Callable[[Any], None] | None,
        log: Path | None,
    ) -> None:
        self._function = function
        self._args = args
        self._tell = tell
        self._log = log
        self._process: _Process | None = None
        self._killed = False

    def result(self, timeout: float | None) -> Any:
        deadline = None if timeout is None else time.monotonic() + timeout
        process = self._process = _standby.take()
        if self._killed:
            process.kill()
        try:
            self._order(process.line)
            _standby.refill()
            kind, content = self._outcome(process, deadline)
        except BaseException:
            process.kill()
            process.end()
            raise
        if kind == "raised":
            raise self._died(content, process.end())
        # Its memory takes the system some milliseconds, which nobody need wait for.
        _waiting_rooms.submit(process.end)
        if kind == "refused":
            raise content
        return content

    def kill(self) -> None:
        """Kill the process now, or as soon as it has started."""
        self._killed = True
        if self._process is not None:
            self._process.kill()

    def _order(self, line: Connection) -> None:
        with contextlib.suppress(OSError):  # it was killed: `_outcome` finds out
            line.send((self._log, sys.path))
            line.send((self._function, self._args, self._tell is not None))

    def _outcome(self, process: _Process, deadline: float | None) -> _Outcome:
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            try:
                if not process.line.poll(left):
                    process.kill()
                    return "raised", "it took longer than it was given and was ended"
                kind, content = cast(_Outcome, process.line.recv())
            except (EOFError, OSError):
                return "raised", ""
            if kind != "message":
                return kind, content
            if self._tell is not None:
                self._tell(content)

    def _died(self, reason: str, exitcode: int | None) -> WorkerDied:
        ended = "\n".join((_how_it_ended(exitcode), *_last_words(self._log)))
        name = getattr(self._function, "__name__", str(self._function))
        return WorkerDied(
            f"the worker process for {name} ended without a result",
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


def _work(line: Connection, rehearsals: Sequence[Callable[[], None]]) -> None:
    """The child's side."""
    gc.freeze()  # what the forkserver imported stays shared: no collection copies its pages
    _detach()
    try:
        if not line.poll(_AT_REST_S):
            for rehearsal in rehearsals:
                with contextlib.suppress(Exception):  # the job will meet and tell it
                    rehearsal()
        log, sys.path[:] = line.recv()
    except EOFError:  # there is no job for it
        return
    if log is not None:
        _write_to(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644))
    try:
        line.send(("result", _perform(line)))
    except QuarterdeckError as error:
        line.send(("refused", error))
    except BaseException as error:
        traceback.print_exc()
        line.send(("raised", f"{type(error).__name__}: {error}"))


def _perform(line: Connection) -> Any:
    function, args, wants_messages = line.recv()
    send: dict[str, Callable[[Any], None]] = {}
    if wants_messages:
        send["send"] = lambda message: line.send(("message", message))
    try:
        return function(*args, **send)
    finally:  # before the result, whose receiver may read the log
        sys.stdout.flush()
        sys.stderr.flush()


def _detach() -> None:
    """Leave the terminal alone and die with the parent."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    # Our parent is the forkserver. It ends when nobody holds this pipe any more: the dashboard
    # and, unless we let go of it, we ourselves.
    os.close(cast(Any, forkserver)._forkserver._forkserver_alive_fd)
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    _write_to(nowhere)


def _write_to(output: int) -> None:
    """Have stdout and stderr go there."""
    os.dup2(output, 1)
    os.dup2(output, 2)

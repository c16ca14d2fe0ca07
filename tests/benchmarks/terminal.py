"""What the dashboard writes to a terminal, and how long a key takes, in a real pty at 160x45."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from core.options import Options
from core.simulator.process import start_process
from core.workspace import Workspace
from tests.benchmarks import loaded_app
from tests.benchmarks.measure import Measurement
from tests.benchmarks.workspaces import make_many_series, store_minutes

WIDTH, HEIGHT = 160, 45
IDLE_S, MINUTE_S, WATCHED_S = 20.0, 60.0, 10.0
SERIES = 5_000
_SETTLED_S = 1.5
_SILENT_S = 3.0
_KEYS = 200
_QUIET_S = 0.02
"""A key is painted when nothing was written for so long after the first bytes."""


@dataclass
class Line:
    """A terminal with the dashboard in it, whose bytes are counted."""

    process: subprocess.Popen[bytes]
    master: int

    def read(self, seconds: float) -> list[tuple[float, int]]:
        """When (s) how many bytes came within the next moments."""
        found, deadline = [], time.perf_counter() + seconds
        while (left := deadline - time.perf_counter()) > 0:
            if select.select([self.master], [], [], left)[0]:
                found.append((time.perf_counter(), len(os.read(self.master, 65_536))))
        return found

    def per_second(self, seconds: float) -> float:
        """The bytes written, on average."""
        return sum(count for _, count in self.read(seconds)) / seconds

    def press(self, keys: bytes, *, then: float = _SETTLED_S) -> None:
        """Type, and let what comes settle."""
        os.write(self.master, keys)
        self.read(then)

    def settle(self) -> None:
        """Wait until nothing was written for as long as no work of ours is silent."""
        while self.read(_SILENT_S):
            pass

    def key_times(self, keys: tuple[bytes, ...]) -> list[float]:
        """Milliseconds from each of many key strokes to the last byte of its paint."""
        times = []
        for number in range(_KEYS):
            pressed = last = time.perf_counter()
            os.write(self.master, keys[number % len(keys)])
            patience = 0.5
            while select.select([self.master], [], [], patience)[0]:
                os.read(self.master, 65_536)
                last, patience = time.perf_counter(), _QUIET_S
            if last > pressed:
                times.append(1000 * (last - pressed))
        return times


@contextmanager
def dashboard(
    home: Path, port: int, *options: str, load: loaded_app.Load | None = None
) -> Iterator[Line]:
    """The dashboard of the demo profile on the gateway at `port`, connected, and at rest or under
    a load."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    program = f"from {loaded_app.__name__ if load else 'tui.cli'} import main; main()"
    arguments = ["--profile", "demo", "--home", str(home), "--port", str(port), *options]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=os.environ | {"TERM": "xterm-256color", "LOAD": load or ""},
        start_new_session=True,
    )
    os.close(slave)
    line = Line(process, master)
    try:
        line.read(8.0)
        yield line
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(master)


def measure() -> list[Measurement]:
    """Bytes idle and while a fetch is watched; key to paint; memory with many series."""
    return asyncio.run(_measure())


async def _measure() -> list[Measurement]:
    simulator = await start_process()
    try:
        with tempfile.TemporaryDirectory() as folder:
            home = Path(folder)
            await _fill(home)
            return await asyncio.to_thread(_watch, home, simulator.port)
    finally:
        await simulator.stop()


async def _fill(home: Path) -> None:
    """A catalog of many series, and one that is swept over."""
    workspace = await Workspace.open(Options(profile="demo", home=home, port=1))
    await asyncio.to_thread(make_many_series, workspace.catalog.root, SERIES, 1, "simulated")
    await asyncio.to_thread(store_minutes, workspace, loaded_app.BARS)
    await workspace.close()


def _watch(home: Path, port: int) -> list[Measurement]:
    found: list[Measurement] = []
    with dashboard(home, port) as line:
        found.append(_bytes("idle, Connection: bytes/s", line.per_second(IDLE_S), 100))
        line.press(b"2")
        line.settle()
        listed = _resident_mb(line)
        found.append(_bytes("idle, Catalog: bytes/s", line.per_second(MINUTE_S), 10))
        found += _each_screen(line, "idle", 33)
        found += _chart(line)
        note = f"{SERIES:,} series listed; {_resident_mb(line):.0f} MB after all four screens"
        found.append(Measurement("memory of the dashboard", listed, "MB", None, 150, note=note))
        found += _while_fetching(line, "", 8_000)
        found += _each_screen(line, "while fetching", 50)
    with dashboard(home, port, load="sweep") as line:
        found += _each_screen(line, "during a sweep", 33)
    with dashboard(home, port, load="log") as line:
        found += _each_screen(line, f"{loaded_app.LINES_PER_SECOND} log lines/s", 50)
    with dashboard(home / "slow", port, "--low-bandwidth") as line:
        found += _while_fetching(line, ", --low-bandwidth", 2_000)
    return found


def _each_screen(line: Line, when: str, bound: float) -> list[Measurement]:
    """How long keys take on each screen."""
    found: list[Measurement] = []
    for key, name, moves in (
        (b"1", "Connection", (b"\t",)),
        (b"2", "Catalog", (b"j", b"k")),
        (b"3", "Fetch", (b"\t",)),
        (b"4", "Backtest", (b"\t",)),
    ):
        line.press(key, then=4.0)
        found += _times(f"key to paint, {name}, {when}", line.key_times(moves), bound)
    return found


def _chart(line: Line) -> list[Measurement]:
    """How long it takes to pan through the candles of the first series, which fill the screen."""
    line.press(b"2\r", then=4.0)
    times = line.key_times((b"h", b"l"))
    line.press(b"\x1b", then=1.0)
    return _times("key to paint, candles", times, 150)


def _while_fetching(line: Line, how: str, bound: float) -> list[Measurement]:
    """Start a long fetch from the form and watch it."""
    line.press(b"3n", then=2.0)
    line.press(b"AAPL MSFT GDX.ARCA\t", then=0.5)
    line.press(b"\x15" + b"1-MINUTE-LAST\t", then=0.5)
    line.press(b"\x152024-01-02\t", then=0.5)
    line.press(b"\x152025-12-31\r", then=1.0)
    line.press(b"\r", then=2.0)  # the plan is shown first; this starts it
    return [_bytes(f"watching a fetch{how}: bytes/s", line.per_second(WATCHED_S), bound)]


def _resident_mb(line: Line) -> float:
    return psutil.Process(line.process.pid).memory_info().rss / 1e6


def _bytes(name: str, rate: float, bound: float) -> Measurement:
    return Measurement(name, rate, "B/s", None, bound)


def _times(name: str, times: list[float], bound: float) -> list[Measurement]:
    if not times:
        raise RuntimeError(f"{name}: no key painted anything")
    p99 = sorted(times)[min(int(len(times) * 0.99), len(times) - 1)]
    note = f"p50 {statistics.median(times):.1f} ms of {len(times)} keys"
    return [Measurement(f"{name}, p99", p99, "ms", None, bound, note=note)]

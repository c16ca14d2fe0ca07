"""The whole program in a terminal of its own: what reaches it, and how it ends."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pyte
import pytest

from tests.tui.conftest import NOW

ROWS, COLUMNS = 24, 80
HEAVY = ("numpy", "pyarrow", "pandas", "nautilus_trader", "ib_async", "plotext", "pydantic")
_PROGRAM = """
import sys
from datetime import datetime
from catalog.errors import QuarterdeckError
from tui.commands.dashboard import run_dashboard
from core.options import Options
from pathlib import Path
home, port, now, spoil = sys.argv[1:]
exec(spoil)
options = Options("demo", home=Path(home), port=int(port), now=datetime.fromisoformat(now))
try:
    sys.exit(run_dashboard(options))
except QuarterdeckError as error:
    print("told:", error.title)
"""
_SPOILED_KEY = """
from tui.screens.connection import ConnectionScreen
def spoiled(self): raise RuntimeError("a mistake of ours")
ConnectionScreen.action_ping = spoiled
"""


class Terminal:
    """A terminal with the dashboard in it."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self._master = master
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self.screen)
        self.received = b""

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def read(self, seconds: float) -> bytes:
        """What is written within the next moments; ends early when the terminal closes."""
        fresh, deadline = b"", time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._master], [], [], left)[0]:
                break
            try:
                fresh += os.read(self._master, 65_536)
            except OSError:  # the other side is gone
                break
        self.received += fresh
        self._stream.feed(fresh)
        return fresh

    def wait_for(self, condition: Callable[[], bool], seconds: float = 15.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.text
            self.read(0.1)

    def hang_up(self) -> None:
        """Close the line, as a dropped SSH connection does."""
        os.close(self._master)
        self._master = -1


@contextmanager
def terminal(home: Path, port: int, *, spoil: str = "", **environment: str) -> Iterator[Terminal]:
    """The dashboard in a new terminal, ended at the end; `spoil` is run in it first."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name != "COLORTERM"}
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(home), str(port), NOW.isoformat(), spoil],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=clean | {"TERM": "xterm-256color"} | environment,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    shown = Terminal(process, master)
    try:
        yield shown
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if shown._master >= 0:
            os.close(shown._master)


def test_an_idle_screen_sends_nothing(tmp_path: Path, gateway_port: int) -> None:
    with terminal(tmp_path, gateway_port) as shown:
        shown.wait_for(lambda: "● connected" in shown.text and " ms" in shown.text)
        shown.wait_for(lambda: not shown.read(1.2))
        assert shown.read(3.0) == b""


@pytest.mark.parametrize("end", ["hang up", "SIGTERM"])
def test_a_dropped_line_or_a_signal_ends_it_within_five_seconds(
    tmp_path: Path, gateway_port: int, end: str
) -> None:
    with terminal(tmp_path, gateway_port) as shown:
        shown.wait_for(lambda: "● connected" in shown.text)
        below = psutil.Process(shown.process.pid).children(recursive=True)
        if end == "hang up":
            shown.hang_up()
        else:
            shown.process.send_signal(signal.SIGTERM)
        shown.process.wait(5.0)
        assert not psutil.wait_procs(below, timeout=2.0)[1]


def test_quitting_gives_the_terminal_back(tmp_path: Path, gateway_port: int) -> None:
    with terminal(tmp_path, gateway_port) as shown:
        shown.wait_for(lambda: "● connected" in shown.text)
        os.write(shown._master, b"q")
        shown.wait_for(lambda: shown.process.poll() is not None)
        shown.read(0.2)
        assert shown.process.returncode == 0
        assert b"\x1b[?1049l" in shown.received  # the other screen is left
        assert b"Traceback" not in shown.received


@pytest.mark.parametrize("environment", [{"TERM": "xterm"}, {"TERM": "linux"}, {"NO_COLOR": "1"}])
def test_it_is_readable_in_few_colours_and_in_none(
    tmp_path: Path, gateway_port: int, environment: dict[str, str]
) -> None:
    sign = "*" if environment.get("TERM") == "linux" else "●"
    with terminal(tmp_path, gateway_port, **environment) as shown:
        shown.wait_for(lambda: f"{sign} connected" in shown.text and "usfarm" in shown.text)
        cells = [cell for row in shown.screen.buffer.values() for cell in row.values()]
        unreadable = [
            cell for cell in cells if cell.data.strip() and cell.fg == cell.bg != "default"
        ]
        assert cells and not unreadable


def test_a_mistake_of_the_program_ends_it_with_words_and_the_traceback_in_the_log(
    tmp_path: Path, gateway_port: int
) -> None:
    with terminal(tmp_path, gateway_port, spoil=_SPOILED_KEY) as shown:
        shown.wait_for(lambda: "● connected" in shown.text)
        os.write(shown._master, b"r")
        shown.wait_for(lambda: shown.process.poll() is not None)
        shown.read(0.2)
        after = shown.received.rpartition(b"\x1b[?1049l")[2]
        assert b"told: The dashboard ended unexpectedly" in after
        assert b"a mistake of ours" not in shown.received
    log = (tmp_path / "state" / "logs" / "quarterdeck.log").read_text()
    assert "RuntimeError: a mistake of ours" in log


def test_the_first_screen_is_there_before_anything_heavy_is_imported() -> None:
    program = "import sys, tui.app, tui.screens.connection; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not set(done.stdout.split()) & set(HEAVY)

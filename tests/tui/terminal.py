"""The whole program in a terminal of its own, driven by its keys and read off its screen."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyte

from tests.tui.conftest import NOW

ROWS, COLUMNS = 24, 80
PATIENCE_S = 30.0
"""How long something may take on a machine that is busy with other things."""

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


class Terminal:
    """A terminal with the dashboard in it."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.received = b""
        self.screen = pyte.Screen(COLUMNS, ROWS)
        self._stream = pyte.ByteStream(self.screen)
        self._master = master

    @property
    def text(self) -> str:
        return "\n".join(self.screen.display)

    def press(self, keys: str, *texts: str) -> None:
        """Send the keys in one piece, and wait until all of the texts stand on the screen."""
        os.write(self._master, keys.encode())
        self.shows(*texts)

    def shows(self, *texts: str) -> None:
        """Wait until all of the texts stand on the screen."""
        self.wait_for(lambda: all(text in self.text for text in texts), f"{texts} on the screen")

    def gone(self, *texts: str) -> None:
        """Wait until none of the texts stands on the screen any more."""
        self.wait_for(lambda: not any(text in self.text for text in texts), f"no {texts}")

    def ends(self) -> int:
        """Wait for the end of the program; its exit code."""
        self.wait_for(lambda: self.process.poll() is not None, "the end")
        self.read(0.2)
        return self.process.returncode

    def wait_for(self, condition: Callable[[], bool], what: str = "it") -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < deadline, f"waited for {what}, but:\n{self.text}"
            self.read(0.1)

    def read(self, seconds: float) -> bytes:
        """What is written within the next moments; ends early when the terminal closes."""
        fresh, deadline = b"", time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([self._master], [], [], left)[0]:
                break
            try:
                fresh += os.read(self._master, 65_536)
            except OSError:  # the other side is gone, and the program with it
                self.process.wait(PATIENCE_S)
                break
        self.received += fresh
        self._stream.feed(fresh)
        return fresh

    def resize(self, columns: int, rows: int) -> None:
        """Make the window another size."""
        self.screen.resize(rows, columns)
        _set_size(self._master, columns, rows)

    def close(self) -> None:
        """Close the line, as a dropped SSH connection does."""
        if self._master >= 0:
            os.close(self._master)
        self._master = -1


@contextmanager
def terminal(home: Path, port: int, *, spoil: str = "", **environment: str) -> Iterator[Terminal]:
    """The dashboard in a new terminal, ended at the end; `spoil` is run in it first."""
    master, slave = pty.openpty()
    _set_size(slave, COLUMNS, ROWS)
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
        shown.close()


def _set_size(terminal: int, columns: int, rows: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

"""From the start of the process to the first screen with its own text, in a real pty."""

from __future__ import annotations

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

from tests.benchmarks.measure import Measurement

ROUNDS = 9
PATIENCE_S = 20.0


def measure() -> list[Measurement]:
    """First paint of the dashboard against an empty Textual app, by turns, medians."""
    with tempfile.TemporaryDirectory() as home:
        dashboard = [
            sys.executable,
            "-c",
            "from tui.cli import main; main()",
            *("--home", home, "--port", "1"),
        ]
        empty = [sys.executable, "-c", "from tests.benchmarks.empty_app import main; main()"]
        ours, baseline = [], []
        for round_number in range(ROUNDS + 1):
            pair = first_paint(dashboard, b"Quarterdeck"), first_paint(empty, b"EmptyBaseline")
            if round_number:  # the first pair fills the disk cache
                ours.append(pair[0])
                baseline.append(pair[1])
    return [
        Measurement(
            "first paint, against an empty Textual app",
            statistics.median(ours),
            "s",
            statistics.median(baseline),
            1.15,
        )
    ]


def first_paint(command: list[str], text: bytes) -> float:
    """Seconds until `text` is written to a terminal of 80x24 by a fresh process."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    environment = os.environ | {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a user's Python compiles a module once
    started = time.monotonic()
    process = subprocess.Popen(
        command, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
    )
    os.close(slave)
    try:
        seen = b""
        while text not in seen:
            left = started + PATIENCE_S - time.monotonic()
            if left <= 0 or not select.select([master], [], [], left)[0]:
                raise TimeoutError(f"{command} painted no {text!r}; last: {seen[-400:]!r}")
            seen += os.read(master, 65_536)
        return time.monotonic() - started
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        os.close(master)

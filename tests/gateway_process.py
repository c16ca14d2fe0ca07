"""The simulated gateway in a process of its own, as the user would start it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime


@contextmanager
def gateway_process(now: datetime | None = None) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The port and the process of a gateway whose clock stands at `now`, else goes."""
    command = [sys.executable, "-m", "core.simulator", "--die-with-parent", "--port=0"]
    clock = [f"--now={now.isoformat()}"] if now else []
    with subprocess.Popen([*command, *clock], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        word, _, endpoint = process.stdout.readline().strip().partition(" ")
        assert word == "listening"
        try:
            yield int(endpoint.rpartition(":")[2]), process
        finally:
            process.terminate()
        process.communicate()  # its last words

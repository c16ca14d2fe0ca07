"""A simulated gateway and the dashboard on it, for the tests of the screens."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

NOW = datetime(2026, 3, 4, 15, 41, tzinfo=UTC)
"""A Wednesday, 10:41 in New York: the middle of a session."""


@contextmanager
def gateway(now: datetime = NOW) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The port and the process of a simulated gateway whose clock stands at `now`."""
    command = [sys.executable, "-m", "core.simulator", "--die-with-parent", "--port=0"]
    with subprocess.Popen(
        [*command, f"--now={now.isoformat()}"], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        word, _, endpoint = process.stdout.readline().strip().partition(" ")
        assert word == "listening"
        try:
            yield int(endpoint.rpartition(":")[2]), process
        finally:
            process.terminate()
        process.communicate()  # its last words


@pytest.fixture(scope="session")
def gateway_port() -> Iterator[int]:
    """The port of a simulated gateway for all tests."""
    with gateway() as (port, _):
        yield port

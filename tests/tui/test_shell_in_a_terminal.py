"""The whole program in a terminal of its own: what reaches it, and how it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.tui.terminal import PATIENCE_S, terminal

HEAVY = ("numpy", "pyarrow", "pandas", "nautilus_trader", "ib_async", "plotext", "pydantic")
_SPOILED_KEY = """
from tui.screens.connection import ConnectionScreen
def spoiled(self): raise RuntimeError("a mistake of ours")
ConnectionScreen.action_ping = spoiled
"""


def test_an_idle_screen_sends_nothing(tmp_path: Path, gateway_port: int) -> None:
    with terminal(tmp_path, gateway_port) as shown:
        shown.shows("● connected", " ms")
        shown.wait_for(lambda: not shown.read(1.2))
        assert shown.read(3.0) == b""


@pytest.mark.parametrize("end", ["hang up", "SIGTERM"])
def test_a_dropped_line_or_a_signal_ends_it_and_all_its_processes(
    tmp_path: Path, gateway_port: int, end: str
) -> None:
    with terminal(tmp_path, gateway_port) as shown:
        shown.shows("● connected")
        below = psutil.Process(shown.process.pid).children(recursive=True)
        if end == "hang up":
            shown.close()
        else:
            shown.process.send_signal(signal.SIGTERM)
        shown.process.wait(PATIENCE_S)
        assert not psutil.wait_procs(below, timeout=PATIENCE_S)[1]


def test_quitting_gives_the_terminal_back(tmp_path: Path, gateway_port: int) -> None:
    with terminal(tmp_path, gateway_port) as shown:
        shown.shows("● connected")
        shown.press("q")
        assert shown.ends() == 0
        assert b"\x1b[?1049l" in shown.received  # the other screen is left
        assert b"Traceback" not in shown.received


@pytest.mark.parametrize(
    "environment",
    [
        *({"TERM": name} for name in ("xterm", "linux", "screen", "tmux-256color")),
        {"NO_COLOR": "1"},
    ],
    ids=lambda one: "-".join(*one.items()),
)
def test_it_is_readable_in_few_colours_and_in_none(
    tmp_path: Path, gateway_port: int, environment: dict[str, str]
) -> None:
    sign = "*" if environment.get("TERM") == "linux" else "●"
    with terminal(tmp_path, gateway_port, **environment) as shown:
        shown.shows(f"{sign} connected", "usfarm")
        cells = [cell for row in shown.screen.buffer.values() for cell in row.values()]
        unreadable = [
            cell for cell in cells if cell.data.strip() and cell.fg == cell.bg != "default"
        ]
        assert cells and not unreadable


def test_a_mistake_of_the_program_ends_it_with_words_and_the_traceback_in_the_log(
    tmp_path: Path, gateway_port: int
) -> None:
    with terminal(tmp_path, gateway_port, spoil=_SPOILED_KEY) as shown:
        shown.shows("● connected")
        shown.press("r")
        shown.ends()
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

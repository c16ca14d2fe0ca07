"""The main job by keyboard alone, in a terminal of 80x24: from an empty catalog to a result."""

from __future__ import annotations

import os
from pathlib import Path

from tests.tui.test_shell_in_a_terminal import Terminal, terminal

ENTER = "\r"
TAB, CLEAR = b"\t", b"\x01\x0b"
FIELDS = 20


def press(shown: Terminal, key: str, *then: str) -> None:
    """Press a key and wait until all of `then` stands on the screen."""
    os.write(shown._master, key.encode())
    shown.wait_for(lambda: all(text in shown.text for text in then), 30.0)


def fill(shown: Terminal, label: str, text: str) -> None:
    """Go to a field by tab and type into it."""
    for _ in range(FIELDS):
        if f"{label} " in _before_cursor(shown):
            break
        before = _before_cursor(shown)
        os.write(shown._master, TAB)
        shown.wait_for(lambda before=before: _before_cursor(shown) != before)  # type: ignore[misc]
    os.write(shown._master, CLEAR)
    shown.read(0.2)
    press(shown, text, text)


def test_fetch_browse_and_backtest_by_keyboard(tmp_path: Path, gateway_port: int) -> None:
    with terminal(tmp_path, gateway_port) as shown:
        press(shown, "", "SIMULATED", "connected since", "DU***0001")

        press(shown, "3", "New fetch")
        press(shown, "n", "leave the field")
        fill(shown, "ids", "GDX.NASDAQ IBM")
        fill(shown, "from", "2026-03-02")
        fill(shown, "to", "2026-03-03")
        press(shown, ENTER, "GDX.NASDAQ IBM 1-MINUTE-LAST", "done", "1,560")

        press(shown, "2", "GDX.ARCA", "IBM.NYSE", "780", "ok", "conId 229726316")

        press(shown, "b", "New backtest", "sma_crossover", "GDX.ARCA")
        fill(shown, "from", "2026-03-02")
        fill(shown, "to", "2026-03-03")
        press(shown, ENTER, "venue ARCA (instrument)", "max DD", "simulated data")

        press(shown, "t", "▲")
        press(shown, "1", "Data farms")
        os.write(shown._master, b"q")
        shown.wait_for(lambda: shown.process.poll() is not None)
        assert shown.process.returncode == 0
        assert b"Traceback" not in shown.received


def _before_cursor(shown: Terminal) -> str:
    """What stands before the cursor in its line, as far as the label of its field."""
    line = shown.screen.display[shown.screen.cursor.y]
    return f"{shown.screen.cursor.y}:{line[: shown.screen.cursor.x][-20:]}"

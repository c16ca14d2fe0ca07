"""Which characters the terminal can show: blocks and braille, or those of ASCII alone."""

from __future__ import annotations

import os

_PLAIN = str.maketrans("●◌◐✕○▲▼…◂▸▁▂▃▄▅▆▇█", "*~%xo^v.<>.,-=+*##")
_chosen = "auto"


def choose(charts: str) -> None:
    """Take `ascii` or `blocks`, or with `auto` what the terminal can show."""
    global _chosen
    _chosen = charts


def ascii_only() -> bool:
    """Whether to draw with ASCII: the console of Linux has no braille and few blocks."""
    return _chosen == "ascii" or (_chosen == "auto" and os.environ.get("TERM") == "linux")


def plain(text: str) -> str:
    """The text with signs the terminal can show, cell for cell."""
    return text.translate(_PLAIN) if ascii_only() else text

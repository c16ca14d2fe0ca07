"""Which characters the terminal can show: blocks and braille, or those of ASCII alone."""

from __future__ import annotations

import os

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_PLAIN = str.maketrans(
    "●◌◐✕✓○▲▼…◂▸·≤×▒▁▂▃▄▅▆▇█▔▏▕│┊─┌┐└┘├┤┬┴┼╭╮╰╯←↑→↓",
    "*~%xvo^v.<>.<x:.,-=+*##-||||-+++++++++++++<^>v",
)
_chosen = "auto"


def choose(charts: str) -> None:
    """Take `ascii` or `blocks`, or with `auto` what the terminal can show."""
    global _chosen
    _chosen = charts


def ascii_only() -> bool:
    """Whether to draw with ASCII: the console of Linux has no braille and few blocks."""
    return _chosen == "ascii" or (_chosen == "auto" and os.environ.get("TERM") == "linux")


class PlainSigns(LineFilter):
    """Puts signs of ASCII in place of others, cell for cell, in all that is drawn."""

    def apply(self, segments: list[Segment], _background: Color) -> list[Segment]:
        return [Segment(text.translate(_PLAIN), style) for text, style, _ in segments]

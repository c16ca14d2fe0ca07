"""Progress in words and blocks, for cells of a table."""

from __future__ import annotations

_BAR_CELLS = 12


def progress_bar(fraction: float, cells: int = _BAR_CELLS) -> str:
    """A bar of `cells` cells and the percentage: `[######..........]  41%`."""
    done = int(fraction * cells)
    return f"[{'█' * done}{'·' * (cells - done)}] {percent(fraction):>4}"


def percent(fraction: float) -> str:
    """A part of a whole, 100 % only when nothing is left."""
    return f"{int(fraction * 100)}%"


def clock(seconds: float | None) -> str:
    """A span as `2:31` or `1:02:31`; empty while it is not known."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

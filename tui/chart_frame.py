"""The frame of a chart: its cells, its axes and their labels, and plotext's figure for it."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

import numpy as np
import plotext

from catalog.columns import Floats
from tui.signs import ascii_only
from tui.ticks import Tick, number_labels, round_ticks

PLOTEXT = threading.Lock()
"""To be held from `begin` to `finish`: plotext draws on one figure, which its module owns."""

TICK_CELLS = 9
"""What a label below a chart takes, with the gap to the next one."""

_ASCII = str.maketrans("│─┤├┬┴┼└", "|-+++++`")


@dataclass(frozen=True, slots=True)
class Glyphs:
    """The characters of a chart."""

    line: str
    wick: str
    up: str
    down: str
    buy: str
    sell: str
    dot: str
    cursor: str
    ascii: bool = False


_BLOCKS = Glyphs("braille", "│", "█", "▒", "▲", "▼", "·", "┊")
_LETTERS = Glyphs("*", "|", "#", "o", "^", "v", ".", ":", ascii=True)


def glyphs_for(ascii: bool | None) -> Glyphs:
    """Blocks or letters; None is what the terminal can show."""
    if ascii is None:
        ascii = ascii_only()
    return _LETTERS if ascii else _BLOCKS


@dataclass(frozen=True, slots=True)
class Frame:
    """The measures of one picture: cells of the canvas, limits and ticks of the value axis."""

    width: int
    height: int
    columns: int
    rows: int
    low: float
    high: float
    ticks: list[float]
    labels: list[str]
    title: str
    dates: bool

    @classmethod
    def around(
        cls,
        values: Floats,
        width: int,
        height: int,
        *,
        title: str,
        dates: bool = True,
        suffix: str = "",
        margin: bool = False,
    ) -> Frame:
        """The frame that shows all `values`, one or more.

        `dates` False leaves the time axis out, `margin` leaves a row free above and below, and
        `suffix` stands behind each label.
        """
        rows = max(height - bool(title) - (2 if dates else 0), 1)
        low, high = float(np.min(values)), float(np.max(values))
        if low == high:
            spare = abs(low) * 0.01 or 1.0
            low, high = low - spare, high + spare
        if margin:
            row = (high - low) / max(rows - 2, 1)
            low, high = low - row, high + row
        # Of two labels in one row either would be seen, by chance.
        by_row = {
            round((rows - 1) * (tick - low) / (high - low)): tick
            for tick in round_ticks(low, high, max(rows // 3, 2))
        }
        ticks = list(by_row.values())
        labels = number_labels(ticks, suffix)
        columns = _columns_beside(labels[0], width)
        return cls(width, height, columns, rows, low, high, ticks, labels, title, dates)

    @property
    def label_width(self) -> int:
        """The cells that the value labels take."""
        return len(self.labels[0])

    def aligned(self, label_width: int) -> Frame:
        """The same with value labels at least that wide, to stand below another picture."""
        labels = [label.rjust(label_width) for label in self.labels]
        return replace(self, labels=labels, columns=_columns_beside(labels[0], self.width))

    def row(self, value: float) -> int:
        """The row of the canvas, from below, that shows a value."""
        return round((self.rows - 1) * (value - self.low) / (self.high - self.low))

    def value(self, row: int) -> float:
        """The value in the middle of a row."""
        return self.low + (self.high - self.low) * row / max(self.rows - 1, 1)


def _columns_beside(label: str, width: int) -> int:
    return max(width - len(label) - 1, 2)


def begin(frame: Frame, ticks: list[Tick], *, last: int) -> None:
    """Set up plotext's figure; horizontal places run from 0 to `last`."""
    plotext.clear_figure()
    plotext.theme("pro")
    plotext.limit_size(False, False)
    plotext.plot_size(frame.width, frame.height - bool(frame.title))
    plotext.xaxes(frame.dates, False)
    plotext.yaxes(True, False)
    plotext.xlim(0, last)
    plotext.ylim(frame.low, frame.high)
    plotext.yticks(frame.ticks, frame.labels)
    if not frame.dates:
        ticks = []
    plotext.xticks([place for place, _ in ticks], [text for _, text in ticks])


def finish(frame: Frame, glyphs: Glyphs, *, colour: bool) -> str:
    """The picture of what was drawn since `begin`, below its title."""
    picture: str = plotext.build().rstrip("\n")
    if not colour:
        picture = plotext.uncolorize(picture)
    if glyphs.ascii:
        picture = picture.translate(_ASCII)
    title = [frame.title[: frame.width].ljust(frame.width)] if frame.title else []
    return "\n".join([*title, picture])


def nothing(width: int, height: int, title: str) -> str:
    """The empty picture."""
    return "\n".join(line.ljust(width) for line in [title[:width], *[""] * (height - 1)])

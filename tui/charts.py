"""Charts as text: lines, drawdowns, candles. For the screens and for the command line alike.

Pure functions from columns of data to lines of text, each exactly `width` cells wide and `height`
lines high, with colours as ANSI sequences. The horizontal axis counts bars, so that nights and
weekends leave no holes. Data is thinned to what the columns can show before plotext gets it:
plotext pays for every point.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import plotext

from catalog.columns import BarColumns, Floats, Ints
from tui.ticks import Tick, number_labels, round_ticks, time_ticks

_ASCII = str.maketrans("│─┤├┬┴┼└", "|-+++++`")
_TICK_CELLS = 9
_UP_COLOUR, _DOWN_COLOUR = "cyan", "red"
_WIDEST_SLOT = 6

# plotext draws on one figure, which its module owns.
_plotext = threading.Lock()


@dataclass(frozen=True, slots=True)
class Mark:
    """A fill on a candle chart: when (ns UTC) and which way."""

    ts: int
    buy: bool


@dataclass(frozen=True, slots=True)
class _Glyphs:
    """The characters of a chart."""

    line: str
    wick: str
    up: str
    down: str
    buy: str
    sell: str


_BLOCKS = _Glyphs("braille", "│", "█", "▒", "▲", "▼")
_LETTERS = _Glyphs("*", "|", "#", "o", "^", "v")


def line_chart(
    ts: Ints,
    values: Floats,
    width: int,
    height: int,
    *,
    title: str = "",
    zone: str = "UTC",
    suffix: str = "",
    ascii: bool = False,
    colour: bool = True,
) -> str:
    """Draw one line through all `values` at stamps `ts` (ns UTC); `suffix` ends the value labels.

    Each column shows the lowest and the highest value in it, so that no spike is lost.
    """
    if len(values) == 0:
        return _nothing(width, height, title)
    frame = _Frame.around(values, width, height, title=title, suffix=suffix)
    return _line(frame, ts, values, zone, _UP_COLOUR, ascii=ascii, colour=colour)


def drawdown_chart(
    ts: Ints,
    equity: Floats,
    width: int,
    height: int,
    *,
    cash: float = 0.0,
    title: str = "drawdown",
    zone: str = "UTC",
    ascii: bool = False,
    colour: bool = True,
) -> str:
    """Draw how far `equity` stands below its highest value so far, in percent of that; the
    starting `cash` is the first of them."""
    if len(equity) == 0:
        return _nothing(width, height, title)
    falls = _falls(equity, cash)
    frame = _Frame.around(falls, width, height, title=title, suffix="%")
    return _line(frame, ts, falls, zone, _DOWN_COLOUR, ascii=ascii, colour=colour)


def equity_chart(
    ts: Ints,
    equity: Floats,
    width: int,
    height: int,
    *,
    cash: float,
    zone: str = "UTC",
    ascii: bool = False,
    colour: bool = True,
) -> str:
    """Draw equity with its drawdown below it, on one time axis."""
    if len(equity) == 0:
        return _nothing(width, height, "equity")
    lower_height = max(height * 2 // 5, min(4, height))
    falls = _falls(equity, cash)
    upper = _Frame.around(equity, width, height - lower_height, title="equity", dates=False)
    lower = _Frame.around(
        falls, width, lower_height, title="drawdown" if lower_height > 5 else "", suffix="%"
    )
    label_width = max(upper.label_width, lower.label_width)
    pictures = [
        _line(frame.aligned(label_width), ts, values, zone, tint, ascii=ascii, colour=colour)
        for frame, values, tint in ((upper, equity, _UP_COLOUR), (lower, falls, _DOWN_COLOUR))
        if frame.height > 1
    ]
    return "\n".join(pictures)


def candle_chart(
    bars: BarColumns,
    width: int,
    height: int,
    *,
    marks: Sequence[Mark] = (),
    title: str = "",
    zone: str = "UTC",
    ascii: bool = False,
    colour: bool = True,
) -> str:
    """Draw bars as candles, several bars in one where columns are fewer than bars need.

    Rising bodies are full and falling ones shaded, so that they differ without colour too. A mark
    stands below (buy) or above (sell) the candle of the first bar that ends at it or later.
    """
    glyphs = _LETTERS if ascii else _BLOCKS
    if len(bars) == 0:
        return _nothing(width, height, title)
    lows, highs = bars.price(bars.low), bars.price(bars.high)
    frame = _Frame.around(
        np.array([lows.min(), highs.max()]), width, height, title=title, margin=bool(marks)
    )
    candles = _Candles.resampled(bars, max(frame.columns // 2, 1))
    slot = min(max(frame.columns // len(candles.ts), 2), _WIDEST_SLOT)
    ticks = time_ticks([int(stamp) for stamp in candles.ts], zone, frame.columns // _TICK_CELLS)
    with _plotext:
        _begin(
            frame, [(column * slot, text) for column, text in ticks], last=max(frame.columns - 1, 1)
        )
        _draw_candles(candles, frame, slot, glyphs)
        _draw_marks(marks, candles, frame, slot, glyphs)
        return _finish(frame, ascii=ascii, colour=colour)


@dataclass(frozen=True, slots=True)
class _Frame:
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
    ) -> _Frame:
        rows = max(height - bool(title) - (2 if dates else 0), 1)
        low, high = float(np.min(values)), float(np.max(values))
        if low == high:
            spare = abs(low) * 0.01 or 1.0
            low, high = low - spare, high + spare
        if margin:
            row = (high - low) / max(rows - 2, 1)
            low, high = low - row, high + row
        ticks = round_ticks(low, high, max(rows // 3, 2))
        labels = number_labels(ticks, suffix)
        columns = _columns_beside(labels[0], width)
        return cls(width, height, columns, rows, low, high, ticks, labels, title, dates)

    @property
    def label_width(self) -> int:
        """The cells that the value labels take."""
        return len(self.labels[0])

    def aligned(self, label_width: int) -> _Frame:
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


@dataclass(frozen=True, slots=True)
class _Candles:
    """Bars joined to as many candles as there is room for; `ts` is the first stamp of each."""

    ts: Ints
    last_ts: Ints
    open: Floats
    high: Floats
    low: Floats
    close: Floats

    @classmethod
    def resampled(cls, bars: BarColumns, most: int) -> _Candles:
        step = -(-len(bars) // most)
        first = np.arange(0, len(bars), step)
        last = np.append(first[1:], len(bars)) - 1
        return cls(
            bars.ts[first],
            bars.ts[last],
            bars.price(bars.open[first]),
            bars.price(np.maximum.reduceat(bars.high, first)),
            bars.price(np.minimum.reduceat(bars.low, first)),
            bars.price(bars.close[last]),
        )


def _line(
    frame: _Frame,
    ts: Ints,
    values: Floats,
    zone: str,
    tint: str,
    *,
    ascii: bool,
    colour: bool,
) -> str:
    first = np.arange(frame.columns) * len(ts) // frame.columns
    ticks = time_ticks([int(stamp) for stamp in ts[first]], zone, frame.columns // _TICK_CELLS)
    columns, thinned = _extremes(values, frame.columns)
    glyphs = _LETTERS if ascii else _BLOCKS
    with _plotext:
        _begin(
            frame,
            [(2 * column, text) for column, text in ticks],
            last=2 * frame.columns - 1,
        )
        plotext.plot(columns, thinned, marker=glyphs.line, color=tint)
        return _finish(frame, ascii=ascii, colour=colour)


def _falls(equity: Floats, cash: float) -> Floats:
    """Percent below the highest equity so far, 0 or less."""
    peaks = np.maximum.accumulate(np.maximum(equity, cash))
    return np.divide(100.0 * (equity - peaks), peaks, out=np.zeros_like(peaks), where=peaks > 0)


def _extremes(values: Floats, columns: int) -> tuple[list[float], list[float]]:
    """Two points a column in half columns: its lowest and its highest value, in their order."""
    if len(values) <= 2 * columns:
        places = np.linspace(0, 2 * columns - 1, len(values)) if len(values) > 1 else np.zeros(1)
        return places.tolist(), values.tolist()
    edges = np.arange(columns) * len(values) // columns
    thinned: list[float] = []
    for part in np.split(values, edges[1:]):
        first, second = sorted((int(part.argmin()), int(part.argmax())))
        thinned += (float(part[first]), float(part[second]))
    return [float(place) for place in range(2 * columns)], thinned


def _begin(frame: _Frame, ticks: list[Tick], *, last: int) -> None:
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


def _finish(frame: _Frame, *, ascii: bool, colour: bool) -> str:
    picture: str = plotext.build().rstrip("\n")
    if not colour:
        picture = plotext.uncolorize(picture)
    if ascii:
        picture = picture.translate(_ASCII)
    title = [frame.title[: frame.width].ljust(frame.width)] if frame.title else []
    return "\n".join([*title, picture])


def _draw_candles(candles: _Candles, frame: _Frame, slot: int, glyphs: _Glyphs) -> None:
    """Bodies over wicks, cell by cell: plotext's own candles touch each other unevenly."""
    body = _body(slot)
    cells: dict[tuple[str, str], tuple[list[float], list[float]]] = {}
    for index in range(len(candles.ts)):
        rising = bool(candles.close[index] >= candles.open[index])
        tint = "green" if rising else "red"
        low, high = frame.row(candles.low[index]), frame.row(candles.high[index])
        ends = sorted((frame.row(candles.open[index]), frame.row(candles.close[index])))
        for row in range(low, high + 1):
            inside = ends[0] <= row <= ends[1]
            glyph = (glyphs.up if rising else glyphs.down) if inside else glyphs.wick
            places, values = cells.setdefault((glyph, tint), ([], []))
            middle = index * slot + body // 2
            span = range(index * slot, index * slot + body) if inside else (middle,)
            places.extend(span)
            values.extend([frame.value(row)] * len(span))
    for (glyph, tint), (places, values) in cells.items():
        plotext.scatter(places, values, marker=glyph, color=tint)


def _body(slot: int) -> int:
    """How many cells wide a candle's body is in a slot: odd, so that the wick is in its middle."""
    return 1 if slot < 4 else 3


def _draw_marks(
    marks: Sequence[Mark], candles: _Candles, frame: _Frame, slot: int, glyphs: _Glyphs
) -> None:
    for buy, glyph, tint in ((True, glyphs.buy, "cyan+"), (False, glyphs.sell, "magenta+")):
        stamps = np.array(
            [mark.ts for mark in marks if mark.buy is buy and mark.ts >= candles.ts[0]],
            dtype=np.int64,
        )
        hit = np.unique(np.searchsorted(candles.last_ts, stamps))
        hit = hit[hit < len(candles.ts)]
        if len(hit):
            beyond = [
                frame.row(candles.low[at]) - 1 if buy else frame.row(candles.high[at]) + 1
                for at in hit
            ]
            plotext.scatter(
                [int(at) * slot + _body(slot) // 2 for at in hit],
                [frame.value(min(max(row, 0), frame.rows - 1)) for row in beyond],
                marker=glyph,
                color=tint,
            )


def _nothing(width: int, height: int, title: str) -> str:
    """The empty picture."""
    return "\n".join(line.ljust(width) for line in [title[:width], *[""] * (height - 1)])

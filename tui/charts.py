"""Charts as text: equity, drawdown, candles. For the screens and for the command line alike.

Pure functions from columns of data to lines of text, each exactly `width` cells wide and `height`
lines high, with colours as ANSI sequences; `ascii` None is what the terminal can show. The
horizontal axis counts bars, so that nights and weekends leave no holes. Data is thinned to what
the columns can show before plotext gets it: plotext pays for every point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotext

from catalog.columns import BarColumns, Floats, Ints
from tui.chart_frame import PLOTEXT, Frame, Glyphs, begin, finish, glyphs_for
from tui.ticks import time_ticks

_TICK_CELLS = 9
_ROOM_FOR_DRAWDOWN = 8
_WIDEST_SLOT = 6


@dataclass(frozen=True, slots=True)
class Mark:
    """A fill on a candle chart: when (ns UTC) and which way."""

    ts: int
    buy: bool


def equity_chart(
    ts: Ints,
    equity: Floats,
    width: int,
    height: int,
    *,
    cash: float,
    zone: str = "UTC",
    ascii: bool | None = None,
    colour: bool = True,
) -> str:
    """Draw equity at stamps `ts` (ns UTC) and, where there is room, its drawdown below it.

    The drawdown is in percent of the highest equity so far; the starting `cash` is the first of
    them. Each column shows the lowest and the highest value in it, so that no spike is lost.
    """
    if len(equity) == 0:
        return _nothing(width, height, "equity")
    lower_height = max(height * 2 // 5, 4) if height >= _ROOM_FOR_DRAWDOWN else 0
    upper_height = height - lower_height
    upper = Frame.around(equity, width, upper_height, title="equity", dates=not lower_height)
    glyphs = glyphs_for(ascii)
    if not lower_height:
        return _line(upper, ts, equity, zone, "cyan", glyphs, colour=colour)
    falls = _falls(equity, cash)
    title = "drawdown" if lower_height > 5 else ""
    lower = Frame.around(falls, width, lower_height, title=title, suffix="%")
    label_width = max(upper.label_width, lower.label_width)
    return "\n".join(
        [
            _line(upper.aligned(label_width), ts, equity, zone, "cyan", glyphs, colour=colour),
            _line(lower.aligned(label_width), ts, falls, zone, "red", glyphs, colour=colour),
        ]
    )


def candle_chart(
    bars: BarColumns,
    width: int,
    height: int,
    *,
    marks: Sequence[Mark] = (),
    title: str = "",
    zone: str = "UTC",
    ascii: bool | None = None,
    colour: bool = True,
) -> str:
    """Draw bars as candles, several bars in one where columns are fewer than bars need.

    Rising bodies are full and falling ones shaded, so that they differ without colour too. A mark
    stands below (buy) or above (sell) the candle of the first bar that ends at it or later. A
    title is followed by what the signs mean.
    """
    glyphs = glyphs_for(ascii)
    if len(bars) == 0:
        return _nothing(width, height, title)
    if title:
        title += f"   {glyphs.up} up {glyphs.down} down"
        title += f"   {glyphs.buy} buy {glyphs.sell} sell" if marks else ""
    lows, highs = bars.price(bars.low), bars.price(bars.high)
    frame = Frame.around(
        np.array([lows.min(), highs.max()]), width, height, title=title, margin=bool(marks)
    )
    candles = _Candles.resampled(bars, max(frame.columns // 2, 1))
    slot = min(max(frame.columns // len(candles.ts), 2), _WIDEST_SLOT)
    ticks = time_ticks([int(stamp) for stamp in candles.ts], zone, frame.columns // _TICK_CELLS)
    with PLOTEXT:
        begin(
            frame, [(column * slot, text) for column, text in ticks], last=max(frame.columns - 1, 1)
        )
        _draw_candles(candles, frame, slot, glyphs)
        _draw_marks(marks, candles, frame, slot, glyphs)
        return finish(frame, glyphs, colour=colour)


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
    frame: Frame,
    ts: Ints,
    values: Floats,
    zone: str,
    tint: str,
    glyphs: Glyphs,
    *,
    colour: bool,
) -> str:
    first = np.arange(frame.columns) * len(ts) // frame.columns
    ticks = time_ticks([int(stamp) for stamp in ts[first]], zone, frame.columns // _TICK_CELLS)
    columns, thinned = _extremes(values, frame.columns)
    with PLOTEXT:
        begin(
            frame,
            [(2 * column, text) for column, text in ticks],
            last=2 * frame.columns - 1,
        )
        plotext.plot(columns, thinned, marker=glyphs.line, color=tint)
        return finish(frame, glyphs, colour=colour)


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


def _draw_candles(candles: _Candles, frame: Frame, slot: int, glyphs: Glyphs) -> None:
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
    marks: Sequence[Mark], candles: _Candles, frame: Frame, slot: int, glyphs: Glyphs
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

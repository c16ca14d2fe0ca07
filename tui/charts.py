"""Charts as text: equity, drawdown, distributions. For the screens and the command line.

Pure functions from columns of data to lines of text, each exactly `width` cells wide and `height`
lines high, with colours as ANSI sequences; `ascii` None is what the terminal can show. The
horizontal axis counts bars, so that nights and weekends leave no holes. Data is thinned to what
the columns can show before plotext gets it: plotext pays for every point.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotext

from catalog.columns import Floats, Ints
from tui.chart_frame import PLOTEXT, TICK_CELLS, Frame, Glyphs, begin, finish, glyphs_for, nothing
from tui.ticks import moment, number_labels, round_step, round_ticks, time_ticks

_ROOM_FOR_DRAWDOWN = 8
_ROOM_FOR_TITLE = 5
_FEWEST_BIN_CELLS = 2
_LETTER_TINTS = (
    "cyan",
    "magenta",
    "orange",
    "green",
    "blue",
    "red",
    "white",
    "cyan+",
    "red+",
    "blue+",
)


def equity_chart(
    ts: Ints,
    equity: Floats,
    width: int,
    height: int,
    *,
    cash: float,
    benchmark: Floats | None = None,
    cursor: int | None = None,
    zone: str = "UTC",
    ascii: bool | None = None,
    colour: bool = True,
) -> str:
    """Draw equity at stamps `ts` (ns UTC) and, where there is room, its drawdown below it.

    A `benchmark` of as many values is dotted behind it. A `cursor`, the number of a value, is a
    dotted line, and what stood there takes the place of the title.

    The drawdown is in percent of the highest equity so far; the starting `cash` is the first of
    them. Each column shows the lowest and the highest value in it, so that no spike is lost.
    """
    if len(equity) == 0:
        return nothing(width, height, "equity")
    lower_height = max(height * 2 // 5, 4) if height >= _ROOM_FOR_DRAWDOWN else 0
    upper_height = height - lower_height
    glyphs = glyphs_for(ascii)
    curves = [_Curve(equity, "cyan", glyphs.line)]
    below = "drawdown" if lower_height > _ROOM_FOR_TITLE else ""
    title = "equity, drawdown" if lower_height and not below else "equity"
    if benchmark is not None and len(benchmark):
        curves.insert(0, _Curve(benchmark, "gray", glyphs.dot))
        title += f"   {glyphs.dot} held"
    falls = _falls(equity, cash)
    if cursor is not None:
        title = f"{moment(int(ts[cursor]), zone)}  {equity[cursor]:,.0f}  {falls[cursor]:+.2f} %"
        if benchmark is not None and len(benchmark):
            title += f"  held {benchmark[cursor]:,.0f}"
    values = np.concatenate([curve.values for curve in curves])
    upper = Frame.around(values, width, upper_height, title=title, dates=not lower_height)
    if not lower_height:
        return _lines(upper, ts, curves, zone, glyphs, colour=colour, cursor=cursor)
    lower = Frame.around(falls, width, lower_height, title=below, suffix="%")
    label_width = max(upper.label_width, lower.label_width)
    fall = [_Curve(falls, "red", glyphs.line)]
    return "\n".join(
        [
            _lines(
                frame.aligned(label_width), ts, lines, zone, glyphs, colour=colour, cursor=cursor
            )
            for frame, lines in ((upper, curves), (lower, fall))
        ]
    )


def line_chart(
    ts: Ints,
    values: Floats,
    width: int,
    height: int,
    *,
    title: str,
    zone: str = "UTC",
    ascii: bool | None = None,
    colour: bool = True,
) -> str:
    """Draw values at stamps `ts` (ns UTC); those that are nan leave a hole."""
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return nothing(width, height, title)
    glyphs = glyphs_for(ascii)
    frame = Frame.around(known, width, height, title=title)
    return _lines(frame, ts, [_Curve(values, "cyan", glyphs.line)], zone, glyphs, colour=colour)


def growth_chart(
    ts: Ints,
    growth: Sequence[Floats],
    width: int,
    height: int,
    *,
    zone: str = "UTC",
    ascii: bool | None = None,
    colour: bool = True,
) -> str:
    """Draw several equities over each other as gains in percent, the first with the letter A.

    Each is a multiple of its starting cash at the stamps `ts` (ns UTC), nan where it has none.
    """
    curves = [
        _Curve(100.0 * (values - 1.0), tint, chr(ord("A") + at))
        for at, (values, tint) in enumerate(zip(growth, _LETTER_TINTS, strict=False))
    ]
    values = np.concatenate([curve.values for curve in curves])
    frame = Frame.around(
        values[np.isfinite(values)], width, height, title="gain of each run", suffix="%"
    )
    return _lines(frame, ts, curves, zone, glyphs_for(ascii), colour=colour)


def histogram_chart(
    values: Floats,
    width: int,
    height: int,
    *,
    title: str,
    suffix: str = "",
    ascii: bool | None = None,
    colour: bool = True,
) -> str:
    """Draw how often values fall into which range, those below 0 shaded; 0 and round numbers part
    the ranges, each of which has its lower end."""
    if len(values) == 0:
        return nothing(width, height, title)
    glyphs = glyphs_for(ascii)
    low, high = float(min(values.min(), 0.0)), float(max(values.max(), 0.0))
    if low == high:
        high = 1.0
    most = Frame.around(np.array([0.0, len(values)]), width, height, title=title)
    wanted = min(max(int(np.sqrt(len(values))) * 2, 8), most.columns // _FEWEST_BIN_CELLS)
    edges = _round_edges(low, high, max(wanted, 3))
    counts, _ = np.histogram(values, edges)
    frame = Frame.around(np.array([0.0, float(counts.max())]), width, height, title=title)
    slot = max(frame.columns // len(counts), 1)
    ticks = round_ticks(edges[0], edges[-1], max(frame.columns // TICK_CELLS, 2))
    cells = slot / (edges[1] - edges[0])
    places = [round((tick - edges[0]) * cells) for tick in ticks]
    labels = [label.strip() for label in number_labels(ticks, suffix)]
    with PLOTEXT:
        begin(frame, list(zip(places, labels, strict=True)), last=max(frame.columns - 1, 1))
        _draw_bins(counts, edges, frame, slot, glyphs)
        return finish(frame, glyphs, colour=colour)


@dataclass(frozen=True, slots=True, eq=False)
class _Curve:
    """Values over time, nan where there are none, in a colour and with a character."""

    values: Floats
    tint: str
    marker: str


def _lines(
    frame: Frame,
    ts: Ints,
    curves: Sequence[_Curve],
    zone: str,
    glyphs: Glyphs,
    *,
    colour: bool,
    cursor: int | None = None,
) -> str:
    first = np.arange(frame.columns) * len(ts) // frame.columns
    ticks = time_ticks([int(stamp) for stamp in ts[first]], zone, frame.columns // TICK_CELLS)
    with PLOTEXT:
        begin(
            frame,
            [(2 * column, text) for column, text in ticks],
            last=2 * frame.columns - 1,
        )
        if cursor is not None:
            place = (2 * frame.columns - 1) * cursor / max(len(ts) - 1, 1)
            rows = [frame.value(row) for row in range(frame.rows)]
            plotext.scatter([place] * frame.rows, rows, marker=glyphs.cursor, color="orange")
        for curve in curves:
            places, values = _extremes(curve.values, frame.columns)
            if curve.marker == glyphs.dot:
                plotext.scatter(places, values, marker=curve.marker, color=curve.tint)
            else:
                plotext.plot(places, values, marker=curve.marker, color=curve.tint)
        return finish(frame, glyphs, colour=colour)


def _falls(equity: Floats, cash: float) -> Floats:
    """Percent below the highest equity so far, 0 or less."""
    peaks = np.maximum.accumulate(np.maximum(equity, cash))
    return np.divide(100.0 * (equity - peaks), peaks, out=np.zeros_like(peaks), where=peaks > 0)


def _extremes(values: Floats, columns: int) -> tuple[list[float], list[float]]:
    """Two points a column in half columns: its lowest and its highest value, in their order; those
    that are nan are left out."""
    if len(values) <= 2 * columns:
        spread = np.linspace(0, 2 * columns - 1, len(values)) if len(values) > 1 else np.zeros(1)
        finite = np.isfinite(values)
        return spread[finite].tolist(), values[finite].tolist()
    edges = np.arange(columns) * len(values) // columns
    places, thinned = list[float](), list[float]()
    for column, part in enumerate(np.split(values, edges[1:])):
        known = part[np.isfinite(part)]
        if len(known):
            first, second = sorted((int(known.argmin()), int(known.argmax())))
            places += (2.0 * column, 2.0 * column + 1)
            thinned += (float(known[first]), float(known[second]))
    return places, thinned


def _round_edges(low: float, high: float, most: int) -> Floats:
    """Edges of up to `most` ranges of one round length around all from `low` to `high`; as 0 is
    among these, it is one of the edges."""
    step = round_step(high - low, most - 2)
    return step * np.arange(math.floor(low / step), math.floor(high / step) + 2, dtype=np.float64)


def _draw_bins(counts: Ints, edges: Floats, frame: Frame, slot: int, glyphs: Glyphs) -> None:
    """Columns of blocks with a cell between them where there is room."""
    width = max(slot - 1, 1)
    for loss in (True, False):
        places, values = list[float](), list[float]()
        for at, count in enumerate(counts.tolist()):
            if count and (edges[at] < 0) == loss:
                for row in range(frame.row(count) + 1):
                    places.extend(range(at * slot, at * slot + width))
                    values.extend([frame.value(row)] * width)
        if places:
            marker, tint = (glyphs.down, "red") if loss else (glyphs.up, "green")
            plotext.scatter(places, values, marker=marker, color=tint)

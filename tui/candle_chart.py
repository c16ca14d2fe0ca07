"""Candles as text, with fills and indicators. For the screens.

As `charts`: pure functions from columns of data to lines of text. Bars are joined to as many
candles as there is room for before anything is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np
import plotext

from catalog.columns import BarColumns, Floats, Ints
from tui.chart_frame import PLOTEXT, TICK_CELLS, Frame, Glyphs, begin, finish, glyphs_for, nothing
from tui.ticks import moment, time_ticks

_WIDEST_SLOT = 6
_LINES_FOR_STRIP = 18
"""The height from which on an indicator with a scale of its own is drawn below the candles."""
_STRIP_PART, _STRIP_LINES = 4, 7
_TINTS = {"orange": 3, "blue+": 12, "white": 15, "gray": 8}
"""The colours of indicators: plotext's names, and the terminal's numbers."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A fill on a candle chart: when (ns UTC) and which way."""

    ts: int
    buy: bool


@dataclass(frozen=True, slots=True, eq=False)
class Overlay:
    """An indicator on a candle chart: its lines, each with a value a bar, nan where it has none."""

    name: str
    lines: tuple[Floats, ...]
    on_price: bool


def candle_chart(
    bars: BarColumns,
    width: int,
    height: int,
    *,
    marks: Sequence[Mark] = (),
    overlays: Sequence[Overlay] = (),
    cursor: int | None = None,
    title: str = "",
    zone: str = "UTC",
    ascii: bool | None = None,
    colour: bool = True,
) -> str:
    """Draw bars as candles, several bars in one where columns are fewer than bars need.

    Rising bodies are full and falling ones shaded, so that they differ without colour too. A mark
    stands below (buy) or above (sell) the candle of the first bar that ends at it or later.
    Indicators of prices are lines behind the candles, as far as they are near; the first of the
    others has a strip below where there is room. A title is followed by their names and what the
    signs mean. A `cursor`, the number of a bar, is a dotted line, and what its candle and all
    indicators say there stands in place of that.
    """
    glyphs = glyphs_for(ascii)
    if len(bars) == 0:
        return nothing(width, height, title)
    named = bool(title) or cursor is not None
    apart = [one for one in overlays if not one.on_price and height >= _LINES_FOR_STRIP][:1]
    strips = [_strip_frame(one, width, max(height // _STRIP_PART, _STRIP_LINES)) for one in apart]
    above = height - sum(strip.height for strip in strips)
    frame = _price_frame(
        bars, overlays, width, above, named=named, dates=not strips, margin=bool(marks)
    )
    labels = max(one.label_width for one in (frame, *strips))
    frame, *strips = (one.aligned(labels) for one in (frame, *strips))
    candles = _Candles.resampled(bars, max(frame.columns // 2, 1))
    at = None if cursor is None else min(cursor // candles.joined, len(candles.ts) - 1)
    drawn = [
        _Drawn(one, _told(one, candles, at, bars.price_precision), tint)
        for one, tint in zip(overlays, cycle(_TINTS), strict=False)
    ]
    words = [one.told for one in drawn]
    if at is not None:
        room = width - sum(len(word) + 2 for word in words)
        words = [candles.told(at, zone, bars.price_precision, room), *words, title]
    elif title:
        words = [title, *words, _signs(glyphs, fills=bool(marks))]
    sketch = _Sketch(candles, at, zone, glyphs, colour)
    pictures = [sketch.prices(replace(frame, title="  ".join(words)), drawn, marks)]
    for strip, one in zip(strips, (one for one in drawn if one.overlay in apart), strict=True):
        pictures.append(sketch.strip(replace(strip, title=one.told), one))
    return "\n".join(pictures)


@dataclass(frozen=True, slots=True, eq=False)
class _Drawn:
    """An indicator with what the title says of it, and its colour."""

    overlay: Overlay
    told: str
    tint: str


def _price_frame(
    bars: BarColumns,
    overlays: Sequence[Overlay],
    width: int,
    height: int,
    *,
    named: bool,
    dates: bool,
    margin: bool,
) -> Frame:
    """The frame around all candles, and around indicators that are no further from them than they
    are high."""
    low, high = float(bars.price(bars.low).min()), float(bars.price(bars.high).max())
    lines = [
        np.array([low, high]),
        *(line for one in overlays if one.on_price for line in one.lines),
    ]
    values = np.concatenate(lines)
    near = values[(values >= 2 * low - high) & (values <= 2 * high - low)]
    return Frame.around(near, width, height, title=" " * named, dates=dates, margin=margin)


def _strip_frame(overlay: Overlay, width: int, height: int) -> Frame:
    values = np.concatenate(overlay.lines)
    known = values[np.isfinite(values)]
    return Frame.around(known if len(known) else np.zeros(1), width, height, title=" ")


def _told(overlay: Overlay, candles: _Candles, at: int | None, precision: int) -> str:
    """The name of an indicator, with what it says at a candle."""
    if at is None:
        return overlay.name
    values = [float(line[candles.last[at]]) for line in overlay.lines]
    form = f",.{precision}f" if overlay.on_price else ".4g"
    said = "/".join(f"{value:{form}}" if np.isfinite(value) else "n/a" for value in values)
    return f"{overlay.name} {said}"


def _signs(glyphs: Glyphs, *, fills: bool) -> str:
    """What the signs mean."""
    return f" {glyphs.up} up {glyphs.down} down" + (
        f"   {glyphs.buy} buy {glyphs.sell} sell" if fills else ""
    )


@dataclass(frozen=True, slots=True)
class _Sketch:
    """Draws candles, and what belongs to them, into frames that stand below each other."""

    candles: _Candles
    at: int | None
    zone: str
    glyphs: Glyphs
    colour: bool

    def prices(self, frame: Frame, drawn: Sequence[_Drawn], marks: Sequence[Mark]) -> str:
        """The candles before the indicators of prices, with fills."""
        with PLOTEXT:
            slot = self._begin(frame)
            for one in drawn:
                if one.overlay.on_price:
                    self._lines(frame, one, slot)
            _draw_candles(self.candles, frame, slot, self.glyphs)
            _draw_marks(marks, self.candles, frame, slot, self.glyphs)
            return self._finish(frame, drawn)

    def strip(self, frame: Frame, one: _Drawn) -> str:
        """An indicator on its own scale."""
        with PLOTEXT:
            self._lines(frame, one, self._begin(frame))
            return self._finish(frame, [one])

    def _begin(self, frame: Frame) -> int:
        """Begin a picture with its axis of time and the cursor; how many cells a candle has."""
        stamps = [int(stamp) for stamp in self.candles.ts]
        slot = min(max(frame.columns // len(stamps), 2), _WIDEST_SLOT)
        ticks = time_ticks(stamps, self.zone, frame.columns // TICK_CELLS)
        places = [(column * slot, text) for column, text in ticks]
        begin(frame, places, last=max(frame.columns - 1, 1))
        if self.at is not None:
            rows = [frame.value(row) for row in range(frame.rows)]
            middle = [self.at * slot + _body(slot) // 2] * frame.rows
            plotext.scatter(middle, rows, marker=self.glyphs.cursor, color="orange")
        return slot

    def _lines(self, frame: Frame, one: _Drawn, slot: int) -> None:
        for line in one.overlay.lines:
            values = line[self.candles.last]
            there = np.flatnonzero((values >= frame.low) & (values <= frame.high))
            places = there * slot + _body(slot) // 2
            plotext.plot(
                places.tolist(), values[there].tolist(), marker=self.glyphs.line, color=one.tint
            )

    def _finish(self, frame: Frame, drawn: Sequence[_Drawn]) -> str:
        """The picture, the indicators in its title in their colours."""
        picture = finish(frame, self.glyphs, colour=self.colour)
        if not self.colour:
            return picture
        title, _, rest = picture.partition("\n")
        for one in drawn:
            tinted = f"\x1b[38;5;{_TINTS[one.tint]}m{one.told}\x1b[0m"
            title = title.replace(one.told, tinted, 1)
        return f"{title}\n{rest}"


@dataclass(frozen=True, slots=True)
class _Candles:
    """Bars joined to as many candles as there is room for, `joined` in each; `last` is the number
    of the last bar of each, `ts` the first stamp."""

    joined: int
    last: Ints
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
            step,
            last,
            bars.ts[first],
            bars.ts[last],
            bars.price(bars.open[first]),
            bars.price(np.maximum.reduceat(bars.high, first)),
            bars.price(np.minimum.reduceat(bars.low, first)),
            bars.price(bars.close[last]),
        )

    def told(self, at: int, zone: str, precision: int, room: int) -> str:
        """When the last bar of a candle ended, and its prices; the close alone where there is
        little room."""
        prices = zip("OHLC", (self.open, self.high, self.low, self.close), strict=True)
        said = [f"{word} {values[at]:,.{precision}f}" for word, values in prices]
        date = moment(int(self.last_ts[at]), zone)
        told = "  ".join([date, *said])
        return told if len(told) <= room else f"{date}  {said[-1]}"


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
        hit = set(np.searchsorted(candles.last_ts, stamps).tolist()) - {len(candles.ts)}
        if hit:
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

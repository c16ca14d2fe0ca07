"""The bars of a run as candles with its fills, to move about in and to look closer at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from tui.widgets.chart import Chart

if TYPE_CHECKING:
    from catalog.columns import BarColumns, Ints
    from core.backtest.accounting import Fill
    from core.backtest.indicators import IndicatorLine
    from tui.candle_chart import Overlay

FEWEST_BARS = 20
_AXIS_CELLS = 8
"""About what the labels beside the chart take."""
_AROUND_A_TRADE = 0.5
"""What is shown before and after a trade, as a part of its length."""


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """One instrument of a run as it is shown: `zone` is its exchange's, `precision` its prices'.

    `bars` are None when the catalog no longer holds them. `indicators` are what those of the
    strategy said of it.
    """

    instrument_id: str
    precision: int
    zone: str
    bars: BarColumns | None
    indicators: tuple[IndicatorLine, ...] = ()


class RunCandles(Chart, can_focus=True):
    """A window of bars of one market, to zoom and to pan, with a crosshair that reads off."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("right_square_bracket,plus,equals_sign", "zoom(0.5)", "closer", key_display="]"),
        Binding("left_square_bracket,minus", "zoom(2.0)", "wider", key_display="["),
        Binding("h", "pan(-0.5)", "earlier"),
        Binding("l", "pan(0.5)", "later"),
        Binding("left", "point(-1)", "crosshair", key_display="←→", tooltip="Move the crosshair"),
        Binding("right", "point(1)", show=False),
        Binding("i", "next_market", "instrument"),
    ]

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._markets: Sequence[Market] = ()
        self._fills: Sequence[Fill] = ()
        self._at = 0
        self._first = 0
        self._count = 0
        self._cursor: int | None = None

    def show_run(self, markets: Sequence[Market], fills: Sequence[Fill]) -> None:
        """Show all bars of the first market."""
        self._markets, self._fills = markets, fills
        self._show_market(0)

    def show_span(self, instrument_id: str, start: int, end: int) -> None:
        """Show the bars of a market from stamp `start` to `end` (ns) with some around them."""
        for at, market in enumerate(self._markets):
            if market.instrument_id == instrument_id and market.bars is not None:
                self._at = at
                first, last = (int(edge) for edge in market.bars.ts.searchsorted((start, end)))
                around = int((last - first) * _AROUND_A_TRADE) + FEWEST_BARS // 2
                self._window(first - around, last - first + 1 + 2 * around)

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Offer the next instrument only where there is one."""
        return action != "next_market" or len(self._markets) > 1

    def action_zoom(self, factor: float) -> None:
        """Show fewer or more bars around the middle of the window."""
        count = round(self._count * factor)
        self._window(self._first + (self._count - count) // 2, count)

    def action_pan(self, part: float) -> None:
        """Move the window by a part of its width."""
        self._window(self._first + round(self._count * part), self._count)

    def action_point(self, step: int) -> None:
        """Move the crosshair to the next candle; it begins in the middle."""
        joined = max(-(-self._count // max((self.size.width - _AXIS_CELLS) // 2, 1)), 1)
        if self._cursor is None:
            self._cursor = self._count // 2
        else:
            self._cursor += step * joined
        self._window(self._first, self._count)

    def action_next_market(self) -> None:
        """Show the next instrument of the run."""
        if self._markets:
            self._show_market((self._at + 1) % len(self._markets))

    def _show_market(self, at: int) -> None:
        self._at, self._cursor = at, None
        bars = self._markets[at].bars if self._markets else None
        self._window(0, 0 if bars is None else len(bars))

    def _window(self, first: int, count: int) -> None:
        if not self._markets:
            return
        market = self._markets[self._at]
        if market.bars is None or len(market.bars) == 0:
            self.show_text(f"the bars of {market.instrument_id} are no longer in the catalog")
            return
        total = len(market.bars)
        self._count = min(max(count, FEWEST_BARS), total)
        self._first = min(max(first, 0), total - self._count)
        if self._cursor is not None:
            self._cursor = min(max(self._cursor, 0), self._count - 1)
        self.show(
            partial(_draw, market, tuple(self._fills), self._first, self._count, self._cursor)
        )


def _draw(
    market: Market,
    fills: tuple[Fill, ...],
    first: int,
    count: int,
    cursor: int | None,
    width: int,
    height: int,
) -> str:
    from tui.candle_chart import Mark, candle_chart

    assert market.bars is not None, "a market without bars is not drawn"
    shown = market.bars.take(slice(first, first + count))
    marks = [
        Mark(fill.ts, fill.units > 0)
        for fill in fills
        if fill.instrument_id == market.instrument_id
    ]
    return candle_chart(
        shown,
        width,
        height,
        marks=marks,
        overlays=_overlays(market.indicators, shown.ts),
        cursor=cursor,
        zone=market.zone,
        title=f"{market.instrument_id}  {count:,} of {len(market.bars):,} bars",
    )


def _overlays(indicators: Sequence[IndicatorLine], ts: Ints) -> list[Overlay]:
    """The indicators at the stamps of bars; one that was not read at every bar is about so."""
    from tui.candle_chart import Overlay

    found: dict[str, list[IndicatorLine]] = {}
    for line in indicators:
        found.setdefault(line.name if line.every == 1 else f"~{line.name}", []).append(line)
    return [
        Overlay(name, tuple(line.at(ts) for line in lines), lines[0].on_price)
        for name, lines in found.items()
    ]

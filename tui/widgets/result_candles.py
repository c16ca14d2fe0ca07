"""The bars of a run as candles with its fills, to move about in and to look closer at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType

from tui.keys import named
from tui.widgets.chart import Draw
from tui.widgets.chart_window import FEWEST, ChartWindow

if TYPE_CHECKING:
    from catalog.columns import BarColumns, Ints
    from core.backtest.accounting import Fill
    from core.backtest.indicators import IndicatorLine
    from tui.candle_chart import Overlay

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


class RunCandles(ChartWindow):
    """The bars of one market as candles, with fills and indicators."""

    POINT_CELLS: ClassVar[int] = 2
    BINDINGS: ClassVar[list[BindingType]] = named(
        "chart", Binding("i", "next_market", "instrument")
    )

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._markets: Sequence[Market] = ()
        self._fills: Sequence[Fill] = ()
        self._at = 0

    @property
    def points(self) -> int:
        return len(self._bars) if self._bars is not None else 0

    def picture(self, first: int, count: int, cursor: int | None) -> Draw:
        return partial(_draw, self._markets[self._at], tuple(self._fills), first, count, cursor)

    def look(self, first: int, count: int) -> None:
        """As of any window; bars that are gone are told."""
        if self.points:
            super().look(first, count)
        elif self._markets:
            gone = self._markets[self._at].instrument_id
            self.show_text(f"the bars of {gone} are no longer in the catalog")

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
                around = int((last - first) * _AROUND_A_TRADE) + FEWEST // 2
                self.look(first - around, last - first + 1 + 2 * around)

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Offer the next instrument only where there is one."""
        return action != "next_market" or len(self._markets) > 1

    def action_next_market(self) -> None:
        """Show the next instrument of the run."""
        if self._markets:
            self._show_market((self._at + 1) % len(self._markets))

    @property
    def _bars(self) -> BarColumns | None:
        return self._markets[self._at].bars if self._markets else None

    def _show_market(self, at: int) -> None:
        self._at = at
        self.look_at_all()


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

"""The equity of a run with its drawdown, to zoom, to pan and to read off."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tui.widgets.chart import Draw
from tui.widgets.chart_window import ChartWindow

if TYPE_CHECKING:
    from core.backtest.accounting import Equity


class EquityCurve(ChartWindow):
    """A window of the equity of one run, its benchmark behind it."""

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._equity: Equity | None = None
        self._cash = 0.0
        self._zone = "UTC"

    @property
    def points(self) -> int:
        return len(self._equity.ts) if self._equity is not None else 0

    def picture(self, first: int, count: int, cursor: int | None) -> Draw:
        assert self._equity is not None, "without a run there is nothing to look at"
        window = slice(first, first + count)
        return partial(_draw, self._equity, self._cash, self._zone, window, cursor)

    def show_run(self, equity: Equity, cash: float, zone: str) -> None:
        """Show all of it; `cash` is what it began with."""
        self._equity, self._cash, self._zone = equity, cash, zone
        self.look_at_all()


def _draw(
    equity: Equity,
    cash: float,
    zone: str,
    window: slice,
    cursor: int | None,
    width: int,
    height: int,
) -> str:
    from tui.charts import equity_chart

    return equity_chart(
        equity.ts[window],
        equity.value[window],
        width,
        height,
        cash=float(equity.value[: window.start].max(initial=cash)),  # the peak before it
        benchmark=equity.benchmark[window],
        cursor=cursor,
        zone=zone,
    )

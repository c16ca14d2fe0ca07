"""What a run brought by month and by trade: heatmap, distribution, rolling Sharpe, falls."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.content import Content
from textual.widgets import Static

from catalog.wording import counted
from tui.ticks import moment
from tui.widgets.chart import Chart
from tui.widgets.reading import Reading
from tui.widgets.result_figures import count, money, percent, tenths
from tui.zone import zone_word

if TYPE_CHECKING:
    from core.backtest.analysis import Analysis, RollingSharpe, Share
    from core.backtest.drawdowns import Drawdown
    from core.backtest.results import StoredRun

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CELL = 5
_TOTAL = 6
_STRONGEST = 0.08
"""A month's gain or loss from which on its colour is at its strongest."""
_DAY_NS = 86_400 * 10**9


class Returns(Reading):
    """Longer than its place at 80x24: it scrolls."""

    def compose(self) -> ComposeResult:
        yield Static(id="months")
        with Horizontal(id="return-charts"):
            yield Chart(id="distribution")
            yield Chart(id="rolling")
        yield Static(id="falls", markup=False)
        yield Static(id="shares", markup=False)

    def show(self, run: StoredRun, analysis: Analysis, zone: str) -> None:
        """Show the closer look at a run; times are in `zone`."""
        self.query_one("#months", Static).update(month_heatmap(analysis))
        ended = [trade for trade in run.trades if trade.exit_ts is not None]
        gains = [trade.gain for trade in ended if trade.gain is not None]
        self.query_one("#distribution", Chart).show(partial(_draw_gains, tuple(gains)))
        self.query_one("#rolling", Chart).show(partial(_draw_rolling, analysis.rolling_sharpe))
        self.query_one("#falls", Static).update(_falls(analysis.drawdowns, zone))
        self.query_one("#shares", Static).update(
            _shares(
                (*analysis.by_instrument, *analysis.by_side),
                still_open=run.metrics.open_trades,
            )
        )


def month_heatmap(analysis: Analysis) -> Content:
    """A line a year: the gain of each month in percent, of the year, and of its benchmark."""
    head = "".join(f"{month:>{_CELL}}" for month in _MONTHS)
    lines = [Content.styled(f"year{head}{'all':>{_TOTAL}}{'held':>{_CELL}}", "dim")]
    by_year = {
        year: {month.month: month.gain for month in months}
        for year, months in groupby(analysis.months, lambda one: one.year)
    }
    for year in analysis.years:
        gains = by_year.get(year.year, {})
        lines.append(
            Content("").join(
                [
                    Content(f"{year.year}"),
                    *(_heat(gains.get(month), _CELL) for month in range(1, 13)),
                    _heat(year.gain, _TOTAL),
                    Content(tenths(year.benchmark).rjust(_CELL)),
                ]
            )
        )
    return Content("\n").join(lines)


def _heat(gain: float | None, width: int) -> Content:
    """A gain in percent on a ground that is the stronger the larger it is; the sign says it too."""
    text = tenths(gain).rjust(width)
    if not gain:
        return Content(text)
    strength = 10 + round(40 * min(abs(gain) / _STRONGEST, 1.0))
    tone = "success" if gain > 0 else "error"
    return Content.styled(text, f"on ${tone} {strength}%")


def _falls(falls: tuple[Drawdown, ...], zone: str) -> str:
    head = f"{'drawdown':>10}  {f'peak ({zone_word(zone)})':<16}  {'trough':<16}  recovered"
    lines = [
        f"{percent(-fall.depth):>10}  {moment(fall.peak_ts, zone):<16}  "
        f"{moment(fall.trough_ts, zone):<16}  "
        + (moment(fall.recovered_ts, zone) if fall.recovered_ts else "not yet")
        for fall in falls
    ]
    return "\n".join([head, *lines]) if falls else "no drawdown"


def _shares(shares: tuple[Share, ...], *, still_open: int) -> str:
    head = (
        f"{'of':<16}{'trades':>7}{'win':>10}{'net':>11}{'average':>11}{'fees':>10}{'slippage':>10}"
    )
    lines = [
        f"{share.name.lower() if share.name.isalpha() else share.name:<16.16}"
        f"{count(share.trades):>7}{percent(share.win_rate, signed=False):>10}"
        f"{money(share.net):>11}{money(share.average):>11}"
        f"{money(share.fees, signed=False):>10}{money(share.slippage, signed=False):>10}"
        for share in shares
    ]
    told = f"with {counted(still_open, 'trade')} still open, at the last close"
    return "\n".join([head, *lines, *([told] if still_open else [])]) if shares else "no trade"


def _draw_gains(gains: tuple[float, ...], width: int, height: int) -> str:
    import numpy as np

    from tui.charts import histogram_chart

    title = f"returns of {len(gains):,} trades" if gains else "no trade ended"
    return histogram_chart(100.0 * np.array(gains), width, height, title=title, suffix="%")


def _draw_rolling(rolling: RollingSharpe, width: int, height: int) -> str:
    from tui.charts import line_chart

    title = "Sharpe of 63 days" if len(rolling.value) else "Sharpe of 63 days: too few days"
    stamps = (rolling.date + 1) * _DAY_NS - 1
    return line_chart(stamps, rolling.value, width, height, title=title)

"""Figures of a run as text: signs, thousands, units, and n/a for what is not available."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from tui.widgets.result_table import Cell, gain

if TYPE_CHECKING:
    from core.backtest.metrics import Metrics, Performance

NOT_AVAILABLE = "n/a"
_SECOND = 10**9
_UNITS = ((86_400 * _SECOND, "d"), (3_600 * _SECOND, "h"), (60 * _SECOND, "min"))


def percent(fraction: float | None, *, signed: bool = True) -> str:
    """A fraction in percent, with two decimals below 1,000: 0.0421 is `+4.21 %`."""
    if fraction is None or not math.isfinite(fraction):
        return NOT_AVAILABLE
    sign, decimals = "+" if signed else "", 2 if abs(fraction) < 10 else 0
    return f"{_without_negative_zero(100 * fraction, decimals):{sign},.{decimals}f} %"


def tenths(fraction: float | None) -> str:
    """A fraction in percent in five cells: 0.042 is `+4.2`, -0.123 `-12`, 12.3 `+1.2k`; empty for
    None."""
    if fraction is None:
        return ""
    shown, unit = (100 * fraction, "") if abs(fraction) < 9.995 else (fraction / 10, "k")
    return f"{shown:+.1f}{unit}" if abs(shown) < 9.95 else f"{shown:+.0f}{unit}"


def ratio(value: float | None) -> str:
    """A plain number with two decimals."""
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    return f"{_without_negative_zero(value, 2):,.2f}"


def money(amount: float | None, *, signed: bool = True) -> str:
    """An amount, cents below 10,000: `+19.30`, `-12,431`; costs, which are kept above 0, without a
    sign."""
    if amount is None or not math.isfinite(amount):
        return NOT_AVAILABLE
    sign, decimals = "+" if signed else "", 2 if abs(amount) < 10_000 else 0
    return f"{_without_negative_zero(amount, decimals):{sign},.{decimals}f}"


def count(number: int | None) -> str:
    """A whole number."""
    return NOT_AVAILABLE if number is None else f"{number:,}"


def units(number: float) -> str:
    """Shares, contracts or units of a currency, with the decimals they have."""
    return f"{number:,.8f}".rstrip("0").rstrip(".")


def price(value: float | None, precision: int) -> str:
    """A price with the decimals of its instrument; averages may have more, which are cut."""
    return "" if value is None else f"{value:,.{precision}f}"


def span(nanos: float | None) -> str:
    """A length of time in the largest unit that it is twice as long as."""
    if nanos is None:
        return NOT_AVAILABLE
    for unit, name in _UNITS:
        if nanos >= 2 * unit:
            return f"{nanos / unit:,.1f} {name}"
    return f"{nanos / _SECOND:,.0f} s"


def compared_figures(metrics: Metrics) -> tuple[tuple[str, Cell, Cell], ...]:
    """The figures of the curve of equity: label, the run's, and those of holding the first
    instrument over the same time."""
    return tuple(
        (label, _cell(say, sign, metrics, name), _cell(say, sign, metrics.benchmark, name))
        for label, name, say, sign in _OF_THE_CURVE
    )


def other_figures(metrics: Metrics, currency: str) -> tuple[tuple[str, Cell], ...]:
    """The figures of the run alone, the ones that matter most first; `%` is that of what was made
    before fees and slippage."""
    of = metrics
    return (
        ("trades", Cell(count(of.trades))),
        ("win", Cell(percent(of.win_rate, signed=False))),
        ("PF", Cell(ratio(of.profit_factor))),
        ("avg", gain(of.expectancy, money(of.expectancy))),
        ("exposure", Cell(percent(of.exposure, signed=False))),
        ("fees", Cell(money(of.fees, signed=False))),
        ("rejected", Cell(count(of.rejected), "warning" if of.rejected else "")),
        ("bars", Cell(count(of.bars))),
        (f"end {currency}", Cell(f"{of.end_equity:,.0f}")),
        ("leverage", Cell(ratio(of.leverage))),
        ("turnover", Cell(ratio(of.turnover))),
        ("slippage", Cell(money(of.slippage, signed=False))),
        ("fees %", Cell(_plain_percent(of.fees_share))),
        ("slip %", Cell(_plain_percent(of.slippage_share))),
        ("open", Cell(count(of.open_trades))),
        ("days", Cell(count(of.days))),
        ("flat for", Cell(span(of.longest_flat))),
        ("DD for", Cell(span(of.longest_drawdown))),
        ("held for", Cell(span(of.average_holding))),
        ("avg win", Cell(money(of.average_win))),
        ("avg loss", Cell(money(None if of.average_loss is None else -of.average_loss))),
        ("best", Cell(money(of.best_trade))),
        ("worst", Cell(money(of.worst_trade))),
        ("avg gain", Cell(percent(of.average_gain))),
    )


def _plain_percent(fraction: float | None) -> str:
    return percent(fraction, signed=False)


def _fallen(depth: float | None) -> str:
    """A drawdown as the loss it is."""
    return percent(None if depth is None else -depth)


_OF_THE_CURVE: tuple[tuple[str, str, Callable[[float | None], str], int], ...] = (
    ("return", "total_return", percent, 1),
    ("CAGR", "cagr", percent, 1),
    ("vol", "volatility", _plain_percent, 0),
    ("Sharpe", "sharpe", ratio, 0),
    ("Sortino", "sortino", ratio, 0),
    ("max DD", "max_drawdown", _fallen, -1),
    ("Calmar", "calmar", ratio, 0),
)
"""Label, name, how it is told, and whether more is a gain (1), a loss (-1) or neither."""


def _cell(
    say: Callable[[float | None], str], sign: int, of: Metrics | Performance | None, name: str
) -> Cell:
    value = None if of is None else getattr(of, name)
    return gain(sign * value if value else None, say(value))


def _without_negative_zero(value: float, decimals: int) -> float:
    return round(value, decimals) + 0.0

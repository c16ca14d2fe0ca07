"""Figures of a run as text: signs, thousands, units, and n/a for what is not available."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tui.widgets.result_table import Cell, gain

if TYPE_CHECKING:
    from core.backtest.metrics import Metrics

NOT_AVAILABLE = "n/a"


def percent(fraction: float | None, *, signed: bool = True) -> str:
    """A fraction in percent: 0.0421 is `+4.21 %`."""
    if fraction is None or not math.isfinite(fraction):
        return NOT_AVAILABLE
    sign = "+" if signed else ""
    return f"{_without_negative_zero(100 * fraction, 2):{sign},.2f} %"


def ratio(value: float | None) -> str:
    """A plain number with two decimals."""
    if value is None or not math.isfinite(value):
        return NOT_AVAILABLE
    return f"{_without_negative_zero(value, 2):,.2f}"


def money(amount: float | None) -> str:
    """An amount with its sign, cents below 10,000: `+19.30`, `-12,431`."""
    if amount is None or not math.isfinite(amount):
        return NOT_AVAILABLE
    decimals = 2 if abs(amount) < 10_000 else 0
    return f"{_without_negative_zero(amount, decimals):+,.{decimals}f}"


def count(number: int | None) -> str:
    """A whole number."""
    return NOT_AVAILABLE if number is None else f"{number:,}"


def units(number: float) -> str:
    """Shares, contracts or units of a currency, with the decimals they have."""
    return f"{number:,.8f}".rstrip("0").rstrip(".")


def price(value: float | None, precision: int) -> str:
    """A price with the decimals of its instrument; averages may have more, which are cut."""
    return "" if value is None else f"{value:,.{precision}f}"


def zone_word(zone: str) -> str:
    """A time zone for the title of a column: `ET`, `UTC`, `Tokyo`."""
    words = {"America/New_York": "ET", "US/Eastern": "ET", "America/Chicago": "CT"}
    return words.get(zone, zone.rpartition("/")[2].replace("_", " "))


def figures(metrics: Metrics, currency: str) -> tuple[tuple[str, Cell], ...]:
    """The figures of a result in reading order, each with its label; two stand in a line."""
    of = metrics
    return (
        ("return", gain(of.total_return, percent(of.total_return))),
        ("bench", gain(of.benchmark_return, percent(of.benchmark_return))),
        ("CAGR", gain(of.cagr, percent(of.cagr))),
        ("vol", Cell(percent(of.volatility, signed=False))),
        ("Sharpe", Cell(ratio(of.sharpe))),
        ("Sortino", Cell(ratio(of.sortino))),
        ("max DD", gain(-of.max_drawdown, percent(-of.max_drawdown))),
        ("Calmar", Cell(ratio(of.calmar))),
        ("trades", Cell(count(of.trades))),
        ("win", Cell(percent(of.win_rate, signed=False))),
        ("PF", Cell(ratio(of.profit_factor))),
        ("avg", gain(of.expectancy, money(of.expectancy))),
        ("exposure", Cell(percent(of.exposure, signed=False))),
        ("fees", Cell(money(-of.fees))),
        ("rejected", Cell(count(of.rejected), "warning" if of.rejected else "")),
        ("bars", Cell(count(of.bars))),
        ("leverage", Cell(ratio(of.leverage))),
        ("days", Cell(count(of.days))),
        ("open", Cell(count(of.open_trades))),
        (f"end {currency}", Cell(f"{of.end_equity:,.0f}")),
    )


def _without_negative_zero(value: float, decimals: int) -> float:
    return round(value, decimals) + 0.0

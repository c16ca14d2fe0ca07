"""The tables and the log of a run as lines; for a thread, as a run may have many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from catalog.events import Level
from tui.ticks import moment
from tui.widgets.lines import Line
from tui.widgets.result_figures import money, price, units
from tui.widgets.result_table import Cell, Column, Row, Sheet, gain
from tui.zone import zone_word

if TYPE_CHECKING:
    from core.backtest.accounting import Fill, Position, Trade
    from core.backtest.records import Balance, Order
    from core.backtest.results import StoredRun

TONE_STYLES = {
    "good": "$text-success",
    "bad": "$text-error",
    "warning": "$text-warning",
    "dim": "dim",
}

type Precisions = Mapping[str, int]
"""The decimals of the prices of each instrument of a run."""


def trade_sheet(trades: Sequence[Trade], precisions: Precisions, zone: str) -> Sheet:
    """The round trips of a run, each with its number as key; times are in `zone`. What matters most
    comes first: at 80 columns there is no room for the last ones."""
    columns = (
        Column(f"entry ({zone_word(zone)})"),
        Column("exit"),
        *_instrument_column(precisions),
        Column("side"),
        Column("units", number=True),
        Column("net", number=True),
        Column("at", number=True),
        Column("exit at", number=True),
        Column("fees", number=True),
    )
    rows = [Row(str(at), _trade_cells(trade, precisions, zone)) for at, trade in enumerate(trades)]
    return Sheet.of(columns, rows)


def order_sheet(orders: Sequence[Order], precisions: Precisions, zone: str) -> Sheet:
    """The orders of a run; times are in `zone`."""
    columns = (
        Column(f"time ({zone_word(zone)})"),
        *_instrument_column(precisions),
        Column("side"),
        Column("units", number=True),
        Column("filled", number=True),
        Column("at", number=True),
        Column("status"),
        Column("reason"),
    )
    rows = [Row(str(at), _order_cells(order, precisions, zone)) for at, order in enumerate(orders)]
    return Sheet.of(columns, rows)


def fill_sheet(fills: Sequence[Fill], precisions: Precisions, zone: str) -> Sheet:
    """The executions of a run; times are in `zone`."""
    columns = (
        Column(f"time ({zone_word(zone)})"),
        *_instrument_column(precisions),
        Column("side"),
        Column("units", number=True),
        Column("at", number=True),
        Column("fee", number=True),
        Column("slippage", number=True),
        Column("value", number=True),
    )
    rows = [
        Row(
            str(at),
            (
                Cell(moment(fill.ts, zone)),
                *_instrument_cell(fill, precisions),
                Cell("buy" if fill.units > 0 else "sell"),
                Cell(units(abs(fill.units))),
                Cell(price(fill.price, precisions[fill.instrument_id])),
                Cell(money(fill.fee, signed=False)),
                gain(-fill.slippage, money(fill.slippage, signed=False)),
                Cell(f"{fill.value:,.2f}"),
            ),
        )
        for at, fill in enumerate(fills)
    ]
    return Sheet.of(columns, rows)


def position_sheet(positions: Sequence[Position], precisions: Precisions, zone: str) -> Sheet:
    """What was held after each fill; times are in `zone`."""
    columns = (
        Column(f"time ({zone_word(zone)})"),
        *_instrument_column(precisions),
        Column("side"),
        Column("units", number=True),
        Column("average", number=True),
        Column("realized", number=True),
    )
    rows = [
        Row(
            str(at),
            (
                Cell(moment(held.ts, zone)),
                *_instrument_cell(held, precisions),
                Cell("long" if held.units > 0 else "short" if held.units < 0 else "flat"),
                Cell(units(abs(held.units))),
                Cell(price(held.average_price, precisions[held.instrument_id])),
                gain(held.realized, money(held.realized)),
            ),
        )
        for at, held in enumerate(positions)
    ]
    return Sheet.of(columns, rows)


def balance_sheet(balances: Sequence[Balance], zone: str) -> Sheet:
    """The accounts after each change; times are in `zone`."""
    columns = (
        Column(f"time ({zone_word(zone)})"),
        Column("account"),
        Column("currency"),
        Column("total", number=True),
        Column("locked", number=True),
    )
    rows = [
        Row(
            str(at),
            (
                Cell(moment(balance.ts, zone)),
                Cell(balance.account_id),
                Cell(balance.currency),
                Cell(f"{balance.total:,.2f}"),
                Cell(f"{balance.locked:,.2f}"),
            ),
        )
        for at, balance in enumerate(balances)
    ]
    return Sheet.of(columns, rows)


def log_lines(run: StoredRun) -> tuple[Line, ...]:
    """What the reader has to know first, then everything in order."""
    warnings = [Line(f"{'result':<8}", text, Level.WARNING) for text in run.result.warnings]
    lines = [
        Line(f"{line.get('channel', 'run'):<8}", str(line["message"]), _level(line["level"]))
        for line in run.log
    ]
    return (*warnings, *lines)


def _level(word: str) -> Level:
    return Level(word) if word in Level else Level.INFO


def _trade_cells(trade: Trade, precisions: Precisions, zone: str) -> tuple[Cell, ...]:
    precision = precisions[trade.instrument_id]
    return (
        Cell(moment(trade.entry_ts, zone)),
        Cell("open" if trade.exit_ts is None else moment(trade.exit_ts, zone)),
        *_instrument_cell(trade, precisions),
        Cell(trade.side.lower()),
        Cell(units(trade.units)),
        gain(trade.net, money(trade.net)),
        Cell(price(trade.entry_price, precision)),
        Cell(price(trade.exit_price, precision)),
        Cell(money(trade.fees, signed=False)),
    )


def _order_cells(order: Order, precisions: Precisions, zone: str) -> tuple[Cell, ...]:
    return (
        Cell(moment(order.ts, zone)),
        *_instrument_cell(order, precisions),
        Cell(order.side.lower()),
        Cell(units(order.units)),
        Cell(units(order.filled)),
        Cell(price(order.average_price, precisions[order.instrument_id])),
        Cell(order.status.lower(), "bad" if order.refused else ""),
        Cell(order.reason),
    )


def _instrument_column(precisions: Precisions) -> tuple[Column, ...]:
    """Of one instrument the title of the result tells already."""
    return (Column("instrument"),) if len(precisions) > 1 else ()


def _instrument_cell(
    of: Trade | Fill | Order | Position, precisions: Precisions
) -> tuple[Cell, ...]:
    return (Cell(of.instrument_id),) if len(precisions) > 1 else ()

"""The end of a run: from what the engine did to figures, tables and what has to be said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from catalog.layout import NANOS_PER_DAY
from core.backtest.accounting import (
    Equity,
    Fill,
    Marks,
    Position,
    Trade,
    equity_curve,
    held_from_the_start,
    positions,
    round_trips,
    valued,
)
from core.backtest.data import InstrumentData
from core.backtest.fingerprint import Fingerprint
from core.backtest.metrics import Counted, Metrics, compute
from core.backtest.records import (
    ACCOUNTS,
    EQUITY,
    FILLS,
    ORDERS,
    POSITIONS,
    TRADES,
    Balance,
    Order,
)
from core.backtest.tables import columns_of, write_columns, write_rows
from core.backtest.task import Outcome, Task
from core.backtest.trading_dates import trading_dates

_CRYPTO_TYPES = ("Crypto", "Perpetual")


@dataclass(frozen=True, slots=True)
class Holding:
    """An instrument of the run, the closes it is valued at, and what has to be said of them."""

    data: InstrumentData
    marks: Marks
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """What the engine leaves: `balance` is the cash of all its accounts, `balances` how it came
    to that, `strategy` the hash of the strategy's source."""

    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    balance: float
    seconds: float
    balances: tuple[Balance, ...] = ()
    strategy: str = ""


def settle(task: Task, holdings: Sequence[Holding], venues: Sequence[str], ended: Ended) -> Outcome:
    """Work out equity, trades and metrics, and write all tables into the task's folder."""
    cash = float(task.spec.starting_cash().amount)
    markets = [holding.marks for holding in holdings]
    fills = valued(markets, ended.fills)
    equity = _equity(cash, holdings, fills)
    trades = round_trips(markets, fills)
    counted = Counted(
        rejected=sum(order.refused for order in ended.orders),
        bars=sum(len(market.ts) for market in markets),
        seconds=ended.seconds,
    )
    metrics = compute(cash, equity, trades, fills, counted, _days_a_year(holdings))
    write_columns(task.folder / EQUITY, columns_of(equity))
    write_rows(task.folder / FILLS, Fill, fills)
    write_rows(task.folder / TRADES, Trade, trades)
    write_rows(task.folder / ORDERS, Order, ended.orders)
    write_rows(task.folder / POSITIONS, Position, positions(markets, fills))
    write_rows(task.folder / ACCOUNTS, Balance, ended.balances)
    warnings = [
        *(warning for holding in holdings for warning in holding.warnings),
        *_about_instruments(task),
        *_about_orders(ended.orders),
        *_about_fills(fills),
        *_about_worth(equity, metrics, ended),
    ]
    return Outcome(
        metrics,
        tuple(warnings),
        tuple(_notes(task, venues)),
        Fingerprint.of(task.spec, task.data, ended.strategy),
    )


def _equity(cash: float, holdings: Sequence[Holding], fills: Sequence[Fill]) -> Equity:
    markets = [holding.marks for holding in holdings]
    ts, value, gross = equity_curve(cash, markets, fills)
    main = holdings[0].data
    zone = str(main.info.get("time_zone") or "UTC")
    dates = trading_dates(ts, main.series[0].spec, main.sessions, zone)
    return Equity(ts, value, gross, dates, held_from_the_start(cash, markets[0], ts))


def _days_a_year(holdings: Sequence[Holding]) -> int | None:
    spec = holdings[0].data.series[0].spec
    if spec.nanos > NANOS_PER_DAY:
        return None
    types = [str((holding.data.definition or {}).get("type")) for holding in holdings]
    return 365 if all(one.startswith(_CRYPTO_TYPES) for one in types) else 252


def _notes(task: Task, venues: Sequence[str]) -> Iterator[str]:
    """What is so in every run of its kind."""
    yield "market orders fill at the close of the bar they were decided on"
    if len(venues) > 1:
        yield (
            f"{task.spec.starting_cash()} split evenly over {len(venues)} accounts, one for each "
            f"venue: {', '.join(venues)}"
        )


def _about_instruments(task: Task) -> Iterator[str]:
    for each in task.data.instruments:
        if each.definition is None:
            yield (
                f"{each.instrument_id} is synthetic: taken as a stock in USD, multiplier 1, as no "
                "instrument is stored"
            )


def _about_orders(orders: Sequence[Order]) -> Iterator[str]:
    reasons = Counter(order.reason for order in orders if order.refused)
    for reason, count in reasons.most_common(3):
        yield f"orders refused: {count}, {reason}"
    unanswered = sum(order.status == "SUBMITTED" for order in orders)
    if unanswered:
        yield f"orders never answered: {unanswered}"


def _about_fills(fills: Sequence[Fill]) -> Iterator[str]:
    """Nautilus fills what exceeds a quarter of a bar's volume one tick worse."""
    if not fills:
        yield "no order was filled"
    if off := sum(fill.slippage != 0 for fill in fills):
        yield (
            f"{off} of {len(fills)} fills are not at the close of their bar: they paid the spread, "
            "had a limit, or asked for more than a quarter of the bar's volume"
        )


def _about_worth(equity: Equity, metrics: Metrics, ended: Ended) -> Iterator[str]:
    if np.any(equity.value <= 0):
        yield "the account was worth nothing or less on the way: no broker lets that happen"
    elif metrics.leverage is not None and metrics.leverage > 1.01:
        yield f"held up to {metrics.leverage:.1f} times what the account was worth, on margin"
    if metrics.open_trades:
        yield f"positions open at the end, valued at the last close: {metrics.open_trades}"
    # Nautilus rounds each fill to the cent; a larger difference would be a fault in our figures.
    elif abs(metrics.end_equity - ended.balance) > 0.01 * (len(ended.fills) + 1):
        yield (
            f"the engine's accounts hold {ended.balance:,.2f}, the figures here say "
            f"{metrics.end_equity:,.2f}"
        )

"""The end of a run: from what the engine did to figures, tables and what has to be said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from catalog.layout import NANOS_PER_DAY
from core.backtest.accounting import Equity, Fill, Marks, Trade, equity_curve, round_trips
from core.backtest.data import InstrumentData
from core.backtest.metrics import Counted, Metrics, compute
from core.backtest.records import EQUITY, FILLS, ORDERS, TRADES, Order
from core.backtest.tables import write_columns, write_rows
from core.backtest.task import Outcome, Task
from core.backtest.trading_dates import trading_dates

_CRYPTO_TYPES = ("Crypto", "Perpetual")


@dataclass(frozen=True, slots=True)
class Holding:
    """An instrument of the run, the closes it is valued at, and what has to be said of them."""

    data: InstrumentData
    marks: Marks
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """What the engine leaves: `balance` is the cash of all its accounts."""

    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    balance: float
    seconds: float


def settle(task: Task, holdings: Sequence[Holding], venues: Sequence[str], ended: Ended) -> Outcome:
    """Work out equity, trades and metrics, and write all tables into the task's folder."""
    cash = float(task.spec.starting_cash().amount)
    markets = [holding.marks for holding in holdings]
    equity = equity_curve(cash, markets, ended.fills)
    trades = round_trips(markets, ended.fills)
    main = holdings[0].data
    metrics = compute(
        cash,
        equity,
        trades,
        trading_dates(
            equity.ts,
            main.series[0].spec,
            main.sessions,
            str(main.info.get("time_zone") or "UTC"),
        ),
        benchmark(markets),
        Counted(
            rejected=sum(order.refused for order in ended.orders),
            bars=sum(len(market.ts) for market in markets),
            seconds=ended.seconds,
        ),
        _days_a_year(holdings),
    )
    write_columns(
        task.folder / EQUITY, {"ts": equity.ts, "value": equity.value, "gross": equity.gross}
    )
    write_rows(task.folder / FILLS, Fill, ended.fills)
    write_rows(task.folder / TRADES, Trade, trades)
    write_rows(task.folder / ORDERS, Order, ended.orders)
    warnings = [
        *(note for holding in holdings for note in holding.notes),
        *_about_accounts(task, venues),
        *_about_orders(ended.orders),
        *_about_fills(markets, ended.fills),
        *_about_worth(equity, metrics, ended),
    ]
    return Outcome(metrics, tuple(warnings))


def benchmark(markets: Sequence[Marks]) -> float:
    """The mean of what each instrument gained from its first close to its last one."""
    gains = [
        float(market.close[-1] / market.close[0]) - 1 for market in markets if market.close[0] > 0
    ]
    return sum(gains) / len(gains) if gains else 0.0


def _days_a_year(holdings: Sequence[Holding]) -> int | None:
    spec = holdings[0].data.series[0].spec
    if spec.nanos > NANOS_PER_DAY:
        return None
    types = [str((holding.data.definition or {}).get("type")) for holding in holdings]
    return 365 if all(one.startswith(_CRYPTO_TYPES) for one in types) else 252


def _about_accounts(task: Task, venues: Sequence[str]) -> Iterator[str]:
    for each in task.data.instruments:
        if each.definition is None:
            yield (
                f"{each.instrument_id} is synthetic: taken as a stock in USD, multiplier 1, as no "
                "instrument is stored"
            )
    if len(venues) > 1:
        yield (
            f"{task.spec.starting_cash()} split evenly over {len(venues)} accounts, one for each "
            f"venue: {', '.join(venues)}"
        )


def _about_orders(orders: Sequence[Order]) -> Iterator[str]:
    reasons = Counter(order.reason for order in orders if order.refused)
    for reason, count in reasons.most_common(3):
        yield f"orders refused: {count}, {reason}"
    unanswered = sum(order.status == "SUBMITTED" for order in orders)
    if unanswered:
        yield f"orders never answered: {unanswered}"


def _about_fills(markets: Sequence[Marks], fills: Sequence[Fill]) -> Iterator[str]:
    """Market orders fill at the close of the bar they were decided on; Nautilus fills what
    exceeds a quarter of its volume one tick worse."""
    if not fills:
        yield "no order was filled"
        return
    off = sum(_off_the_close(market, fills) for market in markets)
    yield "orders fill at the close of the bar they were decided on"
    if off:
        yield (
            f"{off} of {len(fills)} fills are not at that close: they paid the spread, or asked "
            "for more than a quarter of the bar's volume"
        )


def _off_the_close(market: Marks, fills: Sequence[Fill]) -> int:
    mine = [fill for fill in fills if fill.instrument_id == market.instrument_id]
    bar = np.searchsorted(market.ts, [fill.ts for fill in mine], "right") - 1
    return int(np.sum(market.close[bar] != [fill.price for fill in mine]))


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

"""The end of a run: from what the engine did to figures, tables and what has to be said."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np

from catalog.columns import Floats, Ints
from catalog.layout import NANOS_PER_DAY
from catalog.series import NANOS_PER_SECOND
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
    stamps,
    valued,
)
from core.backtest.currencies import Purse, Rates
from core.backtest.data import InstrumentData
from core.backtest.fingerprint import Fingerprint
from core.backtest.indicators import IndicatorLine, write_lines
from core.backtest.metrics import Counted, Metrics, compute
from core.backtest.records import (
    ACCOUNTS,
    EQUITY,
    FILLS,
    INDICATORS,
    ORDERS,
    POSITIONS,
    TRADES,
    Balance,
    Order,
)
from core.backtest.tables import columns_of, write_columns, write_rows
from core.backtest.task import Outcome, Task
from core.backtest.trading_dates import merged_dates, trading_dates

_CRYPTO_TYPES = ("Crypto", "Perpetual")


@dataclass(frozen=True, slots=True)
class Holding:
    """An instrument of the run, the closes it is valued at, what has to be said of them, and the
    currency they are in."""

    data: InstrumentData
    marks: Marks
    warnings: tuple[str, ...]
    currency: str


@dataclass(frozen=True, slots=True)
class Ended:
    """What the engine leaves: `cash` is that of all its accounts by currency, `purse` what it
    began as, `balances` how it came to that, `strategy` the hash of the strategy's source,
    `stopped` why it ended before its last bar, if it did, `indicators` what those of the strategy
    said on its way, `held_back` how many orders it wanted to send before the start."""

    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    cash: Mapping[str, float]
    seconds: float
    purse: Purse
    rates: Rates
    balances: tuple[Balance, ...] = ()
    strategy: str = ""
    stopped: str = ""
    indicators: tuple[IndicatorLine, ...] = ()
    held_back: int = 0


def settle(task: Task, holdings: Sequence[Holding], venues: Iterable[str], ended: Ended) -> Outcome:
    """Work out equity, trades and metrics, and write all tables into the task's folder."""
    markets = [holding.marks for holding in holdings]
    quoted = {holding.marks.instrument_id: holding.currency for holding in holdings}
    rates, start = ended.rates, task.data.interval[0]
    cash = math.fsum(
        float(amount) * rates.one(name, start) for name, amount in ended.purse.cash.items()
    )
    in_own = valued(markets, ended.fills)
    equity = _equity(cash, holdings, in_own, ended)
    fills = rates.fills(in_own, quoted)
    trades = rates.trades(round_trips(markets, in_own), quoted, int(equity.ts[-1]))
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
    held = rates.positions(positions(markets, in_own), quoted)
    write_rows(task.folder / POSITIONS, Position, held)
    write_rows(task.folder / ACCOUNTS, Balance, ended.balances)
    if ended.indicators:
        write_lines(task.folder / INDICATORS, ended.indicators)
    warnings = [
        *_about_the_end(task, equity, ended),
        *(warning for holding in holdings for warning in holding.warnings),
        *_about_instruments(task),
        *_about_orders(ended),
        *_about_fills(fills),
        *_about_worth(task, equity, metrics, ended),
    ]
    return Outcome(
        metrics,
        tuple(warnings),
        (*_notes(task, tuple(venues)), *ended.purse.notes),
        Fingerprint.of(task.spec, task.data, ended.strategy),
        bool(ended.stopped),
    )


def _equity(
    cash: float, holdings: Sequence[Holding], fills: Sequence[Fill], ended: Ended
) -> Equity:
    """The equity of each currency at its rate, added up."""
    rates, main = ended.rates, holdings[0]
    ts = stamps([holding.marks for holding in holdings])
    curves = (
        _in_run_currency(*one, holdings, fills, ts, rates) for one in ended.purse.cash.items()
    )
    value, gross = next(curves)
    for worth, held in curves:
        value += worth
        gross += held
    held_main = held_from_the_start(cash, main.marks, ts)
    if rates.foreign and len(held_main):
        rate = rates.at(main.currency, ts)
        held_main = held_main * rate / rate[0]
    dates = merged_dates(ts, [_dates(holding) for holding in holdings])
    return Equity(ts, value, gross, dates, held_main)


def _in_run_currency(
    currency: str,
    amount: Decimal,
    holdings: Sequence[Holding],
    fills: Sequence[Fill],
    ts: Ints,
    rates: Rates,
) -> tuple[Floats, Floats]:
    """The worth and the gross value of what is held in one currency, at its rate."""
    markets = [holding.marks for holding in holdings if holding.currency == currency]
    names = {market.instrument_id for market in markets}
    own = [fill for fill in fills if fill.instrument_id in names]
    _, worth, held = equity_curve(float(amount), markets, own, ts)
    if rates.foreign:
        rate = rates.at(currency, ts)
        worth, held = worth * rate, held * rate
    return worth, held


def _dates(holding: Holding) -> tuple[Ints, Ints]:
    data, ts = holding.data, holding.marks.ts
    zone = str(data.info.get("time_zone") or "UTC")
    return ts, trading_dates(ts, data.series[0].spec, data.sessions, zone)


def _days_a_year(holdings: Sequence[Holding]) -> int | None:
    spec = holdings[0].data.series[0].spec
    if spec.nanos > NANOS_PER_DAY:
        return None
    return 365 if all(_is_crypto(holding.data) for holding in holdings) else 252


def _is_crypto(data: InstrumentData) -> bool:
    kind = str((data.definition or {}).get("type"))
    return kind.startswith(_CRYPTO_TYPES) or data.info.get("sec_type") == "CRYPTO"


def _notes(task: Task, venues: Sequence[str]) -> Iterator[str]:
    """What is so in every run of its kind."""
    yield "market orders fill at the close of the bar they were decided on"
    if len(venues) > 1:
        yield (
            f"{task.spec.cash} split evenly over {len(venues)} accounts, one for each "
            f"venue: {', '.join(venues)}"
        )
    if task.spec.oms == "hedging":
        yield "long and short positions in one instrument are netted in all figures and trades"


def _about_the_end(task: Task, equity: Equity, ended: Ended) -> Iterator[str]:
    if ended.stopped:
        last, wanted = (
            datetime.fromtimestamp(int(moment) // NANOS_PER_SECOND, UTC)
            for moment in (equity.ts[-1], task.data.interval[1])
        )
        yield (
            f"partial: {ended.stopped} at {last:%Y-%m-%d %H:%M}, before {wanted:%Y-%m-%d %H:%M} UTC"
        )


def _about_instruments(task: Task) -> Iterator[str]:
    for each in task.data.instruments:
        if each.definition is None:
            yield (
                f"{each.instrument_id} is synthetic: taken as a stock in USD, multiplier 1, as no "
                "instrument is stored"
            )


def _about_orders(ended: Ended) -> Iterator[str]:
    if ended.held_back:
        yield f"orders not sent, as the strategy gave them while it warmed up: {ended.held_back}"
    orders = ended.orders
    # What follows is of one order: its price, its id.
    reasons = Counter(re.split(": | with ", order.reason)[0] for order in orders if order.refused)
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


def _about_worth(task: Task, equity: Equity, metrics: Metrics, ended: Ended) -> Iterator[str]:
    if np.any(equity.value <= 0):
        yield "the account was worth nothing or less on the way: no broker lets that happen"
    elif metrics.leverage is not None and metrics.leverage > 1.01:
        yield f"held up to {metrics.leverage:.1f} times what the account was worth, on margin"
    if metrics.open_trades:
        yield f"positions open at the end, valued at the last close: {metrics.open_trades}"
    if metrics.open_trades or task.spec.oms == "hedging":
        return  # what is not realized is in no account
    # Nautilus rounds each fill to the cent; a larger difference would be a fault in our figures.
    balance = _balance(ended, int(equity.ts[-1]))
    if abs(metrics.end_equity - balance) > 0.01 * (len(ended.fills) + 1):
        yield (
            f"the engine's accounts hold {balance:,.2f}, the figures here say "
            f"{metrics.end_equity:,.2f}"
        )


def _balance(ended: Ended, last: int) -> float:
    """The cash of the engine's accounts in the run's currency."""
    rates = ended.rates
    return math.fsum(rates.one(name, last) * amount for name, amount in ended.cash.items())

"""Orders and fills of an engine as rows of ours. For worker processes only."""

from __future__ import annotations

import math
from typing import Any

from nautilus_trader.common import Cache
from nautilus_trader.model import OrderDenied, OrderFilled, OrderRejected

from core.backtest.accounting import Fill
from core.backtest.records import Balance, Order

_REFUSALS = (OrderDenied, OrderRejected)


def orders_of(cache: Cache) -> list[Order]:
    """Every order of the run in the order of submission."""
    return [_order(order) for order in _in_order(cache)]


def fills_of(cache: Cache) -> list[Fill]:
    """Every fill of the run by time; fills of one moment in the order of their orders."""
    fills = [
        _fill(event)
        for order in _in_order(cache)
        for event in order.events()
        if isinstance(event, OrderFilled)
    ]
    return sorted(fills, key=lambda fill: fill.ts)


def balances_of(account: Any) -> list[Balance]:
    """The balances of an account of Nautilus' at its start and after each change, by time."""
    return [
        Balance(
            state.ts_event,
            str(state.account_id),
            balance.currency.code,
            balance.total.as_double(),
            balance.locked.as_double(),
        )
        for state in account.events
        for balance in state.balances
    ]


def _in_order(cache: Cache) -> list[Any]:
    return sorted(cache.orders(), key=lambda order: (order.ts_init, _number(order)))


def _number(order: Any) -> float:
    """The id ends in the strategy's count of its orders: ...-X-2 comes before ...-X-10. One with
    which the engine closes what has expired has none, and comes last."""
    count = str(order.client_order_id).rpartition("-")[2]
    return int(count) if count.isdecimal() else math.inf


def _fill(event: OrderFilled) -> Fill:
    units = float(event.last_qty)
    return Fill(
        event.ts_event,
        str(event.instrument_id),
        str(event.client_order_id),
        units if event.is_buy else -units,
        float(event.last_px),
        event.commission.as_double() if event.commission else 0.0,
    )


def _order(order: Any) -> Order:
    reasons = [event.reason for event in order.events() if isinstance(event, _REFUSALS)]
    return Order(
        ts=order.ts_init,
        instrument_id=str(order.instrument_id),
        order_id=str(order.client_order_id),
        side=order.side.name,
        type=order.order_type.name,
        units=float(order.quantity),
        filled=float(order.filled_qty),
        average_price=None if order.avg_px is None else float(order.avg_px),
        status=order.status.name,
        reason=reasons[-1] if reasons else "",
    )

"""A fee rule as Nautilus asks for it, fill by fill. For worker processes only."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, override

from nautilus_trader.execution import FeeModel
from nautilus_trader.model import Money, Price, Quantity

from core.backtest.fees import FeeRule, asset_kind
from core.backtest.guard import Failure


@dataclass(slots=True)
class _Bill:
    """What one order has come to so far."""

    units: Decimal = Decimal(0)
    value: Decimal = Decimal(0)
    charged: Decimal = Decimal(0)


class OrderFees(FeeModel):
    """Charges each fill what the fee of its whole order grew by, rounded to cents as a whole, so
    that partial fills share minimum and maximum.

    An exception in a fee model would leave the order open for ever: it is kept in `failure`.
    """

    def __init__(self, rule: FeeRule, failure: Failure) -> None:
        self._rule = rule
        self._failure = failure
        self._bills: dict[str, _Bill] = {}

    @override
    def get_commission(
        self, order: Any, fill_quantity: Quantity, fill_px: Price, instrument: Any
    ) -> Money:
        fee = Decimal(0)
        try:
            bill = self._bills.setdefault(str(order.client_order_id), _Bill())
            fee = self._growth(bill, fill_quantity.as_decimal(), fill_px.as_decimal(), instrument)
        except Exception as error:
            self._failure.keep(error)
        return Money.from_decimal(fee, instrument.quote_currency)

    def _growth(self, bill: _Bill, units: Decimal, price: Decimal, instrument: Any) -> Decimal:
        cent = Decimal(1).scaleb(-instrument.quote_currency.precision)
        bill.units += units
        bill.value += units * abs(price) * instrument.multiplier.as_decimal()
        whole = self._rule(asset_kind(instrument.type_name), bill.units, bill.value)
        growth = whole.quantize(cent, ROUND_HALF_EVEN) - bill.charged
        bill.charged += growth
        return growth

"""A fee rule as Nautilus asks for it, fill by fill. For worker processes only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, override

from nautilus_trader.execution import FeeModel, MakerTakerFeeModel
from nautilus_trader.model import (
    ClientOrderId,
    Currency,
    InstrumentId,
    Money,
    Price,
    Quantity,
)

from catalog.errors import WrongInput
from core.backtest.fees import FeeRule, OrderFee, asset_kind, fee_rule, zero
from core.backtest.guard import Failure
from core.strategies.causes import causes
from core.strategies.loading import imported


def engine_fees(fees: str, failure: Failure, folders: Sequence[Path]) -> FeeModel:
    """The fee model of a spec's `fees`. Raises `WrongInput` when there is none."""
    rule = fee_rule(fees)
    if rule is zero:
        return MakerTakerFeeModel(Decimal(0), Decimal(0))  # Nautilus' own: no call into Python
    if rule is not None:
        return OrderFees(rule, failure)
    module_name, _, class_name = fees.partition(":")
    kind = getattr(imported(module_name, folders), class_name, None)
    if not isinstance(kind, type) or not issubclass(kind, FeeModel):
        raise WrongInput(
            f"{fees} is no fee model",
            f"{class_name} must be a class below nautilus_trader.execution.FeeModel",
            "correct the name, or the class",
        )
    try:
        return OwnFees(kind(), failure)
    except Exception as error:
        raise WrongInput(
            f"{fees} cannot be made", causes(error), "let it be made without arguments"
        ) from error


class OwnFees(FeeModel):
    """A fee model of the user's. What it raises is kept in `failure`: it would leave the order open
    for ever."""

    def __init__(self, model: FeeModel, failure: Failure) -> None:
        self._model = model
        self._failure = failure

    @override
    def get_commission(
        self, order: Any, fill_quantity: Quantity, fill_px: Price, instrument: Any
    ) -> Money:
        try:
            return self._model.get_commission(order, fill_quantity, fill_px, instrument)
        except Exception as error:
            self._failure.keep(error)
            return Money(0.0, instrument.quote_currency)


@dataclass(slots=True)
class _Bill:
    """What an order that is filled in parts has come to so far."""

    units: Decimal = Decimal(0)
    value: Decimal = Decimal(0)
    charged: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class _Terms:
    """What an instrument's fees depend on, read once: a fill should not cost a run its speed."""

    fee: OrderFee
    multiplier: Decimal
    currency: Currency
    cent: Decimal

    @classmethod
    def of(cls, rule: FeeRule, instrument: Any) -> _Terms:
        currency = instrument.quote_currency
        kind = asset_kind(instrument.type_name, (instrument.info or {}).get("sec_type"))
        return cls(
            rule(kind, currency.code),
            instrument.multiplier.as_decimal(),
            currency,
            Decimal(1).scaleb(-currency.precision),
        )


class OrderFees(FeeModel):
    """Charges each fill what the fee of its whole order grew by, rounded to cents as a whole, so
    that partial fills share minimum and maximum.

    An exception in a fee model would leave the order open for ever: it is kept in `failure`.
    """

    def __init__(self, rule: FeeRule, failure: Failure) -> None:
        self._rule = rule
        self._failure = failure
        self._terms: dict[InstrumentId, _Terms] = {}
        self._bills: dict[ClientOrderId, _Bill] = {}

    @override
    def get_commission(
        self, order: Any, fill_quantity: Quantity, fill_px: Price, instrument: Any
    ) -> Money:
        terms = self._terms.get(instrument.id)
        if terms is None:
            terms = self._terms[instrument.id] = _Terms.of(self._rule, instrument)
        fee = Decimal(0)
        try:
            fee = self._growth(terms, order, fill_quantity, fill_px)
        except Exception as error:
            self._failure.keep(error)
        return Money(float(fee), terms.currency)

    def _growth(self, terms: _Terms, order: Any, quantity: Quantity, price: Price) -> Decimal:
        units = quantity.as_decimal()
        value = units * abs(price.as_decimal()) * terms.multiplier
        if quantity == order.quantity:
            return terms.fee(units, value).quantize(terms.cent, ROUND_HALF_EVEN)
        bill = self._bills.setdefault(order.client_order_id, _Bill())
        bill.units += units
        bill.value += value
        whole = terms.fee(bill.units, bill.value)
        growth = whole.quantize(terms.cent, ROUND_HALF_EVEN) - bill.charged
        bill.charged += growth
        return growth

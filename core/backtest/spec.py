"""What a person asks for when starting a backtest."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Self

from catalog.errors import WrongInput
from catalog.series import BarSpec
from core.backtest.fees import FEES

type Source = Literal["auto", "catalog"]


@dataclass(frozen=True, slots=True)
class Cash:
    """An amount of one currency, more than nothing."""

    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, text: str) -> Cash:
        """Read `100000 USD`. Raises `WrongInput` for anything else, and for nothing or less."""
        match = re.fullmatch(r"\s*(\S+)\s+([A-Za-z]{3})\s*", text)
        try:
            amount = Decimal(match[1].replace(",", "").replace("_", "")) if match else Decimal(0)
        except InvalidOperation:
            amount = Decimal(0)
        if match is None or not amount.is_finite() or amount <= 0:
            raise WrongInput(
                f"'{text}' is no starting cash",
                "it is an amount above 0 and a currency",
                "write for example '100000 USD'",
            )
        return cls(amount, match[2].upper())

    def __str__(self) -> str:
        return f"{self.amount:,f} {self.currency}"


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One backtest: a strategy on bars of instruments over a range.

    `start` and `end` are as typed; `cash` is the total, split evenly over the venues of the run.
    """

    strategy: str
    parameters: dict[str, object] = field(default_factory=dict)
    instruments: tuple[str, ...] = ()
    bars: BarSpec = BarSpec(1, "MINUTE")  # noqa: RUF009 (frozen)
    start: str = ""
    end: str = ""
    cash: str = "100000 USD"
    fees: str = "ibkr_fixed"
    source: Source = "auto"

    def starting_cash(self) -> Cash:
        """The cash, read. Raises `WrongInput` when it is none."""
        return Cash.parse(self.cash)

    def check(self) -> None:
        """Raise `WrongInput` for what is wrong whatever the data."""
        self.starting_cash()
        if not self.instruments:
            raise WrongInput(
                "a backtest needs an instrument", "none was named", "name one, like AAPL.NASDAQ"
            )
        if self.fees not in FEES:
            raise WrongInput(
                f"there are no fees '{self.fees}'",
                f"the fees are {', '.join(FEES)}",
                "choose one of them",
            )

    def to_json(self) -> dict[str, object]:
        """The spec as one JSON-able object."""
        plain: dict[str, Any] = {
            each.name: getattr(self, each.name) for each in dataclasses.fields(self)
        }
        return {
            **plain,
            "parameters": {name: _plain(value) for name, value in self.parameters.items()},
            "instruments": list(self.instruments),
            "bars": str(self.bars),
        }

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Self:
        """The spec that `to_json` gave."""
        return cls(
            **{
                **record,
                "instruments": tuple(record["instruments"]),
                "bars": BarSpec.parse(record["bars"]),
            }
        )


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | float) else str(value)

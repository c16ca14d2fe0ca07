"""What a person asks for when starting a backtest."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, Self, get_args

from catalog.errors import WrongInput
from catalog.series import BarSpec
from core.backtest.fees import fee_rule
from core.backtest.longer import refuse_shorter
from core.strategies.parameters import check_bounds

type Source = Literal["auto", "catalog"]
type Account = Literal["auto", "margin", "cash"]
type PositionKeeping = Literal["netting", "hedging"]
type RunHours = Literal["stored", "regular", "all"]

USUAL_CASH = 100_000
MOST_WARM_UP = 100_000
MOST_LEVERAGE = 1000


@dataclass(frozen=True, slots=True)
class Cash:
    """An amount of one currency, more than nothing."""

    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, text: str) -> Cash:
        """Read `100000 USD`. Raises `WrongInput` for anything else, and for nothing or less."""
        match = re.fullmatch(r"\s*(\S+)\s+([A-Za-z]{3,5})\s*", text)
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

    `start` and `end` are as typed; `warm_up` is how many bars before the start feed indicators, on
    none of which an order is sent. `bars` are those that orders fill on; a parameter like
    `slow=1-DAY-LAST-EXTERNAL` has longer stored ones read as well (`longer.py`). `cash` is the
    total, one amount or several with commas between them (`60000 USD, 40000 EUR`), split evenly
    over the venues of the run; empty, it is `USUAL_CASH` of the currency of the first instrument,
    once that is known. `fees` are a name of `fees.FEES`, perhaps with an amount
    (`per_contract:1.20`), or `module:Class` of a fee model of Nautilus'; empty, those of the
    settings.

    `hours` are those of the stored bars; regular ones can be had out of bars of all hours too, if
    they are of half an hour or less. `account` auto is a margin account. With a `leverage` Nautilus
    denies orders whose value exceeds so many times the free cash; at 0 it lets all through, and the
    result tells what was held. `slippage` is the chance that a market order fills one tick worse,
    drawn with `seed`.
    """

    strategy: str
    parameters: dict[str, object] = field(default_factory=dict)
    instruments: tuple[str, ...] = ()
    bars: BarSpec = BarSpec(1, "MINUTE")  # noqa: RUF009 (frozen)
    start: str = ""
    end: str = ""
    cash: str = ""
    fees: str = "ibkr_fixed"
    source: Source = "auto"
    hours: RunHours = "stored"
    warm_up: int = 0
    account: Account = "auto"
    oms: PositionKeeping = "netting"
    leverage: float = 0.0
    slippage: float = 0.0
    seed: int = 0

    def starting_cash(self) -> Cash:
        """The first amount of the cash, read. Raises `WrongInput` when it is none."""
        return self.all_cash()[0]

    def all_cash(self) -> tuple[Cash, ...]:
        """Every amount of the cash, each of its own currency. Raises `WrongInput` when one is none
        or a currency is named twice."""
        amounts = tuple(Cash.parse(part) for part in _amounts(self.cash))
        currencies = [amount.currency for amount in amounts]
        if len(set(currencies)) < len(currencies):
            raise WrongInput(
                f"'{self.cash}' names a currency twice",
                "each currency has one amount",
                "add the amounts up",
            )
        return amounts

    def check(self) -> None:
        """Raise `WrongInput` for what is wrong whatever the data."""
        if self.cash:
            self.all_cash()
        fee_rule(self.fees)
        if not self.instruments:
            raise WrongInput(
                "a backtest needs an instrument", "none was named", "name one, like AAPL.NASDAQ"
            )
        for name, value, words in (
            ("account", self.account, get_args(Account.__value__)),
            ("oms", self.oms, get_args(PositionKeeping.__value__)),
            ("source", self.source, get_args(Source.__value__)),
            ("hours", self.hours, get_args(RunHours.__value__)),
        ):
            if value not in words:
                raise WrongInput(
                    f"{name} cannot be '{value}'", f"it is {' or '.join(words)}", "choose one"
                )
        refuse_shorter(self.parameters, self.bars)
        check_bounds("warm_up", self.warm_up, 0, MOST_WARM_UP)
        check_bounds("leverage", self.leverage, 0, MOST_LEVERAGE)
        check_bounds("slippage", self.slippage, 0, 1)
        check_bounds("seed", self.seed, 0, 2**63 - 1)

    def to_json(self) -> dict[str, object]:
        """The spec as one JSON-able object."""
        plain: dict[str, Any] = {
            each.name: getattr(self, each.name) for each in dataclasses.fields(self)
        }
        return {
            **plain,
            "parameters": {name: plain_value(value) for name, value in self.parameters.items()},
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


def _amounts(text: str) -> list[str]:
    """The parts of `60000 USD, 40,000 EUR`: a comma behind a currency parts, one in a number does
    not."""
    return re.split(r"(?<=[A-Za-z])\s*,", text)


def plain_value(value: object) -> object:
    """The value of a parameter as JSON and TOML can hold it."""
    return value if value is None or isinstance(value, bool | int | float) else str(value)

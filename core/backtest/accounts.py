"""The venues of a run as Nautilus' engine gets them: cash, account, fees, fills. For worker
processes only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any

from nautilus_trader import model
from nautilus_trader.backtest import BacktestEngine
from nautilus_trader.execution import DefaultFillModel

from core.backtest.fee_model import engine_fees
from core.backtest.guard import Failure
from core.backtest.instruments import Traded
from core.backtest.task import Task
from core.strategies.loading import Market

type VenueCash = Mapping[str, Mapping[str, Decimal]]
"""Venue -> currency -> amount."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """The accounts of a run, one a venue."""

    cash: VenueCash

    @classmethod
    def split(cls, cash: Mapping[str, Decimal], traded: Sequence[Traded]) -> Accounts:
        """The cash of each currency in equal parts for the venues that trade in it; what does not
        divide goes to the first."""
        venues = sorted({each.venue for each in traded})
        found: dict[str, dict[str, Decimal]] = {venue: {} for venue in venues}
        for currency, amount in cash.items():
            mine = [
                venue
                for venue in venues
                if any(each.venue == venue and each.currency == currency for each in traded)
            ]
            cent = Decimal(1).scaleb(-model.Currency.from_str(currency).precision)
            part = (amount / len(mine)).quantize(cent, ROUND_DOWN)
            for venue in mine:
                found[venue][currency] = part
            found[mine[0]][currency] += amount.quantize(cent, ROUND_DOWN) - part * len(mine)
        return cls(found)

    def open(self, engine: BacktestEngine, task: Task, failure: Failure) -> None:
        """Add the venues to the engine."""
        spec = task.spec
        margin = spec.account != "cash"
        fees = engine_fees(spec.fees, failure, task.strategy_folders)
        for venue, amounts in self.cash.items():
            # MARGIN where nothing else is asked for, as cash accounts refuse to sell short and
            # futures cannot be held in them; the result says when more was held than the account
            # was worth.
            engine.add_venue(
                model.Venue(venue),
                model.OmsType.HEDGING if spec.oms == "hedging" else model.OmsType.NETTING,
                model.AccountType.MARGIN if margin else model.AccountType.CASH,
                [
                    model.Money.from_decimal(amount, model.Currency.from_str(currency))
                    for currency, amount in amounts.items()
                ],
                base_currency=(
                    model.Currency.from_str(next(iter(amounts))) if len(amounts) == 1 else None
                ),
                default_leverage=Decimal(str(spec.leverage)) if margin and spec.leverage else None,
                fill_model=(
                    DefaultFillModel(1.0, spec.slippage, spec.seed) if spec.slippage else None
                ),
                fee_model=fees,
            )

    def markets(self, traded: Sequence[Traded]) -> list[Market]:
        """What each instrument is traded with: its account's cash in equal parts."""
        sharing = Counter((each.venue, each.currency) for each in traded)
        return [
            Market(
                each.instrument,
                model.BarType.from_str(each.feed.seen.series.bar_type),
                self.cash[each.venue][each.currency] / sharing[each.venue, each.currency],
            )
            for each in traded
        ]

    def found(self, engine: BacktestEngine) -> list[Any]:
        """Nautilus' accounts, in the order of the venues."""
        accounts = (engine.cache.account_for_venue(model.Venue(venue)) for venue in self.cash)
        return [account for account in accounts if account is not None]

    def balances(self, engine: BacktestEngine) -> dict[str, float]:
        """The cash of all accounts by currency."""
        total: dict[str, float] = {}
        for account in self.found(engine):
            for currency, money in account.balances_total().items():
                total[currency.code] = total.get(currency.code, 0.0) + money.as_double()
        return total

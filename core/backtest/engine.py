"""One run on Nautilus' engine, from files to figures. For worker processes only."""

from __future__ import annotations

import importlib
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal
from typing import Any

from nautilus_trader import model
from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig
from nautilus_trader.common import (
    FileWriterConfig,
    LoggerConfig,
    LogLevel,
    logger_flush,
    logging_sync_to_disk,
)

from catalog.errors import WrongInput
from core import strategies
from core.backtest.accounting import Marks
from core.backtest.checks import SYNTHETIC_CURRENCY
from core.backtest.data import InstrumentData
from core.backtest.fee_model import OrderFees
from core.backtest.feed import InstrumentFeed, load, windows
from core.backtest.fees import FEES
from core.backtest.fingerprint import source_hash
from core.backtest.guard import Failure, guarded
from core.backtest.orders import balances_of, fills_of, orders_of
from core.backtest.records import ENGINE_LOG
from core.backtest.settling import Ended, Holding, settle
from core.backtest.spec import Cash
from core.backtest.task import Outcome, Progress, Task
from core.strategies.positioning import Mandate


@dataclass(frozen=True, slots=True, eq=False)
class Traded:
    """One instrument of the run: what was given, its bars, and Nautilus' instrument."""

    data: InstrumentData
    feed: InstrumentFeed
    instrument: Any

    @property
    def venue(self) -> str:
        """The name of the venue it trades on."""
        return str(self.instrument.id.venue)

    def holding(self) -> Holding:
        """What its positions are valued by."""
        seen, multiplier = self.feed.seen, float(self.instrument.multiplier)
        marks = Marks(self.data.instrument_id, seen.ts, seen.close, multiplier)
        return Holding(self.data, marks, self.feed.warnings)


def simulate(task: Task, send: Callable[[Progress], None]) -> Outcome:
    """Run the task's strategy and write its tables. Raises `WrongInput` and `DataUnavailable`."""
    traded = [_traded(each, task) for each in task.data.instruments]
    cash = task.spec.starting_cash()
    by_venue = split(cash, sorted({each.venue for each in traded}))
    failure = Failure(task.spec.strategy)
    began = time.perf_counter()
    engine = _engine(task, traded, by_venue, failure)
    _run(engine, traded, failure, send, began)
    seconds = time.perf_counter() - began
    ended = Ended(
        tuple(orders_of(engine.cache)),
        tuple(fills_of(engine.cache)),
        _balance(engine, by_venue),
        seconds,
        tuple(row for account in _accounts(engine, by_venue) for row in balances_of(account)),
        source_hash(_strategy_class(task.spec.strategy)),
    )
    logger_flush()
    logging_sync_to_disk()
    return settle(task, [each.holding() for each in traded], tuple(by_venue), ended)


def split(cash: Cash, venues: Sequence[str]) -> dict[str, Decimal]:
    """The cash in equal parts for the venues, each an account of its own; what does not divide
    goes to the first."""
    cent = Decimal(1).scaleb(-model.Currency.from_str(cash.currency).precision)
    part = (cash.amount / len(venues)).quantize(cent, ROUND_DOWN)
    shares = dict.fromkeys(venues, part)
    shares[venues[0]] += cash.amount - part * len(venues)
    return shares


def _traded(data: InstrumentData, task: Task) -> Traded:
    feed = load(data, task.data.interval)
    instrument = (
        _synthetic(data.instrument_id, feed)
        if data.definition is None
        else getattr(model, str(data.definition["type"])).from_dict(data.definition)
    )
    for stream in feed.streams:
        theirs = stream.price_precision, stream.size_precision
        ours = instrument.price_precision, instrument.size_precision
        if theirs != ours:
            raise WrongInput(
                f"the bars of {stream.series} do not fit their instrument",
                f"prices have {theirs[0]} decimals and volumes {theirs[1]}, the instrument's "
                f"{ours[0]} and {ours[1]}: Nautilus would reject every order",
                "fetch the series again",
            )
    return Traded(data, feed, instrument)


def _synthetic(instrument_id: str, feed: InstrumentFeed) -> Any:
    precision = feed.seen.price_precision
    return model.Equity(
        model.InstrumentId.from_str(instrument_id),
        model.Symbol(instrument_id.rpartition(".")[0]),
        model.Currency.from_str(SYNTHETIC_CURRENCY),
        precision,
        model.Price.from_decimal_dp(Decimal(1).scaleb(-precision), precision),
        0,
        0,
    )


def _engine(
    task: Task, traded: Sequence[Traded], by_venue: dict[str, Decimal], failure: Failure
) -> BacktestEngine:
    engine = BacktestEngine(
        BacktestEngineConfig(
            run_analysis=False,
            logging=LoggerConfig(
                stdout_level=LogLevel.OFF,
                fileout_level=LogLevel.WARNING,
                file_config=FileWriterConfig(
                    directory=str(task.folder),
                    file_name=ENGINE_LOG.removesuffix(".jsonl"),  # Nautilus adds it
                    file_format="json",
                ),
            ),
        )
    )
    currency = model.Currency.from_str(task.spec.starting_cash().currency)
    fees = OrderFees(FEES[task.spec.fees], failure)
    for venue, amount in by_venue.items():
        # MARGIN, as cash accounts refuse to sell short and futures cannot be held in them; the
        # result says when more was held than the account was worth.
        engine.add_venue(
            model.Venue(venue),
            model.OmsType.NETTING,
            model.AccountType.MARGIN,
            [model.Money.from_decimal(amount, currency)],
            base_currency=currency,
            fee_model=fees,
        )
    parameters = strategies.parameters_of(task.spec.strategy, task.spec.parameters)
    strategy = guarded(_strategy_class(task.spec.strategy), failure)
    sharing = Counter(each.venue for each in traded)
    for number, each in enumerate(traded, 1):
        engine.add_instrument(each.instrument)
        mandate = Mandate(
            parameters,
            each.instrument,
            model.BarType.from_str(each.feed.seen.series.bar_type),
            by_venue[each.venue] / sharing[each.venue],
            f"{number:03}",
        )
        engine.add_strategy(strategy(mandate))
    return engine


def _run(
    engine: BacktestEngine,
    traded: Sequence[Traded],
    failure: Failure,
    send: Callable[[Progress], None],
    began: float,
) -> None:
    """Feed the engine to the end, or to the first exception, which is raised."""
    streams = [stream for each in traded for stream in each.feed.streams]
    total = sum(len(stream) for stream in streams)
    done = 0
    for window in windows(streams):
        for bars in window:
            engine.add_data(bars)
            done += len(bars)
        engine.run(streaming=True)
        engine.clear_data()
        failure.raise_again()
        send(Progress(done, total, time.perf_counter() - began))
    engine.end()
    failure.raise_again()


def _strategy_class(name: str) -> Any:
    shipped = strategies.find(name)
    return getattr(importlib.import_module(shipped.module), shipped.class_name)


def _accounts(engine: BacktestEngine, by_venue: dict[str, Decimal]) -> list[Any]:
    found = (engine.cache.account_for_venue(model.Venue(venue)) for venue in by_venue)
    return [account for account in found if account]


def _balance(engine: BacktestEngine, by_venue: dict[str, Decimal]) -> float:
    accounts = _accounts(engine, by_venue)
    return math.fsum(account.balance_total().as_double() for account in accounts)

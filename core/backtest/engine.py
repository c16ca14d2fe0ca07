"""One run on Nautilus' engine, from files to figures. For worker processes only."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig
from nautilus_trader.common import (
    FileWriterConfig,
    LoggerConfig,
    LogLevel,
    logger_flush,
    logging_sync_to_disk,
)
from nautilus_trader.model import Bar

from catalog.errors import DataUnavailable
from core.backtest.accounts import Accounts
from core.backtest.currencies import Rates, purse, read_rates
from core.backtest.feed import windows
from core.backtest.fingerprint import source_hash
from core.backtest.guard import Failure, HeldBack, guarded
from core.backtest.instruments import traded
from core.backtest.orders import balances_of, fills_of, orders_of
from core.backtest.recording import MOST_READINGS, Recorder
from core.backtest.records import ENGINE_LOG
from core.backtest.settling import Ended, Holding, settle
from core.backtest.stream import read_stream
from core.backtest.task import Outcome, Progress, Task
from core.strategies.loading import load


def simulate(task: Task, send: Callable[[Progress], None]) -> Outcome:
    """Run the task's strategy and write its tables. Raises `WrongInput` and `DataUnavailable`."""
    task.limits.hold()
    run = Simulation(task)
    run.run(send)
    task.limits.release()
    logger_flush()
    logging_sync_to_disk()
    ended, holdings, venues = run.ended(), run.holdings(), tuple(run.accounts.cash)
    run.engine.dispose()
    del run  # what the engine held is free for the figures
    return settle(task, holdings, venues, ended)


class Simulation:
    """An engine with all it takes: venues, instruments, strategies, bars.

    Raises `WrongInput` and `DataUnavailable` for what cannot be run.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.traded = [traded(each, task) for each in task.data.instruments]
        self.rates = _rates(task)
        currencies = [each.currency for each in self.traded]
        self.purse = purse(task.spec.all_cash(), currencies, self.rates, task.data.interval[0])
        self.accounts = Accounts.split(self.purse.cash, self.traded)
        self._recorders: list[Recorder] = []
        self._failure = Failure(task.spec.strategy)
        self._held_back = HeldBack()
        self._loaded = load(task.spec.strategy, task.strategy_folders)
        self._began = time.perf_counter()
        self.engine = self._engine()
        self._seconds = 0.0
        self._reached = 0
        self._stopped = ""

    def run(self, send: Callable[[Progress], None]) -> None:
        """Feed the engine to the end, until it is asked to stop, or to the first exception, which
        is raised."""
        streams = [stream for each in self.traded for stream in each.feed.streams]
        total, done = sum(len(stream) for stream in streams), 0
        for window in windows(streams):
            done += self._feed(window)
            if done < total and not self._stopped and self._asked_to_stop():
                self._stopped = "cancelled"
            self._seconds = time.perf_counter() - self._began
            if done == total or self._stopped:
                send(Progress(done, total, self._seconds, self._reached, ended=True))
                break
            send(Progress(done, total, self._seconds, self._reached))
        self.engine.end()
        self._failure.raise_again()
        self.task.stop.unlink(missing_ok=True)

    def _feed(self, window: list[list[Bar]]) -> int:
        """Let the engine process a window of bars; how many of them it took."""
        before, count = self.engine.iteration, sum(len(bars) for bars in window)
        for bars in window:
            self.engine.add_data(bars)
        self.engine.run(streaming=True)
        self.engine.clear_data()
        self._failure.raise_again()
        self.task.limits.heard()
        # After a strategy's `shutdown_system` the engine takes no bar any more, silently.
        taken = min(self.engine.iteration - before, count)
        if taken < count:
            self._stopped = "the strategy shut it down"
            stamps = sorted(bar.ts_init for bars in window for bar in bars)
            self._reached = stamps[taken - 1] if taken else self._reached
            self._refuse_unbegun()
            return taken
        self._reached = max(bars[-1].ts_init for bars in window)
        return taken

    def _asked_to_stop(self) -> bool:
        return self._begun() and self.task.stop.exists()

    def _refuse_unbegun(self) -> None:
        if not self._begun():
            raise DataUnavailable(
                f"{self.task.spec.strategy} shut the run down before its start",
                "it did so while it warmed up, or before each instrument had a bar",
                "look for shutdown_system in the strategy",
            )

    def _begun(self) -> bool:
        """Whether there is something of each instrument to value."""
        span = self.task.data.interval[0], self._reached
        return all(len(each.feed.seen.between(*span)[0]) for each in self.traded)

    def holdings(self) -> list[Holding]:
        """What each instrument is valued by, as far as the run came."""
        start = self.task.data.interval[0]
        return [each.holding(start, self._reached) for each in self.traded]

    def ended(self) -> Ended:
        """What the engine leaves."""
        cache, accounts = self.engine.cache, self.accounts
        return Ended(
            tuple(orders_of(cache)),
            tuple(fills_of(cache)),
            accounts.balances(self.engine),
            self._seconds,
            self.purse,
            self.rates,
            tuple(row for account in accounts.found(self.engine) for row in balances_of(account)),
            self._source,
            self._stopped,
            tuple(line for recorder in self._recorders for line in recorder.lines()),
            self._held_back.orders,
        )

    def _engine(self) -> BacktestEngine:
        engine = BacktestEngine(
            BacktestEngineConfig(
                run_analysis=False,  # the figures are ours; it takes 200 MB for 50,000 trades
                logging=LoggerConfig(
                    stdout_level=LogLevel.OFF,
                    fileout_level=LogLevel.WARNING,
                    file_config=FileWriterConfig(
                        directory=str(self.task.folder),
                        file_name=ENGINE_LOG.removesuffix(".jsonl"),  # Nautilus adds it
                        file_format="json",
                    ),
                ),
            )
        )
        task, failure = self.task, self._failure
        self.accounts.open(engine, task, failure)
        kinds = self._loaded.kind, self._loaded.configuration
        self._source = source_hash(task.strategy_folders, *kinds)
        for each in self.traded:
            engine.add_instrument(each.instrument)
        start = None if task.data.warm_from is None else task.data.interval[0]
        fed = {stream.series.bar_type for each in self.traded for stream in each.feed.streams}
        seen = sum(len(each.feed.seen) for each in self.traded)
        every = max(-(-seen // MOST_READINGS), 1)

        def kind(number: int) -> type[Any]:
            self._recorders.append(recorder := Recorder(every))
            return guarded(
                self._loaded.kind,
                number,
                failure=failure,
                recorder=recorder,
                fed=fed,
                start=start,
                held_back=self._held_back,
            )

        for strategy in self._loaded.instances(
            task.parameters,
            self.accounts.markets(self.traded),
            kind,
        ):
            engine.add_strategy(strategy)
        return engine


def _rates(task: Task) -> Rates:
    data = task.data
    bars = []
    for each in data.rates:
        stream = read_stream(each.series, each.files, data.rated)
        if stream is not None:
            bars.append((each, stream.ts, stream.close))
    return read_rates(task.spec.starting_cash().currency, bars, data.interval[0])

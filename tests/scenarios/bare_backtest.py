"""Backtests as a script would write them with Nautilus alone, to compare ours with.

For worker processes only.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from nautilus_trader.backtest import BacktestEngine, BacktestEngineConfig
from nautilus_trader.common import LoggerConfig
from nautilus_trader.execution import MakerTakerFeeModel
from nautilus_trader.indicators import SimpleMovingAverage
from nautilus_trader.model import (
    AccountType,
    BarType,
    Currency,
    Equity,
    Money,
    NautilusDataType,
    OmsType,
    OrderFilled,
    OrderSide,
    Quantity,
)
from nautilus_trader.persistence import ParquetDataCatalog
from nautilus_trader.trading import Strategy

from core.backtest import engine as ours
from core.backtest.feed import load as load_bars
from core.backtest.feed import windows
from core.backtest.settling import Ended
from core.backtest.task import Task

type PlainFill = tuple[int, float, float]


class Crossover(Strategy):
    """Turns round at every crossing, 100 shares at a time."""

    def __init__(self, bar_type: BarType) -> None:
        super().__init__()
        self.bar_type = bar_type
        self.fast, self.slow = SimpleMovingAverage(10), SimpleMovingAverage(20)
        self.held = 0

    def on_start(self) -> None:
        self.register_indicator_for_bars(self.bar_type, self.fast)
        self.register_indicator_for_bars(self.bar_type, self.slow)
        self.subscribe_bars(self.bar_type)

    def on_bar(self, bar: Any) -> None:
        if not self.slow.initialized or self.fast.value == self.slow.value:
            return
        wanted = 100 if self.fast.value > self.slow.value else -100
        if wanted == self.held:
            return
        side = OrderSide.BUY if wanted > self.held else OrderSide.SELL
        quantity = Quantity.from_int(abs(wanted - self.held))
        instrument_id = self.bar_type.instrument_id
        self.submit_order(self.order_factory.market(instrument_id, side, quantity))
        self.held = wanted


def crossover_fills(
    root: Path, definition: dict[str, Any], bar_type: str
) -> tuple[list[PlainFill], float]:
    """Run it on all bars of the catalog; the fills (time, signed units, price) and the balance."""
    instrument = Equity.from_dict(definition)
    usd = Currency.from_str("USD")
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggerConfig(bypass_logging=True)))
    engine.add_venue(
        instrument.id.venue,
        OmsType.NETTING,
        AccountType.MARGIN,
        [Money.from_str("100000 USD")],
        base_currency=usd,
        fee_model=MakerTakerFeeModel(Decimal(0), Decimal(0)),
    )
    engine.add_instrument(instrument)
    engine.add_strategy(Crossover(BarType.from_str(bar_type)))
    bars = ParquetDataCatalog(str(root)).query(NautilusDataType.Bar, identifiers=[bar_type])
    engine.add_data(bars)
    engine.run()
    events = [event for order in engine.cache.orders() for event in order.events()]
    fills = [
        (
            event.ts_event,
            float(event.last_qty) * (1 if event.is_buy else -1),
            float(event.last_px),
        )
        for event in events
        if isinstance(event, OrderFilled)
    ]
    account = engine.cache.account_for_venue(instrument.id.venue)
    assert account is not None
    return sorted(fills), account.balance_total().as_double()


def shipped_fills(
    root: Path,
    definitions: list[dict[str, Any]],
    bar_types: list[str],
    strategy: str,
    parameters: dict[str, Any],
) -> list[tuple[int, str, float, float]]:
    """Run a shipped strategy on all bars of the catalog in one piece; its fills (time, instrument,
    signed units, price)."""
    from core.strategies.loading import load
    from core.strategies.positioning import Leg, Mandate

    usd = Currency.from_str("USD")
    engine = BacktestEngine(BacktestEngineConfig(logging=LoggerConfig(bypass_logging=True)))
    legs = [
        Leg(Equity.from_dict(definition), BarType.from_str(bar_type))
        for definition, bar_type in zip(definitions, bar_types, strict=True)
    ]
    engine.add_venue(
        legs[0].instrument.id.venue,
        OmsType.NETTING,
        AccountType.MARGIN,
        [Money.from_str("100000 USD")],
        base_currency=usd,
        fee_model=MakerTakerFeeModel(Decimal(0), Decimal(0)),
    )
    for leg in legs:
        engine.add_instrument(leg.instrument)
    loaded = load(strategy)
    assert loaded.configuration is not None
    set_so = loaded.configuration(**parameters)
    first, *others = legs
    cash = Decimal(100_000)
    mandate = Mandate(set_so, first.instrument, first.bar_type, cash, "001", tuple(others))
    kind: Any = loaded.kind
    engine.add_strategy(kind(mandate))
    for bar_type in bar_types:
        bars = ParquetDataCatalog(str(root)).query(NautilusDataType.Bar, identifiers=[bar_type])
        engine.add_data(bars)
    engine.run()
    return [
        (fill.ts, fill.instrument_id, fill.units, fill.price)
        for fill in ours.fills_of(engine.cache)
    ]


def windows_of(task: Task, size: int | None) -> list[tuple[str, int, int]]:
    """The bars of the task as the engine gets them in windows of a size: window by window in the
    order of their time (series, stamp, close in units of its precision)."""
    streams = [
        one for each in task.data.instruments for one in load_bars(each, task.data.fed).streams
    ]
    found: list[tuple[str, int, int]] = []
    for window in windows(streams, size):
        rows = [(str(bar.bar_type), bar.ts_init, bar.close.raw) for bars in window for bar in bars]
        assert not found or min(row[1] for row in rows) > found[-1][1]
        found += sorted(rows, key=lambda row: row[1])
    return found


def snapshots(task: Task) -> tuple[list[tuple[int, float]], float, Ended]:
    """Run the task on our engine and give Nautilus' own equity where it noted it, its realized
    profit over all positions, and what ours goes on to settle."""
    run = ours.Simulation(task)
    run.run(lambda _: None)
    engine = run.engine
    (account,) = run.accounts.found(engine)
    noted = [
        (each.ts_event, each.base_currency_equity.as_double())
        for each in engine.portfolio.snapshots(account.id)
    ]
    positions = [*engine.cache.positions(), *engine.cache.position_snapshots()]
    realized = sum(each.realized_pnl.as_double() for each in positions if each.realized_pnl)
    return noted, realized, run.ended()

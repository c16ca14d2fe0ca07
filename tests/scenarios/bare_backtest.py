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

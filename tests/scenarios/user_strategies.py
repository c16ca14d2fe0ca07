"""A folder of a user's strategies, and runs of them on a few bars."""

from __future__ import annotations

import textwrap
from pathlib import Path

from catalog.events import ignore
from core.backtest.results import RunStore, StoredRun
from core.backtest.runner import run_backtest
from core.strategies.library import Library
from tests.scenarios import backtest_bars as market

PLAIN = '''
    """What a user of Nautilus writes."""
    from dataclasses import dataclass, field
    from decimal import Decimal
    from enum import Enum
    from typing import Literal

    from nautilus_trader.indicators import SimpleMovingAverage
    from nautilus_trader.model import BarType, InstrumentId, OrderSide, Quantity
    from nautilus_trader.trading import Strategy, StrategyConfig

    class Mood(Enum):
        CALM = 1
        WILD = 2

    @dataclass(kw_only=True)
    class TouchConfig(StrategyConfig):
        instrument_id: InstrumentId
        bar_type: BarType
        period: int = field(default=3, metadata={"ge": 2, "le": 50})
        """Bars in the average."""
        size: Decimal = Decimal(10)
        share: float = 0.5
        mood: Mood = Mood.CALM
        side: OrderSide = OrderSide.BUY
        pace: Literal["slow", "fast"] = "slow"
        label: str = "x"
        loud: bool = False
        ceiling: float | None = None

    class Touch(Strategy):
        """Buys once above the average."""

        def __init__(self, config: TouchConfig):
            super().__init__(config)
            self.settings = config
            self.average = SimpleMovingAverage(config.period)
            self.done = False

        def on_start(self):
            self.register_indicator_for_bars(self.settings.bar_type, self.average)
            self.subscribe_bars(self.settings.bar_type)
            if self.settings.loud:
                print(type(self.settings.size).__name__, self.settings.mood, self.settings.side)

        def on_bar(self, bar):
            if self.done or not self.average.initialized:
                return
            if bar.close.as_double() > self.average.value:
                self.done = True
                size = Quantity.from_decimal_dp(self.settings.size, 0)
                self.submit_order(
                    self.order_factory.market(self.settings.instrument_id, self.settings.side, size)
                )
'''
RISING = [100, 101, 99, 102, 103]


def write(folder: Path, name: str, source: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.py"
    file.write_text(textwrap.dedent(source))
    return file


async def run(
    tmp_path: Path, folder: Path, strategy: str, *ids: str, **parameters: object
) -> StoredRun:
    data = market.run_of(
        *(
            market.instrument(tmp_path, market.flat_bars(RISING), market.equity(one))
            for one in ids or ("AAPL.NASDAQ",)
        )
    )
    spec = market.spec_for(data, strategy, **parameters)
    library = Library([folder])
    return await run_backtest(
        spec, data, RunStore(tmp_path / "runs"), report=ignore, library=library
    )

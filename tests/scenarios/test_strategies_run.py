"""Strategies in files of the user's, run: with typed values, on several instruments and bar
types."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.strategies.library import Library
from tests.scenarios import backtest_bars as market
from tests.scenarios.user_strategies import PLAIN, RISING, run, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "mine", "touching", PLAIN)
    return tmp_path / "mine"


async def test_it_runs_with_typed_values_and_its_prints_go_to_the_log(
    tmp_path: Path, folder: Path
) -> None:
    given = {"period": "2", "size": "7", "mood": "WILD", "side": "SELL", "loud": "yes"}
    done = await run(tmp_path, folder, "touching", **given)
    # The average of 2 closes is passed at the second one.
    assert [(fill.units, fill.price) for fill in done.fills] == [(-7, 101)]
    assert done.spec.strategy == "touching:Touch"
    log = (tmp_path / "runs" / done.run_id / "worker.log").read_text()
    assert "Decimal Mood.WILD" in log
    assert "SELL" in log


async def test_each_instrument_has_an_instance_of_its_own(tmp_path: Path, folder: Path) -> None:
    done = await run(tmp_path, folder, "touching", "AAPL.NASDAQ", "IBM.NASDAQ", period=2)
    assert [(fill.instrument_id, fill.units) for fill in done.fills] == [
        ("AAPL.NASDAQ", 10),
        ("IBM.NASDAQ", 10),
    ]


async def test_several_instruments_reach_one_instance(tmp_path: Path, folder: Path) -> None:
    write(
        folder,
        "basket",
        """
        from dataclasses import dataclass
        from nautilus_trader.model import BarType, InstrumentId, OrderSide, Quantity
        from nautilus_trader.trading import Strategy, StrategyConfig

        @dataclass(kw_only=True)
        class BasketConfig(StrategyConfig):
            instrument_ids: list[InstrumentId]
            bar_types: tuple[BarType, ...]

        class Basket(Strategy):
            def __init__(self, config: BasketConfig):
                super().__init__(config)
                self.settings = config

            def on_start(self):
                self.subscribe_bars(self.settings.bar_types[-1])

            def on_bar(self, bar):
                for each in self.settings.instrument_ids:
                    size = Quantity.from_int(1)
                    self.submit_order(self.order_factory.market(each, OrderSide.BUY, size))
        """,
    )
    done = await run(tmp_path, folder, "basket", "AAPL.NASDAQ", "IBM.NASDAQ")
    assert Library([folder]).find("basket").instruments is None
    assert {fill.instrument_id for fill in done.fills} == {"AAPL.NASDAQ", "IBM.NASDAQ"}
    assert len(done.fills) == 2 * len(RISING)


async def test_a_second_bar_type_is_made_of_the_bars_of_the_run(
    tmp_path: Path, folder: Path
) -> None:
    write(
        folder,
        "two_paces",
        """
        from dataclasses import dataclass
        from nautilus_trader.model import BarType, InstrumentId, OrderSide, Quantity
        from nautilus_trader.trading import Strategy, StrategyConfig

        @dataclass(kw_only=True)
        class TwoPacesConfig(StrategyConfig):
            instrument_id: InstrumentId
            fast: BarType
            slow: BarType

        class TwoPaces(Strategy):
            def __init__(self, config):
                super().__init__(config)
                self.trades = config.instrument_id
                self.fast, self.slow = config.fast, config.slow

            def on_start(self):
                self.subscribe_bars(self.fast)
                self.subscribe_bars(self.slow)

            def on_bar(self, bar):
                if bar.bar_type.spec != self.fast.spec:
                    size = Quantity.from_int(1)
                    self.submit_order(self.order_factory.market(self.trades, OrderSide.BUY, size))
        """,
    )
    data_of_one = await run(tmp_path, folder, "two_paces", slow="2-MINUTE-LAST")
    assert Library([folder]).find("two_paces").instruments == 1
    minutes = [(fill.ts - market.START) // market.MINUTE for fill in data_of_one.fills]
    assert minutes == [2, 4]

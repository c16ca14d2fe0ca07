"""How strategies of the user's can go wrong in a run, and what is told of it."""

from __future__ import annotations

import asyncio
import textwrap
from pathlib import Path

import pytest

from catalog.errors import DataUnavailable, QuarterdeckError
from catalog.events import ignore
from core.backtest.limits import Limits
from core.backtest.results import RunStore
from core.backtest.runner import run_backtest
from core.strategies.library import Library
from tests.scenarios import backtest_bars as market
from tests.scenarios.user_strategies import RISING, run, write

FAILING = """
    import os
    from dataclasses import dataclass
    from nautilus_trader.model import BarType
    from nautilus_trader.trading import Strategy, StrategyConfig

    @dataclass(kw_only=True)
    class FailingConfig(StrategyConfig):
        bars: BarType
        how: str

    class Failing(Strategy):
        def __init__(self, config: FailingConfig):
            super().__init__(config)
            self.bars, self.how = config.bars, config.how

        def on_start(self):
            self.subscribe_bars(self.bars)

        def on_bar(self, bar):
            print("about to", self.how, flush=True)
            getattr(self, self.how)()

        def fail(self):
            try:
                self.look_up({})
            except KeyError as error:
                raise RuntimeError("no such price") from error

        def look_up(self, prices):
            return prices["AAPL"]

        def spin(self):
            while True:
                pass

        def hoard(self):
            self.much = [bytearray(50_000_000) for _ in range(100)]

        def leave(self):
            os._exit(7)
"""


async def fail(tmp_path: Path, how: str, **limits: float) -> QuarterdeckError:
    folder = tmp_path / "mine"
    write(folder, "failing", FAILING)
    held = market.instrument(tmp_path, market.flat_bars(RISING), market.equity())
    data = market.run_of(held)
    spec = market.spec_for(data, "failing:Failing", how=how)
    store = RunStore(tmp_path / "runs")
    with pytest.raises(QuarterdeckError) as failure:
        await run_backtest(
            spec,
            data,
            store,
            report=ignore,
            library=Library([folder]),
            limits=Limits(**limits),  # type: ignore[arg-type]
        )
    (kept,) = store.list()
    assert kept.result.state == "failed"
    assert kept.result.error == failure.value.as_record()
    log = (tmp_path / "runs" / kept.run_id / "worker.log").read_text()
    assert f"about to {how}" in log
    return failure.value


async def test_an_exception_is_shown_with_its_own_lines_first_cause_first(tmp_path: Path) -> None:
    told = await fail(tmp_path, "fail")
    assert isinstance(told, DataUnavailable)
    assert told.title == "failing:Failing raised RuntimeError: no such price"
    lines = told.reason.splitlines()
    assert lines[0] == "KeyError: 'AAPL'"
    assert lines[2].endswith('in look_up: return prices["AAPL"]')
    assert lines[3] == "RuntimeError: no such price"
    assert lines[-1].endswith('in fail: raise RuntimeError("no such price") from error')
    assert all("failing.py" in line for line in lines if line.startswith("  "))


@pytest.mark.parametrize("place", ["__init__", "on_start", "on_bar", "on_order_filled", "on_stop"])
@pytest.mark.parametrize("error", ["ValueError('no')", "SystemExit(5)"])
async def test_wherever_it_raises_the_run_ends_and_says_where(
    tmp_path: Path, place: str, error: str
) -> None:
    folder = tmp_path / "mine"
    arguments = {"on_bar": ", bar", "on_order_filled": ", event"}.get(place, "")
    source = textwrap.dedent("""
        from nautilus_trader.model import BarType, OrderSide, Quantity
        from nautilus_trader.trading import Strategy

        class Base(Strategy):
            def __init__(self, bars: BarType):
                super().__init__()
                self.bars = bars

            def on_start(self):
                self.subscribe_bars(self.bars)

            def on_bar(self, bar):
                size = Quantity.from_int(1)
                order = self.order_factory.market(bar.bar_type.instrument_id, OrderSide.BUY, size)
                self.submit_order(order)

        class Placed(Base):
    """)
    name = "__init__(self, bars: BarType)" if place == "__init__" else f"{place}(self{arguments})"
    write(folder, "placed", f"{source}    def {name}:\n        raise {error}\n")
    data = market.run_of(market.instrument(tmp_path, market.flat_bars(RISING), market.equity()))
    spec = market.spec_for(data, "placed:Placed")
    store = RunStore(tmp_path / "runs")
    with pytest.raises(QuarterdeckError) as failure:
        await run_backtest(spec, data, store, report=ignore, library=Library([folder]))
    assert f"in {place}: raise {error}" in failure.value.reason


async def test_an_endless_loop_ends_at_its_limit_and_is_shown_where_it_turned(
    tmp_path: Path,
) -> None:
    told = await fail(tmp_path, "spin", silence=0.5)
    assert told.title == "failing:Failing did not come back within 0.5 s"
    assert told.reason.splitlines()[0].endswith("in spin")
    assert "failing.py" in told.reason


async def test_a_strategy_that_eats_memory_ends_at_its_limit(tmp_path: Path) -> None:
    told = await fail(tmp_path, "hoard", memory=300_000_000)
    assert told.title == "failing:Failing took more memory than a run may"
    assert "in hoard: self.much = " in told.reason


async def test_a_process_that_is_left_is_told_with_its_last_words(tmp_path: Path) -> None:
    told = await fail(tmp_path, "leave")
    assert "exit code 7" in told.reason
    assert "about to leave" in told.reason


async def test_a_strategy_that_shuts_the_run_down_leaves_a_partial_one(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write(
        folder,
        "leaving",
        """
        from nautilus_trader.model import BarType
        from nautilus_trader.trading import Strategy

        class Leaving(Strategy):
            def __init__(self, bars: BarType):
                super().__init__()
                self.bars = bars

            def on_start(self):
                self.subscribe_bars(self.bars)

            def on_bar(self, bar):
                if bar.close.as_double() == 99:
                    self.shutdown_system("enough")
        """,
    )
    done = await run(tmp_path, folder, "leaving")
    assert done.result.state == "partial"
    assert done.metrics.bars == 3
    assert done.result.warnings[0].startswith(
        "partial: the strategy shut it down at 2024-01-02 14:33"
    )


async def test_a_cancel_that_a_strategy_does_not_hear_ends_it_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    write(folder, "failing", FAILING)
    held = market.instrument(tmp_path, market.flat_bars(RISING), market.equity())
    data = market.run_of(held)
    store = RunStore(tmp_path / "runs")
    spec = market.spec_for(data, "failing:Failing", how="spin")
    run = asyncio.ensure_future(
        run_backtest(spec, data, store, report=ignore, library=Library([folder]))
    )
    async with asyncio.timeout(30):
        while not list((tmp_path / "runs").glob(".staging/*/*/worker.log")):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    run.cancel()
    async with asyncio.timeout(30):  # it spins for ever, unless it is killed
        with pytest.raises(asyncio.CancelledError):
            await run
    assert store.list() == []
    assert not list((tmp_path / "runs").glob(".staging/*/*"))

"""Strategies in files of the user's: found, described, set, run; and how they can be wrong."""

from __future__ import annotations

import asyncio
import os
import sys
import textwrap
import time
from decimal import Decimal
from pathlib import Path

import pytest

from catalog.errors import DataUnavailable, QuarterdeckError, WrongInput
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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "mine", "touching", PLAIN)
    return tmp_path / "mine"


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


def test_a_file_is_described_without_being_imported_here(folder: Path) -> None:
    library = Library([folder])
    info = library.find("touching")
    assert (info.name, info.summary) == ("touching:Touch", "Buys once above the average.")
    assert info.file == folder / "touching.py"
    assert "touching" not in sys.modules
    told = {each.name: (each.type, each.default) for each in info.parameters}
    assert told == {
        "instrument_id": ("instrument", None),
        "bar_type": ("bar type", None),
        "period": ("int", 3),
        "size": ("decimal", Decimal(10)),
        "share": ("float", 0.5),
        "mood": ("choice", "CALM"),
        "side": ("choice", "BUY"),
        "pace": ("choice", "slow"),
        "label": ("str", "x"),
        "loud": ("bool", False),
        "ceiling": ("float", None),
    }
    period = next(each for each in info.parameters if each.name == "period")
    assert (period.doc, period.at_least, period.at_most) == ("Bars in the average.", 2, 50)
    mood = next(each for each in info.parameters if each.name == "mood")
    assert mood.choices == ("CALM", "WILD")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"period": "1"}, "at least 2"),
        ({"period": "2.5"}, "whole number"),
        ({"mood": "ANGRY"}, "one of CALM, WILD"),
        ({"loud": "perhaps"}, "true or false"),
        ({"perido": 5}, "parameters are period"),
    ],
)
def test_values_are_checked_as_one_types(
    folder: Path, given: dict[str, object], words: str
) -> None:
    with pytest.raises(WrongInput) as refusal:
        Library([folder]).read("touching", given)
    assert words in refusal.value.reason


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


def test_too_few_instruments_are_refused(folder: Path) -> None:
    with pytest.raises(WrongInput, match="trades 2 instruments together"):
        Library().check("pairs_spread", {}, 1)


def test_a_configuration_that_refuses_its_values_is_told_before_the_run(folder: Path) -> None:
    write(
        folder,
        "picky",
        """
        from dataclasses import dataclass
        from nautilus_trader.trading import Strategy, StrategyConfig

        @dataclass(kw_only=True)
        class PickyConfig(StrategyConfig):
            low: int = 1
            high: int = 2

            def __post_init__(self):
                if self.low >= self.high:
                    raise ValueError("low must stay below high")

        class Picky(Strategy):
            def __init__(self, config: PickyConfig):
                super().__init__(config)
        """,
    )
    library = Library([folder])
    library.check("picky", {"high": 9}, 1)
    with pytest.raises(WrongInput) as refusal:
        library.check("picky", {"low": 5}, 1)
    first, place = refusal.value.reason.splitlines()
    assert first == "ValueError: low must stay below high"
    assert place.endswith('in __post_init__: raise ValueError("low must stay below high")')


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library([folder])
    before = library.find("touching")
    monkeypatch.setattr("catalog.workers.run_blocking", lambda *_, **__: pytest.fail("imported"))
    assert library.find("touching") is before
    monkeypatch.undo()
    file = folder / "touching.py"
    file.write_text(file.read_text().replace("period: int", "length: int"))
    os.utime(file, ns=(1, 1))
    assert "length" in [each.name for each in library.find("touching").parameters]


BROKEN = {
    "bad_syntax": ("def oops(:\n", "SyntaxError"),
    "raises": ("\nvalue = {}['key']\n", "KeyError: 'key'"),
    "lacks": ("import no_such_module\n", "No module named 'no_such_module'"),
    "leaves": ("import os\nos._exit(3)\n", "exit code 3"),
    "unknown_type": (PLAIN.replace("period: int", "period: 'Absent'"), "name 'Absent' is not"),
    "empty": ("x = 1\n", "defines no strategy"),
    "json": (PLAIN, "a module of this name is there already"),
    "core": (PLAIN, "a module of this name is there already"),
}


def test_broken_files_are_listed_with_their_error_beside_the_sound_ones(folder: Path) -> None:
    for name, (source, _) in BROKEN.items():
        write(folder, name, source)
    write(folder, "test_touching", "raise AssertionError('tests are not imported')")
    listed = Library([folder, folder / "nowhere"]).list()
    errors = {info.name: info.error for info in listed if info.error}
    assert errors.keys() == {*BROKEN, str(folder / "nowhere")}
    for name, (_, words) in BROKEN.items():
        assert words in errors[name], name
    assert "touching:Touch" in [info.name for info in listed if not info.error]
    assert f"{folder}/bad_syntax.py, line 1: def oops(:" in errors["bad_syntax"]
    assert "raises.py, line 2, in <module>: value = {}['key']" in errors["raises"]


def test_a_name_that_none_has_is_answered_with_the_nearest(folder: Path) -> None:
    with pytest.raises(WrongInput) as refusal:
        Library([folder]).find("sma_crosover")
    assert refusal.value.reason.startswith("the strategies are sma_crossover, ")
    with pytest.raises(QuarterdeckError, match="no strategy module 'nothing'"):
        Library([folder]).find("nothing:Here")


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
    from core.backtest.limits import Limits

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
    async with asyncio.timeout(20):
        while not list((tmp_path / "runs").glob(".staging/*/*/worker.log")):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    before = time.monotonic()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert time.monotonic() - before < 1
    assert store.list() == []
    assert not list((tmp_path / "runs").glob(".staging/*/*"))

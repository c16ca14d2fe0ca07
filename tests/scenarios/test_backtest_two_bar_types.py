"""A strategy of the user's on minutes and on days: both stored, the days fetched where they are
missing, and seen when they are over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from catalog.errors import WrongInput
from catalog.events import Event
from catalog.layout import NANOS_PER_DAY
from catalog.series import BarSpec, Series
from core.backtest.results import StoredRun
from core.backtest.spec import RunSpec
from core.backtest.sweep import Axis, SweepSpec
from core.options import Options
from core.simulator.server import SimulatedGateway
from core.workspace import Workspace
from tests.scenarios.user_strategies import write

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)
MINUTES, DAYS = BarSpec(1, "MINUTE"), BarSpec(1, "DAY")
ABOVE_YESTERDAY = """
    from dataclasses import dataclass
    from nautilus_trader.model import BarType, InstrumentId, OrderSide, Quantity
    from nautilus_trader.trading import Strategy, StrategyConfig

    @dataclass(kw_only=True)
    class AboveYesterdayConfig(StrategyConfig):
        instrument_id: InstrumentId
        fast: BarType
        slow: BarType
        units: int = 10

    class AboveYesterday(Strategy):
        \"\"\"Long while a minute closes above the day before.\"\"\"

        def __init__(self, config: AboveYesterdayConfig):
            super().__init__(config)
            self.settings = config
            self.yesterday = None
            self.long = False

        def on_start(self):
            self.subscribe_bars(self.settings.fast)
            self.subscribe_bars(self.settings.slow)

        def on_bar(self, bar):
            if bar.bar_type == self.settings.slow:
                self.yesterday = bar.close
            elif self.yesterday is not None and (bar.close > self.yesterday) != self.long:
                self.long = not self.long
                side = OrderSide.BUY if self.long else OrderSide.SELL
                order = self.order_factory.market(
                    self.settings.instrument_id, side, Quantity.from_int(self.settings.units)
                )
                self.submit_order(order)
"""
SPEC = RunSpec(
    "above_yesterday:AboveYesterday",
    {"slow": "1-DAY-LAST-EXTERNAL"},
    ("AAPL",),
    MINUTES,
    "2026-11-16",
    "2026-11-18",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workspace(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workspace]:
    async with SimulatedGateway(now=NOW) as gateway:
        home = tmp_path_factory.mktemp("home")
        options = Options(profile="demo", home=home, port=gateway.port, now=NOW)
        opened = await Workspace.open(options)
        write(opened.home.strategies, "above_yesterday", ABOVE_YESTERDAY)
        yield opened
        await opened.close()


async def run(workspace: Workspace, spec: RunSpec) -> tuple[StoredRun, list[Event]]:
    job = workspace.backtest(spec)
    done = await job.wait()
    return done, [line.event for line in job.log.since(0)]


async def test_days_are_fetched_and_seen_when_they_are_over(workspace: Workspace) -> None:
    done, heard = await run(workspace, SPEC)
    assert "AAPL.NASDAQ 1-DAY-LAST: complete in the catalog, 1 file checked" in map(str, heard)
    minutes = workspace.catalog.read_bars(Series("AAPL.NASDAQ", MINUTES))
    days = workspace.catalog.read_bars(Series("AAPL.NASDAQ", DAYS))
    expected, long = [], False
    for ts, close in zip(minutes.ts.tolist(), minutes.close.tolist(), strict=True):
        over = days.close[(days.ts < ts) & (days.ts > minutes.ts[0])]
        if len(over) and (close > over[-1]) != long:
            long = not long
            expected.append((ts, 10.0 if long else -10.0, close / 100))
    assert [(fill.ts, fill.units, fill.price) for fill in done.fills] == expected
    assert len(expected) > 1
    assert min(ts for ts, _, _ in expected) // NANOS_PER_DAY > minutes.ts[0] // NANOS_PER_DAY
    assert done.metrics.bars == 3 * 390, "positions are valued at the minutes alone"


async def test_the_days_are_part_of_what_a_run_stands_on(workspace: Workspace) -> None:
    done, _ = await run(workspace, SPEC)
    assert done.result.fingerprint is not None
    assert "AAPL.NASDAQ 1-DAY-LAST" in done.result.fingerprint.data
    assert (await workspace.reproduce(done.run_id).wait()).same


async def test_a_sweep_shares_both_and_varies_neither(workspace: Workspace) -> None:
    alone, _ = await run(workspace, SPEC)
    swept = await workspace.sweep(SweepSpec(SPEC, (Axis("units", (10, 20)),))).wait()
    fills = [workspace.runs.load(one.run_id or "").fills for one in swept.runs]
    assert fills[0] == alone.fills
    assert [fill.units for fill in fills[1]] == [2 * fill.units for fill in alone.fills]
    with pytest.raises(WrongInput) as refusal:
        SweepSpec(SPEC, (Axis("slow", ("1-DAY-LAST-EXTERNAL", "1-WEEK-LAST-EXTERNAL")),)).specs()
    assert "stored ones cannot be varied" in refusal.value.reason


@pytest.mark.parametrize(
    ("slow", "title", "kept"),
    [
        ("5-SECOND-LAST-EXTERNAL", "asks for 5-SECOND-LAST bars in a run on 1-MINUTE-LAST", 0),
        ("MSFT.NASDAQ-1-DAY-LAST-EXTERNAL", "which is not in the run", 1),
        ("1-DYA-LAST-EXTERNAL", "is not a bar type", 0),
        ("AAPL.NASDAQ-5-MINUTE-LAST-INTERNAL", "of which this run has no bars", 1),
        ("30-SECOND-LAST", "cannot be made of 1-MINUTE-LAST bars", 1),
        ("90-SECOND-LAST", "cannot be made of 1-MINUTE-LAST bars", 1),
    ],
)
async def test_bars_that_a_run_cannot_have_are_refused_in_words(
    workspace: Workspace, slow: str, title: str, kept: int
) -> None:
    """What was only mistyped is not kept; what the data or the strategy refuse is."""
    before = workspace.runs.list()
    with pytest.raises(WrongInput, match=title) as refusal:
        await run(workspace, replace(SPEC, parameters={"slow": slow}))
    fresh = workspace.runs.list()[: -len(before) or None]
    assert [failed.result.error for failed in fresh] == [refusal.value.as_record()] * kept


async def test_days_that_end_after_the_next_open_are_warned_about(workspace: Workspace) -> None:
    """A session of CME opens at 17:00 in Chicago, in winter an hour before the day ends in UTC."""
    hours = replace(SPEC, instruments=("ESZ6.CME",), bars=BarSpec(1, "HOUR"))
    done, _ = await run(workspace, hours)
    late = "ESZ6.CME 1-DAY-LAST: a day is seen at its end in UTC, up to 1.0 h after"
    assert any(text.startswith(late) for text in done.result.warnings)

"""What a run needs beside its bars, fetched from the simulated gateway: bars to warm up with,
rates of other currencies, the other instrument of a pair."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from catalog.events import Event
from catalog.series import BarSpec, Series
from core.backtest.results import StoredRun
from core.backtest.spec import RunSpec
from core.fetch import FetchRequest
from core.options import Options
from core.simulator.server import SimulatedGateway
from core.workspace import Workspace

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)
# The first hour after the open of a Wednesday: what came before it was on Tuesday.
SPEC = RunSpec(
    "sma_crossover",
    {"fast_period": 5, "slow_period": 20},
    ("AAPL",),
    BarSpec(1, "MINUTE"),
    "2026-11-18T14:30",
    "2026-11-18T15:30",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workspace(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workspace]:
    async with SimulatedGateway(now=NOW) as gateway:
        home = tmp_path_factory.mktemp("home")
        options = Options(profile="demo", home=home, port=gateway.port, now=NOW)
        opened = await Workspace.open(options)
        yield opened
        await opened.close()


async def run(workspace: Workspace, spec: RunSpec) -> tuple[StoredRun, list[Event]]:
    job = workspace.backtest(spec)
    done = await job.wait()
    return done, [line.event for line in job.log.since(0)]


def changed(**terms: object) -> RunSpec:
    return replace(SPEC, **terms)  # type: ignore[arg-type]


async def test_bars_of_the_session_before_are_fetched_to_warm_up_with(
    workspace: Workspace,
) -> None:
    cold, _ = await run(workspace, SPEC)
    warm, _ = await run(workspace, changed(warm_up=20))
    first_of_day = cold.equity.ts[0]
    assert warm.equity.ts.tolist() == cold.equity.ts.tolist()
    assert cold.fills[0].ts >= first_of_day + 19 * 60_000_000_000
    assert warm.fills[0].ts == first_of_day
    assert warm.metrics.bars == 60
    kept = [(line["channel"], line["message"]) for line in cold.log]
    assert ("data", "AAPL.NASDAQ 1-MINUTE-LAST: complete in the catalog, 1 file checked") in kept
    chosen = "AAPL.NASDAQ: as the instrument was stored on"
    assert any(message.startswith(chosen) for _, message in kept)
    assert "fetch" in {channel for channel, _ in kept}
    assert not any("before the start" in text for text in warm.result.warnings)
    catalog_only, heard = await run(workspace, changed(warm_up=20, source="catalog"))
    assert catalog_only.fills == warm.fills
    assert not [event for event in heard if event.channel == "fetch"]


@pytest.mark.parametrize("unit", ["WEEK", "MONTH"])
async def test_weeks_and_months_are_warmed_up_with_weeks_and_months(
    workspace: Workspace, unit: str
) -> None:
    longer = changed(
        bars=BarSpec.parse(f"1-{unit}"), start="-60d", end="today", warm_up=5, parameters={}
    )
    done, _ = await run(workspace, longer)
    assert (done.spec.start, done.spec.end) == ("2026-09-19", "2026-11-18")
    assert not any("before the start" in text for text in done.result.warnings)
    series = Series("AAPL.NASDAQ", longer.bars)
    before = workspace.catalog.read_bars(series, 0, done.result.interval[0])  # type: ignore[index]
    assert len(before.ts) == 5


async def test_a_run_in_an_adjusted_catalog_is_given_more_adjusted_bars(
    workspace: Workspace, tmp_path: Path
) -> None:
    port, days = workspace.broker.endpoint.port, BarSpec(1, "DAY")
    options = Options(profile="demo", home=tmp_path, port=port, now=NOW)
    adjusted = await Workspace.open(options)
    try:
        held = FetchRequest(("IBM",), days, "2026-11-09", "2026-11-13", adjusted=True)
        await adjusted.fetch(held).wait()
        longer = changed(instruments=("IBM",), bars=days, start="2026-11-02", end="2026-11-17")
        done, _ = await run(adjusted, longer)
    finally:
        await adjusted.close()
    assert done.metrics.bars == 12


async def test_without_cash_a_run_has_some_in_the_currency_of_its_first_instrument(
    workspace: Workspace,
) -> None:
    hong_kong = changed(
        strategy="buy_and_hold",
        parameters={},
        instruments=("700.SEHK",),
        bars=BarSpec(1, "DAY"),
        start="2026-10-05",
        end="2026-11-17",
    )
    done, _ = await run(workspace, hong_kong)
    assert done.spec.cash == "100000 HKD"
    assert done.metrics.start_equity == 100_000
    (fill,) = done.fills
    assert fill.fee == pytest.approx(max(0.0008 * fill.price * fill.units, 18), abs=0.01)
    assert any("stamp duty" in text for text in done.result.warnings)


async def test_crypto_pays_its_own_fees_and_trades_on_every_day_of_the_year(
    workspace: Workspace,
) -> None:
    coin = changed(
        strategy="buy_and_hold",
        parameters={"trade_size": "0.5"},
        instruments=("BTC/USD.PAXOS",),
        bars=BarSpec(1, "DAY"),
        start="2026-10-01",
        end="2026-11-17",
    )
    done, _ = await run(workspace, coin)
    (fill,) = done.fills
    assert fill.fee == pytest.approx(0.0018 * fill.price * 0.5, abs=0.01)
    assert done.metrics.days_a_year == 365


async def test_a_euro_account_gets_its_rates_by_itself(workspace: Workspace) -> None:
    dollars, _ = await run(workspace, changed(cash="100000 USD"))
    euros, _ = await run(workspace, changed(cash="100000 EUR", fees="zero"))
    assert any("converted to" in text and "USD" in text for text in euros.result.notes)
    assert euros.metrics.start_equity == pytest.approx(100_000, rel=1e-6)
    size = np.abs([fill.units for fill in euros.fills]).max()
    assert size > np.abs([fill.units for fill in dollars.fills]).max() * 1.01
    assert euros.result.state == "done"


async def test_a_pair_is_fetched_and_traded_together(workspace: Workspace) -> None:
    pair = changed(
        strategy="pairs_spread",
        parameters={"period": 10, "entry": 1.0, "exit": 0.2},
        instruments=("AAPL", "MSFT"),
    )
    done, _ = await run(workspace, pair)
    assert {fill.instrument_id for fill in done.fills} == {"AAPL.NASDAQ", "MSFT.NASDAQ"}
    by_stamp = [sum(fill.ts == ts for fill in done.fills) for ts in {f.ts for f in done.fills}]
    assert set(by_stamp) == {2}, "both legs are traded at the same close"

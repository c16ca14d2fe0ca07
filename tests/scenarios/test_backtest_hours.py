"""Regular hours out of bars of all hours, which the catalog holds only once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import pytest_asyncio

from catalog.errors import WrongInput
from catalog.series import BarSpec
from catalog.sessions import Hours
from core.backtest.results import StoredRun
from core.backtest.spec import RunSpec
from core.fetch import FetchRequest
from core.options import Options
from core.simulator.server import SimulatedGateway
from core.workspace import Workspace

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOW = datetime(2026, 11, 18, 23, 30, tzinfo=UTC)
DAYS = ("2026-11-16", "2026-11-17")
REGULAR, ALL = 2 * 78, 2 * 192
"""Bars of five minutes in two days: 09:30 to 16:00, and 04:00 to 20:00."""
SPEC = RunSpec(
    "sma_crossover", {"fast_period": 3, "slow_period": 9}, ("AAPL",), BarSpec(5, "MINUTE"), *DAYS
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[SimulatedGateway]:
    async with SimulatedGateway(now=NOW) as running:
        yield running


async def held(
    gateway: SimulatedGateway, home: pytest.TempPathFactory, hours: Hours, bars: BarSpec
) -> Workspace:
    """A workspace whose catalog holds the days in these hours."""
    options = Options("demo", home=home.mktemp(hours), port=gateway.port, now=NOW)
    workspace = await Workspace.open(options)
    await workspace.fetch(FetchRequest(("AAPL",), bars, *DAYS, hours)).wait()
    return workspace


async def run(workspace: Workspace, **terms: object) -> StoredRun:
    return await workspace.backtest(replace(SPEC, **terms)).wait()  # type: ignore[arg-type]


async def test_a_run_on_regular_hours_sees_of_all_hours_just_those(
    gateway: SimulatedGateway, tmp_path_factory: pytest.TempPathFactory
) -> None:
    everything = await held(gateway, tmp_path_factory, "all", SPEC.bars)
    regular = await held(gateway, tmp_path_factory, "regular", SPEC.bars)
    parted, plain = await run(everything, hours="regular"), await run(regular)
    assert (parted.metrics.bars, plain.metrics.bars) == (REGULAR, REGULAR)
    assert parted.fills == plain.fills
    assert np.array_equal(parted.equity.ts, plain.equity.ts)
    assert np.array_equal(parted.equity.value, plain.equity.value)
    assert (await run(everything)).metrics.bars == ALL

    # The day before is not held: it is fetched as the series is, and parted too.
    warm = [await run(each, hours="regular", warm_up=9) for each in (everything, regular)]
    assert warm[0].fills == warm[1].fills
    assert not [text for one in warm for text in one.result.warnings if "before the start" in text]

    with pytest.raises(WrongInput, match="regular hours"):
        await run(regular, hours="all")
    for each in (everything, regular):
        await each.close()


async def test_hours_begin_before_the_market_does_and_cannot_be_parted(
    gateway: SimulatedGateway, tmp_path_factory: pytest.TempPathFactory
) -> None:
    hourly = await held(gateway, tmp_path_factory, "all", BarSpec(1, "HOUR"))
    with pytest.raises(WrongInput, match="all hours"):
        await run(hourly, hours="regular", bars=BarSpec(1, "HOUR"))
    await hourly.close()


async def test_what_is_not_held_is_fetched_in_the_hours_of_the_run(
    gateway: SimulatedGateway, tmp_path_factory: pytest.TempPathFactory
) -> None:
    workspace = await held(gateway, tmp_path_factory, "regular", BarSpec(1, "DAY"))
    assert (await run(workspace, hours="all")).metrics.bars == ALL
    await workspace.close()

"""A stock whose tick becomes finer, as SIRI's does on 2026-11-02 in the simulated market: its
stored bars get the decimals, and runs over both times go on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from catalog.series import BarSpec, Series
from catalog.store import Catalog
from core.backtest.spec import RunSpec
from core.fetch import FetchRequest
from core.options import Options
from core.refining import SeriesRefined, as_fine_as_stored
from core.simulator.server import SimulatedGateway
from core.workspace import Workspace

BEFORE, AFTER = datetime(2026, 10, 30, 22, tzinfo=UTC), datetime(2026, 11, 18, 22, tzinfo=UTC)
DAYS, SIRI = BarSpec(1, "DAY"), "SIRI.NASDAQ"


async def fetch(home: Path, now: datetime, start: str, end: str) -> list[SeriesRefined]:
    """Fetch days of SIRI as if it were `now`; gives what was told to be rewritten."""
    async with SimulatedGateway(now=now) as gateway:
        workspace = await Workspace.open(Options("demo", home=home, port=gateway.port, now=now))
        job = workspace.fetch(FetchRequest(("SIRI",), DAYS, start, end))
        assert not (await job.wait()).failed
        await workspace.close()
        told = [line.event for line in job.log.since(0)]
    return [event for event in told if isinstance(event, SeriesRefined)]


async def test_stored_prices_get_the_decimals_of_a_finer_tick_and_runs_begin_before_it(
    tmp_path: Path,
) -> None:
    assert await fetch(tmp_path, BEFORE, "2026-10-01", "2026-10-29") == []
    catalog = Catalog.open(tmp_path / "demo" / "catalog")
    coarse = catalog.read_bars(Series(SIRI, DAYS))

    (told,) = await fetch(tmp_path, AFTER, "2026-10-30", "2026-11-17")
    assert (told.before, told.after) == (2, 3)
    fine = catalog.read_bars(Series(SIRI, DAYS))
    assert np.array_equal(fine.close[: len(coarse)], coarse.close * 10)

    workspace = await Workspace.open(Options("demo", home=tmp_path, now=AFTER))
    spec = RunSpec("buy_and_hold", {}, (SIRI,), DAYS, "2026-10-01", "2026-11-17", source="catalog")
    done = await workspace.backtest(spec).wait()
    await workspace.close()
    assert done.metrics.bars == len(fine)
    assert len(done.fills) == 1
    catalog.close()


async def test_a_tick_that_becomes_coarser_keeps_the_decimals_that_are_stored(
    tmp_path: Path,
) -> None:
    await fetch(tmp_path, AFTER, "2026-11-02", "2026-11-06")
    catalog = Catalog.open(tmp_path / "demo" / "catalog")
    stored = catalog.instrument(SIRI)
    assert stored is not None

    def tick(increment: str, precision: int) -> tuple[object, object]:
        fresh = {**stored, "price_increment": increment, "price_precision": precision}
        told = as_fine_as_stored(catalog, fresh)
        return told["price_increment"], told["price_precision"]

    assert tick("0.01", 2) == ("0.005", 3)
    assert tick("0.0001", 4) == ("0.0001", 4)
    assert tick("0.1", 1) == ("0.005", 3)
    catalog.close()

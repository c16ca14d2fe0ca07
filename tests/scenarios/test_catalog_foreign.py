"""A catalog beside other programs that write into it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog import workers
from catalog.coverage import union
from catalog.errors import DataUnavailable
from catalog.health import check
from catalog.repair import plan, repair
from catalog.series import BarSpec
from catalog.store import Catalog
from core.backtest.spec import RunSpec
from core.options import Options
from core.workspace import Workspace
from tests.scenarios.catalog_of_nautilus import (
    FUTURE,
    METAL,
    OTHER,
    PERPETUAL,
    STOCK,
    TICKS,
    UNKNOWN,
    USABLE,
    write_catalog_of_others,
)
from tests.scenarios.catalog_samples import (
    AAPL,
    DAY,
    MINUTE,
    START,
    bars,
    chunk,
    session,
    store,
    write_with_nautilus,
)


@pytest.fixture(scope="module")
def written_by_nautilus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("nautilus") / "catalog"
    root.mkdir()
    workers.run_blocking(write_catalog_of_others, str(root))
    return root


@pytest.fixture
def others(written_by_nautilus: Path, tmp_path: Path) -> Path:
    """The root of a catalog that Nautilus wrote."""
    return Path(shutil.copytree(written_by_nautilus, tmp_path / "others"))


def contents(root: Path) -> dict[str, bytes]:
    """What stands in every file below `data`, by its path."""
    found = (root / "data").rglob("*.parquet")
    return {str(path.relative_to(root)): path.read_bytes() for path in found}


def test_a_catalog_of_nautilus_is_listed_checked_and_mended_as_it_is(others: Path) -> None:
    before = contents(others)
    catalog = Catalog.open(others)
    listed = {one.series.bar_type: one for one in catalog.list_series()}
    assert listed.keys() == USABLE.keys()
    assert {one.rows for one in listed.values()} == {60}
    orphan, finer = f"{UNKNOWN}-1-DAY-LAST-EXTERNAL", f"{STOCK}-1-SECOND-LAST-EXTERNAL"
    assert [name for name, one in listed.items() if not one.has_instrument] == [orphan]

    findings = check(others, now_ns=START + 30 * DAY).findings
    found = {(one.kind, one.subject) for one in findings}
    assert [one.subject for one in findings if one.severity == "error"] == [finer]
    assert ("precision", finer) in found
    assert {about for kind, about in found if kind == "other_bars"} == OTHER.keys()
    assert ("no_bars", "BTC-CAL.DERIBIT") in found
    assert not [about for kind, about in found if kind == "stray"]

    assert repair(others, plan(findings)) == 0
    after = contents(others)
    assert {Path(path).parent.name for path in before if after.get(path) != before[path]} == {finer}
    assert all((others / "data" / folder).is_dir() for folder in TICKS)
    assert not check(others, now_ns=START + 30 * DAY).count("error")
    catalog.close()


async def test_runs_read_what_another_program_wrote(others: Path, tmp_path: Path) -> None:
    options = Options(profile="live-gateway", catalog=others, home=tmp_path / "home", port=1)
    workspace = await Workspace.open(options)
    for instrument, bars_of, end, cash in (
        (PERPETUAL, "1-MINUTE-LAST", "2024-01-02T15:30", "100000 USDT"),
        (METAL, "1-HOUR-MID", "2024-01-05T02:30", "100000 USD"),
        (STOCK, "1-MINUTE-LAST", "2024-01-02T15:30", "100000 USD"),
        (FUTURE, "1-MINUTE-LAST", "2024-01-02T15:30", "1000000 USD"),
    ):
        spec = RunSpec(
            "sma_crossover",
            {"fast_period": 2, "slow_period": 3},
            (instrument,),
            BarSpec.parse(bars_of),
            "2024-01-02T14:30",
            end,
            cash=cash,
            fees="zero",
            source="catalog",
        )
        run = await workspace.backtest(spec).wait()
        assert run.metrics.bars == 60
    await workspace.close()


def test_bars_another_program_wrote_cover_themselves_and_nothing_between(aapl: Catalog) -> None:
    held = bars(AAPL, 390).take(np.r_[0:60, 100:390])
    workers.run_blocking(write_with_nautilus, str(aapl.root), AAPL.bar_type, held)

    assert aapl.read_bars(AAPL) == held
    start = session(AAPL)[0]
    assert aapl.covered(AAPL) == [
        (start, start + 60 * MINUTE),
        (start + 100 * MINUTE, start + 390 * MINUTE),
    ]
    summary = aapl.list_series()[0]
    assert (summary.rows, summary.hours, summary.gaps) == (350, None, None)

    assert store(aapl, AAPL, bars(AAPL, 390), session(AAPL)) == 40
    assert aapl.read_bars(AAPL) == bars(AAPL, 390)
    assert len(aapl.files(AAPL)) == 1


def test_a_foreign_file_over_several_months_is_taken_in_whole(aapl: Catalog) -> None:
    spread = bars(AAPL, 3).take(slice(0, 3))
    spread.ts[:] = [START, START + 40 * DAY, START + 80 * DAY]
    workers.run_blocking(write_with_nautilus, str(aapl.root), AAPL.bar_type, spread)
    asked = (START - MINUTE, START + 79 * DAY)
    new = bars(AAPL, 30, first_open=START + 10 * MINUTE)
    assert store(aapl, AAPL, new, asked) == 30
    assert len(aapl.read_bars(AAPL)) == 33
    assert union([*aapl.covered(AAPL), asked]) == aapl.covered(AAPL)


def test_files_of_two_precisions_are_told_before_anyone_reads_them_as_one(aapl: Catalog) -> None:
    store(aapl, AAPL, bars(AAPL, 30), chunk(0))
    finer = replace(bars(AAPL, 30, first_open=chunk(5)[0]), price_precision=4)
    workers.run_blocking(write_with_nautilus, str(aapl.root), AAPL.bar_type, finer)
    for use in (aapl.read_bars, aapl.checked_files):
        with pytest.raises(DataUnavailable, match="mix precisions"):
            use(AAPL)

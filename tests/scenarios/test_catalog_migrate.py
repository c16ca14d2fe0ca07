"""Catalogs of NautilusTrader 1.x, written by 1.231.0 itself, brought over whole."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from catalog import workers
from catalog.errors import WrongInput
from catalog.events import Event
from catalog.layout import NANOS_PER_DAY
from catalog.migrating import Migration, SeriesMigrated, migrate
from catalog.series import Series
from catalog.store import Catalog
from catalog.trash import undo
from tests.outside import SHARED
from tests.scenarios.catalog_samples import (
    AAPL,
    DAY,
    MINUTE,
    START,
    bars,
    definition,
    read_with_nautilus,
    store,
)

MADE_BY_1X = Path(__file__).parents[1] / "fixtures" / "nautilus_1x" / "catalog"
MSFT = Series.from_bar_type("MSFT.NASDAQ-1-DAY-LAST-EXTERNAL")
WEEKS = Series.from_bar_type("AAPL.NASDAQ-1-WEEK-LAST-EXTERNAL")
ES = Series.from_bar_type("ESH4.CME-1-MINUTE-LAST-EXTERNAL")
EURUSD = Series.from_bar_type("EUR/USD.SIM-1-MINUTE-MID-EXTERNAL")
MIDNIGHT = START - START % DAY


def migrate_with_nautilus(old: str, new: str) -> None:
    """What Nautilus' own migration makes of it; for workers."""
    from nautilus_trader.persistence import ParquetDataCatalog

    ParquetDataCatalog(new).migrate_from_legacy_parquet_path(old, dry_run=False)


def as_nautilus_builds_it(root: str, instrument_id: str) -> dict[str, object]:
    """An instrument as a query of Nautilus gives it; for workers."""
    from nautilus_trader.persistence import ParquetDataCatalog

    (found,) = ParquetDataCatalog(root).instruments([instrument_id])
    described: dict[str, object] = found.to_dict()
    return described


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The old catalog; the file with fewer decimals was written first."""
    old = tmp_path_factory.mktemp("old") / "catalog"
    shutil.copytree(MADE_BY_1X, old)
    for age, path in enumerate(sorted(old.glob("data/bar/MSFT*/*.parquet"), reverse=True)):
        os.utime(path, ns=(10**18 - age * 10**9,) * 2)
    return old


@pytest.fixture(scope="module")
def migrated(old: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Catalog, Migration]:
    catalog = Catalog.open(tmp_path_factory.mktemp("new") / "catalog")
    return catalog, migrate(catalog, old)


def told(migration: Migration, series: Series) -> SeriesMigrated:
    return next(one for one in migration.series if one.series == series)


def test_futures_and_options_come_over_with_everything_else(
    migrated: tuple[Catalog, Migration],
) -> None:
    catalog, migration = migrated
    assert catalog.instrument_ids() == [
        "AAPL.NASDAQ",
        "AAPL211217C00150000.OPRA",
        "CL.NYMEX",
        "ESH4.CME",
        "EUR/USD.SIM",
    ]
    future = workers.run_blocking(as_nautilus_builds_it, str(catalog.root), "ESH4.CME")
    option = workers.run_blocking(
        as_nautilus_builds_it, str(catalog.root), "AAPL211217C00150000.OPRA"
    )
    assert (future["underlying"], future["expiration_ns"]) == ("ES", 1639751400000000000)
    assert (option["strike_price"], option["option_kind"]) == ("149.00", "CALL")
    (fees,) = [one.differences for one in migration.instruments if one.differences]
    assert "maker_fee 0.00002" in fees[0]


def test_bars_are_those_of_nautilus_own_migration(
    migrated: tuple[Catalog, Migration], old: Path, tmp_path: Path
) -> None:
    """Their migration cannot do futures, options and internal bars: it gets none of these."""
    catalog, _ = migrated
    part, theirs = tmp_path / "part", tmp_path / "theirs"
    theirs.mkdir()
    for series in (AAPL, ES, EURUSD):
        folder = Path("data/bar") / series.bar_type.replace("/", "")
        shutil.copytree(old / folder, part / folder)
    workers.run_blocking(migrate_with_nautilus, str(part), str(theirs))
    for series, count in ((AAPL, 5), (ES, 3), (EURUSD, 3)):
        ours_read, theirs_read = (
            workers.run_blocking(read_with_nautilus, str(root), series.bar_type)
            for root in (catalog.root, theirs)
        )
        assert len(ours_read) == count

        def without_ts_event(text: str) -> tuple[str, str]:
            described, _, ts_init = text.rsplit(" ", 2)
            return described.partition(", ts_event")[0], ts_init

        assert [*map(without_ts_event, ours_read)] == [*map(without_ts_event, theirs_read)]
    assert catalog.read_bars(ES).low.tolist() == [-600, -500, -400]
    assert catalog.checked_files(ES) == catalog.files(ES)


def test_bars_of_several_files_and_decimals_become_one_series_the_newest_winning(
    migrated: tuple[Catalog, Migration],
) -> None:
    catalog, migration = migrated
    found = catalog.read_bars(MSFT)
    assert found.ts.tolist() == [MIDNIGHT + (k + 1) * NANOS_PER_DAY - 1 for k in range(13)]
    assert found.price_precision == 4
    assert found.close[4:7].tolist() == [1_050_000, 1_010_025, 1_070_000]
    report = told(migration, MSFT)
    assert (report.files, report.rows, report.bars, report.new) == (2, 18, 13, 13)
    text = str(report)
    assert "5 bars stood in several files, 1 of them with other values" in text
    assert "decimals now all have 4" in text
    assert "no instrument" in text
    assert not catalog.list_series()[-1].has_instrument


def test_weeks_are_seen_only_after_their_last_day(migrated: tuple[Catalog, Migration]) -> None:
    catalog, migration = migrated
    assert (catalog.read_bars(WEEKS).ts % DAY).tolist() == [DAY - 1] * 2
    assert "2 stamps moved" in str(told(migration, WEEKS))


def test_what_stays_behind_is_told_with_the_reason(migrated: tuple[Catalog, Migration]) -> None:
    _, migration = migrated
    left = {one.what.split("/")[1]: str(one) for one in migration.left}
    assert set(left) == {"bar", "betting_instrument", "quote_tick"}
    assert "INTERNAL" in left["bar"]


def test_a_dry_run_tells_the_same_and_writes_nothing(
    migrated: tuple[Catalog, Migration], old: Path, tmp_path: Path
) -> None:
    catalog = Catalog.open(tmp_path / "catalog")
    events: list[Event] = []
    before = {path: path.stat().st_mtime_ns for path in old.rglob("*")}
    assert migrate(catalog, old, dry_run=True, report=events.append) == migrated[1]
    assert len(events) == sum(
        map(len, (migrated[1].series, migrated[1].instruments, migrated[1].left))
    )
    assert not (catalog.root / "data").exists()
    assert {path: path.stat().st_mtime_ns for path in old.rglob("*")} == before


def test_a_second_migration_adds_nothing_and_stored_bars_stay(old: Path, tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path / "catalog")
    real = {"source": "real"}
    catalog.store_instrument(definition(AAPL, info=real), origin="real")
    mine = bars(AAPL, 2, first_open=START + 4 * MINUTE, low=7_000)
    store(catalog, AAPL, mine, (START + 4 * MINUTE, START + 6 * MINUTE), origin="real")
    assert told(migrate(catalog, old), AAPL).new == 4
    found = catalog.read_bars(AAPL)
    assert len(found) == 6
    assert found.take(slice(4, 6)) == mine

    files = sorted(catalog.root.rglob("data/**/*.parquet"))
    assert {one.new for one in migrate(catalog, old).series} == {0}
    assert sorted(catalog.root.rglob("data/**/*.parquet")) == files


def test_a_migrated_series_is_taken_out_again_by_undo(old: Path, tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path / "catalog")
    last = migrate(catalog, old).series[-1].series
    undo(catalog.root)
    assert catalog.files(last) == []


def test_a_damaged_file_is_left_and_told_and_the_others_come(old: Path, tmp_path: Path) -> None:
    broken = tmp_path / "old"
    shutil.copytree(old, broken)
    victim = min(broken.glob("data/bar/MSFT*/*.parquet"))
    victim.write_bytes(victim.read_bytes()[:400])
    min(broken.glob("data/equity/*/*.parquet")).write_bytes(b"")
    migration = migrate(Catalog.open(tmp_path / "new"), broken, dry_run=True)
    assert told(migration, MSFT).bars == 8
    reasons = "\n".join(map(str, migration.left))
    assert victim.name in reasons and "data/equity/AAPL.NASDAQ" in reasons


def test_bars_of_1x_with_64_bit_values_are_read_too(tmp_path: Path) -> None:
    """Windows builds of 1.x stored prices times 10**9 in 8 bytes."""
    given = bars(AAPL, 3)
    raw = [
        pa.Array.from_buffers(
            pa.binary(8), 3, [None, pa.py_buffer((column * 10 ** (9 - digits)).astype(np.int64))]
        )
        for column, digits in zip(given.arrays()[1:], (2, 2, 2, 2, 0), strict=True)
    ]
    stamps = [pa.array(given.ts, pa.uint64())] * 2
    names = ["open", "high", "low", "close", "volume", "ts_event", "ts_init"]
    metadata = {
        "bar_type": AAPL.bar_type,
        "instrument_id": AAPL.instrument_id,
        "price_precision": "2",
        "size_precision": "0",
    }
    folder = tmp_path / "old" / "data" / "bar" / AAPL.bar_type
    folder.mkdir(parents=True)
    pq.write_table(pa.table([*raw, *stamps], names=names, metadata=metadata), folder / "a.parquet")
    catalog = Catalog.open(tmp_path / "new")
    migrate(catalog, tmp_path / "old")
    assert catalog.read_bars(AAPL) == given


def test_what_is_no_old_catalog_is_refused(
    migrated: tuple[Catalog, Migration], old: Path, tmp_path: Path
) -> None:
    catalog = Catalog.open(tmp_path / "catalog")
    with pytest.raises(WrongInput, match="no catalog"):
        migrate(catalog, tmp_path / "nowhere")
    with pytest.raises(WrongInput, match=r"2\.x") as refusal:
        migrate(catalog, migrated[0].root)
    assert "--catalog" in refusal.value.steps[0]
    catalog.store_instrument(definition(AAPL), origin="simulated")
    with pytest.raises(WrongInput, match="simulated"):
        migrate(catalog, old)


BROKEN = SHARED / "data" / "trading_ntrader" / "broken_catalog"


@pytest.mark.skipif(not BROKEN.exists(), reason="no real data beside the project")
def test_the_broken_catalog_of_a_real_user_comes_over_with_each_day_once(tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path / "catalog")
    migration = migrate(catalog, BROKEN)
    aapl = Series.from_bar_type("AAPL.NASDAQ-1-DAY-LAST-EXTERNAL")
    report = told(migration, aapl)
    assert (report.rows, report.bars) == (39, 30)
    assert [one.rows for one in catalog.list_series()] == [30, 28, 28]
    assert len(workers.run_blocking(read_with_nautilus, str(catalog.root), aapl.bar_type)) == 30

"""Deleting a series or a range: gone for every reader at once, and back with undo."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from catalog import workers
from catalog.columns import concat
from catalog.deleting import BarsDeleted, count_bars, delete_bars
from catalog.errors import DataUnavailable
from catalog.events import Event
from catalog.store import Catalog
from catalog.trash import undo
from tests.scenarios.catalog_samples import (
    AAPL,
    DAY,
    MINUTE,
    SPX,
    START,
    bars,
    definition,
    read_with_nautilus,
    session,
    store,
    write_with_nautilus,
)

DAYS = [bars(AAPL, 390, first_open=START + day * DAY) for day in range(3)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared") / "catalog"
    catalog = Catalog.open(root)
    catalog.store_instrument(definition(AAPL), origin="simulated")
    for day, given in enumerate(DAYS):
        store(catalog, AAPL, given, session(AAPL, day=day), con_id=265598)
    store(catalog, AAPL, bars(AAPL, 0), session(AAPL, day=40))
    catalog.close()
    return root


@pytest.fixture
def catalog(prepared: Path, tmp_path: Path) -> Catalog:
    root = tmp_path / "catalog"
    shutil.copytree(prepared, root)
    return Catalog.open(root)


def test_a_deleted_range_is_gone_and_can_be_asked_for_again(catalog: Catalog) -> None:
    events: list[Event] = []
    second = session(AAPL, day=1)
    assert count_bars(catalog, AAPL, second) == 390
    assert delete_bars(catalog, AAPL, second, events.append) == 390

    assert catalog.read_bars(AAPL) == concat([DAYS[0], DAYS[2]])
    assert catalog.covered(AAPL) == [session(AAPL, day=day) for day in (0, 2, 40)]
    assert catalog.missing(AAPL, second, None) == [second]
    assert events == [BarsDeleted(AAPL, 390)]
    assert len(workers.run_blocking(read_with_nautilus, str(catalog.root), AAPL.bar_type)) == 780
    assert store(catalog, AAPL, DAYS[1], second, con_id=265598) == 390
    assert catalog.read_bars(AAPL) == concat(DAYS)


def test_undo_puts_a_range_back_as_it_was(catalog: Catalog) -> None:
    names, covered = catalog.files(AAPL), catalog.covered(AAPL)
    delete_bars(catalog, AAPL, (START, START + 2 * DAY))
    undo(catalog.root)
    assert catalog.read_bars(AAPL) == concat(DAYS)
    assert (catalog.files(AAPL), catalog.covered(AAPL)) == (names, covered)


def test_a_whole_series_goes_with_its_empty_answers_and_its_damaged_files(
    catalog: Catalog,
) -> None:
    damaged = catalog.files(AAPL)[0].with_name("damaged.parquet")
    damaged.write_bytes(b"PAR1 no more")
    assert count_bars(catalog, AAPL) == 3 * 390
    assert delete_bars(catalog, AAPL) == 3 * 390
    assert catalog.list_series() == []
    assert catalog.covered(AAPL) == []
    assert catalog.instrument("AAPL.NASDAQ") is not None
    with pytest.raises(DataUnavailable):
        delete_bars(catalog, AAPL)

    undo(catalog.root)
    assert damaged.read_bytes() == b"PAR1 no more"
    damaged.unlink()
    assert catalog.read_bars(AAPL) == concat(DAYS)
    assert catalog.covered(AAPL)[-1] == session(AAPL, day=40)


def test_what_was_noted_of_a_series_goes_with_it(catalog: Catalog) -> None:
    catalog.take_note(AAPL, "flags", "split 3:1, rebuilt 2024-02-27")
    catalog.take_note(AAPL, "stale", "split 4:1")
    (listed,) = catalog.list_series()
    assert (listed.stale, listed.flags) == ("split 4:1", ("split 3:1, rebuilt 2024-02-27",))
    delete_bars(catalog, AAPL, session(AAPL))
    assert catalog.note(AAPL, "stale") == "split 4:1", "the other days are stale as before"
    delete_bars(catalog, AAPL)
    undo(catalog.root)
    (back,) = catalog.list_series()
    assert (back.stale, back.flags) == (listed.stale, listed.flags)
    delete_bars(catalog, AAPL)
    assert store(catalog, AAPL, DAYS[1], session(AAPL, day=1), con_id=265598) == 390
    (anew,) = catalog.list_series()
    assert (anew.stale, anew.flags) == (None, ())


def test_a_range_of_another_programs_file_is_cut_out_too(tmp_path: Path) -> None:
    root = tmp_path / "theirs"
    root.mkdir()
    given = bars(AAPL, 390)
    workers.run_blocking(write_with_nautilus, str(root), AAPL.bar_type, given)
    catalog = Catalog.open(root)
    assert delete_bars(catalog, AAPL, (START, START + 90 * MINUTE)) == 90
    assert catalog.read_bars(AAPL) == given.take(slice(90, None))
    assert catalog.covered(AAPL) == [(START + 90 * MINUTE, START + 390 * MINUTE)]


def test_days_are_deleted_by_date(catalog: Catalog) -> None:
    midnight = START - START % DAY
    catalog.store_instrument(definition(SPX), origin="simulated")
    given = bars(SPX, 30, first_open=midnight)
    store(catalog, SPX, given, (midnight, midnight + 30 * DAY))
    assert delete_bars(catalog, SPX, (midnight + 10 * DAY, midnight + 12 * DAY)) == 2
    assert catalog.read_bars(SPX) == concat([given.take(slice(0, 10)), given.take(slice(12, None))])


def test_a_range_without_bars_loses_its_coverage_only(catalog: Catalog) -> None:
    assert delete_bars(catalog, AAPL, session(AAPL, day=40)) == 0
    assert catalog.covered(AAPL) == [session(AAPL, day=day) for day in range(3)]
    assert catalog.read_bars(AAPL) == concat(DAYS)

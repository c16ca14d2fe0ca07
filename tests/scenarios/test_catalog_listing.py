"""The list of what a catalog holds: it follows every change, and reads nothing twice."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog import inventory, listing, workers
from catalog.events import Event
from catalog.layout import BARS, series_folder
from catalog.ledger import Ledger
from catalog.series import Series
from catalog.sessions import Sessions
from catalog.store import Catalog
from catalog.watching import FolderWatch
from tests.scenarios.catalog_samples import (
    AAPL,
    DAY,
    MINUTE,
    SPX,
    START,
    bars,
    chunk,
    definition,
    session,
    store,
    store_chunks,
    write_with_nautilus,
)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    catalog = Catalog.open(tmp_path / "catalog")
    catalog.store_instrument(definition(AAPL), origin="simulated")
    store(catalog, AAPL, bars(AAPL, 390), session(AAPL))
    return catalog


def age(catalog: Catalog) -> None:
    """Make all folders and files look as if they had not changed for a minute."""
    past = time.time_ns() - 60 * 10**9
    for path in sorted(catalog.root.rglob("data/**"), reverse=True):
        os.utime(path, ns=(past, past))


def gaps(catalog: Catalog) -> int | None:
    return catalog.list_series()[0].gaps


def test_a_long_listing_tells_how_far_it_is(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Event] = []
    catalog.list_series(told.append)
    assert told == [], "a short one tells nothing"
    monkeypatch.setattr(listing, "_TOLD_EVERY_S", 0.0)
    catalog.list_series(told.append)
    assert [str(event) for event in told] == [
        "reading the catalog: 0 of 1 folders of bars",
        "reading the catalog: 0 of 1 folders of instruments",
    ]


def test_what_did_not_change_is_not_read_again(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    age(catalog)
    before = catalog.list_series()

    def must_not_be_read(*_: Any) -> None:
        raise AssertionError("a folder that did not change was read")

    monkeypatch.setattr(inventory.Inventory, "folder", must_not_be_read)
    monkeypatch.setattr(inventory.Inventory, "ids_in", must_not_be_read)
    assert catalog.list_series() == before
    assert Catalog.open(catalog.root).list_series() == before
    assert Catalog.open(catalog.root).instrument_ids() == ["AAPL.NASDAQ"]


@pytest.mark.parametrize("aged", [True, False], ids=["long ago", "just now"])
def test_each_change_of_the_folders_is_in_the_next_list(catalog: Catalog, aged: bool) -> None:
    def settle() -> None:
        if aged:
            age(catalog)
        catalog.list_series()

    settle()
    other = Catalog.open(catalog.root)  # as another process would
    store(other, AAPL, bars(AAPL, 390, first_open=START + DAY), session(AAPL, day=1))
    assert catalog.list_series()[0].rows == 780

    settle()
    workers.run_blocking(write_with_nautilus, str(catalog.root), SPX.bar_type, bars(SPX, 10))
    assert [one.series for one in catalog.list_series()] == [AAPL, SPX]
    assert [one.has_instrument for one in catalog.list_series()] == [True, False]

    settle()
    other.store_instrument(definition(SPX), origin="simulated")
    assert all(one.has_instrument for one in catalog.list_series())

    settle()
    shutil.rmtree(catalog.root / series_folder(SPX))
    shutil.rmtree(catalog.root / "data" / "equity")
    assert [(one.series, one.has_instrument) for one in catalog.list_series()] == [(AAPL, False)]


def test_a_file_that_was_cut_off_in_place_is_told(catalog: Catalog) -> None:
    age(catalog)
    assert catalog.list_series()[0].damaged == 0
    (path,) = catalog.files(AAPL)
    with path.open("r+b") as file:
        file.truncate(100)
    (summary,) = catalog.list_series()
    assert (summary.damaged, summary.rows) == (1, 0)


def test_what_only_the_ledger_knows_is_followed_too(catalog: Catalog) -> None:
    store(catalog, AAPL, bars(AAPL, 390, first_open=START + 3 * DAY), session(AAPL, day=3))
    age(catalog)
    assert gaps(catalog) is None
    other = Catalog.open(catalog.root)
    days = np.arange(4)
    sessions = Sessions(
        days, START + days * DAY, START + days * DAY + 390 * MINUTE, "UTC", "broker"
    )
    other.store_sessions("AAPL.NASDAQ", "regular", (START, START + 4 * DAY), sessions)
    assert gaps(catalog) == 1
    store(other, AAPL, bars(AAPL, 0), session(AAPL, day=1))
    assert gaps(catalog) == 1
    store(other, AAPL, bars(AAPL, 0), session(AAPL, day=2))
    assert gaps(catalog) == 0


async def test_a_list_made_while_another_process_writes_misses_nothing_persisted(
    catalog: Catalog,
) -> None:
    stored = [13]  # the first session holds thirteen half hours
    writer = asyncio.create_task(
        workers.run(store_chunks, str(catalog.root), 14, on_message=stored.append)
    )
    while len(stored) < 40 and not writer.done():
        persisted = len(stored) - 1
        (summary,) = await asyncio.to_thread(catalog.list_series)
        assert summary.damaged == 0
        assert summary.rows >= 390 + persisted * 30
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer
    (summary,) = catalog.list_series()
    assert summary.covered[-1][1] >= chunk(stored[-1])[1]


def test_what_changes_while_a_folder_is_read_is_read_again(catalog: Catalog) -> None:
    age(catalog)
    path = catalog.root / ".quarterdeck" / "ledger.sqlite"
    ledger, other = Ledger(path), Ledger(path)
    reads: list[Path] = []

    def read(folder: Path) -> str:
        reads.append(folder)
        if len(reads) == 1:  # another process learns something just now
            other.replace_empties(AAPL, [])
        return str(len(reads))

    watch = FolderWatch(catalog.root, ledger, [BARS], read, str)
    assert [watch.contents() for _ in range(3)] == [["1"], ["2"], ["2"]]
    ledger.close()
    other.close()


def test_folders_that_hold_nothing_of_ours_are_no_series(catalog: Catalog) -> None:
    (catalog.root / "data" / "bars" / "notes").mkdir()
    (catalog.root / "data" / "bars" / "readme.txt").write_text("hello")
    damaged = catalog.root / series_folder(Series("MSFT.NASDAQ", AAPL.spec))
    damaged.mkdir()
    (damaged / "x.parquet").write_bytes(b"PAR1")
    assert [(one.series.symbol, one.damaged) for one in catalog.list_series()] == [
        ("AAPL", 0),
        ("MSFT", 1),
    ]

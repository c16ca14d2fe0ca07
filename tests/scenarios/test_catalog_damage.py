"""Damage to files of bars and to the ledger is told, and changes no bar in silence."""

from __future__ import annotations

import os
import random
import sqlite3

import pytest

from catalog import encoding, workers
from catalog.errors import CatalogUnusable, WrongInput
from catalog.files import DamagedFile
from catalog.store import Catalog
from tests.scenarios.catalog_samples import (
    AAPL,
    DAY,
    MINUTE,
    START,
    bars,
    chunk,
    session,
    store,
    store_on_a_small_disk,
)

SEED = 7


# Damage


def test_a_flipped_bit_anywhere_is_told_or_changes_nothing(aapl: Catalog) -> None:
    given = bars(AAPL, 390)
    store(aapl, AAPL, given, session(AAPL))
    (path,) = aapl.checked_files(AAPL)
    sound = path.read_bytes()
    chance = random.Random(SEED)
    told = 0
    for _ in range(60):
        flipped = bytearray(sound)
        flipped[chance.randrange(len(sound))] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        try:
            aapl.checked_files(AAPL)
            assert aapl.read_bars(AAPL) == given
            assert aapl.covered(AAPL) == [session(AAPL)]
        except DamagedFile as error:
            assert path.name in error.title
            told += 1
    assert told > 30


def test_nothing_is_added_to_a_series_with_a_damaged_file(aapl: Catalog) -> None:
    store(aapl, AAPL, bars(AAPL, 390), session(AAPL))
    (path,) = aapl.files(AAPL)
    os.truncate(path, path.stat().st_size - 20)
    with pytest.raises(DamagedFile, match=path.name):
        store(aapl, AAPL, bars(AAPL, 390), session(AAPL, day=1))


def test_other_prices_under_a_sound_footer_are_found_by_their_hash(aapl: Catalog) -> None:
    store(aapl, AAPL, bars(AAPL, 60), session(AAPL, minutes=60))
    (path,) = aapl.files(AAPL)
    metadata = encoding.read_table(path).schema.metadata
    forged = encoding.to_arrow(AAPL, bars(AAPL, 60, low=20_000)).replace_schema_metadata(metadata)
    encoding.write_table(forged, path)
    with pytest.raises(DamagedFile, match="not those that were written"):
        aapl.checked_files(AAPL)


def test_a_truncated_file_is_no_coverage_and_the_listing_says_so(aapl: Catalog) -> None:
    store(aapl, AAPL, bars(AAPL, 60), session(AAPL, minutes=60))
    february = (START + 31 * DAY, START + 31 * DAY + 60 * MINUTE)
    store(aapl, AAPL, bars(AAPL, 60, first_open=february[0]), february)
    first, second = aapl.files(AAPL)
    os.truncate(first, 100)
    assert aapl.covered(AAPL) == [february]
    assert [(one.damaged, one.files) for one in aapl.list_series()] == [(1, 1)]
    os.truncate(second, 0)
    assert [(one.series, one.damaged) for one in aapl.list_series()] == [(AAPL, 2)]


def test_a_full_disk_is_told_and_leaves_what_was_there(aapl: Catalog) -> None:
    store(aapl, AAPL, bars(AAPL, 30), chunk(0))
    before = aapl.files(AAPL)
    with pytest.raises(CatalogUnusable, match="File too large") as told:
        workers.run_blocking(store_on_a_small_disk, str(aapl.root))
    assert "is it full" in told.value.steps[0]
    again = Catalog.open(aapl.root)
    assert again.checked_files(AAPL) == before
    assert again.read_bars(AAPL) == bars(AAPL, 30)
    assert store(again, AAPL, bars(AAPL, 390), session(AAPL)) == 360


# The ledger


def test_a_ledger_of_a_newer_version_is_refused_untouched(aapl: Catalog) -> None:
    aapl.close()
    ledger = aapl.root / ".quarterdeck" / "ledger.sqlite"
    connection = sqlite3.connect(ledger)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(CatalogUnusable, match="newer Quarterdeck"):
        Catalog.open(aapl.root)
    assert sqlite3.connect(ledger).execute("PRAGMA user_version").fetchone() == (99,)


def test_a_ledger_of_garbage_is_put_aside_and_made_anew(aapl: Catalog) -> None:
    store(aapl, AAPL, bars(AAPL, 60), session(AAPL, minutes=60))
    aapl.close()
    (aapl.root / ".quarterdeck" / "ledger.sqlite").write_bytes(b"garbage " * 1_000)
    assert Catalog.open(aapl.root).covered(AAPL) == [session(AAPL, minutes=60)]
    assert (aapl.root / ".quarterdeck" / "ledger.damaged").exists()


def test_a_catalog_that_may_only_be_read_is_read(
    aapl: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(aapl, AAPL, bars(AAPL, 60), session(AAPL, minutes=60))
    aapl.close()
    before = sorted(path.name for path in (aapl.root / ".quarterdeck").iterdir())
    monkeypatch.setattr(os, "access", lambda *_: False)  # tests may run as root
    readable = Catalog.open(aapl.root)
    assert readable.covered(AAPL) == [session(AAPL, minutes=60)]
    with pytest.raises(WrongInput, match="cannot be written"):
        store(readable, AAPL, bars(AAPL, 0), session(AAPL, day=1))
    assert sorted(path.name for path in (aapl.root / ".quarterdeck").iterdir()) == before

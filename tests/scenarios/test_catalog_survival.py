"""What the catalog survives: kills, other writers, other programs, damage."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from catalog import commit, encoding, workers
from catalog.coverage import union
from catalog.errors import CatalogUnusable, DataUnavailable, WrongInput
from catalog.files import DamagedFile
from catalog.layout import named_range
from catalog.sessions import Sessions
from catalog.store import Catalog
from tests.scenarios.catalog_samples import (
    AAPL,
    DAY,
    MINUTE,
    START,
    bars,
    chunk,
    definition,
    session,
    store,
    store_chunks,
    store_on_a_small_disk,
    write_with_nautilus,
)

SEED = 7


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog with the AAPL instrument and nothing else."""
    root = tmp_path_factory.mktemp("prepared") / "catalog"
    Catalog.open(root).store_instrument(definition(AAPL), origin="simulated")
    return root


@pytest.fixture
def aapl(prepared: Path, tmp_path: Path) -> Catalog:
    root = tmp_path / "aapl"
    shutil.copytree(prepared, root)
    return Catalog.open(root)


# Kills


async def start_writer(catalog: Catalog, first: int, told: list[int]) -> asyncio.Task[None]:
    """A process that stores chunk after chunk, `told` of each one persisted; it has begun."""
    begun = asyncio.Event()

    def hear(number: int) -> None:
        told.append(number)
        begun.set()

    writer = asyncio.create_task(
        workers.run(store_chunks, str(catalog.root), first, on_message=hear)
    )
    beginning = asyncio.create_task(begun.wait())
    await asyncio.wait([beginning, writer], return_when=asyncio.FIRST_COMPLETED)
    assert begun.is_set() or await writer, "the writer ended early"
    return writer


async def kill(writer: asyncio.Task[None]) -> None:
    writer.cancel()  # a worker is ended by SIGKILL
    with pytest.raises(asyncio.CancelledError):
        await writer


async def test_no_kill_loses_a_bar_that_was_reported_persisted(aapl: Catalog) -> None:
    chance = random.Random(SEED)
    stored = 0
    for _ in range(10):
        told: list[int] = []
        writer = await start_writer(aapl, stored, told)
        await asyncio.sleep(chance.uniform(0, 0.06))  # at any instant of a later commit
        await kill(writer)

        found = Catalog.open(aapl.root)
        bars_found = found.read_bars(AAPL)
        stored = len(bars_found) // 30
        assert stored > told[-1]
        assert bars_found.ts.tolist() == bars(AAPL, 30 * stored).ts.tolist()
        assert found.covered(AAPL) == [(START, chunk(stored)[0])]
        assert found.checked_files(AAPL) == found.files(AAPL)
        found.close()
    assert not list((aapl.root / ".quarterdeck" / "staging").iterdir()), "what was left is swept"


class Killed(BaseException):
    """Stands for the instant a process dies: nothing after it runs."""


@pytest.mark.parametrize("foreign", [False, True], ids=["one file grows", "two files become one"])
def test_the_next_writer_finishes_a_rename_that_a_dead_one_began(
    aapl: Catalog, monkeypatch: pytest.MonkeyPatch, foreign: bool
) -> None:
    store(aapl, AAPL, bars(AAPL, 30), chunk(0))
    if foreign:
        later = bars(AAPL, 30, first_open=chunk(3)[0])
        workers.run_blocking(write_with_nautilus, str(aapl.root), AAPL.bar_type, later)
    with monkeypatch.context() as dying:

        def die(*_: object, **__: object) -> None:
            raise Killed

        dying.setattr(commit, "_settle", die)
        dying.setattr(shutil, "rmtree", die)
        with pytest.raises(Killed):
            store(aapl, AAPL, bars(AAPL, 60), (chunk(0)[0], chunk(1)[1]))
    unfinished = aapl.files(AAPL)
    assert len(unfinished) == 1 + foreign
    assert not any("T15-30" in path.name for path in unfinished), "the name claims too little"
    if foreign:
        with pytest.raises(DataUnavailable, match="overlap"):
            aapl.checked_files(AAPL)

    healed = Catalog.open(aapl.root)

    grown = healed.read_bars(AAPL)
    assert len(grown) == 60 + 30 * foreign
    assert [named_range(path.name) for path in healed.checked_files(AAPL)] == [
        (grown.ts[0], grown.ts[-1])
    ]


def test_a_writer_that_fails_between_two_renames_finishes_before_it_tells(
    aapl: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(aapl, AAPL, bars(AAPL, 30), chunk(0))
    settle, refusals = commit._settle, [OSError("the disk hiccups")]

    def fail_once(target: Path, replaces: list[Path]) -> None:
        if refusals:
            raise refusals.pop()
        settle(target, replaces)

    monkeypatch.setattr(commit, "_settle", fail_once)
    with pytest.raises(CatalogUnusable, match="hiccups"):
        store(aapl, AAPL, bars(AAPL, 60), chunk(1))
    assert aapl.read_bars(AAPL) == bars(AAPL, 60)
    assert named_range(aapl.files(AAPL)[0].name) == (chunk(0)[0] + MINUTE, chunk(1)[1])


# Other writers


def test_writers_of_one_series_in_threads_take_turns(aapl: Catalog) -> None:
    with ThreadPoolExecutor(4) as pool:
        stored = list(
            pool.map(lambda k: store(aapl, AAPL, bars(AAPL, 390), chunk(k)), [*range(12)] * 2)
        )
    assert sum(stored) == 360
    assert aapl.read_bars(AAPL) == bars(AAPL, 360)


async def test_two_processes_write_one_series_and_a_third_always_reads_it_whole(
    aapl: Catalog,
) -> None:
    store(aapl, AAPL, bars(AAPL, 30), chunk(0))
    told: list[int] = []
    writers = [await start_writer(aapl, first, told) for first in (1, 200)]
    seen = 30
    for _ in range(40):
        stamps = (await asyncio.to_thread(aapl.read_bars, AAPL)).ts
        assert np.all(np.diff(stamps) > 0)
        assert len(stamps) >= seen, "nothing that was there is missing for an instant"
        seen = len(stamps)
    for writer in writers:
        await kill(writer)
    assert len(aapl.read_bars(AAPL)) >= 30 * (1 + len(told))


def test_whoever_holds_the_lock_is_named_after_a_bounded_wait(aapl: Catalog) -> None:
    with (
        commit.writing(aapl.root),
        pytest.raises(CatalogUnusable) as told,
        commit.writing(aapl.root, patience=0.1),
    ):
        pass
    assert f"process {os.getpid()}" in told.value.reason
    with commit.writing(aapl.root, patience=0.1):
        pass


# Other programs


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


# The process it runs in

DAILY_USE = """
import sys
from pathlib import Path
from catalog.store import Catalog
from tests.scenarios.catalog_samples import AAPL, bars, session, store

catalog = Catalog.open(Path(sys.argv[1]))
assert store(catalog, AAPL, bars(AAPL, 390), session(AAPL)) == 390
assert len(catalog.read_bars(AAPL)) == 390
assert catalog.instrument("AAPL.NASDAQ") and catalog.list_series() and catalog.checked_files(AAPL)
print(*{"pandas", "nautilus_trader", "exchange_calendars"} & sys.modules.keys())
"""


def test_the_dashboards_process_loads_no_engine_and_no_pandas(aapl: Catalog) -> None:
    root = Path(__file__).parents[2]
    loaded = subprocess.check_output(
        [sys.executable, "-c", DAILY_USE, str(aapl.root)], text=True, cwd=root
    )
    assert loaded.split() == []


# Sessions


def test_sessions_are_remembered_for_the_spans_that_are_known(aapl: Catalog) -> None:
    first, second = session(AAPL), session(AAPL, day=1)
    dates = np.array([19_723, 19_724])
    both = Sessions(
        dates,
        np.array([first[0], second[0]]),
        np.array([first[1], second[1]]),
        "America/New_York",
        "broker",
    )
    span = (first[0] - MINUTE, second[1] + MINUTE)
    assert aapl.sessions("AAPL.NASDAQ", "regular", span) is None

    aapl.store_sessions("AAPL.NASDAQ", "regular", span, both)

    known = aapl.sessions("AAPL.NASDAQ", "regular", span)
    assert known is not None and known.intervals() == [first, second]
    assert (known.zone, known.source) == ("America/New_York", "broker")
    assert aapl.sessions("AAPL.NASDAQ", "all", span) is None
    assert aapl.sessions("AAPL.NASDAQ", "regular", (span[0], span[1] + 1)) is None
    holiday = aapl.sessions("AAPL.NASDAQ", "regular", (first[1] + 1, second[0] - 1))
    assert holiday is not None and len(holiday) == 0


def test_gaps_are_counted_against_the_known_sessions(aapl: Catalog) -> None:
    days = [session(AAPL, day=day) for day in range(3)]
    for day in (0, 2):
        store(aapl, AAPL, bars(AAPL, 390, first_open=days[day][0]), days[day])
    assert aapl.list_series()[0].gaps is None
    opens, closes = np.array(days).T
    known = Sessions(np.arange(3), opens, closes, "America/New_York", "broker")
    aapl.store_sessions("AAPL.NASDAQ", "regular", (days[0][0], days[2][1]), known)
    assert aapl.list_series()[0].gaps == 1
    assert aapl.missing(AAPL, (days[0][0], days[2][1]), known) == [days[1]]
    store(aapl, AAPL, bars(AAPL, 0), days[1])
    assert aapl.list_series()[0].gaps == 0


def test_the_footer_tells_what_was_asked(aapl: Catalog) -> None:
    store(aapl, AAPL, bars(AAPL, 60), session(AAPL), con_id=265598)
    (path,) = aapl.files(AAPL)
    said = json.loads(pq.read_schema(path).metadata[b"quarterdeck.asked"])
    assert said["intervals"] == [list(session(AAPL))]
    assert (said["hours"], said["con_id"], said["origin"]) == ("regular", 265598, "simulated")

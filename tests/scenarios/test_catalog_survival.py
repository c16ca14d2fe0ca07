"""What the catalog survives: kills, other writers, the process it runs in."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from catalog import commit, workers
from catalog.errors import CatalogUnusable, DataUnavailable
from catalog.layout import named_range
from catalog.store import Catalog
from tests.scenarios.catalog_samples import (
    AAPL,
    MINUTE,
    START,
    bars,
    chunk,
    store,
    store_chunks,
    write_with_nautilus,
)

SEED = 7


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

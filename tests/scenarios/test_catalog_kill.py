"""Kills at any instant of writes, repairs, deletions and undoings; writers and readers at once."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from catalog import workers
from catalog.checks import hours
from catalog.errors import DataUnavailable
from catalog.health import check
from catalog.store import Catalog
from catalog.trash import last_undoable, undo
from tests.scenarios.catalog_lives import CHUNK, fetch_on, first_bars, held, live, mend_on
from tests.scenarios.catalog_samples import (
    AAPL,
    EURUSD,
    START,
    bars,
    chunk,
    definition,
    session,
    store,
)

SEED = 23


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two instruments, a chunk of stock minutes and some of a currency."""
    root = tmp_path_factory.mktemp("prepared") / "catalog"
    catalog = Catalog.open(root)
    for series in (AAPL, EURUSD):
        catalog.store_instrument(definition(series), origin="simulated")
    store(catalog, AAPL, bars(AAPL, CHUNK), chunk(0))
    store(catalog, EURUSD, bars(EURUSD, 60), session(EURUSD, minutes=60), hours="all")
    catalog.close()
    return root


@pytest.fixture
def root(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def unknown(*_: object, **__: object) -> None:
        raise DataUnavailable("no calendar here")

    monkeypatch.setattr(hours.workers, "run_blocking", unknown)
    shutil.copytree(prepared, tmp_path / "catalog")
    return tmp_path / "catalog"


async def begin(
    function: Callable[..., None], *arguments: object, told: list[Any]
) -> asyncio.Task[None]:
    """A process at its work, which has done something already."""
    begun = asyncio.Event()

    def hear(message: object) -> None:
        told.append(message)
        begun.set()

    working = asyncio.create_task(workers.run(function, *arguments, on_message=hear))
    waiting = asyncio.create_task(begun.wait())
    await asyncio.wait([waiting, working], return_when=asyncio.FIRST_COMPLETED)
    assert begun.is_set() or await working, "it ended early"
    return working


async def kill(working: asyncio.Task[None]) -> None:
    working.cancel()  # a worker is ended by SIGKILL
    with pytest.raises(asyncio.CancelledError):
        await working


def require_whole(root: Path, promised: int) -> None:
    """The catalog opens, holds what was promised, and nothing is wrong with it."""
    catalog = Catalog.open(root)
    rows = held(catalog)
    assert rows >= promised
    assert catalog.read_bars(AAPL) == first_bars(rows)
    if not catalog.files(EURUSD):  # killed between the deletion and its undoing
        last = last_undoable(root)
        assert last is not None
        assert last.title == "delete"
        undo(root)
    assert catalog.read_bars(EURUSD) == bars(EURUSD, 60)
    assert catalog.checked_files(AAPL) == catalog.files(AAPL)
    catalog.close()
    found = check(root, now_ns=START)
    assert not [one for one in found.findings if one.severity != "notice"], found.findings
    assert not list((root / ".quarterdeck" / "staging").iterdir())


async def survive(root: Path, kills: int) -> None:
    chance = random.Random(SEED)
    promised = CHUNK
    for number in range(kills):
        told: list[tuple[str, int]] = []
        working = await begin(live, str(root), SEED + number, told=told)
        await asyncio.sleep(chance.uniform(0, 0.15))
        await kill(working)
        promised = max([promised, *(CHUNK * count for what, count in told if what == "persisted")])
        await asyncio.to_thread(require_whole, root, promised)


async def test_twenty_kills_lose_nothing(root: Path) -> None:
    await survive(root, 20)


@pytest.mark.endurance
@pytest.mark.timeout(3_600)
async def test_three_hundred_kills_lose_nothing(root: Path) -> None:
    await survive(root, 300)


async def share(root: Path, seconds: float) -> None:
    """Two processes fetch, one rewrites, this one reads: nobody errs, nothing is lost."""
    persisted: list[int] = []
    mended: list[int] = []
    working = [
        await begin(fetch_on, str(root), 1, told=persisted),
        await begin(fetch_on, str(root), 400, told=persisted),
        await begin(mend_on, str(root), told=mended),
    ]
    catalog = Catalog.open(root)
    seen = reads = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end or reads < 3 or len(mended) < 3:
        stamps = (await asyncio.to_thread(catalog.read_bars, AAPL)).ts
        assert np.all(np.diff(stamps) > 0)
        assert len(stamps) >= seen, "nothing that was there is missing for an instant"
        await asyncio.to_thread(catalog.checked_files, AAPL)
        seen, reads = len(stamps), reads + 1
        for one in working:
            assert not one.done(), one.exception()
    for one in working:
        await kill(one)
    assert held(catalog) >= CHUNK + sum(persisted)


async def test_two_processes_fetch_one_mends_one_reads(root: Path) -> None:
    await share(root, 3)


@pytest.mark.endurance
@pytest.mark.timeout(300)
async def test_two_processes_fetch_one_mends_one_reads_for_a_minute(root: Path) -> None:
    await share(root, 60)

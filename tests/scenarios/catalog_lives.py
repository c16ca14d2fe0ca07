"""What processes do with one catalog until they are killed. Functions run in workers."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from catalog.appending import BarsPersisted
from catalog.columns import BarColumns, concat
from catalog.commit import writing
from catalog.encoding import to_arrow, write_table
from catalog.errors import DataUnavailable
from catalog.exchange import Change
from catalog.layout import file_name
from catalog.repair_series import mend_series
from catalog.store import Catalog
from catalog.trash import undo
from tests.scenarios.catalog_samples import AAPL, EURUSD, bars, chunk, store

CHUNK = 30


def live(root: str, seed: int, *, send: Callable[[tuple[str, int]], None]) -> None:
    """Store, consolidate what another program scattered, delete and undo, in turns of chance;
    sends what is said to be persisted or done."""
    chance = random.Random(seed)
    catalog = Catalog.open(Path(root))
    while True:
        number = held(catalog) // CHUNK
        match chance.choice(("store", "scatter", "delete")):
            case "store":
                store(catalog, AAPL, chunk_bars(number), chunk(number))
                send(("persisted", number + 1))
            case "scatter":
                scatter(catalog, number)
                mend_series(catalog.root, AAPL)
                send(("persisted", number + 1))
            case "delete":
                with writing(catalog.root) as staging:
                    staging.exchange(Change("delete", removes=catalog.files(EURUSD)))
                undo(catalog.root)
                send(("undone", number))


def chunk_bars(number: int) -> BarColumns:
    """What the broker has for a chunk."""
    return bars(AAPL, CHUNK, first_open=chunk(number)[0])


def first_bars(count: int) -> BarColumns:
    """What the broker has from the start on."""
    whole = [chunk_bars(number) for number in range(-(-count // CHUNK))]
    return concat(whole).take(slice(0, count))


def held(catalog: Catalog) -> int:
    """How many bars of AAPL there are."""
    with suppress(DataUnavailable):
        return len(catalog.read_bars(AAPL))
    return 0


def scatter(catalog: Catalog, number: int) -> None:
    """Leave a chunk in three files as another program would, each renamed in whole."""
    rows = chunk_bars(number)
    folder = catalog.root / "data" / "bars" / AAPL.bar_type
    folder.mkdir(parents=True, exist_ok=True)
    missing = rows.take(rows.ts > (catalog.read_bars(AAPL).ts[-1] if held(catalog) else 0))
    for first in range(0, len(missing), 10):
        part = missing.take(slice(first, first + 10))
        aside = catalog.root / f"{number}.aside"
        write_table(to_arrow(AAPL, part), aside)
        aside.rename(folder / file_name(int(part.ts[0]), int(part.ts[-1])))


def fetch_on(root: str, first: int, *, send: Callable[[int], None]) -> None:
    """Store chunk after chunk of AAPL; sends how many bars each commit was said to persist."""
    catalog = Catalog.open(Path(root))
    number = first
    while True:

        def tell(event: object) -> None:
            if isinstance(event, BarsPersisted):
                send(event.bars)

        store(catalog, AAPL, chunk_bars(number), chunk(number), report=tell)
        number += 1


def mend_on(root: str, *, send: Callable[[int], None]) -> None:
    """Rewrite the series over and over, as repairs do; sends each time."""
    catalog = Catalog.open(Path(root))
    for number in range(1_000_000):
        with writing(catalog.root) as staging:
            files = catalog.files(AAPL)
            puts = []
            for place, path in enumerate(files):
                staged = staging.folder / f"{place}.parquet"
                staged.write_bytes(path.read_bytes())
                puts.append((staged, path))
            staging.exchange(Change("the same again", puts=puts, removes=files))
        send(number)
        time.sleep(0.05)

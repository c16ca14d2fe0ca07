"""A sound catalog, and what can befall one: each function does one thing to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from catalog.columns import BarColumns, concat
from catalog.encoding import read_table, to_arrow, write_table
from catalog.files import FOOTER_KEY, SEAL_KEY
from catalog.layout import file_name
from catalog.series import Series
from catalog.sessions import Sessions
from catalog.store import Catalog
from tests.scenarios.catalog_samples import AAPL, DAY, MINUTE, START, bars, definition, store

JANUARY = (START, START + 390 * MINUTE)
FEBRUARY = (START + 31 * DAY, START + 31 * DAY + 390 * MINUTE)
NOW = FEBRUARY[1] + 60 * MINUTE
MSFT = Series.from_bar_type("MSFT.NASDAQ-1-MINUTE-LAST-EXTERNAL")

JANUARY_BARS = bars(AAPL, 390)
FEBRUARY_BARS = bars(AAPL, 390, first_open=FEBRUARY[0])


def make_sound(root: Path) -> None:
    """AAPL with a day in January and one in February, the only sessions there are."""
    catalog = Catalog.open(root)
    catalog.store_instrument(definition(AAPL), origin="simulated")
    store(catalog, AAPL, JANUARY_BARS, JANUARY)
    store(catalog, AAPL, FEBRUARY_BARS, FEBRUARY)
    opens, closes = np.array([JANUARY, FEBRUARY]).T
    known = Sessions(opens // DAY, opens, closes, "America/New_York", "broker")
    catalog.store_sessions(AAPL.instrument_id, "regular", (JANUARY[0] - DAY, NOW + DAY), known)
    catalog.close()


def bar_files(root: Path) -> list[Path]:
    """The files of AAPL, in the order of their names."""
    return sorted((root / "data" / "bars" / AAPL.bar_type).glob("*.parquet"))


def write_foreign(root: Path, columns: BarColumns, name: str | None = None) -> Path:
    """A file of bars as another program leaves it: no word of what was asked."""
    first, last = int(columns.ts.min()), int(columns.ts.max())
    folder = root / "data" / "bars" / AAPL.bar_type
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or file_name(first, last))
    write_table(to_arrow(AAPL, columns), path)
    return path


def replace_january(root: Path, columns: BarColumns) -> None:
    """Another program's bars in the place of January's file."""
    bar_files(root)[0].unlink()
    write_foreign(root, columns)


def cut(root: Path) -> None:
    path = bar_files(root)[0]
    path.write_bytes(path.read_bytes()[:-100])


def empty(root: Path) -> None:
    bar_files(root)[0].write_bytes(b"")


def garbage(root: Path) -> None:
    bar_files(root)[0].write_bytes(b"no parquet at all " * 100)


def flip(root: Path) -> None:
    path = bar_files(root)[0]
    content = bytearray(path.read_bytes())
    content[200] ^= 16
    path.write_bytes(content)


def forge(root: Path) -> None:
    """Other prices under the footer that was written for the true ones."""
    path = bar_files(root)[0]
    metadata = read_table(path).schema.metadata
    other = to_arrow(AAPL, bars(AAPL, 390, low=20_000)).replace_schema_metadata(metadata)
    write_table(other, path)


def drop_column(root: Path) -> None:
    path = bar_files(root)[0]
    pq.write_table(read_table(path).drop_columns(["close"]), path)


def drop_metadata(root: Path) -> None:
    path = bar_files(root)[0]
    pq.write_table(read_table(path).replace_schema_metadata({}), path)


def drop_rows(root: Path) -> None:
    path = bar_files(root)[0]
    write_table(read_table(path).slice(0, 0), path)


def rename(root: Path) -> None:
    path = bar_files(root)[0]
    path.rename(path.with_name("bars of January.parquet"))


def narrow_the_name(root: Path) -> None:
    path = bar_files(root)[0]
    path.rename(path.with_name(file_name(JANUARY[0] + MINUTE, JANUARY[1] - MINUTE)))


def move_to_another_series(root: Path) -> None:
    path = bar_files(root)[0]
    folder = path.parent.with_name(MSFT.bar_type)
    folder.mkdir()
    path.rename(folder / path.name)


def swap_names(root: Path) -> None:
    one, other = bar_files(root)
    aside = one.with_suffix(".aside")
    one.rename(aside)
    other.rename(one)
    aside.rename(other)


def overlap(root: Path) -> None:
    write_foreign(root, JANUARY_BARS.take(slice(100, 200)))


def double_rows(root: Path) -> None:
    replace_january(root, concat([JANUARY_BARS, JANUARY_BARS.take(slice(380, 390))]))


def shuffle_rows(root: Path) -> None:
    replace_january(root, JANUARY_BARS.take(np.random.default_rng(7).permutation(390)))


def scatter(root: Path) -> None:
    bar_files(root)[0].unlink()
    for first in range(0, 390, 30):
        write_foreign(root, JANUARY_BARS.take(slice(first, first + 30)))


def finer_january(root: Path) -> None:
    """The same prices, claimed and stored with four decimals."""
    columns = {name: getattr(JANUARY_BARS, name) * 100 for name in ("open", "high", "low", "close")}
    replace_january(root, replace(JANUARY_BARS, **columns, price_precision=4))


def drop_footers(root: Path) -> None:
    path = bar_files(root)[0]
    table = read_table(path)
    ours = {FOOTER_KEY.encode(), SEAL_KEY.encode()}
    kept = {key: value for key, value in table.schema.metadata.items() if key not in ours}
    pq.write_table(table.replace_schema_metadata(kept), path)


def high_below_low(root: Path) -> None:
    columns = replace(JANUARY_BARS, high=JANUARY_BARS.high.copy())
    columns.high[7] = columns.low[7] - 1
    replace_january(root, columns)


def price_of_zero(root: Path) -> None:
    columns = replace(JANUARY_BARS, low=JANUARY_BARS.low.copy())
    columns.low[7] = 0
    replace_january(root, columns)


def split_unadjusted(root: Path) -> None:
    """Seven shares for one from noon on."""
    prices = {}
    for name in ("open", "high", "low", "close"):
        column = getattr(JANUARY_BARS, name).copy()
        column[200:] //= 7
        prices[name] = column
    replace_january(root, replace(JANUARY_BARS, **prices))


def outside_sessions(root: Path) -> None:
    replace_january(root, replace(JANUARY_BARS, ts=JANUARY_BARS.ts - 5 * 60 * MINUTE))


def open_stamped_events(root: Path) -> None:
    bar_files(root)[0].unlink()
    path = write_foreign(root, JANUARY_BARS)
    table = read_table(path)
    events = pa.array((JANUARY_BARS.ts - MINUTE).tolist(), pa.int64()).cast(
        table.schema.field("ts_event").type
    )
    place = table.schema.names.index("ts_event")
    write_table(table.set_column(place, table.schema.field("ts_event"), events), path)


def remove_instrument(root: Path) -> None:
    shutil.rmtree(root / "data" / "equity")


def remove_bars(root: Path) -> None:
    for path in bar_files(root):
        path.unlink()


def remove_january(root: Path) -> None:
    bar_files(root)[0].unlink()


def flip_instrument(root: Path) -> None:
    """A digit of the ISIN: nothing in the file protects it."""
    (path,) = (root / "data" / "equity").rglob("*.parquet")
    table = read_table(path)
    place = table.schema.names.index("isin")
    other = pa.array(["US0378331006"], table.schema.field("isin").type)
    pq.write_table(table.set_column(place, table.schema.field("isin"), other), path)


def cut_instrument(root: Path) -> None:
    (path,) = (root / "data" / "equity").rglob("*.parquet")
    path.write_bytes(path.read_bytes()[:-9])


def rename_instrument(root: Path) -> None:
    (path,) = (root / "data" / "equity").rglob("*.parquet")
    path.rename(path.with_name(file_name(5, 5)))


def leave_staging(root: Path) -> None:
    folder = root / ".quarterdeck" / "staging" / "4711-dead"
    folder.mkdir(parents=True)
    (folder / "half.parquet").write_bytes(b"PAR1")


def stray(root: Path) -> None:
    (root / "data" / "bars" / AAPL.bar_type / "notes.txt").write_text("ask for more")


def garble_ledger(root: Path) -> None:
    path = root / ".quarterdeck" / "ledger.sqlite"
    content = bytearray(path.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 60] = b"\xff" * 60
    path.write_bytes(content)


FAULTS: dict[str, tuple[Callable[[Path], None], set[str], bool]] = {
    "a file cut short": (cut, {"unreadable"}, True),
    "a file of 0 bytes": (empty, {"unreadable"}, True),
    "a file of garbage": (garbage, {"unreadable"}, True),
    "a flipped bit in a page": (flip, {"damaged"}, True),
    "forged prices": (forge, {"damaged"}, True),
    "a column that is not there": (drop_column, {"wrong_schema"}, True),
    "no metadata": (drop_metadata, {"wrong_metadata"}, True),
    "no rows": (drop_rows, {"empty_file"}, True),
    "a name of no range": (rename, {"misnamed"}, True),
    "a name that claims too little": (narrow_the_name, {"misnamed"}, True),
    "a file in another series' folder": (move_to_another_series, {"misplaced"}, True),
    "two files with swapped names": (swap_names, {"misnamed"}, True),
    "overlapping files": (overlap, {"overlap"}, True),
    "rows that stand twice": (double_rows, {"duplicates"}, True),
    "rows out of order": (shuffle_rows, {"unordered"}, True),
    "many small files": (scatter, {"scattered"}, True),
    "two precisions": (finer_january, {"mixed_precision"}, True),
    "footers dropped by another program": (drop_footers, {"footer_dropped"}, True),
    "a high below the low": (high_below_low, {"impossible"}, False),
    "a stock at zero": (price_of_zero, {"non_positive"}, False),
    "a split nobody adjusted for": (split_unadjusted, {"jump"}, False),
    "bars outside the sessions": (outside_sessions, {"outside_sessions"}, False),
    "events stamped at the open": (open_stamped_events, {"event_stamps"}, True),
    "bars without instrument": (remove_instrument, {"orphan"}, False),
    "an instrument without bars": (remove_bars, {"no_bars", "lost"}, False),
    "a file somebody removed": (remove_january, {"lost"}, True),
    "another digit in an instrument": (flip_instrument, {"damaged"}, True),
    "an instrument file cut short": (cut_instrument, {"unreadable"}, True),
    "an instrument under another name": (rename_instrument, {"misnamed"}, True),
    "left-over staging": (leave_staging, {"left_over"}, True),
    "a stray file": (stray, {"stray"}, False),
    "a ledger SQLite cannot read": (garble_ledger, {"ledger"}, True),
}
"""What is done, the kinds of findings it must cause, and whether a repair mends those."""

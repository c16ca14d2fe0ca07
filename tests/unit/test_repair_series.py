"""Laying bars out afresh: which of two bars stays, and at which precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.checks.prices import jumps
from catalog.columns import BarColumns
from catalog.encoding import to_arrow, write_table
from catalog.errors import WrongInput
from catalog.files import Asked, write
from catalog.layout import file_name, series_folder
from catalog.repair_precision import rescaled
from catalog.repair_series import SeriesMended, mend_series
from catalog.series import Series
from catalog.store import Catalog

MINUTES = Series.from_bar_type("AAPL.NASDAQ-1-MINUTE-LAST-EXTERNAL")
MINUTE = 60_000_000_000
START = 1_704_119_400_000_000_000
BEGAN = datetime(2026, 1, 5, tzinfo=UTC)


def columns(prices: list[int], *, first: int = 0, precision: int = 2) -> BarColumns:
    """Flat bars at these prices, minute after minute."""
    price = np.array(prices, dtype=np.int64)
    ts = START + MINUTE * (first + 1 + np.arange(len(price)))
    return BarColumns(ts, price, price, price, price, np.abs(price), precision, 0)


def fetched(root: Path, bars: BarColumns, *, hours_ago: int) -> Path:
    """A file of ours that says when it was fetched, under a name of its own."""
    folder = root / series_folder(MINUTES)
    folder.mkdir(parents=True, exist_ok=True)
    span = (int(bars.ts[0]) - MINUTE, int(bars.ts[-1]))
    said = (BEGAN - timedelta(hours=hours_ago)).isoformat()
    path = folder / f"{hours_ago}-{file_name(int(bars.ts[0]), int(bars.ts[-1]))}"
    write(path, MINUTES, bars, Asked((span,), "regular", 265598, "real", said))
    return path


@pytest.fixture(scope="module")
def make_root(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    def make() -> Path:
        root = tmp_path_factory.mktemp("catalog")
        Catalog.open(root).close()
        return root

    return make


stretches = st.lists(
    st.tuples(st.integers(0, 20), st.lists(st.integers(1, 99), min_size=1, max_size=15)),
    min_size=1,
    max_size=4,
)


@settings(max_examples=15, deadline=None)
@given(fetches=stretches)
def test_of_bars_fetched_more_than_once_the_last_fetch_stays(
    make_root: Callable[[], Path], fetches: list[tuple[int, list[int]]]
) -> None:
    root, newest = make_root(), {}
    for number, (first, prices) in enumerate(fetches):
        fetched(root, columns(prices, first=first), hours_ago=len(fetches) - number)
        newest.update({first + place: price for place, price in enumerate(prices)})

    told: list[object] = []
    mend_series(root, MINUTES, report=told.append)

    catalog = Catalog.open(root)
    bars = catalog.read_bars(MINUTES)
    minutes = ((bars.ts - START) // MINUTE - 1).tolist()
    assert dict(zip(minutes, bars.close.tolist(), strict=True)) == newest
    assert len(catalog.checked_files(MINUTES)) == 1
    catalog.close()
    (mended,) = [event for event in told if isinstance(event, SeriesMended)]
    assert mended.dropped == sum(len(prices) for _, prices in fetches) - len(newest)
    assert not mend_series(root, MINUTES), "what was laid out stands as it should"


def test_files_of_two_contracts_are_not_laid_out_as_one(make_root: Callable[[], Path]) -> None:
    root = make_root()
    one = fetched(root, columns([100, 101]), hours_ago=2)
    said = Asked(((START, START + MINUTE),), "regular", 4711, "real", BEGAN.isoformat())
    write(one.with_name("other.parquet"), MINUTES, columns([100]), said)
    with pytest.raises(WrongInput, match="must not mix"):
        mend_series(root, MINUTES)


def test_files_of_several_precisions_become_one_of_the_finest(
    make_root: Callable[[], Path],
) -> None:
    root = make_root()
    folder = root / series_folder(MINUTES)
    folder.mkdir(parents=True)
    write_table(to_arrow(MINUTES, columns([10_075])), folder / "coarse.parquet")
    finer = columns([1_007_525], first=1, precision=4)
    write_table(to_arrow(MINUTES, finer), folder / "fine.parquet")
    mend_series(root, MINUTES)
    bars = Catalog.open(root).read_bars(MINUTES)
    assert (bars.price_precision, bars.close.tolist()) == (4, [1_007_500, 1_007_525])


@given(
    prices=st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=20),
    finer=st.integers(0, 6),
)
def test_rescaling_there_and_back_changes_nothing(prices: list[int], finer: int) -> None:
    bars = columns(prices)
    assert rescaled(rescaled(bars, 2 + finer, finer), 2, 0) == bars


def test_a_price_that_would_not_fit_is_refused() -> None:
    with pytest.raises(WrongInput, match="does not fit"):
        rescaled(columns([2**60]), 16, 0)


@pytest.mark.parametrize(
    ("before", "after", "like"),
    [
        (64_557, 9_223, "like a split of 7:1"),
        (10_000, 5_010, "like a split of 2:1"),
        (1_000, 10_020, "like a split of 1:10"),
        (9_000, 6_000, "like a split of 3:2"),
        (10_000, 1_130, "without the ratio of a split"),
    ],
)
def test_jumps_are_told_by_the_split_they_look_like(before: int, after: int, like: str) -> None:
    (jump,) = jumps(columns([before, before, after, after]), MINUTES.spec)
    assert like in str(jump)


def test_what_markets_do_is_no_jump() -> None:
    wild = columns([10_000, 12_900, 9_500, 8_100])
    assert not list(jumps(wild, MINUTES.spec))
    oil = columns([1_827, -3_763, 1_001])
    assert not list(jumps(oil, MINUTES.spec)), "a price below zero has no ratio"
    apart = replace(wild, ts=wild.ts + np.arange(4) * 30 * 86_400_000_000_000)
    assert not list(jumps(replace(apart, open=apart.open // 7), MINUTES.spec))

"""Stored bars against what the broker gives now."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.columns import BarColumns
from core.revisions import Revision, compare

MINUTE = 60_000_000_000
LAST_SESSION = 6 * MINUTE  # the bars stamped 7 to 10 belong to it


def bars(closes: list[int] | None = None) -> BarColumns:
    """Ten bars a minute apart."""
    close = np.array(closes or [4000, 4004, 4012, 4008, 4016, 4020, 4000, 3996, 3992, 3988])
    ts = (np.arange(len(close)) + 1) * MINUTE
    return BarColumns(ts, close, close + 8, close - 8, close, close * 0 + 500, 2, 0)


def changed(base: BarColumns, row: int, column: str, by: int) -> BarColumns:
    values = getattr(base, column).copy()
    values[row] += by
    return replace(base, **{column: values})


def test_the_same_bars_are_no_revision() -> None:
    assert compare(bars(), bars(), LAST_SESSION) == Revision("none")


@pytest.mark.parametrize(
    ("row", "column", "kind"),
    [
        (8, "close", "corrected"),
        (1, "volume", "corrected"),  # volumes are settled later, in any session
        (8, "volume", "corrected"),
        (1, "close", "restated"),
    ],
)
def test_what_changed_where_decides(row: int, column: str, kind: str) -> None:
    revision = compare(bars(), changed(bars(), row, column, 1), LAST_SESSION)
    assert (revision.kind, revision.bars, revision.first) == (kind, 1, (row + 1) * MINUTE)


def test_a_bar_that_came_or_went_counts_as_one_that_changed() -> None:
    without_last, without_first = bars().take(slice(0, 9)), bars().take(slice(1, 10))
    assert compare(without_last, bars(), LAST_SESSION).kind == "corrected"
    assert compare(bars(), without_last, LAST_SESSION).kind == "corrected"
    assert compare(bars(), without_first, LAST_SESSION).kind == "restated"


def scaled(base: BarColumns, numerator: int, denominator: int) -> BarColumns:
    def prices(column: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        return (column * numerator + denominator // 2) // denominator

    return replace(
        base,
        open=prices(base.open),
        high=prices(base.high),
        low=prices(base.low),
        close=prices(base.close),
        volume=base.volume * denominator // numerator,
    )


@given(
    st.lists(st.integers(5_000, 60_000), min_size=3, max_size=30),
    st.sampled_from([(1, 2), (1, 4), (2, 3), (1, 10), (10, 1), (1, 20), (3, 1)]),
)
def test_a_constant_ratio_of_prices_is_a_split(closes: list[int], ratio: tuple[int, int]) -> None:
    before = bars(closes)
    now = scaled(before, *ratio)
    revision = compare(before, now, LAST_SESSION)
    assert revision.kind == "split"
    assert revision.ratio == Fraction(ratio[1], ratio[0])


def test_more_decimals_of_the_same_prices_are_no_revision() -> None:
    finer = replace(scaled(bars(), 10, 1), price_precision=3, volume=bars().volume)
    assert compare(bars(), finer, LAST_SESSION).kind == "none"

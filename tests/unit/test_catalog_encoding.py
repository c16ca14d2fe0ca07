"""Bars to Arrow and back, exactly; names of files and folders as Nautilus spells them."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.columns import BarColumns
from catalog.encoding import (
    SCHEMA,
    content_hash,
    from_arrow,
    int64s,
    read_table,
    to_arrow,
    write_table,
)
from catalog.layout import file_name, folder_name, named_range, open_of, partitions
from catalog.series import BarSpec, Series

SERIES = Series.from_bar_type("ESZ6.CME-1-MINUTE-LAST-EXTERNAL")
INT64 = st.integers(-(2**63), 2**63 - 1)


@st.composite
def columns(draw: st.DrawFn) -> BarColumns:
    rows = draw(st.integers(0, 6))
    values = st.lists(INT64, min_size=rows, max_size=rows)
    arrays = [np.array(draw(values), dtype=np.int64) for _ in range(6)]
    return BarColumns(*arrays, draw(st.integers(0, 16)), draw(st.integers(0, 16)))


@given(columns())
def test_every_value_survives_the_way_to_arrow_and_back(bars: BarColumns) -> None:
    table = to_arrow(SERIES, bars)
    assert table.schema.remove_metadata() == SCHEMA
    assert from_arrow(table) == bars


@given(st.lists(INT64, min_size=1, max_size=5), st.integers(0, 16))
def test_decimals_are_those_that_decimal_arithmetic_gives(values: list[int], decimals: int) -> None:
    column = np.array(values, dtype=np.int64)
    bars = BarColumns(*[column] * 6, decimals, 0)
    expected = [Decimal(value).scaleb(-decimals) for value in values]
    assert to_arrow(SERIES, bars)["open"].to_pylist() == expected


@given(columns(), st.randoms())
def test_the_hash_tells_any_changed_value(bars: BarColumns, random: object) -> None:
    assert content_hash(bars) == content_hash(from_arrow(to_arrow(SERIES, bars)))
    if len(bars):
        bars.close[0] ^= 1
        changed = content_hash(bars)
        bars.close[0] ^= 1
        assert changed != content_hash(bars)


def test_a_price_finer_than_its_precision_is_refused_not_rounded() -> None:
    one = np.ones(1, dtype=np.int64)
    table = to_arrow(SERIES, BarColumns(one, one, one, one, one, one, 3, 0))
    coarse = table.replace_schema_metadata({**table.schema.metadata, b"price_precision": b"2"})
    with pytest.raises(ValueError, match="more than 2 decimals"):
        from_arrow(coarse)


def test_a_table_of_something_else_is_refused() -> None:
    with pytest.raises(ValueError, match="not a table of Nautilus bars"):
        from_arrow(pa.table({"open": [1.0]}))


def test_a_flipped_bit_in_a_page_is_found_when_reading(tmp_path: Path) -> None:
    ts = np.arange(1, 2_001, dtype=np.int64)
    path = tmp_path / "bars.parquet"
    write_table(to_arrow(SERIES, BarColumns(ts, ts, ts, ts, ts, ts, 2, 0)), path)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 4] ^= 0x10
    path.write_bytes(raw)
    with pytest.raises((OSError, pa.ArrowException)):
        from_arrow(read_table(path))


def test_stamps_of_a_slice_are_those_of_its_rows() -> None:
    column = pa.chunked_array([pa.array([1, 2, 3])]).slice(1)
    assert int64s(column).tolist() == [2, 3]


@given(st.integers(0, 2**62), st.integers(0, 2**62))
def test_a_file_name_says_its_range_to_the_nanosecond(first: int, last: int) -> None:
    assert named_range(file_name(first, last)) == (first, last)


def test_names_of_other_programs_claim_no_range() -> None:
    assert named_range("2024-01-01_2024-01-02.parquet") is None


def test_folders_drop_slashes_and_encode_what_is_unsafe() -> None:
    assert folder_name("EUR/USD.IDEALPRO") == "EURUSD.IDEALPRO"
    assert folder_name("^SPX.CBOE") == "_SPX.CBOE"
    assert folder_name("BRK B.NYSE") == "BRK B.NYSE"
    assert folder_name("Ü#.X") == "%C3%9C%23.X"


DAY = 86_400 * 10**9


@given(
    st.sampled_from(["1-MINUTE", "30-SECOND", "4-HOUR", "1-DAY", "1-WEEK"]),
    st.integers(0, 20_000 * DAY),
    st.integers(1, 900 * DAY),
)
def test_the_parts_of_a_range_join_to_it_and_lie_in_their_files(
    text: str, start: int, length: int
) -> None:
    asked = (start, start + length)
    parts = list(partitions(asked, BarSpec.parse(text)))
    assert parts[0][0][0] == asked[0]
    assert parts[-1][0][1] == asked[1]
    for (part, span), (following, _) in pairwise(parts):
        assert part[1] == following[0] == span[1]
    assert all(span[0] <= part[0] < part[1] <= span[1] for part, span in parts)


def test_a_month_of_minutes_a_year_of_hours_and_all_days_share_a_file() -> None:
    year = (1_704_067_200 * 10**9, 1_735_689_600 * 10**9)  # 2024
    counts = {
        text: len(list(partitions(year, BarSpec.parse(text))))
        for text in ("1-MINUTE", "30-MINUTE", "1-HOUR", "1-DAY", "1-MONTH")
    }
    assert counts == {"1-MINUTE": 12, "30-MINUTE": 12, "1-HOUR": 1, "1-DAY": 1, "1-MONTH": 1}


def test_an_intraday_bar_opens_its_span_before_its_stamp_and_a_day_at_its_date() -> None:
    assert open_of(120 * 10**9, BarSpec.parse("1-MINUTE")) == 60 * 10**9
    assert open_of(3 * DAY - 1, BarSpec.parse("1-DAY")) == 2 * DAY
    assert open_of(3 * DAY - 1, BarSpec.parse("1-WEEK")) == 2 * DAY

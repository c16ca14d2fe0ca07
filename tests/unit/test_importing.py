"""Rows of other programs' files as bars: what is understood, what is asked for, what is refused."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import WrongInput
from catalog.importing import typed_series
from catalog.importing_files import read_raw
from catalog.importing_rows import Reading, Rows, Stamps, read_rows
from catalog.series import BarSpec

MINUTES, DAYS = BarSpec(1, "MINUTE"), BarSpec(1, "DAY")
NEW_YORK = "America/New_York"


def read(
    path: Path,
    spec: BarSpec = MINUTES,
    *,
    zone: str | None = None,
    stamps: Stamps | None = "open",
    columns: dict[str, str] | None = None,
    time_format: str | None = None,
    precision: int | None = None,
    size_precision: int = 0,
    signed: bool = False,
) -> Rows:
    reading = Reading(spec, zone, stamps, time_format, precision, size_precision, signed)
    return read_rows([read_raw(path, columns or {})], reading)


def csv(tmp_path: Path, *rows: str, header: str = "time,open,high,low,close,volume") -> Path:
    path = tmp_path / "bars.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def ns(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp()) * 10**9


# Times


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-02T14:30:00Z",
        "2024-01-02 14:30:00+00:00",
        "2024-01-02 09:30:00-05:00",
        "2024-01-02 14:30:00.000000Z",
        "1704205800",
        "1704205800000",
        "1704205800000000000",
    ],
)
def test_times_that_say_their_zone_need_no_option(tmp_path: Path, text: str) -> None:
    rows = read(csv(tmp_path, f"{text},1,2,1,2,5"))
    assert rows.bars.ts.tolist() == [ns(2024, 1, 2, 14, 31)]


@pytest.mark.parametrize("text", ["2024-01-02 09:30", "2024/01/02 09:30:00", "1/2/2024 9:30"])
def test_times_without_a_zone_are_refused_until_it_is_said(tmp_path: Path, text: str) -> None:
    path = csv(tmp_path, f"{text},1,2,1,2,5", "1/31/2024 9:30,1,2,1,2,5" if "1/2/" in text else "")
    with pytest.raises(WrongInput, match="no time zone") as refusal:
        read(path)
    assert "--zone" in refusal.value.steps[0]
    assert read(path, zone=NEW_YORK).bars.ts[0] == ns(2024, 1, 2, 14, 31)
    assert read(path, zone="UTC").bars.ts[0] == ns(2024, 1, 2, 9, 31)
    with pytest.raises(WrongInput, match="no time zone 'New York'"):
        read(path, zone="New York")


def test_stamps_must_be_said_and_are_closes_afterwards(tmp_path: Path) -> None:
    path = csv(tmp_path, "2024-01-02T14:30:00Z,1,2,1,2,5")
    with pytest.raises(WrongInput, match="open or of the close") as refusal:
        read(path, stamps=None)
    assert "--stamps" in refusal.value.steps[0]
    assert (
        read(path, stamps="open").bars.ts[0] - read(path, stamps="close").bars.ts[0] == 60 * 10**9
    )


def test_days_and_months_that_could_be_either_are_asked_for(tmp_path: Path) -> None:
    path = csv(tmp_path, "1/2/2024,1,2,1,2,5", "1/3/2024,1,2,1,2,5")
    with pytest.raises(WrongInput, match="in two ways") as refusal:
        read(path, DAYS)
    assert "--time-format" in refusal.value.steps[0]
    rows = read(path, DAYS, time_format="%d/%m/%Y")
    assert rows.bars.ts[0] == ns(2024, 2, 2) - 1
    certain = csv(tmp_path, "1/2/2024,1,2,1,2,5", "1/31/2024,1,2,1,2,5")
    assert read(certain, DAYS).bars.ts[0] == ns(2024, 1, 3) - 1


@pytest.mark.parametrize(
    "text", ["2024-01-02", "20240102", "2024-01-02 00:00:00", "2024-01-02T16:00"]
)
def test_a_day_is_stamped_at_the_end_of_its_date_in_utc(tmp_path: Path, text: str) -> None:
    rows = read(csv(tmp_path, f"{text},1,2,1,2,5"), DAYS, stamps=None)
    assert rows.bars.ts.tolist() == [ns(2024, 1, 3) - 1]


def test_days_that_begin_elsewhere_belong_to_the_date_of_their_zone(tmp_path: Path) -> None:
    path = csv(tmp_path, "2024-01-02 00:00:00-05:00,1,2,1,2,5")
    with pytest.raises(WrongInput, match="midnight UTC"):
        read(path, DAYS)
    assert read(path, DAYS, zone=NEW_YORK).bars.ts[0] == ns(2024, 1, 3) - 1
    earlier = csv(tmp_path, "2024-01-01T23:00:00Z,1,2,1,2,5")
    assert read(earlier, DAYS, zone="Europe/Berlin").bars.ts[0] == ns(2024, 1, 3) - 1


def test_a_week_dated_by_its_first_day_would_be_seen_too_early(tmp_path: Path) -> None:
    path = csv(tmp_path, "2024-01-05,1,2,1,2,5")
    weeks = BarSpec(1, "WEEK")
    for stamps in (None, "open"):
        with pytest.raises(WrongInput, match="first or the last"):
            read(path, weeks, stamps=stamps)
    assert read(path, weeks, stamps="close").bars.ts[0] == ns(2024, 1, 6) - 1


def test_the_hour_that_comes_twice_and_the_one_that_never_comes_are_named(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "2024-11-03 00:59:00,1,2,1,2,5",
        "2024-11-03 01:30:00,1,2,1,2,5",
        "2024-03-10 02:30:00,1,2,1,2,5",
    )
    rows = read(path, zone=NEW_YORK)
    assert [(one.row, "clock changes" in one.reason) for one in rows.rejects] == [
        (3, True),
        (4, True),
    ]
    assert len(rows.bars) == 1


def test_a_date_beside_a_time_of_day_is_one_moment(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "20240102,09:30:00,1,2,1,2,5",
        header="<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
    )
    with pytest.raises(WrongInput):
        read(path, zone="UTC", columns={"close": "nothing"})
    rows = read(path, zone="UTC")
    assert read(path, zone="UTC", time_format="%Y%m%d %H:%M:%S").bars == rows.bars
    assert rows.bars.ts.tolist() == [ns(2024, 1, 2, 9, 31)]


# Figures


def test_prices_have_the_decimals_of_the_whole_data_not_of_a_row(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "2024-01-02,100,101.50,99.5,100.1250,7",
        "2024-01-03,100.000000,101,99,100,8.0",
    )
    bars = read(path, DAYS).bars
    assert bars.price_precision == 3
    assert bars.close.tolist() == [100_125, 100_000]
    assert bars.volume.tolist() == [7, 8]


def test_the_instruments_decimals_round_half_even_and_it_is_counted(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "2024-01-02,1.005,1.015,1.005,1.01,7.5",
        "2024-01-03,1.01,1.02,1.01,1.01,8",
    )
    rows = read(path, DAYS, precision=2)
    assert (rows.bars.open[0], rows.bars.high[0]) == (100, 102)
    assert (rows.rounded_prices, rows.rounded_volumes) == (1, 1)
    assert rows.bars.volume.tolist() == [8, 8]
    assert read(path, DAYS, size_precision=1).bars.volume.tolist() == [75, 80]


def test_floats_of_a_data_frame_are_the_numbers_they_show(tmp_path: Path) -> None:
    table = pa.table(
        {
            "timestamp": pa.array([ns(2024, 1, 2, 14, 30)], pa.timestamp("ns", "America/New_York")),
            **{
                name: pa.array([0.1 + 0.2 if name == "high" else 0.1])
                for name in ("open", "high", "low", "close")
            },
            "volume": pa.array([5], pa.int64()),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    feather.write_feather(table, tmp_path / "a.feather")
    for name in ("a.parquet", "a.feather"):
        rows = read(tmp_path / name)
        assert rows.bars.price_precision == 9
        assert rows.bars.open.tolist() == [100_000_000]
        assert rows.bars.high.tolist() == [300_000_000]
        assert rows.rounded_prices == 1


def test_dates_of_a_parquet_file_are_days(tmp_path: Path) -> None:
    prices = {name: pa.array([1, 2]) for name in ("open", "high", "low", "close")}
    pq.write_table(
        pa.table({"date": pa.array([19724, 19725], pa.date32()), **prices}), tmp_path / "d.pq"
    )
    assert read(tmp_path / "d.pq", DAYS).bars.ts.tolist() == [
        ns(2024, 1, 3) - 1,
        ns(2024, 1, 4) - 1,
    ]


def test_files_without_volume_have_none_and_minus_one_means_none(tmp_path: Path) -> None:
    path = csv(tmp_path, "2024-01-02,1,2,1,2", header="Date;Open;High;Low;Close".replace(";", ","))
    assert read(path, DAYS).bars.volume.tolist() == [0]
    assert read(csv(tmp_path, "2024-01-02,1,2,1,2,-1"), DAYS).bars.volume.tolist() == [0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.decimals(min_value=1, max_value=10**6, places=4), min_size=1, max_size=20))
def test_any_decimals_come_back_value_for_value(
    tmp_path_factory: pytest.TempPathFactory, prices: list[Decimal]
) -> None:
    path = tmp_path_factory.mktemp("prices") / "p.csv"
    lines = [
        ",".join([str(np.datetime64("2024-01-01") + np.timedelta64(day, "D")), *[f"{price:f}"] * 4])
        for day, price in enumerate(prices)
    ]
    path.write_text("\n".join(["date,o,h,l,c", *lines]))
    bars = read(path, DAYS).bars
    assert [Decimal(value).scaleb(-bars.price_precision) for value in bars.close.tolist()] == prices


# Rows that are no bars


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2024-01-03,1,x,1,2,5", "'x' is no high"),
        ("2024-01-03,1,2,1,,5", "there is no close"),
        ("2024-01-03,1,2,1,3,5", "high 2.0 is below a price"),
        ("2024-01-03,2,3,2.5,3,5", "low 2.5 is above a price"),
        ("2024-01-03,0,2,0,1,5", "price 0.0 is not above zero"),
        ("2024-01-03,1,2,1,2,-7", "the volume is below zero"),
        ("2024-02-31,1,2,1,2,5", "'2024-02-31' is no time"),
        ("yesterday,1,2,1,2,5", "'yesterday' is no time"),
        ("2024-01-02,1,2,1,1,5", "another bar of the same time stands in bars.csv 2"),
        ("2024-01-03,1,2,1,1.1234567890123456789,5", "is no close"),
    ],
)
def test_a_row_that_is_no_bar_is_named_with_its_number(
    tmp_path: Path, row: str, reason: str
) -> None:
    rows = read(csv(tmp_path, "2024-01-02,1,2,1,2,5", row, "2024-01-04,1.5,2,1,2,5"), DAYS)
    (reject,) = rows.rejects
    assert (reject.row, reject.path.name) == (3, "bars.csv")
    assert reason in reject.reason
    assert len(rows.bars) == 2


def test_prices_below_zero_are_prices_where_there_can_be_some(tmp_path: Path) -> None:
    path = csv(tmp_path, "2020-04-20,-36.98,-36.98,-36.98,-36.98,0")
    assert len(read(path, DAYS).rejects) == 1
    assert read(path, DAYS, signed=True).bars.close.tolist() == [-3698]


def test_rows_without_any_price_and_repeated_rows_are_counted_not_refused(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "2024-01-04,1,2,1,2,5",
        "2024-01-03,.,.,.,.,",
        "2024-01-02,1,2,1,2,5",
        "2024-01-04,1,2,1,2,5",
    )
    rows = read(path, DAYS)
    assert (rows.rows, rows.blank, rows.repeated, rows.unordered) == (4, 1, 1, True)
    assert rows.rejects == ()
    assert rows.bars.ts.tolist() == [ns(2024, 1, 3) - 1, ns(2024, 1, 5) - 1]


def test_bars_of_another_span_are_refused(tmp_path: Path) -> None:
    path = csv(
        tmp_path, *(f"2024-01-02T14:{minute:02}:00Z,1,2,1,2,5" for minute in range(0, 50, 5))
    )
    with pytest.raises(WrongInput, match="300 s apart"):
        read(path, MINUTES)
    with pytest.raises(WrongInput, match="300 s apart"):
        read(path, BarSpec(1, "HOUR"))
    assert len(read(path, BarSpec(5, "MINUTE")).bars) == 10


# Files


def test_columns_are_found_by_name_or_as_told(tmp_path: Path) -> None:
    path = csv(
        tmp_path, "2024-01-02,1,2,1,2,1.5,5", header="Date,Open,High,Low,Close,Adj Close,Volume"
    )
    assert read(path, DAYS).bars.close.tolist() == [2]
    adjusted = read(path, DAYS, columns={"close": "Adj Close"}).bars
    assert adjusted.close.tolist() == [15]
    with pytest.raises(WrongInput, match="no column 'Adjusted'"):
        read(path, DAYS, columns={"close": "Adjusted"})
    with pytest.raises(WrongInput, match="'price' is no field"):
        read(path, DAYS, columns={"price": "Close"})
    other = csv(tmp_path, "2024-01-02,5", header="day,price")
    with pytest.raises(WrongInput, match="no column for time, open, high, low, close") as refusal:
        read(other, DAYS)
    assert "it has day, price" in refusal.value.reason


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_usual_delimiter_and_compression_is_read(tmp_path: Path, delimiter: str) -> None:
    text = "\ufeffDate,Open,High,Low,Close\r\n2024-01-02,1,2,1,2\r\n".replace(",", delimiter)
    path = tmp_path / "bars.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    assert len(read(path, DAYS).bars) == 1


@pytest.mark.parametrize("content", [b"", b"\x00\xff\xfe", b"a,b\n1\n", b"PAR1"])
@pytest.mark.parametrize("name", ["x.csv", "x.parquet", "x.feather"])
def test_what_is_no_table_is_refused_in_words(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WrongInput, match=name):
        read(tmp_path / name)
    with pytest.raises(WrongInput, match="no file"):
        read(tmp_path / f"absent-{name}")


@pytest.mark.parametrize(
    ("typed", "bar_type"),
    [
        ("AAPL.NASDAQ-1-MINUTE-LAST", "AAPL.NASDAQ-1-MINUTE-LAST-EXTERNAL"),
        ("AAPL.NASDAQ-1-MINUTE-LAST-EXTERNAL", "AAPL.NASDAQ-1-MINUTE-LAST-EXTERNAL"),
        ("BRK-B.NYSE-1-day", "BRK-B.NYSE-1-DAY-LAST-EXTERNAL"),
        ("WTI-1-DAY", "WTI.SIM-1-DAY-LAST-EXTERNAL"),
        ("EUR/USD.IDEALPRO-5-MINUTE-MID", "EUR/USD.IDEALPRO-5-MINUTE-MID-EXTERNAL"),
    ],
)
def test_a_series_without_venue_is_simulated_ground(typed: str, bar_type: str) -> None:
    assert typed_series(typed).bar_type == bar_type


@pytest.mark.parametrize("typed", ["AAPL.NASDAQ", "1-DAY", "AAPL-1-FORTNIGHT", ""])
def test_what_is_no_series_is_refused(typed: str) -> None:
    with pytest.raises(WrongInput):
        typed_series(typed)

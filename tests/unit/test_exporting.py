"""Exported files: what other programs read is what the catalog holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from catalog import workers
from catalog.columns import BarColumns
from catalog.errors import DataUnavailable, WrongInput
from catalog.events import Event
from catalog.exporting import FORMATS, BarsExported, Format, export_bars, export_name
from catalog.importing import ImportRequest, plan_import
from catalog.series import Series
from catalog.store import Catalog
from tests.scenarios.catalog_samples import (
    AAPL,
    DAY,
    ES,
    EURUSD,
    MINUTE,
    SPX,
    START,
    bars,
    definition,
    store,
)


def as_pandas_sees_it(path: str, kind: Format) -> list[str]:
    """What a notebook gets, in a worker."""
    import pandas

    read = {"csv": pandas.read_csv, "parquet": pandas.read_parquet, "arrow": pandas.read_feather}
    frame = read[kind](path)
    return [str(frame.dtypes.to_dict()["close"]), str(frame["timestamp"].iloc[0]), str(len(frame))]


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    catalog = Catalog.open(tmp_path_factory.mktemp("exporting") / "catalog")
    for series in (AAPL, ES, EURUSD, SPX):
        catalog.store_instrument(definition(series), origin="simulated")
        low = -50 if series is ES else 10_000
        first = START - START % DAY if series is SPX else START
        given = bars(series, 60, low=low, first_open=first)
        store(catalog, series, given, (START - DAY, START + 90 * DAY))
    return catalog


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("series", [AAPL, ES, EURUSD, SPX], ids=lambda series: series.instrument_id)
def test_what_is_exported_imports_as_the_same_bars(
    catalog: Catalog, tmp_path: Path, series: Series, kind: Format
) -> None:
    path = tmp_path / "out" / export_name(series, kind)
    events: list[Event] = []
    assert export_bars(catalog, series, path, kind, report=events.append) == 60
    assert events == [BarsExported(series, 60, path)]
    assert [each.name for each in path.parent.iterdir()] == [path.name]

    elsewhere = Catalog.open(tmp_path / "elsewhere")
    elsewhere.store_instrument(definition(series, info={"source": "real"}), origin="real")
    request = ImportRequest((path,), series, stamps="close", hours="all")
    plan = plan_import(elsewhere, request)
    assert plan.rows.bars == catalog.read_bars(series)
    assert (plan.rows.rounded_prices, plan.rows.rejects) == (0, ())


def test_a_range_is_one_of_bar_opens(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "hour.csv"
    assert export_bars(catalog, AAPL, path, "csv", span=(START, START + 2 * MINUTE)) == 2
    assert path.read_text().splitlines() == [
        "timestamp,open,high,low,close,volume",
        "2024-01-01T14:31:00Z,99.99,100.03,99.96,100.00,104",
        "2024-01-01T14:32:00Z,100.00,100.04,99.97,100.01,105",
    ]


def test_days_carry_their_date(catalog: Catalog, tmp_path: Path) -> None:
    export_bars(catalog, SPX, tmp_path / "d.csv", "csv")
    assert (tmp_path / "d.csv").read_text().splitlines()[1].startswith("2024-01-01,99.99,")
    export_bars(catalog, SPX, tmp_path / "d.parquet", "parquet")
    stamps = pq.read_table(tmp_path / "d.parquet")["timestamp"]
    assert str(stamps[0]) == "2024-01-01 00:00:00"


def test_frames_have_floats_and_moments(catalog: Catalog, tmp_path: Path) -> None:
    for kind in FORMATS:
        path = tmp_path / f"bars.{kind}"
        export_bars(catalog, AAPL, path, kind)
        close, first, count = workers.run_blocking(as_pandas_sees_it, str(path), kind)
        assert (close, count) == ("float64", "60")
        assert first.startswith("2024-01-01") and "14:31:00" in first
    assert feather.read_table(tmp_path / "bars.arrow").schema.metadata[b"series"] == (
        AAPL.bar_type.encode()
    )


def test_a_file_that_exists_is_kept_unless_said_otherwise(catalog: Catalog, tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("mine")
    with pytest.raises(WrongInput, match="exists"):
        export_bars(catalog, AAPL, path, "csv")
    assert path.read_text() == "mine"
    export_bars(catalog, AAPL, path, "csv", replace=True)
    assert len(path.read_text().splitlines()) == 61
    with pytest.raises(WrongInput, match="cannot be written"):
        export_bars(catalog, AAPL, path / "below", "csv")


def test_an_unknown_series_leaves_no_file(catalog: Catalog, tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable):
        export_bars(catalog, Series("MSFT.NASDAQ", AAPL.spec), tmp_path / "x.csv", "csv")
    assert list(tmp_path.iterdir()) == []


def test_large_and_fractional_figures_keep_every_digit(tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path / "catalog")
    catalog.store_instrument(definition(EURUSD), origin="simulated")
    given = bars(EURUSD, 3)
    huge = 123_456_789_012_345
    ones = np.array([huge, huge + 1, huge + 2])
    given = BarColumns(given.ts, ones, ones, ones, ones, ones, 5, 0)
    store(catalog, EURUSD, given, (START, START + DAY))
    export_bars(catalog, EURUSD, tmp_path / "x.csv", "csv")
    assert "1234567890.12346,123456789012346" in (tmp_path / "x.csv").read_text()

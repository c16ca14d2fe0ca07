"""Bars of other programs in the catalog: what came is what the files say, read by Nautilus."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from catalog import workers
from catalog.columns import BarColumns
from catalog.errors import WrongInput
from catalog.events import Event
from catalog.exporting import export_bars
from catalog.importing import (
    BarsImported,
    ImportPlan,
    ImportRequest,
    RowsRejected,
    import_bars,
    plan_import,
    typed_series,
)
from catalog.store import Catalog
from catalog.trash import undo
from tests.outside import SHARED
from tests.scenarios.catalog_samples import AAPL, DAY, MINUTE, START, bars, definition, store

REAL = SHARED / "data"
NEW_YORK = "America/New_York"


def values_in_nautilus(root: str, bar_type: str) -> list[tuple[int, list[str], str]]:
    """Stamp, prices and volume of each bar as Nautilus reads it; for workers."""
    from nautilus_trader.persistence import ParquetDataCatalog

    return [
        (bar.ts_init, [str(bar.open), str(bar.high), str(bar.low), str(bar.close)], str(bar.volume))
        for bar in ParquetDataCatalog(root).query_bars([bar_type])
        if bar.ts_event == bar.ts_init
    ]


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.open(tmp_path / "catalog")


def imported(catalog: Catalog, request: ImportRequest) -> ImportPlan:
    plan = plan_import(catalog, request)
    import_bars(catalog, plan)
    return plan


# Overlaps


def as_csv(tmp_path: Path, given: BarColumns, name: str = "bars") -> Path:
    """A file with these bars of AAPL, by our own export."""
    source = Catalog.open(tmp_path / f"source-{name}")
    source.store_instrument(definition(AAPL), origin="simulated")
    store(source, AAPL, given, (START - DAY, START + 20 * DAY))
    export_bars(source, AAPL, tmp_path / f"{name}.csv", "csv")
    return tmp_path / f"{name}.csv"


@pytest.fixture
def half(catalog: Catalog, tmp_path: Path) -> ImportRequest:
    """Stored: 60 minutes less the ten in the middle. Given: 90 minutes, 30 of the stored ones
    with other values; one day before and one after are untouched by the files."""
    own = {"hours": "all", "origin": "real"}
    catalog.store_instrument(definition(AAPL, info={"source": "real"}), origin="real")
    for first in (START, START + 35 * MINUTE):
        store(catalog, AAPL, bars(AAPL, 25, first_open=first), (first, first + 25 * MINUTE), **own)
    given = bars(AAPL, 90)
    close = np.where(np.arange(90) < 15, given.close + 1, given.close)
    path = as_csv(tmp_path, replace(given, close=close))
    return ImportRequest((path,), AAPL, stamps="close", hours="all")


def test_an_overlap_is_counted_and_left_to_the_user(catalog: Catalog, half: ImportRequest) -> None:
    plan = plan_import(catalog, half)
    stored = catalog.read_bars(AAPL)
    # From the 35th minute on the stored bars begin anew with the first values.
    assert (plan.new, plan.same + plan.different, plan.undecided) == (40, 50, True)
    assert plan.different >= 15
    with pytest.raises(WrongInput, match="bars of this time already") as refusal:
        import_bars(catalog, plan)
    assert [step.rpartition(" ")[2] for step in refusal.value.steps] == [
        "skip",
        "overwrite",
        "merge",
    ]
    assert catalog.read_bars(AAPL) == stored


def test_skip_leaves_covered_time_as_it_is(catalog: Catalog, half: ImportRequest) -> None:
    before = catalog.read_bars(AAPL)
    plan = imported(catalog, replace(half, overlap="skip"))
    after = catalog.read_bars(AAPL)
    assert plan.adding == 40
    assert len(after) == 90
    kept = np.isin(after.ts, before.ts)
    assert after.take(kept) == before


def test_merge_fills_holes_inside_covered_time_and_stored_bars_stay(
    catalog: Catalog, half: ImportRequest
) -> None:
    before = catalog.read_bars(AAPL)
    extra = (START, START + 90 * MINUTE)
    store(catalog, AAPL, bars(AAPL, 0), extra, hours="all", origin="real")
    assert plan_import(catalog, replace(half, overlap="skip")).adding == 0
    assert imported(catalog, replace(half, overlap="merge")).adding == 40
    after = catalog.read_bars(AAPL)
    assert len(after) == 90
    assert after.take(np.isin(after.ts, before.ts)) == before


def test_overwrite_replaces_what_the_files_span_and_undo_brings_it_back(
    catalog: Catalog, half: ImportRequest
) -> None:
    before = catalog.read_bars(AAPL)
    events: list[Event] = []
    plan = plan_import(catalog, replace(half, overlap="overwrite"))
    assert (plan.adding, plan.replaced) == (90, 50)
    assert import_bars(catalog, plan, events.append) == 90
    assert events == [BarsImported(AAPL, 90, 50)]
    assert catalog.read_bars(AAPL) == plan.rows.bars
    assert len(catalog.files(AAPL)) == 1
    undo(catalog.root)
    assert catalog.read_bars(AAPL) == before


def test_a_second_import_of_the_same_file_changes_nothing(
    catalog: Catalog, half: ImportRequest
) -> None:
    imported(catalog, replace(half, overlap="overwrite"))
    files = {path: path.stat().st_mtime_ns for path in catalog.files(AAPL)}
    for overlap in ("skip", "merge"):
        assert imported(catalog, replace(half, overlap=overlap)).adding == 0
    assert {path: path.stat().st_mtime_ns for path in catalog.files(AAPL)} == files


def test_days_without_bars_in_the_file_stay_to_be_asked_for(
    catalog: Catalog, tmp_path: Path
) -> None:
    first, third = bars(AAPL, 60), bars(AAPL, 60, first_open=START + 2 * DAY)
    path = as_csv(tmp_path, first, "first")
    other = as_csv(tmp_path, third, "third")
    plan = imported(
        catalog, ImportRequest((path, other), typed_series("AAPL-1-MINUTE"), stamps="close")
    )
    assert len(plan.rows.bars) == 120
    assert catalog.covered(plan.request.series) == [
        (START, START + 60 * MINUTE),
        (START + 2 * DAY, START + 2 * DAY + 60 * MINUTE),
    ]


# What must not mix


def test_nothing_is_imported_among_simulated_bars(catalog: Catalog, tmp_path: Path) -> None:
    catalog.store_instrument(definition(AAPL), origin="simulated")
    with pytest.raises(WrongInput, match="simulated"):
        plan_import(catalog, ImportRequest((tmp_path / "any.csv",), AAPL))


def test_bars_of_a_known_other_name_join_the_series_of_their_instrument(
    catalog: Catalog, tmp_path: Path
) -> None:
    catalog.store_instrument(definition(AAPL, info={"source": "real"}), origin="real")
    catalog.add_alias("AAPL.ISLAND", "AAPL.NASDAQ", 265598)
    path = as_csv(tmp_path, bars(AAPL, 5))
    typed = typed_series("AAPL.ISLAND-1-MINUTE")
    assert imported(catalog, ImportRequest((path,), typed, stamps="close", hours="all")).new == 5
    assert [one.series for one in catalog.list_series()] == [AAPL]


def test_bars_outside_regular_hours_must_be_called_what_they_are(
    catalog: Catalog, tmp_path: Path
) -> None:
    path = tmp_path / "early.csv"
    path.write_text(
        "time,open,high,low,close\n2024-01-02 09:29,1,2,1,2\n2024-01-02 09:30,1,2,1,2\n"
    )
    request = ImportRequest((path,), AAPL, zone=NEW_YORK, stamps="open")
    with pytest.raises(WrongInput, match=r"1 bars of AAPL.* outside regular hours"):
        plan_import(catalog, request)
    assert imported(catalog, replace(request, hours="all")).hours == "all"
    assert plan_import(catalog, request).hours == "all"  # as the series has them by now
    with pytest.raises(WrongInput, match="must not mix"):
        imported(catalog, replace(request, hours="regular", overlap="merge"))


def test_rows_that_are_no_bars_stop_an_import_unless_they_may_be_left_out(
    catalog: Catalog, tmp_path: Path
) -> None:
    path = tmp_path / "oil.csv"
    path.write_text(
        "date,open,high,low,close\n2020-04-17,18,18,18,18\n2020-04-20,-37,-37,-37,-37\n"
    )
    request = ImportRequest((path,), typed_series("CL-1-DAY"))
    with pytest.raises(WrongInput, match="row 3: price -37 is not above zero") as refusal:
        plan_import(catalog, request)
    assert "--as commodity" in refusal.value.steps[-1]
    assert not catalog.list_series()

    events: list[Event] = []
    plan = plan_import(catalog, replace(request, skip_bad_rows=True))
    assert import_bars(catalog, plan, events.append) == 1
    assert isinstance(events[0], RowsRejected)
    assert events[0].rejects[0].row == 3


def test_a_made_instrument_has_the_class_asked_for_and_says_that_it_is_made_up(
    catalog: Catalog, tmp_path: Path
) -> None:
    path = tmp_path / "oil.csv"
    path.write_text("date,open,high,low,close\n2020-04-20,-37.5,-37,-38,-37.63\n")
    series = typed_series("CL-1-DAY")
    imported(catalog, ImportRequest((path,), series, kind="commodity", currency="EUR"))
    made = catalog.instrument("CL.SIM")
    assert made is not None
    assert (made["type"], made["quote_currency"], made["price_increment"]) == (
        "Commodity",
        "EUR",
        "0.01",
    )
    assert made["info"]["made_up"]
    assert catalog.read_bars(series).close.tolist() == [-3763]
    # A second file of other decimals is stored with those of the instrument.
    path.write_text("date,open,high,low,close\n2020-04-21,9.06,9.06,9.055,9.06\n")
    again = imported(catalog, ImportRequest((path,), series))
    assert again.rows.rounded_prices == 1
    assert catalog.read_bars(series).low.tolist() == [-3800, 906]


# Real data, value for value


def day_end(text: str, form: str) -> int:
    """The stamp of a day's bar, reckoned here and not by the program."""
    midnight = datetime.strptime(text, form).replace(tzinfo=UTC)
    return int((midnight + timedelta(days=1)).timestamp()) * 10**9 - 1


def minute_close(text: str, form: str, zone: str) -> int:
    opened = datetime.strptime(text, form).replace(tzinfo=ZoneInfo(zone))
    return int(opened.timestamp()) * 10**9 + 60 * 10**9


def iso_days(text: str) -> int:
    return day_end(text, "%Y-%m-%d")


def us_days(text: str) -> int:
    return day_end(text, "%m/%d/%Y")


def in_utc(text: str) -> int:
    return minute_close(text, "%Y-%m-%d %H:%M:%S+00:00", "UTC")


FOUR = dict.fromkeys(("open", "high", "low", "close"), "Price")
INTRADAY = {"stamps": "open", "hours": "all"}
# Three of these bars open at 16:00, when the session is over.
US_MINUTES = {
    "zone": NEW_YORK,
    "time_format": "%m/%d/%Y %H:%M",
    "stamps": "open",
    "hours": "regular",
}

CASES: dict[str, tuple[str, str, dict[str, object], Callable[[str], int]]] = {
    "negative oil": (
        "pddl/wti-daily.csv",
        "WTI-1-DAY",
        {"columns": FOUR, "kind": "commodity"},
        iso_days,
    ),
    "volatility index": (
        "pddl/vix-daily.csv",
        "^VIX.CBOE-1-DAY",
        {"kind": "index", "skip_bad_rows": True},
        iso_days,
    ),
    "stock index, 20 years": ("arch/sp500.csv.gz", "^SPX-1-DAY", {"kind": "index"}, us_days),
    "stock index, minutes": (
        "mplfinance/SP500_NOV2019_IDay.csv",
        "^SPX.CBOE-1-MINUTE",
        {"kind": "index", **US_MINUTES},
        lambda text: minute_close(text, "%m/%d/%Y %H:%M", NEW_YORK),
    ),
    "futures, newest first": (
        "mplfinance/jpyusd_barchartdotcom.csv",
        "J6-1-DAY",
        {"kind": "commodity"},
        us_days,
    ),
    "stock days": ("zipline/AAPL.csv.gz", "AAPL-1-DAY", {}, iso_days),
    "stock minutes, all hours": (
        "lightweight_charts/AAPL_1min.csv",
        "AAPL.NASDAQ-1-MINUTE",
        INTRADAY,
        in_utc,
    ),
    "stock minutes, New York": (
        "trading_ntrader/AAPL_test_2018.csv",
        "AAPL.NASDAQ-1-MINUTE",
        {"zone": NEW_YORK, **INTRADAY},
        lambda text: minute_close(text, "%Y-%m-%d %H:%M:%S", NEW_YORK),
    ),
}


@pytest.mark.skipif(not REAL.exists(), reason="no real data beside the project")
@pytest.mark.parametrize("case", CASES)
def test_real_data_reads_back_through_nautilus_value_for_value(catalog: Catalog, case: str) -> None:
    name, typed, options, stamp = CASES[case]
    path = REAL / name
    request = replace(ImportRequest((path,), typed_series(typed)), **options)
    plan = imported(catalog, request)

    content = path.read_bytes()
    text = gzip.decompress(content) if path.suffix == ".gz" else content
    rows = list(csv.DictReader(io.StringIO(text.decode())))
    left_out = {one.row for one in plan.rows.rejects}
    expected = {
        stamp(row[plan.names["time"]]): (
            [Decimal(row[plan.names[field]]) for field in ("open", "high", "low", "close")],
            Decimal(row[plan.names["volume"]]) if "volume" in plan.names else Decimal(0),
        )
        for number, row in enumerate(rows, 2)
        if number not in left_out
    }
    found = workers.run_blocking(
        values_in_nautilus, str(catalog.root), plan.request.series.bar_type
    )
    assert {
        ts: ([Decimal(price) for price in prices], Decimal(volume)) for ts, prices, volume in found
    } == expected
    assert len(found) == len(expected) == len(rows) - len(left_out)
    assert [ts for ts, _, _ in found] == sorted(expected)
    if case == "negative oil":
        assert min(Decimal(prices[3]) for _, prices, _ in found) == Decimal("-36.98")

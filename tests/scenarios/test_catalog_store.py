"""The catalog as its users see it: what is stored comes back, from us and from Nautilus."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from catalog import workers
from catalog.columns import BarColumns, concat
from catalog.errors import CatalogUnusable, DataUnavailable, WrongInput
from catalog.events import Event
from catalog.series import Series
from catalog.store import BarsPersisted, Catalog, InstrumentStored, InstrumentUnchanged
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
    read_with_nautilus,
    session,
    store,
    write_with_nautilus,
)


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog.open(tmp_path / "catalog")


# Storing and reading


def test_an_hour_of_bars_is_sixty_and_comes_back_as_stored(catalog: Catalog) -> None:
    events: list[Event] = []
    catalog.store_instrument(definition(AAPL), origin="simulated", report=events.append)
    given, hour = bars(AAPL, 90), session(AAPL, minutes=60)

    new = store(catalog, AAPL, given, hour, con_id=265598, report=events.append)

    assert new == 60
    assert catalog.read_bars(AAPL) == given.take(slice(0, 60))
    assert catalog.covered(AAPL) == [hour]
    assert [type(event) for event in events] == [InstrumentStored, BarsPersisted]
    assert events[1] == BarsPersisted(AAPL, *hour, 60, catalog.files(AAPL)[0])
    assert catalog.checked_files(AAPL) == catalog.files(AAPL)


@pytest.mark.parametrize("series", [AAPL, ES, EURUSD, SPX], ids=lambda series: series.instrument_id)
@pytest.mark.parametrize("low", [6_000, -50], ids=["positive", "negative"])
def test_nautilus_reads_the_bars_its_own_writer_would_have_stored(
    catalog: Catalog, tmp_path: Path, series: Series, low: int
) -> None:
    given = bars(series, 40, low=low)
    catalog.store_instrument(definition(series), origin="simulated")
    store(catalog, series, given, (START - DAY, START + 60 * DAY))

    theirs = tmp_path / "theirs"
    theirs.mkdir()
    workers.run_blocking(write_with_nautilus, str(theirs), series.bar_type, given)
    ours_read, theirs_read = (
        workers.run_blocking(read_with_nautilus, str(root), series.bar_type)
        for root in (catalog.root, theirs)
    )

    assert len(ours_read) == 40
    assert ours_read == theirs_read
    (their_file,) = theirs.rglob("*.parquet")
    if series.spec.nanos * 40 < 30 * DAY:  # else our bars are split over the months
        assert catalog.files(series) == [catalog.root / their_file.relative_to(theirs)]


def test_an_instrument_comes_back_as_defined(catalog: Catalog) -> None:
    for series in (AAPL, ES, EURUSD, SPX):
        given = definition(series)
        catalog.store_instrument(given, origin="simulated")
        found = catalog.instrument(series.instrument_id)
        assert found is not None
        assert {name: found[name] for name in given if name in found} == {
            name: value for name, value in given.items() if name in found
        }
    assert catalog.instrument_ids() == ["AAPL.NASDAQ", "ESH4.CME", "EUR/USD.IDEALPRO", "^SPX.CBOE"]
    assert catalog.instrument("MSFT.NASDAQ") is None


def test_an_unchanged_instrument_is_not_written_again(aapl: Catalog) -> None:
    events: list[Event] = []
    tomorrow = definition(AAPL, ts_init=2_000, ts_event=2_000)
    tomorrow["info"] |= {"trading_hours": "tomorrow"}

    assert not aapl.store_instrument(tomorrow, origin="simulated", report=events.append)

    assert events == [InstrumentUnchanged("AAPL.NASDAQ")]
    assert len(list(aapl.root.rglob("data/equity/**/*.parquet"))) == 1


def test_a_changed_instrument_is_a_later_version_and_the_first_holds_before(aapl: Catalog) -> None:
    finer = {"price_precision": 4, "price_increment": "0.0001"}
    assert aapl.store_instrument(definition(AAPL, ts_init=5_000, **finer), origin="simulated")
    same_clock = definition(AAPL, ts_init=5_000, isin=None, **finer)
    assert aapl.store_instrument(same_clock, origin="simulated")

    def precision(at: int | None) -> object:
        found = aapl.instrument("AAPL.NASDAQ", at)
        return found and found["price_precision"]

    assert [precision(at) for at in (0, 1_000, 4_999, 5_000, None)] == [2, 2, 2, 4, 4]
    latest = aapl.instrument("AAPL.NASDAQ")
    assert latest is not None and (latest["ts_init"], latest["isin"]) == (5_001, None)


def test_days_cover_their_dates_and_share_one_file(catalog: Catalog) -> None:
    catalog.store_instrument(definition(SPX), origin="simulated")
    midnight = START - START % DAY
    given = bars(SPX, 500, first_open=midnight)
    asked = (midnight, midnight + 500 * DAY)
    assert store(catalog, SPX, given, asked) == 500
    assert catalog.covered(SPX) == [asked]
    assert len(catalog.files(SPX)) == 1
    two_days = catalog.read_bars(SPX, midnight + DAY, midnight + 3 * DAY)
    assert two_days == given.take(slice(1, 3))


def test_answers_grow_the_month_in_any_order_without_duplicates(aapl: Catalog) -> None:
    whole = bars(AAPL, 390)
    first, third = ((START + k * MINUTE, START + (k + 130) * MINUTE) for k in (0, 260))
    assert store(aapl, AAPL, whole, third) == 130
    assert store(aapl, AAPL, whole, first) == 130
    assert store(aapl, AAPL, whole, (first[1] - 10 * MINUTE, third[0] + 10 * MINUTE)) == 130
    assert aapl.read_bars(AAPL) == whole
    assert aapl.covered(AAPL) == [(first[0], third[1])]
    assert len(aapl.files(AAPL)) == 1
    assert store(aapl, AAPL, whole, session(AAPL)) == 0


def test_months_are_files_of_their_own_and_ranges_find_them(aapl: Catalog) -> None:
    months = [START, START + 31 * DAY, START + 62 * DAY]
    given = concat([bars(AAPL, 60, first_open=first) for first in months])
    store(aapl, AAPL, given, (START, START + 63 * DAY))
    assert len(aapl.files(AAPL)) == 3
    february = (months[1], months[1] + DAY)
    assert aapl.files(AAPL, *february) == aapl.files(AAPL)[1:2]
    assert aapl.read_bars(AAPL, *february) == given.take(slice(60, 120))
    assert len(aapl.read_bars(AAPL, START + 10 * DAY, START + 11 * DAY)) == 0


@pytest.mark.parametrize(
    "symbol", ["BRK B", "EUR/USD", "^SPX", "ÜBER", 'a#b%c*d?e~f"g<h>i|j[k]l{m}n`o']
)
def test_bars_nautilus_wrote_are_found_under_any_symbol(catalog: Catalog, symbol: str) -> None:
    series = Series(f"{symbol}.VENUE", AAPL.spec)
    given = bars(AAPL, 10)
    workers.run_blocking(write_with_nautilus, str(catalog.root), series.bar_type, given)
    assert catalog.read_bars(series) == given
    assert [one.series for one in catalog.list_series()] == [series]


# What was asked


def test_an_answer_without_bars_is_covered_and_survives_reopening(aapl: Catalog) -> None:
    asked = session(AAPL)
    assert store(aapl, AAPL, bars(AAPL, 0), asked) == 0
    assert not aapl.files(AAPL)
    aapl.close()
    again = Catalog.open(aapl.root)
    assert again.covered(AAPL) == [asked]
    assert again.missing(AAPL, (asked[0], asked[1] + DAY), None) == [(asked[1], asked[1] + DAY)]


def test_empty_answers_move_into_the_file_that_bars_bring(aapl: Catalog) -> None:
    store(aapl, AAPL, bars(AAPL, 0), session(AAPL, day=1))
    store(aapl, AAPL, bars(AAPL, 390), session(AAPL))
    (aapl.root / ".quarterdeck" / "ledger.sqlite").unlink()
    assert Catalog.open(aapl.root).covered(AAPL) == [session(AAPL), session(AAPL, day=1)]


def test_a_deleted_ledger_is_read_again_from_the_footers(aapl: Catalog) -> None:
    store(aapl, AAPL, bars(AAPL, 390), session(AAPL), con_id=265598)
    before = aapl.list_series()
    aapl.close()
    shutil.rmtree(aapl.root / ".quarterdeck")
    again = Catalog.open(aapl.root)
    assert again.covered(AAPL) == [session(AAPL)]
    assert again.list_series() == before
    assert again.origin == "simulated"
    assert again.con_id("AAPL.NASDAQ") == 265598


# What must not mix


def test_bars_without_their_instrument_are_refused(catalog: Catalog) -> None:
    with pytest.raises(CatalogUnusable, match=r"AAPL\.NASDAQ is not stored"):
        store(catalog, AAPL, bars(AAPL, 5), session(AAPL))
    assert not catalog.list_series()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"con_id": 1}, "265598.* 1$"),
        ({"hours": "all"}, "regular hours and all hours"),
        ({"origin": "real"}, "simulated"),
    ],
    ids=["contract", "hours", "origin"],
)
def test_another_kind_of_bars_is_refused_and_nothing_changes(
    aapl: Catalog, changes: dict[str, object], told: str
) -> None:
    store(aapl, AAPL, bars(AAPL, 60), session(AAPL, minutes=60))
    with pytest.raises(WrongInput) as refusal:
        store(aapl, AAPL, bars(AAPL, 390), session(AAPL), **changes)
    assert refusal.match(told)
    assert len(aapl.read_bars(AAPL)) == 60
    assert aapl.covered(AAPL) == [session(AAPL, minutes=60)]


def test_the_hours_of_a_series_are_those_it_was_asked_for(aapl: Catalog) -> None:
    assert aapl.hours(AAPL) is None
    store(aapl, AAPL, bars(AAPL, 0), session(AAPL), hours="all")
    assert aapl.hours(AAPL) == "all"
    store(aapl, AAPL, bars(AAPL, 390), session(AAPL), hours="all")
    assert aapl.hours(AAPL) == "all"


def test_hours_do_not_mix_with_an_empty_answer_either(aapl: Catalog) -> None:
    store(aapl, AAPL, bars(AAPL, 0), session(AAPL))
    with pytest.raises(WrongInput, match="hours"):
        store(aapl, AAPL, bars(AAPL, 0), session(AAPL, day=1), hours="all")


def test_bars_of_another_precision_than_their_instrument_are_refused(aapl: Catalog) -> None:
    given = bars(AAPL, 5)
    finer = BarColumns(*given.arrays(), 4, 0)
    with pytest.raises(WrongInput, match="4 decimals"):
        store(aapl, AAPL, finer, session(AAPL))


def test_an_id_that_meets_another_contract_is_refused_naming_both(aapl: Catalog) -> None:
    other = definition(AAPL, info={"con_id": 77, "source": "simulated"})
    with pytest.raises(WrongInput, match=r"265598.*77"):
        aapl.store_instrument(other, origin="simulated")


def test_the_other_origin_is_refused_from_the_first_write_on(aapl: Catalog) -> None:
    assert aapl.origin == "simulated"
    aapl.require_origin("simulated")
    with pytest.raises(WrongInput, match="holds simulated bars"):
        aapl.require_origin("real")


def test_bars_out_of_order_are_a_mistake_of_the_caller(aapl: Catalog) -> None:
    given = bars(AAPL, 5)
    with pytest.raises(ValueError, match="order"):
        store(aapl, AAPL, given.take(np.array([1, 0, 2])), session(AAPL))


# Names


def test_what_was_typed_is_found_again_once_recorded(aapl: Catalog) -> None:
    assert aapl.alias("AAPL") is None
    for typed in ("AAPL", "AAPL.SMART", "AAPL.ISLAND"):
        aapl.add_alias(typed, "AAPL.NASDAQ", 265598)
    assert {aapl.alias(typed) for typed in ("AAPL", "aapl.smart", "AAPL.ISLAND")} == {"AAPL.NASDAQ"}
    assert aapl.alias("AAPL.NASDAQ") == "AAPL.NASDAQ"
    assert Catalog.open(aapl.root).alias("AAPL") == "AAPL.NASDAQ"


def test_bars_whose_instrument_was_deleted_keep_their_name_and_are_an_orphan(aapl: Catalog) -> None:
    store(aapl, AAPL, bars(AAPL, 60), session(AAPL, minutes=60))
    assert aapl.list_series()[0].has_instrument
    shutil.rmtree(aapl.root / "data" / "equity")
    assert aapl.instrument("AAPL.NASDAQ") is None
    assert aapl.alias("AAPL.NASDAQ") == "AAPL.NASDAQ"
    assert not aapl.list_series()[0].has_instrument
    assert len(aapl.read_bars(AAPL)) == 60


def test_two_ids_of_one_folder_are_kept_apart(catalog: Catalog) -> None:
    plain = Series("EURUSD.IDEALPRO", EURUSD.spec)
    catalog.store_instrument(definition(EURUSD), origin="simulated")
    pair = {**definition(EURUSD), "id": "EURUSD.IDEALPRO", "ts_init": 9_000}
    assert catalog.instrument("EURUSD.IDEALPRO") is None
    catalog.store_instrument(pair, origin="simulated")
    store(catalog, EURUSD, bars(EURUSD, 60), session(EURUSD, minutes=60))
    other = bars(EURUSD, 60, low=20_000, first_open=START + DAY)
    store(catalog, plain, other, session(plain, day=1, minutes=60))

    assert catalog.files(EURUSD)[0].parent == catalog.files(plain)[0].parent
    assert catalog.read_bars(EURUSD) == bars(EURUSD, 60)
    assert catalog.read_bars(plain) == other
    assert [one.series for one in catalog.list_series()] == [EURUSD, plain]


# Places that cannot be a catalog


def test_a_file_or_a_path_nautilus_cannot_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "a#b", Path("/proc/none")):
        with pytest.raises(WrongInput):
            Catalog.open(path)
    with pytest.raises(WrongInput, match="no catalog"):
        Catalog.open(tmp_path / "absent", create=False)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_an_unknown_series_is_told_with_the_way_to_get_it(catalog: Catalog) -> None:
    with pytest.raises(DataUnavailable) as error:
        catalog.read_bars(AAPL)
    assert error.value.steps[0].startswith("quarterdeck fetch AAPL.NASDAQ")
    assert catalog.files(AAPL) == []
    assert catalog.covered(AAPL) == []

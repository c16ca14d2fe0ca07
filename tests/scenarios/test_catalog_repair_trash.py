"""What is taken out of the catalog lies in the trash, and comes back when asked."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalog import exchange, workers
from catalog.commit import writing
from catalog.errors import CatalogUnusable, DataUnavailable
from catalog.exchange import Change
from catalog.series import Series
from catalog.store import Catalog
from catalog.trash import transactions, undo
from tests.scenarios.catalog_mischief import CALLS, put_the_last_file_in_the_place_of_the_first
from tests.scenarios.catalog_samples import (
    AAPL,
    DAY,
    START,
    bars,
    chunk,
    definition,
    session,
    store,
)

FEBRUARY = (START + 31 * DAY, START + 32 * DAY)


@pytest.fixture(scope="module")
def two_months(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """AAPL of a January and a February day, and an answer without bars in March."""
    root = tmp_path_factory.mktemp("prepared") / "catalog"
    catalog = Catalog.open(root)
    catalog.store_instrument(definition(AAPL), origin="simulated")
    store(catalog, AAPL, bars(AAPL, 390), session(AAPL))
    store(catalog, AAPL, bars(AAPL, 60, first_open=FEBRUARY[0]), FEBRUARY)
    store(catalog, AAPL, bars(AAPL, 0), session(AAPL, day=70))
    return root


@pytest.fixture
def catalog(two_months: Path, tmp_path: Path) -> Catalog:
    shutil.copytree(two_months, tmp_path / "catalog")
    return Catalog.open(tmp_path / "catalog")


def everything(catalog: Catalog) -> object:
    return catalog.read_bars(AAPL), catalog.covered(AAPL), catalog.files(AAPL)


def delete(catalog: Catalog, title: str, *paths: Path, **more: object) -> None:
    with writing(catalog.root) as staging:
        staging.exchange(Change(title, removes=paths, **more))  # type: ignore[arg-type]


def test_a_deleted_series_is_gone_and_undo_brings_it_back_whole(catalog: Catalog) -> None:
    before = everything(catalog)
    delete(catalog, "delete AAPL", *catalog.files(AAPL), empties={AAPL: []})
    assert (catalog.files(AAPL), catalog.covered(AAPL), catalog.list_series()) == ([], [], [])

    taken_back = undo(catalog.root)

    assert (taken_back.title, len(taken_back.kept)) == ("delete AAPL", 2)
    assert everything(catalog) == before
    assert catalog.checked_files(AAPL) == catalog.files(AAPL)
    with pytest.raises(DataUnavailable, match="nothing to undo"):
        undo(catalog.root)


def test_undo_walks_back_one_transaction_after_the_other(catalog: Catalog) -> None:
    before = everything(catalog)
    january, february = catalog.files(AAPL)
    delete(catalog, "first", january)
    delete(catalog, "second", february)
    assert [undo(catalog.root).title for _ in range(2)] == ["second", "first"]
    assert everything(catalog) == before


def test_undo_refuses_to_lose_what_came_since(catalog: Catalog) -> None:
    january, _ = catalog.files(AAPL)
    delete(catalog, "delete January", january)
    store(catalog, AAPL, bars(AAPL, 30, first_open=chunk(2)[0]), chunk(2))
    with pytest.raises(DataUnavailable, match="cannot be undone") as told:
        undo(catalog.root)
    assert "was changed since" in told.value.reason
    assert len(catalog.read_bars(AAPL)) == 30 + 60


def test_an_exchange_never_overwrites_a_file_it_was_not_told_to_remove(catalog: Catalog) -> None:
    january, february = catalog.files(AAPL)
    before = everything(catalog)
    with pytest.raises(CatalogUnusable, match="taken"), writing(catalog.root) as staging:
        shutil.copy(january, staging.folder / "staged")
        staging.exchange(Change("mistake", puts=[(staging.folder / "staged", february)]))
    assert everything(catalog) == before
    assert transactions(catalog.root) == []


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("survived", range(4))
def test_a_death_at_any_call_leaves_the_old_or_the_new_state(
    catalog: Catalog, call: str, survived: int
) -> None:
    before = everything(catalog)
    january, february = catalog.files(AAPL)
    try:
        workers.run_blocking(
            put_the_last_file_in_the_place_of_the_first, str(catalog.root), call, survived
        )
    except workers.WorkerDied:
        died = True
    else:
        died = False

    healed = Catalog.open(catalog.root)
    changed = not february.exists()
    assert changed or died
    assert set(healed.root.glob("data/bars/*/*.parquet")) == (
        {january} if changed else {january, february}
    )
    assert len(transactions(healed.root)) == changed
    assert not list((healed.root / ".quarterdeck" / "staging").iterdir())
    if changed:
        undo(healed.root)
    assert everything(healed) == before


def test_the_trash_forgets_after_a_week_and_quarantine_never(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    january, february = catalog.files(AAPL)
    delete(catalog, "thrown away", january)
    delete(catalog, "unreadable", february, quarantine=True)

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + timedelta(days=8)

    monkeypatch.setattr(exchange, "datetime", Later)
    delete(catalog, "eight days later")
    assert [one.title for one in transactions(catalog.root)] == ["unreadable", "eight days later"]


def test_ids_that_share_a_folder_keep_their_own_empty_spans(catalog: Catalog) -> None:
    other = Series.from_bar_type("MSFT.NASDAQ-1-MINUTE-LAST-EXTERNAL")
    held = catalog.covered(AAPL)
    delete(catalog, "nothing of AAPL", empties={other: []})
    assert catalog.covered(AAPL) == held

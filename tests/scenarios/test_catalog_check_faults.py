"""Every fault that can befall a catalog is named by the check, and mended where it can be."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from catalog.encoding import to_arrow, write_table
from catalog.errors import QuarterdeckError
from catalog.health import CheckProgress, CheckReport, CheckStopped, check
from catalog.repair import plan, repair
from catalog.repair_series import SeriesMended
from catalog.series import Series
from catalog.sessions import Sessions
from catalog.store import Catalog
from catalog.trash import transactions, undo
from tests.scenarios.catalog_faults import (
    FAULTS,
    FEBRUARY,
    FEBRUARY_BARS,
    JANUARY,
    JANUARY_BARS,
    NOW,
    bar_files,
    double_rows,
    drop_footers,
    flip,
    make_sound,
    remove_january,
    scatter,
    split_unadjusted,
    write_foreign,
)
from tests.scenarios.catalog_samples import AAPL, DAY, MINUTE, START, bars, definition, store


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sound") / "catalog"
    make_sound(root)
    return root


@pytest.fixture
def root(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "catalog")
    return tmp_path / "catalog"


def look(root: Path, *, full: bool = False) -> CheckReport:
    return check(root, now_ns=NOW, full=full)


def kinds(report: CheckReport) -> set[str]:
    return {finding.kind for finding in report.findings}


def test_nothing_is_wrong_with_a_sound_catalog(root: Path) -> None:
    assert look(root).findings == ()


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_named_and_mended_where_it_can_be(root: Path, name: str) -> None:
    cause, expected, mendable = FAULTS[name]
    look(root)
    cause(root)

    found = look(root)

    assert expected <= kinds(found), found.findings
    for finding in found.findings:
        assert finding.meaning
        assert finding.mend
        assert finding.as_record()["kind"] == finding.kind
    steps = plan(found.findings)
    assert repair(root, steps) == 0
    after = kinds(look(root))
    if mendable:
        assert not expected & after - {"gap"}
        assert not plan(look(root).findings)
    else:
        assert expected - {"lost"} <= after


@pytest.mark.parametrize(
    "name",
    [
        "a name of no range",
        "a name that claims too little",
        "a file in another series' folder",
        "two files with swapped names",
        "overlapping files",
        "rows that stand twice",
        "rows out of order",
        "many small files",
        "two precisions",
        "footers dropped by another program",
    ],
)
def test_a_mended_series_holds_every_bar_once_and_can_be_traded(root: Path, name: str) -> None:
    look(root)
    FAULTS[name][0](root)
    assert repair(root, plan(look(root).findings)) == 0

    catalog = Catalog.open(root)
    assert catalog.read_bars(AAPL, *JANUARY) == JANUARY_BARS
    assert catalog.read_bars(AAPL, *FEBRUARY) == FEBRUARY_BARS
    assert len(catalog.checked_files(AAPL)) == 2
    assert catalog.missing(AAPL, JANUARY, None) == []


@pytest.mark.parametrize("name", FAULTS)
def test_no_fault_makes_the_catalog_fail_in_other_than_words(root: Path, name: str) -> None:
    FAULTS[name][0](root)
    try:
        catalog = Catalog.open(root)
    except QuarterdeckError:
        return
    uses: list[Callable[[], object]] = [
        catalog.list_series,
        catalog.instrument_ids,
        lambda: catalog.instrument("AAPL.NASDAQ"),
        lambda: catalog.read_bars(AAPL),
        lambda: catalog.checked_files(AAPL),
        lambda: store(catalog, AAPL, bars(AAPL, 30), (JANUARY[0], JANUARY[0] + 30 * MINUTE)),
    ]
    for use in uses:
        try:
            use()
        except QuarterdeckError as error:
            assert error.title


# What a check remembers


def test_only_what_changed_is_read_again_unless_asked_for(root: Path) -> None:
    first, second = look(root), look(root)
    assert (first.files, first.files_read, second.files_read) == (3, 3, 0)
    store(Catalog.open(root), AAPL, bars(AAPL, 0), (FEBRUARY[1], FEBRUARY[1] + 30 * MINUTE))
    assert look(root).files_read == 1
    assert look(root, full=True).files_read == 3


def test_findings_of_unchanged_files_are_told_again(root: Path) -> None:
    split_unadjusted(root)
    first, second = look(root), look(root)
    assert second.findings == first.findings
    assert (first.files_read, second.files_read) == (3, 0)
    (jump,) = [finding for finding in second.findings if finding.kind == "jump"]
    assert "like a split of 7:1" in jump.detail


def test_a_rotten_bit_under_an_old_time_is_found_by_a_full_check(root: Path) -> None:
    look(root)
    path = bar_files(root)[0]
    times = path.stat()
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)

    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert look(root).findings == ()
    assert kinds(look(root, full=True)) >= {"damaged"}


def test_a_check_tells_how_far_it_is_and_stops_when_told(root: Path) -> None:
    events: list[object] = []
    check(root, now_ns=NOW, report=events.append)
    last = [event for event in events if isinstance(event, CheckProgress)][-1]
    assert last.done == last.total > 0
    with pytest.raises(CheckStopped):
        check(root, now_ns=NOW, full=True, stopped=lambda: True)
    events.clear()
    with pytest.raises(CheckStopped):  # all files are read by then: it stops between series
        check(root, now_ns=NOW, full=True, report=events.append, stopped=lambda: len(events) > 1)
    last = events[-1]
    assert isinstance(last, CheckProgress) and last.done == last.total


def test_a_check_changes_no_file_of_the_catalog(root: Path) -> None:
    double_rows(root)
    before = {path: path.read_bytes() for path in root.rglob("*.parquet")}
    look(root)
    assert {path: path.read_bytes() for path in root.rglob("*.parquet")} == before


# What a repair does


def test_the_newer_fetch_wins_and_the_loss_is_told(root: Path) -> None:
    write_foreign(root, bars(AAPL, 390, low=20_000).take(slice(0, 50)))
    told: list[object] = []
    assert repair(root, plan(look(root).findings), report=told.append) == 0
    (mended,) = [event for event in told if isinstance(event, SeriesMended)]
    assert (mended.dropped, mended.revised, mended.bars) == (50, 50, 780)
    assert Catalog.open(root).read_bars(AAPL).close[0] == 20_000


def test_consolidating_changes_nothing_and_says_so(root: Path) -> None:
    scatter(root)
    before = Catalog.open(root).read_bars(AAPL)
    told: list[object] = []
    assert repair(root, plan(look(root).findings), report=told.append) == 0
    (mended,) = [event for event in told if isinstance(event, SeriesMended)]
    assert (mended.files_before, mended.files_after, mended.dropped) == (14, 2, 0)
    assert "none changed" in str(mended)
    assert Catalog.open(root).read_bars(AAPL) == before


def test_what_a_repair_replaced_comes_back_by_undo(root: Path) -> None:
    double_rows(root)
    before = {path.name: path.read_bytes() for path in bar_files(root)}
    repair(root, plan(look(root).findings))
    assert {path.name: path.read_bytes() for path in bar_files(root)} != before
    undo(root)
    assert {path.name: path.read_bytes() for path in bar_files(root)} == before
    assert "duplicates" in kinds(look(root))


def test_a_damaged_file_lies_in_quarantine_until_its_bars_are_fetched_again(root: Path) -> None:
    FAULTS["a flipped bit in a page"][0](root)
    repair(root, plan(look(root).findings))
    catalog = Catalog.open(root)
    assert catalog.missing(AAPL, JANUARY, None) == [JANUARY]
    (told,) = [one for one in look(root).findings if one.kind == "quarantined"]
    command = "quarterdeck fetch AAPL.NASDAQ --bars 1-MINUTE-LAST --start 2024-01-01"
    assert told.mend == command

    store(catalog, AAPL, JANUARY_BARS, JANUARY)

    assert look(root).findings == ()
    assert len(transactions(root)) == 1


def test_what_was_put_aside_is_whole_again_when_each_of_its_sessions_is(tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path)
    catalog.store_instrument(definition(AAPL), origin="simulated")
    days = [(START + at * DAY, START + at * DAY + 390 * MINUTE) for at in range(2)]
    opens, closes = np.array(days).T
    known = Sessions(opens // DAY, opens, closes, "America/New_York", "broker")
    catalog.store_sessions(AAPL.instrument_id, "regular", (START - DAY, NOW + DAY), known)

    def fetch() -> None:
        for day in days:  # each for itself: the night between them is never asked for
            store(catalog, AAPL, bars(AAPL, 390, first_open=day[0]), day)

    fetch()
    flip(tmp_path)
    repair(tmp_path, plan(look(tmp_path).findings))
    assert "quarantined" in kinds(look(tmp_path))
    fetch()
    assert look(tmp_path).findings == ()


def test_dropped_footers_come_back_with_all_they_said(root: Path) -> None:
    catalog = Catalog.open(root)
    covered = catalog.covered(AAPL)
    drop_footers(root)
    catalog.list_series()  # which reads the footer anew
    assert repair(root, plan(look(root).findings)) == 0
    assert Catalog.open(root).covered(AAPL) == covered
    assert Catalog.open(root).hours(AAPL) == "regular"
    assert look(root).findings == ()


def test_lost_bars_are_told_until_they_are_fetched_again(root: Path) -> None:
    remove_january(root)
    assert kinds(look(root)) == {"lost"}
    catalog = Catalog.open(root)
    catalog.list_series()  # which forgets the file that is gone
    assert kinds(look(root)) == {"lost"}
    store(catalog, AAPL, JANUARY_BARS, JANUARY)
    assert look(root).findings == ()


def test_bars_under_an_id_that_means_another_are_moved_there(root: Path) -> None:
    catalog = Catalog.open(root)
    old = bar_files(root)[0].parent
    catalog.add_alias("AAPL.ISLAND", "AAPL.NASDAQ", 265598)
    island = Series.from_bar_type("AAPL.ISLAND-1-MINUTE-LAST-EXTERNAL")
    folder = old.with_name(island.bar_type)
    folder.mkdir()
    later = bars(AAPL, 60, first_open=JANUARY[1])
    write_table(to_arrow(island, later), folder / "2024.parquet")
    assert "renamed" in kinds(look(root))
    assert repair(root, plan(look(root).findings)) == 0
    assert "renamed" not in kinds(look(root))
    assert len(Catalog.open(root).read_bars(AAPL)) == 840
    assert not folder.exists()


def test_a_month_lost_between_others_is_not_forgotten_by_a_repair_of_those(root: Path) -> None:
    catalog = Catalog.open(root)
    march = (START + 60 * DAY, START + 60 * DAY + 60 * MINUTE)
    store(catalog, AAPL, bars(AAPL, 60, first_open=march[0]), march)
    bar_files(root)[1].unlink()
    scatter(root)
    steps = [step for step in plan(look(root).findings) if step.action == "lay out"]
    assert repair(root, steps) == 0
    assert "lost" in kinds(look(root))

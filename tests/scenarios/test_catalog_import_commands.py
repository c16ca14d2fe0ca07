"""Import, export, delete and migrate as commands: what a user types and reads."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog import listing
from catalog.series import Series
from catalog.store import Catalog
from tests.scenarios.commands import Ended
from tests.scenarios.test_catalog_migrate import MADE_BY_1X
from tui import cli, output

MINUTES = "AAPL.NASDAQ-1-MINUTE"
TOLD = ("--zone", "America/New_York", "--stamps", "open")
SAVED = f"{MINUTES}-LAST-EXTERNAL"

type Run = Callable[..., Ended]


def minutes(path: Path, count: int = 390) -> Path:
    """A morning of AAPL on a Tuesday, New York time, two bars of it left out."""
    rows = ["Date,Open,High,Low,Close,Volume"]
    for number in range(count):
        hour, minute = divmod(9 * 60 + 30 + number, 60)
        if number not in (100, 101):
            price = f"{180 + number / 100:.2f}"
            rows.append(f"2024-01-02 {hour:02}:{minute:02},{price},{price},{price},{price},100")
    path.write_text("\n".join(rows))
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `quarterdeck catalog` with these arguments, in this process, in a home of its own."""

    def run(*arguments: str) -> Ended:
        home = ("--home", str(tmp_path / "home"), "--port", "1")
        monkeypatch.setattr(sys, "argv", ["quarterdeck", "catalog", *arguments, *home])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = capsys.readouterr()
        code = ended.value.code
        assert isinstance(code, int)
        return Ended(code, printed.out, printed.err)

    return run


@pytest.fixture
def morning(run: Run, tmp_path: Path) -> Ended:
    """The morning, imported."""
    file = minutes(tmp_path / "aapl.csv")
    return run("import", str(file), "--series", MINUTES, *TOLD, "--json")


def test_a_split_is_a_flag_on_the_series(run: Run, morning: Ended, tmp_path: Path) -> None:
    catalog = Catalog.open(tmp_path / "home" / "catalog")
    reason = "split 4:1"
    catalog.take_note(Series.from_bar_type(SAVED), "stale", reason)
    catalog.close()
    assert run("show", f"{MINUTES}-LAST", "--json").summary["stale"] == reason
    assert f"stale           {reason}" in run("show", f"{MINUTES}-LAST").out
    assert "STALE" in run("list").out
    found = run("check").out
    assert "warning: revised" in found
    assert f"quarterdeck update --rebuild {SAVED}" in found


def test_an_import_asks_for_what_the_file_does_not_say(run: Run, tmp_path: Path) -> None:
    file = minutes(tmp_path / "aapl.csv")
    for told, asked in (((), "--stamps open"), (TOLD[2:], "--zone America/New_York")):
        refused = run("import", str(file), "--series", MINUTES, *told)
        assert (refused.code, asked in refused.err) == (2, True)


def test_a_preview_shows_what_would_come_and_changes_nothing(run: Run, tmp_path: Path) -> None:
    file = minutes(tmp_path / "aapl.csv")
    preview = run("import", str(file), "--series", MINUTES, *TOLD, "--dry-run")
    assert preview.code == 0
    assert "388 of 388 rows, 388 new" in preview.out
    assert "time = Date, open = Open" in preview.out
    assert run("list", "--json").summary["series"] == []


def test_what_takes_its_time_tells_how_far_it_is_on_stderr(
    run: Run, morning: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output, "_PROGRESS_S", 0.0)
    assert " MB checked" in run("check", "--json").err
    assert "folders" not in run("list", "--json").err
    monkeypatch.setattr(listing, "_TOLD_EVERY_S", 0.0)
    listed = run("list", "--json")
    assert "reading the catalog: 0 of 1 folders of bars" in listed.err
    assert len(listed.summary["series"]) == 1


def test_coverage_is_told_with_the_bars_that_sessions_lack(morning: Ended, run: Run) -> None:
    (series,) = morning.summary["series"]
    assert (series["imported"], series["hours"], series["rejects"]) == (388, "regular", [])
    shown = run("show", f"{MINUTES}-LAST", "--json").summary
    coverage = shown["coverage"]
    assert coverage["sessions"] == "calendar"
    assert [(one["state"], one["bars"]) for one in coverage["stretches"]] == [("held", 388)]
    assert coverage["holes"] == [
        {"from": "2024-01-02 16:10:00", "to": "2024-01-02 16:12:00", "bars": 2}
    ]
    assert (coverage["lacking"], shown["versions"]) == (2, [])
    assert "lacking  2 bars inside held sessions" in run("show", f"{MINUTES}-LAST").out


def test_a_deleted_range_must_be_meant_and_undo_brings_it_back(morning: Ended, run: Run) -> None:
    hour = ("--start", "2024-01-02T15:00", "--end", "2024-01-02T16:00")
    refused = run("delete", MINUTES, *hour)
    assert (refused.code, "--yes" in refused.err) == (2, True)
    assert "60 bars from 2024-01-02 15:00:00 UTC" in refused.out
    deleted = run("delete", MINUTES, *hour, "--yes", "--json")
    assert deleted.summary["deleted"][0]["bars"] == 60
    told = run("undo", "--dry-run")
    assert "the last of 2 steps that can be undone: delete" in told.out
    assert "puts back 1 file, takes out 1" in told.out
    assert run("list", "--json").summary["series"][0]["rows"] == 328
    assert run("undo").code == 0
    assert "the last of 1 step that can be undone: import" in run("undo", "--dry-run").out
    assert run("list", "--json").summary["series"][0]["rows"] == 388


def test_a_date_is_exported_whole_in_the_form_its_name_says(
    morning: Ended, run: Run, tmp_path: Path
) -> None:
    for name in ("out.parquet", "out.csv"):
        to = tmp_path / name
        arguments = ("export", MINUTES, "--start", "2024-01-02", "--to", str(to))
        assert run(*arguments, "--json").summary["exported"] == [
            {"bar_type": SAVED, "bars": 388, "path": str(to)}
        ]
        assert run(*arguments).code == 2
    assert (tmp_path / "out.parquet").read_bytes()[:4] == b"PAR1"
    assert (tmp_path / "out.csv").read_text().splitlines()[1].startswith("2024-01-02T14:31:00Z,")
    assert run("export", "MSFT.NASDAQ-1-DAY", "--to", str(tmp_path / "x")).code == 1
    assert run("export", MINUTES, SAVED, "--to", str(tmp_path / "all")).code == 2  # one twice
    assert run("export", MINUTES, "--end", "2024-01-01", "--to", str(tmp_path / "y.csv")).code == 0


def test_each_file_is_a_series_where_the_name_says_so(run: Run, tmp_path: Path) -> None:
    files = []
    for name in ("KO", "PEP"):
        file = tmp_path / f"{name}.csv"
        file.write_text("date,open,high,low,close\n2024-01-02,1,2,1,2\n2024-01-03,1,2,1,2\n")
        files.append(str(file))
    done = run("import", *files, "--series", "{name}.NYSE-1-DAY", "--json")
    assert [one["bar_type"] for one in done.summary["series"]] == [
        "KO.NYSE-1-DAY-LAST-EXTERNAL",
        "PEP.NYSE-1-DAY-LAST-EXTERNAL",
    ]
    twice = run("import", *files, "--series", "{name}.NYSE-1-DAY")
    assert (twice.code, "--overlap" in twice.err) == (2, True)


def test_an_old_catalog_comes_over_and_is_told_of(run: Run) -> None:
    done = run("migrate", str(MADE_BY_1X), "--json")
    assert done.code == 0
    assert len(done.summary["instruments"]) == 5
    assert len(done.summary["left"]) == 3
    assert {one["new"] for one in done.summary["series"]} == {2, 3, 5, 13}
    assert len(done.told("not_migrated")) == 3


def test_nothing_real_goes_into_the_catalog_of_a_demonstration(run: Run, tmp_path: Path) -> None:
    file = minutes(tmp_path / "aapl.csv")
    for command in (
        ("import", str(file), "--series", MINUTES, *TOLD),
        ("migrate", str(MADE_BY_1X)),
    ):
        refused = run(*command, "--profile", "demo")
        assert (refused.code, "--profile" in refused.err) == (2, True)

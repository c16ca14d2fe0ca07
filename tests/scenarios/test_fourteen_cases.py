"""The fourteen cases that a user of the first day meets, each with its message and exit code.

They are told in order, on one home: what a case fetched is there in the next one. Commands run as
`quarterdeck` runs them, in this process; the gateway is one of its own.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from catalog.series import Series
from catalog.store import Catalog
from tests.scenarios.commands import Ended
from tui.cli import main

MINUTES, DAYS = ("--bars", "1-MINUTE-LAST"), ("--bars", "1-DAY-LAST")
HOUR = ("--start", "2026-01-15T15:00", "--end", "2026-01-15T16:00")
MONTH = ("--start", "2026-01-02", "--end", "2026-01-30")
AAPL_MINUTES = Series.from_bar_type("AAPL.NASDAQ-1-MINUTE-LAST-EXTERNAL")
AAPL_DAYS = Series.from_bar_type("AAPL.NASDAQ-1-DAY-LAST-EXTERNAL")


@pytest.fixture(scope="module")
def nobody() -> Iterator[int]:
    """A port where nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@dataclass
class Shell:
    home: Path
    gateway: int
    nobody: int
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def run(self, *arguments: str, broker: bool = True) -> Ended:
        """Run a command with the gateway there, or gone."""
        port = self.gateway if broker else self.nobody
        options = ("--home", str(self.home), "--port", str(port), "--json")
        self.monkeypatch.setattr(sys, "argv", ["quarterdeck", *arguments, *options])
        with pytest.raises(SystemExit) as ended:
            main()
        said = self.capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, said.out, said.err)

    def stamps(self, series: Series) -> list[int]:
        """The stamps on disk, read anew."""
        catalog = Catalog.open(self.home / "catalog")
        try:
            return catalog.read_bars(series).ts.tolist()
        finally:
            catalog.close()


@pytest.fixture
def shell(
    home: Path,
    gateway_port: int,
    nobody: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Shell:
    return Shell(home, gateway_port, nobody, monkeypatch, capsys)


def outcomes(ended: Ended) -> list[tuple[str, int, int]]:
    return [(one["outcome"], one["bars"], one["held"]) for one in ended.summary["series"]]


def test_01_minutes_that_are_held_are_served_without_a_connection(shell: Shell) -> None:
    first = shell.run("fetch", "AAPL.NASDAQ", *MINUTES, *HOUR)
    assert (first.code, outcomes(first)) == (0, [("stored", 60, 60)])
    again = shell.run("fetch", "AAPL.NASDAQ", *MINUTES, *HOUR, broker=False)
    assert (again.code, outcomes(again)) == (0, [("nothing to do", 0, 60)])
    assert not again.told("connecting")
    (told,) = again.told("nothing_to_do")
    assert told["message"] == "AAPL.NASDAQ 1-MINUTE-LAST: nothing to do, 60 bars are held"


def test_02_days_that_are_held_are_served_too_and_end_in_999999999(shell: Shell) -> None:
    assert shell.run("fetch", "AAPL.NASDAQ", *DAYS, *MONTH).code == 0
    stamps = shell.stamps(AAPL_DAYS)
    assert len(stamps) == 20
    assert {stamp % 1_000_000_000 for stamp in stamps} == {999_999_999}
    again = shell.run("fetch", "AAPL.NASDAQ", *DAYS, *MONTH, broker=False)
    assert (again.code, outcomes(again)) == (0, [("nothing to do", 0, 20)])


def test_03_two_more_instruments_and_a_year_of_days(shell: Shell) -> None:
    year = ("--start", "2025-01-02", "--end", "2025-12-31")
    fetched = shell.run("fetch", "MSFT", "SPY", *DAYS, *year)
    assert (fetched.code, outcomes(fetched)) == (0, [("stored", 250, 250)] * 2)
    assert [one["requests"] for one in fetched.summary["series"]] == [3, 3]
    again = shell.run("fetch", "MSFT", "SPY", *DAYS, *year, broker=False)
    assert outcomes(again) == [("nothing to do", 0, 250)] * 2


def test_04_a_new_symbol_is_stored_with_its_instrument_first(shell: Shell) -> None:
    fetched = shell.run("fetch", "NVDA", *MINUTES, *HOUR)
    assert (fetched.code, outcomes(fetched)) == (0, [("stored", 60, 60)])
    names = [record["event"] for record in fetched.records]
    assert names.index("instrument_stored") < names.index("bars_persisted")
    (told,) = fetched.told("id_corrected")
    assert told["message"] == "NVDA is NVDA.NASDAQ"


def test_05_dates_outside_the_catalog_are_fetched_beside_what_is_held(shell: Shell) -> None:
    later = ("--start", "2026-02-02", "--end", "2026-02-06")
    fetched = shell.run("fetch", "AAPL", *DAYS, *later)
    assert (fetched.code, outcomes(fetched)) == (0, [("stored", 5, 5)])
    assert len(shell.stamps(AAPL_DAYS)) == 25


def test_06_of_a_partial_overlap_only_the_missing_minutes_are_asked_for(shell: Shell) -> None:
    wider = ("--start", "2026-01-15T15:30", "--end", "2026-01-15T16:30")
    fetched = shell.run("fetch", "AAPL", *MINUTES, *wider)
    assert (fetched.code, outcomes(fetched)) == (0, [("stored", 30, 60)])
    (asked,) = fetched.told("chunk_requested")
    start, end = (datetime(2026, 1, 15, 16, minute, tzinfo=UTC) for minute in (0, 30))
    assert (asked["start"], asked["end"]) == (
        int(start.timestamp()) * 1_000_000_000,
        int(end.timestamp()) * 1_000_000_000,
    )


def test_07_three_instruments_one_after_another_do_not_mix(shell: Shell) -> None:
    names = {"AMD": "AMD.NASDAQ", "IBM": "IBM.NYSE", "GDX.NASDAQ": "GDX.ARCA"}
    for typed in names:
        assert shell.run("fetch", typed, *MINUTES, *HOUR).code == 0
    catalog = Catalog.open(shell.home / "catalog")
    closes = {
        name: catalog.read_bars(Series(name, AAPL_MINUTES.spec)).close.tolist()
        for name in names.values()
    }
    catalog.close()
    assert {len(one) for one in closes.values()} == {60}
    ranges = sorted((min(one), max(one)) for one in closes.values())
    assert all(high < low for (_, high), (low, _) in pairwise(ranges))


def test_08_the_listing_says_what_is_there(shell: Shell) -> None:
    listed = shell.run("catalog", "list", broker=False)
    assert listed.code == 0
    rows = {(one["instrument_id"], one["bars"]): one for one in listed.summary["series"]}
    assert rows["AAPL.NASDAQ", "1-MINUTE-LAST"]["rows"] == 90
    assert rows["MSFT.NASDAQ", "1-DAY-LAST"]["rows"] == 250
    assert len(rows) == 8


def test_09_after_a_restart_everything_is_still_there(shell: Shell) -> None:
    # Each command is a new start already; this one begins without the ledger, too.
    for file in (shell.home / "catalog" / ".quarterdeck").glob("ledger.sqlite*"):
        file.unlink()
    listed = shell.run("catalog", "list", broker=False)
    assert sum(one["rows"] for one in listed.summary["series"]) == 90 + 25 + 2 * 250 + 4 * 60
    again = shell.run("fetch", "MSFT.NASDAQ", *DAYS, "--start", "2025-01-02", "--end", "2025-12-31")
    assert (again.code, outcomes(again)) == (0, [("nothing to do", 0, 250)])


def test_10_a_backtest_after_the_restart_needs_no_broker(shell: Shell) -> None:
    run = shell.run(
        *("backtest", "run", "sma_crossover", "--instrument", "AAPL.NASDAQ", *MINUTES, *HOUR),
        *("--source", "catalog"),
        broker=False,
    )
    assert run.code == 0, run.err
    (venue,) = run.told("venue_detected")
    assert (venue["venue"], venue["source"]) == ("NASDAQ", "instrument")


def test_11_a_start_in_the_future_is_wrong_input(shell: Shell) -> None:
    ended = shell.run("fetch", "AAPL", *MINUTES, "--start", "2100-01-04", broker=False)
    assert ended.code == 2
    assert "the range lies in the future" in ended.err
    assert "1. choose a start in the past" in ended.err


def test_12_on_a_weekend_there_is_nothing_to_do(shell: Shell) -> None:
    ended = shell.run("fetch", "AAPL", *MINUTES, "--start", "2026-01-17", "--end", "2026-01-18")
    assert (ended.code, outcomes(ended)) == (0, [("nothing to do", 0, 0)])
    (told,) = ended.told("nothing_to_do")
    assert "the market was closed" in told["message"]


def test_13_an_unknown_symbol_is_wrong_input_and_leaves_nothing(shell: Shell) -> None:
    before = sorted((shell.home / "catalog" / "data").rglob("*"))
    ended = shell.run("fetch", "QQQQZ", *MINUTES, *HOUR)
    assert ended.code == 2
    assert "unknown symbol 'QQQQZ'" in ended.err
    assert sorted((shell.home / "catalog" / "data").rglob("*")) == before


def test_14_without_the_broker_what_is_missing_is_told_with_the_way_there(shell: Shell) -> None:
    ended = shell.run(
        "fetch", "AAPL", *MINUTES, "--start", "2026-01-20", "--end", "2026-01-20", broker=False
    )
    assert ended.code == 3
    assert f"127.0.0.1:{shell.nobody}" in ended.err
    assert "1. " in ended.err
    assert json.loads(ended.out.splitlines()[-1])["event"] == "summary"

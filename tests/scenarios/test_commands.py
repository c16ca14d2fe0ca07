"""The main job by commands: fetched once, held for good, run with no broker."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.scenarios.commands import PROGRAM, Shell

HOUR = ("--start", "2026-01-15T14:30", "--end", "2026-01-15T15:30")
MINUTES = ("--bars", "1-MINUTE-LAST")
IDS = ["AAPL.NASDAQ", "GDX.NASDAQ", "IBM"]
CANONICAL = {"AAPL.NASDAQ": "AAPL.NASDAQ", "GDX.NASDAQ": "GDX.ARCA", "IBM": "IBM.NYSE"}


@pytest.fixture(scope="module")
def closed_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, gateway_port: int) -> Path:
    """A home whose catalog holds an hour of minutes of three stocks, fetched by command."""
    folder = tmp_path_factory.mktemp("home")
    fetched = Shell(folder, gateway_port).run("fetch", *IDS, *MINUTES, *HOUR, "--json")
    assert fetched.code == 0, fetched.err
    assert [one["bars"] for one in fetched.summary["series"]] == [60, 60, 60]
    assert [one["instrument_id"] for one in fetched.summary["series"]] == [*CANONICAL.values()]
    corrected = {one["typed"]: one["canonical"] for one in fetched.told("id_corrected")}
    assert corrected["GDX.NASDAQ"] == "GDX.ARCA"
    return folder


def test_a_second_fetch_needs_no_broker(home: Path, closed_port: int) -> None:
    again = Shell(home, closed_port).run("fetch", *IDS, *MINUTES, *HOUR, "--json")
    assert again.code == 0
    assert [(one["outcome"], one["requests"], one["held"]) for one in again.summary["series"]] == [
        ("nothing to do", 0, 60)
    ] * 3
    assert not again.told("connecting")


def test_the_catalog_lists_each_series_with_its_instrument(home: Path, closed_port: int) -> None:
    listed = Shell(home, closed_port).run("catalog", "list", "--json")
    assert {one["instrument_id"]: one["rows"] for one in listed.summary["series"]} == dict.fromkeys(
        CANONICAL.values(), 60
    )
    assert all(one["has_instrument"] for one in listed.summary["series"])
    assert listed.summary["origin"] == "simulated"
    assert "SIMULATED" in Shell(home, closed_port).run("catalog", "list").out


def test_the_catalog_shows_an_instrument_by_any_id_it_was_asked_for(
    home: Path, closed_port: int
) -> None:
    shell = Shell(home, closed_port)
    shown = shell.run("catalog", "show", "GDX.NASDAQ", "--json").summary
    assert (shown["instrument_id"], shown["instrument"]["id"]) == ("GDX.ARCA", "GDX.ARCA")
    assert [one["bars"] for one in shown["series"]] == ["1-MINUTE-LAST"]
    assert "SIMULATED" in shell.run("catalog", "show", "GDX.ARCA").out
    unknown = shell.run("catalog", "show", "NOPE")
    assert (unknown.code, "NOPE is not in the catalog" in unknown.err) == (1, True)


@pytest.mark.parametrize("typed_id", IDS)
def test_a_backtest_without_broker_takes_the_venue_from_the_instrument(
    home: Path, closed_port: int, typed_id: str
) -> None:
    run = Shell(home, closed_port).run(
        "backtest", "run", "sma_crossover", "--instrument", typed_id, *MINUTES, *HOUR, "--json"
    )
    assert run.code == 0, run.err
    canonical = CANONICAL[typed_id]
    (venue,) = run.told("venue_detected")
    assert (venue["venue"], venue["source"]) == (canonical.partition(".")[2], "instrument")
    assert run.summary["metrics"]["bars"] == 60
    assert run.summary["simulated"] is True
    assert run.summary["synthetic"] is False
    shown = Shell(home, closed_port).run("backtest", "show", run.summary["run_id"])
    assert shown.code == 0
    assert "SIMULATED" in shown.out
    assert "max DD" in shown.out


@pytest.mark.parametrize("typed_id", IDS)
def test_without_instrument_and_broker_the_venue_comes_from_the_bars(
    home: Path, closed_port: int, tmp_path: Path, typed_id: str
) -> None:
    canonical = CANONICAL[typed_id]
    shutil.copytree(home, tmp_path / "home")
    shutil.rmtree(tmp_path / "home" / "catalog" / "data" / "equity" / canonical)
    run = Shell(tmp_path / "home", closed_port).run(
        "backtest", "run", "sma_crossover", "--instrument", typed_id, *MINUTES, *HOUR, "--json"
    )
    assert run.code == 0, run.err
    (venue,) = run.told("venue_detected")
    assert (venue["venue"], venue["source"]) == (canonical.partition(".")[2], "bars")
    assert run.summary["synthetic"] is True


def test_with_the_broker_there_a_lost_instrument_is_backfilled(
    home: Path, gateway_port: int, tmp_path: Path
) -> None:
    shutil.copytree(home, tmp_path / "home")
    shutil.rmtree(tmp_path / "home" / "catalog" / "data" / "equity" / "GDX.ARCA")
    run = Shell(tmp_path / "home", gateway_port).run(
        "backtest", "run", "sma_crossover", "--instrument", "GDX.ARCA", *MINUTES, *HOUR, "--json"
    )
    assert run.code == 0, run.err
    assert [one["instrument_id"] for one in run.told("instrument_stored")] == ["GDX.ARCA"]
    assert run.told("venue_detected")[0]["source"] == "instrument"
    assert not run.told("chunk_requested")


def test_missing_data_is_fetched_first_or_asked_for_in_words(
    gateway_port: int, closed_port: int, tmp_path: Path
) -> None:
    arguments = ("backtest", "run", "buy_and_hold", "--instrument", "MSFT", *MINUTES, *HOUR)
    offline = Shell(tmp_path, closed_port).run(*arguments)
    assert offline.code == 3
    assert "MSFT" in offline.err
    assert str(closed_port) in offline.err
    only_catalog = Shell(tmp_path, gateway_port).run(*arguments, "--source", "catalog")
    assert only_catalog.code == 1
    assert "quarterdeck fetch MSFT --bars 1-MINUTE-LAST" in only_catalog.err
    fetched = Shell(tmp_path, gateway_port).run(*arguments)
    assert fetched.code == 0, fetched.err
    assert "MSFT.NASDAQ on NASDAQ, from the instrument" in fetched.out


def test_two_instruments_on_two_venues_share_the_cash(home: Path, closed_port: int) -> None:
    run = Shell(home, closed_port).run(
        *("backtest", "run", "buy_and_hold", "--instrument", "AAPL.NASDAQ"),
        *("--instrument", "GDX.ARCA", *MINUTES, *HOUR, "--fees", "zero", "--json"),
    )
    assert run.code == 0, run.err
    assert {one["venue"] for one in run.told("venue_detected")} == {"NASDAQ", "ARCA"}
    assert run.summary["metrics"]["start_equity"] == 100_000
    assert run.summary["metrics"]["fees"] == 0


WRONG = [
    (("fetch", "QQQQZ", *MINUTES, *HOUR), 2, "QQQQZ"),
    (("fetch", "AAPL..NASDAQ", *MINUTES, *HOUR), 2, "AAPL..NASDAQ"),
    (("fetch", "AAPL", "--bars", "1-FORTNIGHT-LAST", *HOUR), 2, "1-FORTNIGHT-LAST"),
    (("fetch", "AAPL", *MINUTES, "--start", "2026-01-15", "--end", "2026-01-14"), 2, "before"),
    (("fetch", "AAPL", *MINUTES, "--start", "2199-01-15"), 2, "future"),
    (("fetch", "AAPL", *MINUTES, "--start", "yesterdayish"), 2, "yesterdayish"),
    (("fetch", "AAPL"), 2, "bars"),
    (("backtest", "run", "smaa", "--instrument", "AAPL", *MINUTES, *HOUR), 2, "sma_crossover"),
    (
        (
            *("backtest", "run", "sma_crossover", "--instrument", "AAPL", *MINUTES, *HOUR),
            *("--param", "speed=9"),
        ),
        2,
        "fast_period",
    ),
    (
        (
            *("backtest", "run", "sma_crossover", "--instrument", "AAPL", *MINUTES, *HOUR),
            *("--param", "fast_period=quick"),
        ),
        2,
        "fast_period",
    ),
    (
        (
            *("backtest", "run", "sma_crossover", "--instrument", "AAPL", *MINUTES, *HOUR),
            *("--cash", "-5 USD"),
        ),
        2,
        "-5 USD",
    ),
    (("backtest", "show", "no-such-run"), 2, "no-such-run"),
    (("connect", "--profile", "nobody"), 2, "paper-gateway"),
    (("dance",), 2, "dance"),
]


@pytest.mark.parametrize(("arguments", "code", "word"), WRONG, ids=lambda value: str(value)[:60])
def test_bad_input_is_told_and_writes_nothing(
    gateway_port: int, tmp_path: Path, arguments: tuple[str, ...], code: int, word: str
) -> None:
    ended = Shell(tmp_path, gateway_port).run(*arguments)
    assert ended.code == code, ended.err
    assert ended.err.startswith("Error: ")
    assert word in ended.err
    assert "  1. " in ended.err
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_weekend_is_no_error(gateway_port: int, tmp_path: Path) -> None:
    ended = Shell(tmp_path, gateway_port).run(
        *("fetch", "AAPL", *MINUTES, "--start", "2026-01-17", "--end", "2026-01-18", "--json")
    )
    assert ended.code == 0, ended.err
    assert ended.summary["series"][0]["outcome"] == "nothing to do"
    assert ended.summary["series"][0]["bars"] == 0


def test_ports_and_folders_that_cannot_be_are_refused(tmp_path: Path) -> None:
    out_of_range = Shell(tmp_path, 70_000).run("connect")
    assert out_of_range.code == 2
    assert "--port cannot be 70000" in out_of_range.err
    file = tmp_path / "file"
    file.write_text("not a folder")
    not_a_folder = Shell(tmp_path, 4002).run("catalog", "list", "--catalog", str(file))
    assert not_a_folder.code == 2
    assert str(file) in not_a_folder.err
    assert file.read_text() == "not a folder"


def test_ctrl_c_ends_a_command_with_130(gateway_port: int, tmp_path: Path) -> None:
    with subprocess.Popen(
        [
            *(PROGRAM, "fetch", "AAPL", *MINUTES, "--start", "2025-01-02", "--end", "2025-12-31"),
            *("--home", str(tmp_path), "--port", str(gateway_port)),
        ],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "read back" in line:
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
    assert process.returncode == 130
    listed = Shell(tmp_path, gateway_port).run("catalog", "list", "--json")
    assert listed.summary["series"][0]["rows"] > 0


def test_the_doctor_looks_at_everything_and_names_no_account(
    home: Path, gateway_port: int, tmp_path: Path
) -> None:
    own = shutil.copytree(home, tmp_path / "home")
    shell, settings = Shell(own, gateway_port), own / "settings.toml"
    settings.write_text("workers = 1\n")
    told = shell.run("doctor", "--json")
    assert told.code == 0, told.err
    verdicts = {one["what"]: one["verdict"] for one in told.summary["findings"]}
    assert verdicts["Nautilus"] == verdicts["series"] == verdicts["broker"] == "ok"
    assert "DUSIM" not in told.out
    settings.write_text("workers = 'many'\n")
    told = shell.run("doctor")
    assert told.code == 4
    assert re.search(r"bad +settings .*line 1: workers", told.out)
    assert "broker" in told.out, "the rest is looked at all the same"

"""A trader's day by keyboard alone, in one sitting in a terminal of 80x24; its night from cron."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from catalog.series import BarSpec, Series
from core.fetch import FetchRequest
from core.options import Options
from core.workspace import Workspace
from tests.gateway_process import gateway_process
from tests.tui.conftest import NOW
from tests.tui.terminal import Terminal, terminal

ENTER, TAB, ESCAPE = "\r", "\t", "\x1b"
MINUTE, DAY = BarSpec(1, "MINUTE"), BarSpec(1, "DAY")
NIGHTLY = """
import sys
from datetime import datetime
from pathlib import Path
from core.options import Options
from tui.commands.app import run_command
from tui.output import Output
home, port, now = sys.argv[1:]
options = Options("demo", home=Path(home), port=int(port), now=datetime.fromisoformat(now))
output = Output(as_json=True)
output.end(run_command(["update"], options, output))
"""


@pytest.fixture
async def home(tmp_path: Path, gateway_port: int) -> Path:
    """The catalog as last week left it: a session of minutes, days that end too early, and a file
    that the disk spoilt."""
    options = Options(profile="demo", home=tmp_path, port=gateway_port, now=NOW)
    workspace = await Workspace.open(options)
    try:
        for one, bars, start, end in (
            ("AAPL", MINUTE, "2026-03-02", "2026-03-02"),
            ("GDX", DAY, "2026-02-02", "2026-02-27"),
            ("IBM", MINUTE, "2026-03-02", "2026-03-02"),
        ):
            await workspace.fetch(FetchRequest((one,), bars, start, end)).wait()
        (file,) = workspace.catalog.files(Series("IBM.NYSE", MINUTE))
        file.write_bytes(b"PAR1 no more")
    finally:
        await workspace.close()
    return tmp_path


@pytest.mark.timeout(300)
def test_a_day_at_the_desk_and_the_update_of_the_night(home: Path, gateway_port: int) -> None:
    with terminal(home, gateway_port) as shown:
        see_the_broker(shown)
        see_what_is_stale_and_broken(shown)
        mend_and_fetch(shown)
        run_and_read(shown)
        change_a_parameter_and_compare(shown)
        sweep(shown)
        keep_the_good_run(shown, home)
        shown.press("q")
        assert shown.ends() == 0
        assert b"Traceback" not in shown.received
    update_from_cron(home)


def see_the_broker(shown: Terminal) -> None:
    shown.shows("demo SIMULATED", "● connected", "connected since", "DU***0001", "usfarm", "ok")


def see_what_is_stale_and_broken(shown: Terminal) -> None:
    shown.press("2", "AAPL.NASDAQ", "390", "GDX.ARCA", "stale", "IBM.NYSE", "DAMAGED")


def mend_and_fetch(shown: Terminal) -> None:
    shown.press("r", "Do 1 step?", "move to quarantine")
    shown.press("y", "quarantined")
    shown.press(ESCAPE)
    shown.gone("Findings")
    shown.press("3n" + "AAPL IBM" + TAB * 2 + "2026-03-02" + TAB + "2026-03-03" + ENTER)
    shown.resize(250, 70)
    shown.shows("AAPL IBM 1-MINUTE-LAST", "done", "1,170", "? help")
    shown.resize(80, 24)
    shown.shows("AAPL IBM 1-MINUTE-LAST", "1,170")
    shown.press("2", "GDX.ARCA", "IBM.NYSE", "780")
    shown.press("gju")
    shown.gone("stale", "DAMAGED")


def run_and_read(shown: Terminal) -> None:
    shown.press("gb", "New backtest", "AAPL.NASDAQ", "2026-03-03")
    shown.press(ENTER, "venue NASDAQ (instrument)", "max DD", "simulated data")
    shown.press("t", "▲")
    shown.press("tt", "entry (ET)")


def change_a_parameter_and_compare(shown: Terminal) -> None:
    shown.press("e" + TAB + "5" + ENTER, "─ sma_crossover 5/20")
    shown.press("g  c", "gain of each run", "! fast_period")
    shown.press(ESCAPE, "2 marked")
    shown.press(ESCAPE + "t")  # in one piece, as a slow line joins them
    shown.gone("2 marked")


def sweep(shown: Terminal) -> None:
    shown.press("S", "Grid", "several values")
    shown.press("5,10" + TAB + "30,60" + ENTER, "done, 4 of 4 runs")
    shown.press("gz" + ENTER, "─ sma_crossover 10/30", ">", "sma_crossover 10/30 ")


def keep_the_good_run(shown: Terminal, home: Path) -> None:
    shown.press("*", "* sma_crossover 10/30")
    shown.press("Nsecond look" + ENTER)
    shown.press("E", "Export")
    shown.press("\x01\x0b" + str(home / "good.json") + ENTER, "written")
    assert json.loads((home / "good.json").read_text())["run_id"]


def update_from_cron(home: Path) -> None:
    tomorrow = NOW + timedelta(days=1)
    with gateway_process(tomorrow) as (port, _):
        nightly = [sys.executable, "-c", NIGHTLY, str(home), str(port), tomorrow.isoformat()]
        done = subprocess.run(nightly, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *_, summary = map(json.loads, done.stdout.splitlines())
    assert summary["exit_code"] == 0
    assert {one["outcome"] for one in summary["series"]} == {"stored"}

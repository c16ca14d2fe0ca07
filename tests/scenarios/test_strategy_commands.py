"""`quarterdeck strategy`, and what it begins: a file that runs, with a test that passes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from catalog.errors import WrongInput
from core.strategies.template import write_template
from tests.scenarios import backtest_bars as market
from tests.scenarios.commands import Shell


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def shell(home: Path) -> Shell:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return Shell(home, int(unused.getsockname()[1]))


@pytest.fixture(scope="module")
def begun(shell: Shell) -> Path:
    """A strategy begun by command."""
    written = shell.run("strategy", "new", "my_touch", "--json")
    assert written.code == 0, written.err
    return Path(written.summary["strategy"])


def test_a_new_strategy_comes_with_a_test_that_passes_and_can_fail(
    begun: Path, tmp_path: Path
) -> None:
    shutil.copytree(begun.parent, tmp_path / "mine")
    (tmp_path / "mine" / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-q", str(tmp_path / "mine")]
    quick = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    passed = subprocess.run(command, capture_output=True, text=True, check=False, env=quick)
    assert "2 passed" in passed.stdout, passed.stdout
    file = tmp_path / "mine" / "my_touch.py"
    file.write_text(file.read_text().replace("> self.average", "< self.average"))
    failed = subprocess.run(command, capture_output=True, text=True, check=False, env=quick)
    assert "1 failed" in failed.stdout


def test_it_is_listed_shown_and_run_with_a_preset(begun: Path, shell: Shell, home: Path) -> None:
    listed = shell.run("strategy", "list", "--json").summary["strategies"]
    assert [one["name"] for one in listed][-1] == "my_touch:MyTouch"
    assert listed[-1]["file"] == str(begun)
    saved = shell.run("strategy", "save", "my_touch", "quick", "--param", "period=3")
    assert saved.code == 0, saved.err
    shown = shell.run("strategy", "show", "my_touch")
    assert "bars in the average; at least 2; at most 10000" in shown.out
    assert "preset quick: period=3" in shown.out
    bars = market.flat_bars([10, 10, 10, 12, 12, 9, 9])
    market.instrument(home / "catalog", bars, None, "TEST.SIM")
    done = shell.run(
        *("backtest", "run", "my_touch", "--preset", "quick", "--instrument", "TEST.SIM"),
        *("--bars", "1-MINUTE-LAST", "--source", "catalog", "--json"),
        *("--start", "2024-01-02T14:30", "--end", "2024-01-02T14:37"),
    )
    if done.code:
        pytest.fail(done.err)
    assert done.summary["fills"] == 2
    assert done.summary["spec"]["parameters"] == {"period": 3}


@pytest.mark.parametrize("name", ["my_touch", "json", "core", "My-Name", "class", "sma_crossover"])
def test_names_that_are_taken_or_are_none_are_refused(begun: Path, name: str) -> None:
    before = begun.read_text()
    with pytest.raises(WrongInput):
        write_template(name, begun.parent)
    assert begun.read_text() == before

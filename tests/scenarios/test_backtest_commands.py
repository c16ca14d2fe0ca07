"""From a sweep to a run one keeps: the history by commands, with no broker."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from core.backtest.presets import Preset, Presets
from tests.benchmarks.workspaces import SERIES, spec_of, workspace_with_minutes
from tests.scenarios.commands import Ended
from tui.cli import run

NOBODY = 1
MINUTES = 3_000
WHAT = (
    *("sma_crossover", "--instrument", SERIES.instrument_id, "--bars", str(SERIES.spec)),
    *("--start", spec_of(MINUTES).start, "--end", spec_of(MINUTES).end, "--source", "catalog"),
)


@dataclass(frozen=True, slots=True)
class Here:
    """A shell whose commands run in this process, which has their imports already."""

    home: Path

    def run(self, *arguments: str) -> Ended:
        """Run `quarterdeck` with these arguments."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run([*arguments, "--home", str(self.home), "--port", str(NOBODY)])
        return Ended(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Here:
    """A home whose catalog holds some days of minutes, made up here."""
    home = tmp_path_factory.mktemp("home")

    async def fill() -> None:
        async with workspace_with_minutes(home, MINUTES):
            pass

    asyncio.run(fill())
    return Here(home)


def sweep(shell: Here, *more: str) -> Ended:
    grid = ("--grid", "fast_period=5:10:5", "--grid", "slow_period=10,30")
    return shell.run("sweep", *WHAT, *grid, "--sort", "total_return", *more)


@pytest.fixture(scope="module")
def swept(shell: Here) -> dict[str, Any]:
    """The summary of a sweep of four runs, of which one cannot be."""
    ended = sweep(shell, "--json")
    assert ended.code == 0, ended.err
    assert len(ended.told("sweep_run_ended")) == 3
    assert [failed["refused"] for failed in ended.told("sweep_run_failed")] == [True]
    return ended.summary


def test_a_sweep_shows_the_best_first_and_asked_again_runs_nothing(
    shell: Here, swept: dict[str, Any]
) -> None:
    gains = [run["metrics"]["total_return"] for run in swept["runs"] if run["metrics"]]
    assert gains == sorted(gains, reverse=True)
    assert swept["runs"][-1]["parameters"] == {"fast_period": 10, "slow_period": 10}
    assert "fast_period must be less than slow_period" in swept["runs"][-1]["error"]
    again = sweep(shell)
    assert again.code == 0
    assert f"sweep {swept['sweep_id']} of 4 runs, 3 are there already, 1 cannot be" in again.out
    assert swept["runs"][0]["run_id"] in again.out


def test_a_script_sees_that_some_runs_of_a_sweep_failed(shell: Here) -> None:
    scripted = ("tests.scenarios.scripted:Scripted", *WHAT[1:], "--param", "trade_size=1")
    ended = shell.run("sweep", *scripted, "--grid", "script=L,L!", "--json")
    assert ended.code == ended.summary["exit_code"] == 1
    assert (ended.summary["failed"], ended.summary["refused"]) == (1, 0)
    done, failed = ended.summary["runs"]
    assert done["metrics"] and "ZeroDivisionError" in failed["error"]


def test_without_fees_a_run_has_those_of_the_settings(shell: Here) -> None:
    settings = shell.home / "settings.toml"
    settings.write_text('fees = "per_contract:7"\n')
    try:
        usual = shell.run("backtest", "run", *WHAT, "--json").summary
        named = shell.run("backtest", "run", *WHAT, "--fees", "zero", "--json").summary
    finally:
        settings.unlink()
    assert usual["metrics"]["fees"] >= 7
    assert named["metrics"]["fees"] == 0


def test_runs_are_found_again_by_sweep_metric_note_tag_and_star(
    shell: Here, swept: dict[str, Any]
) -> None:
    best = swept["runs"][0]["run_id"]
    assert shell.run("backtest", "note", best, "worth a look").code == 0
    assert "#keep" in shell.run("backtest", "tag", best, "keep", "maybe").out
    assert shell.run("backtest", "star", best).out.startswith(f"{best} starred #keep #maybe")
    listed = shell.run(
        *("backtest", "list", "--sweep", swept["sweep_id"], "--sort", "turnover", "--json")
    ).summary["runs"]
    turnovers = [run["metrics"]["turnover"] for run in listed]
    assert len(turnovers) == 3
    assert turnovers == sorted(turnovers)
    found = shell.run("backtest", "list", "--search", "look keep", "--starred", "--json").summary
    assert [run["run_id"] for run in found["runs"]] == [best]
    assert found["runs"][0]["remarks"]["note"] == "worth a look"


def test_runs_are_compared_with_what_differs_marked(shell: Here, swept: dict[str, Any]) -> None:
    ids = [run["run_id"] for run in swept["runs"][:2]]
    told = shell.run("backtest", "compare", *ids, "--json").summary
    differing = {name for name, one in told["settings"].items() if one["differs"]}
    assert differing and differing <= {"fast_period", "slow_period"}
    assert told["figures"]["total_return"]["best"] == [0]
    alone = shell.run("backtest", "compare", ids[0])
    assert alone.code == 2
    assert "2 to 10" in alone.err


def test_a_run_is_repeated_as_it_was_and_with_other_parameters(
    shell: Here, swept: dict[str, Any]
) -> None:
    best = swept["runs"][0]
    same = shell.run("backtest", "reproduce", best["run_id"], "--json")
    assert same.code == 0, same.err
    assert (same.summary["same"], same.summary["changed"]) == (True, [])
    assert same.summary["fills"] > 10
    other = shell.run("backtest", "rerun", best["run_id"], "--param", "slow_period=45", "--json")
    assert other.summary["spec"]["parameters"] == {**best["parameters"], "slow_period": "45"}
    gone = shell.run("backtest", "delete", other.summary["run_id"])
    assert gone.code == 0
    assert shell.run("backtest", "show", other.summary["run_id"]).code == 2


def test_a_run_is_shown_with_its_benchmark_and_exported(
    shell: Here, swept: dict[str, Any], tmp_path: Path
) -> None:
    best = swept["runs"][0]
    shown = shell.run("backtest", "show", best["run_id"])
    assert f"{SERIES.instrument_id} held" in shown.out
    assert "SIMULATED" in shown.out
    assert (
        shell.run(
            *(
                "backtest",
                "export",
                best["run_id"],
                "--format",
                "csv",
                "--to",
                str(tmp_path / "csv"),
            )
        ).code
        == 0
    )
    rows = list(csv.DictReader((tmp_path / "csv" / "trades.csv").open()))
    assert sum(row["exit_ts"] != "" for row in rows) == best["metrics"]["trades"]
    file = tmp_path / "run.json"
    assert (
        shell.run("backtest", "export", best["run_id"], "--format", "json", "--to", str(file)).code
        == 0
    )
    assert json.loads(file.read_text())["result"]["metrics"] == best["metrics"]


def test_a_refused_run_is_found_again_with_its_reason_and_begun_again(
    shell: Here,
) -> None:
    arguments = list(WHAT)
    arguments[arguments.index("--instrument") + 1] = "NONE.NASDAQ"
    refused = shell.run("backtest", "run", *arguments, "--param", "fast_period=7", "--json")
    assert refused.code == 1
    (told,) = refused.told("run_failed")
    assert told["run_id"] in shell.run("backtest", "list", "--search", "failed").out
    shown = shell.run("backtest", "show", told["run_id"])
    assert shown.code == 0
    assert "failed: Data for NONE.NASDAQ is missing" in shown.out
    assert "1. fetch it: quarterdeck fetch NONE.NASDAQ" in shown.out
    assert "quarterdeck backtest run sma_crossover --instrument NONE.NASDAQ" in shown.out
    assert shell.run("backtest", "reproduce", told["run_id"]).code == 2
    again = shell.run("backtest", "rerun", told["run_id"], "--json")
    assert again.code == 1
    assert "Data for NONE.NASDAQ is missing" in again.err
    both = shell.run("backtest", "list", "--search", "none.nasdaq", "--json").summary["runs"]
    assert [run["state"] for run in both] == ["failed", "failed"]
    assert {run["error"]["title"] for run in both} == {"Data for NONE.NASDAQ is missing"}
    assert shell.run("backtest", "delete", *(run["run_id"] for run in both)).code == 0


def test_a_whole_run_that_was_kept_by_name_is_run_by_it(shell: Here) -> None:
    kept = replace(spec_of(MINUTES), parameters={"fast_period": 4}, fees="per_contract:3")
    Presets(shell.home / "presets.toml").save("sma_crossover", "mine", Preset.of(kept))
    shown = shell.run("strategy", "show", "sma_crossover")
    assert f"preset mine: fast_period=4, on {SERIES.instrument_id} 1-MINUTE-LAST" in shown.out
    named = ("backtest", "run", "sma_crossover", "--preset", "mine", "--json")
    done = shell.run(*named).summary
    assert (done["spec"]["fees"], done["spec"]["parameters"]) == (kept.fees, {"fast_period": 4})
    assert done["metrics"]["fees"] > 0
    other = shell.run(*named, "--fees", "zero", "--param", "slow_period=30").summary
    assert other["spec"]["parameters"] == {"fast_period": 4, "slow_period": "30"}
    assert other["metrics"]["fees"] == 0
    lacking = shell.run("backtest", "run", "sma_crossover", "--start", "2024-01-02")
    assert lacking.code == 2
    assert "a backtest needs --instrument and --bars and --end" in lacking.err


def test_what_is_only_mistyped_leaves_no_run(shell: Here) -> None:
    before = shell.run("backtest", "list", "--json").summary["runs"]
    for typed in (("--param", "fast_perid=7"), ("--cash", "much"), ("--end", "1999-01-01")):
        assert shell.run("backtest", "run", *WHAT, *typed).code == 2
    assert shell.run("backtest", "list", "--json").summary["runs"] == before


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("backtest", "list", "--sort", "luck"), "sharpe"),
        (("sweep", *WHAT, "--grid", "fast_period"), "fast_period=5:20:5"),
        (("backtest", "star", "no-such-run"), "no-such-run"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_words(
    shell: Here, arguments: tuple[str, ...], word: str
) -> None:
    # With a run or without, the folder of runs is there.
    (shell.home / "runs").mkdir(exist_ok=True)
    ended = shell.run(*arguments)
    assert ended.code == 2
    assert word in ended.err

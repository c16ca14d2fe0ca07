"""Runs side by side, run again, and written for other programs."""

from __future__ import annotations

import csv
import importlib.util
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import CatalogUnusable, DataUnavailable, WrongInput
from core.backtest.accounting import Equity
from core.backtest.comparing import compare
from core.backtest.exporting import export, export_here
from core.backtest.fingerprint import Fingerprint
from core.backtest.reproducing import judge
from core.backtest.results import RunStore, StoredRun
from tests.unit.test_backtest_results import FILL, METRICS, NOW, SPEC, keep_one


def run_with(
    store: RunStore, hour: int, parameters: dict[str, object], **figures: float | None
) -> StoredRun:
    spec = replace(SPEC, parameters=parameters)
    return keep_one(store, NOW.replace(hour=hour), spec, replace(METRICS, **figures))


def test_settings_that_differ_are_marked_and_the_best_figures_too(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    runs = [
        run_with(store, 1, {"fast": 5, "slow": 20}, sharpe=1.0, max_drawdown=0.2, fees=3.0),
        run_with(store, 2, {"fast": 10, "slow": 20}, sharpe=None, max_drawdown=0.1, fees=3.0),
        run_with(store, 3, {"fast": 5}, sharpe=2.0, max_drawdown=0.1, fees=3.0),
    ]
    got = compare(runs)
    settings = {one.name: one for one in got.settings}
    assert settings["fast"].values == ("5", "10", "5")
    assert settings["slow"].values == ("20", "20", None)
    assert {one.name for one in got.settings if one.differs} == {"fast", "slow"}
    figures = {one.name: one for one in got.figures}
    assert figures["sharpe"].values == (1.0, None, 2.0)
    assert figures["sharpe"].best == {2}
    assert figures["max_drawdown"].best == {1, 2}
    assert figures["fees"].best == frozenset()


def test_a_parameter_left_to_its_default_is_the_same_as_one_set_so(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    runs = [run_with(store, 1, {"fast": 10}), run_with(store, 2, {}), run_with(store, 3, {})]
    runs[1] = replace(runs[1], result=replace(runs[1].result, defaults={"fast": 10, "slow": 20}))
    settings = {one.name: one for one in compare(runs[:2]).settings}
    assert (settings["fast"].values, settings["fast"].differs) == (("10", "10"), False)
    assert {one.name: one for one in compare(runs).settings}["fast"].differs


def test_amounts_of_several_currencies_are_not_better_or_worse(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    runs = [run_with(store, hour, {}, fees=float(hour), sharpe=float(hour)) for hour in (1, 2)]
    assert {one.name: one for one in compare(runs).figures}["fees"].best == {0}
    runs[1] = replace(runs[1], spec=replace(SPEC, cash="100000 EUR"))
    figures = {one.name: one for one in compare(runs).figures}
    assert (figures["fees"].best, figures["sharpe"].best) == (frozenset(), {1})


def test_equities_are_aligned_on_common_stamps(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    one, other = keep_one(store), keep_one(store, NOW.replace(hour=8))
    value = np.array([100.0, 120.0])
    late = replace(
        other, equity=Equity(np.array([2, 5]), value, value, np.array([0, 0]), np.empty(0))
    )
    curves = compare([one, late]).curves
    assert curves.ts.tolist() == [1, 2, 5]
    assert curves.growth[0].tolist()[:2] == [1.0, 1.1]
    assert np.isnan(curves.growth[0][2])
    assert np.isnan(curves.growth[1][0])
    assert curves.growth[1].tolist()[1:] == [1.0, 1.2]


def test_only_two_to_ten_different_runs_are_compared(tmp_path: Path) -> None:
    run = keep_one(RunStore(tmp_path))
    for runs in ([], [run], [run, run], [run] * 11):
        with pytest.raises(WrongInput, match="cannot be compared"):
            compare(runs)


STOOD_ON = Fingerprint("s", {"A.X": "1", "A.X-1-MINUTE-LAST": "2"}, "c", "2.0")


def test_a_run_made_again_is_the_same_or_says_what_changed(tmp_path: Path) -> None:
    run = keep_one(RunStore(tmp_path))
    before = replace(run, result=replace(run.result, fingerprint=STOOD_ON))

    def again(fingerprint: Fingerprint, units: float = 1.0) -> str:
        result = replace(run.result, fingerprint=fingerprint)
        return str(judge(before, replace(run, result=result, fills=(replace(FILL, units=units),))))

    assert again(STOOD_ON) == "the same 1 fill; changed: nothing"
    other_bars = replace(STOOD_ON, data={**STOOD_ON.data, "A.X-1-MINUTE-LAST": "3"})
    assert again(other_bars, 2) == "fill 1 differs; changed: the data: A.X-1-MINUTE-LAST"
    edited = replace(STOOD_ON, strategy="d", spec="t")
    assert again(edited).endswith(
        "changed: the spec, or the range it comes to; the source of the strategy"
    )
    assert "does not always do the same" in again(STOOD_ON, 2)
    before = replace(before, result=replace(before.result, state="partial"))
    assert again(STOOD_ON, 2).endswith(
        "changed: the end, as the first run was cancelled on its way"
    )


def test_fills_that_are_missing_are_a_difference(tmp_path: Path) -> None:
    run = keep_one(RunStore(tmp_path))
    assert judge(run, replace(run, fills=())).first_difference == 1
    assert judge(run, replace(run, fills=(FILL, FILL))).first_difference == 2


def test_json_has_everything(tmp_path: Path) -> None:
    run = keep_one(RunStore(tmp_path / "runs"))
    (path,) = export_here(tmp_path / "runs", run.run_id, "json", tmp_path / "deep" / "run.json")
    content = json.loads(path.read_text())
    assert content["result"]["metrics"]["total_return"] == METRICS.total_return
    assert content["equity"]["value"] == [100.0, 110.0]
    assert content["fills"][0]["price"] == FILL.price
    assert content["years"] == [
        {
            "year": 1970,
            "month": None,
            "gain": pytest.approx(0.1),
            "benchmark": pytest.approx(0.05),
        }
    ]
    assert [one["name"] for one in content["by_side"]] == ["long"]
    assert list((tmp_path / "deep").iterdir()) == [path]


def test_csv_is_a_file_for_each_table_with_times_as_times(tmp_path: Path) -> None:
    run = keep_one(RunStore(tmp_path / "runs"))
    paths = export_here(tmp_path / "runs", run.run_id, "csv", tmp_path / "csv")
    assert [path.stem for path in paths] == [
        *("metrics", "equity", "trades", "fills", "orders", "positions", "balances"),
        *("months", "years", "drawdowns", "by_instrument", "by_side", "rolling_sharpe"),
    ]
    figures = {row["figure"]: row for row in csv.DictReader((tmp_path / "csv/metrics.csv").open())}
    assert figures["total_return"]["value"] == str(METRICS.total_return)
    assert figures["sharpe"]["value"] == ""
    (year,) = csv.DictReader((tmp_path / "csv" / "years.csv").open())
    assert (year["year"], float(year["benchmark"])) == ("1970", pytest.approx(0.05))
    (trade,) = csv.DictReader((tmp_path / "csv" / "trades.csv").open())
    assert trade["entry_ts"] == "1970-01-01 00:00:00.000000001Z"
    assert (trade["exit_ts"], trade["pnl"]) == ("", "10")


async def test_an_html_report_is_written_or_how_to_get_it_is_said(tmp_path: Path) -> None:
    """In a worker, with whichever of the two is true here."""
    store = RunStore(tmp_path / "runs")
    run, page = keep_one(store), tmp_path / "run.html"
    if importlib.util.find_spec("plotly") is None:
        with pytest.raises(WrongInput, match="HTML report is not installed") as refusal:
            await export(store, run.run_id, "html", page)
        assert "quarterdeck[report]" in refusal.value.steps[0]
        assert not page.exists()
    else:
        assert await export(store, run.run_id, "html", page) == (page,)
        assert run.run_id in page.read_text()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    run = keep_one(RunStore(tmp_path / "runs"))
    (tmp_path / "file").write_text("here")
    with pytest.raises(CatalogUnusable, match="cannot be exported"):
        export_here(tmp_path / "runs", run.run_id, "json", tmp_path / "file" / "run.json")
    assert (tmp_path / "file").read_text() == "here"


def test_a_failed_run_has_nothing_to_export(tmp_path: Path) -> None:
    store = RunStore(tmp_path / "runs")
    staging = store.begin(NOW)
    failed = replace(keep_one(store).result, run_id=staging.name, state="failed", metrics=None)
    store.keep(staging, SPEC, failed, [])
    for form in ("json", "csv"):
        with pytest.raises(DataUnavailable, match="no figures"):
            export_here(tmp_path / "runs", failed.run_id, form, tmp_path / "out")
    assert not (tmp_path / "out").exists()

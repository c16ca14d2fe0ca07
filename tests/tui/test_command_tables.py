"""What commands print of runs, on a terminal of 80 cells and into a pipe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.backtest.comparing import compare
from core.backtest.results import RunStore, StoredRun
from tests.unit.test_backtest_results import METRICS, NOW, SPEC, keep_one
from tui.comparison_report import print_comparison
from tui.output import Output
from tui.report import print_run, print_runs
from tui.widgets.result_figures import percent, span, tenths

WIDE = replace(METRICS, end_equity=12_345_678.90, worst_trade=-123_456.0, turnover=1_234.56)


@pytest.fixture
def kept(tmp_path: Path) -> list[StoredRun]:
    """Ten runs with long names and large figures."""
    store = RunStore(tmp_path)
    parameters = {"fast_period": 10, "slow_period": 200, "a_threshold_to_enter": 1.25}
    return [
        keep_one(
            store,
            NOW.replace(hour=hour),
            replace(SPEC, parameters={**parameters, "fast_period": hour}),
            replace(WIDE, sharpe=float(hour)),
        )
        for hour in range(1, 11)
    ]


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> Output:
    monkeypatch.setattr(Output, "width", 80)
    return Output()


def test_figures_are_whole_on_a_narrow_terminal(
    kept: list[StoredRun], narrow: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    print_run(kept[0], narrow, told=True)
    told = capsys.readouterr().out.partition("figure")[2]
    assert max(map(len, told.splitlines())) <= 80
    for figure in ("12,345,678.90", "-123,456", "1,234.56", "+10.00 %", "slippage of gross"):
        assert figure in told


def test_a_list_keeps_ids_and_figures_and_cuts_what_is_told_besides(
    kept: list[StoredRun],
    narrow: Output,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    print_runs(kept, narrow, "turnover")
    _, _, *lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert all(run.run_id in line for run, line in zip(kept, lines, strict=True))
    assert all("+10.00 %" in line and "1,234.56" in line for line in lines)
    monkeypatch.undo()  # a pipe again
    print_runs(kept, narrow, "turnover")
    assert "a_threshold_to_enter=1.25) AAPL.NASDAQ" in capsys.readouterr().out.splitlines()[2]


def test_ten_runs_are_compared_a_few_at_a_time(
    kept: list[StoredRun], narrow: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    print_comparison(compare(kept), narrow)
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  ")[0] for line in lines[:10]] == list("ABCDEFGHIJ")
    assert max(map(len, lines[10:])) <= 80
    sharpes = [line.split()[1:] for line in lines if line.startswith("Sharpe")]
    assert [one for part in sharpes for one in part] == [
        *(f"{hour}.00" for hour in range(1, 11)),
        "<",
    ]
    (differing, *_) = [line.split() for line in lines if line.startswith("fast_period")]
    assert differing[1:3] == ["1", "2"]
    assert [line.split() for line in lines if line.startswith("slow_")] == [["slow_period", "200"]]


def test_long_names_of_parameters_give_way_to_ids_and_figures(
    narrow: Output, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {
        "a_very_long_parameter": True,
        "another_parameter": True,
        "return": True,
        "run": False,
    }
    narrow.table(columns, [("5", "130", "+1,234.56 %", "20261122-175036-6498813-and-more-words")])
    titles, _, line = capsys.readouterr().out.splitlines()
    assert max(len(titles.rstrip()), len(line.rstrip())) <= 80
    assert "+1,234.56 %   20261122-175036-6498813-and" in line
    assert "return" in titles
    narrow.table(columns, [])
    assert "another_parameter" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0 s"), (119, "119 s"), (150, "2.5 min"), (9_000, "2.5 h"), (2_160_000, "25.0 d")],
)
def test_a_length_of_time_is_told_in_a_unit_that_shows_it(seconds: int, told: str) -> None:
    assert span(seconds * 10**9) == told


def test_large_gains_take_no_more_room_than_small_ones() -> None:
    gains = (-0.123456, 0.0421, 9.99, 123.456, 1_234.5)
    told = ["-12.35 %", "+4.21 %", "+999.00 %", "+12,346 %", "+123,450 %"]
    assert [percent(one) for one in gains] == told
    assert [tenths(one) for one in gains] == ["-12", "+4.2", "+999", "+12k", "+123k"]

"""What a sweep shows while it runs: its best first, and where they lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from core.backtest.spec import RunSpec
from core.backtest.sweep import Axis, SweepResult, SweepSpec
from core.backtest.sweep_running import SweepRunEnded, SweepRunFailed
from core.jobs import Job, Jobs
from tests.unit.test_backtest_results import METRICS, NOW
from tui.widgets.sweep_board import MOST_ROWS, SweepBoard

FAST = Axis("fast_period", (5, 10, 20))
SLOW = Axis("slow_period", (50, 100))


async def board(
    axes: tuple[Axis, ...], ended: Sequence[tuple[dict[str, object], float | None]]
) -> SweepBoard:
    """A sweep of which these runs have ended, each with its Sharpe ratio, or failed with None."""

    async def work(job: Job[SweepResult]) -> SweepResult:
        for number, (parameters, sharpe) in enumerate(ended):
            figures = replace(METRICS, sharpe=sharpe, total_return=number / 1000)
            job.report(
                SweepRunFailed("s", parameters, "it raised")
                if sharpe is None
                else SweepRunEnded.of("s", f"run {number}", parameters, figures)
            )
        return SweepResult("s", axes, ())

    spec = SweepSpec(RunSpec("sma_crossover"), axes)
    job = Jobs().start("backtest", "a sweep", work)
    await job.wait()
    return SweepBoard(job, spec)


def at(fast: int, slow: int) -> dict[str, object]:
    return {"fast_period": fast, "slow_period": slow}


async def test_the_best_stand_first_and_those_that_failed_last() -> None:
    shown = await board((FAST, SLOW), [(at(5, 50), 0.5), (at(5, 100), None), (at(10, 50), 1.5)])
    assert shown.catch_up("sharpe")
    assert not shown.catch_up("sharpe")
    told = [[cell.text for cell in row.cells] for row in shown.rows()]
    assert [line[:3] for line in told[:2]] == [
        ["10/50", "1.50", "+0.20 %"],
        ["5/50", "0.50", "+0.00 %"],
    ]
    assert told[2] == ["fast_period=5 slow_period=100: it raised"]
    assert [column.title for column in shown.columns][:3] == ["fast/slow", "Sharpe", "return"]
    assert shown.catch_up("fees")  # another metric ranks them anew
    assert shown.columns[1].title == "fees"


async def test_a_heatmap_has_the_shorter_axis_across_and_says_what_does_not_fit() -> None:
    shown = await board(
        (FAST, SLOW, Axis("size", (1, 2))),
        [({**at(5, 50), "size": size}, float(size)) for size in (2, 1)] + [(at(20, 100), -0.25)],
    )
    shown.catch_up("sharpe")
    assert shown.heatmap(40).plain.splitlines() == [
        "Sharpe  fast_period ↓  slow_period →",
        "the best of size",
        "       50    100",
        " 5   2.00    n/a",
        "10    n/a    n/a",
        "20    n/a  -0.25",
    ]
    assert shown.heatmap(12).plain.splitlines()[1:3] == [
        "the best of size, 1 more do not fit",
        "       50",
    ]
    shown.catch_up("total_return")
    assert shown.heatmap(40).plain.splitlines()[3] == " 5  +0.10    n/a"


async def test_one_axis_is_a_line_and_a_sweep_without_a_run_has_no_heatmap() -> None:
    alone = await board((FAST,), [({"fast_period": 10}, 1.0)])
    assert alone.heatmap(40).plain == ""
    alone.catch_up("sharpe")
    assert alone.heatmap(40).plain.splitlines()[1:] == ["     5    10    20", "   n/a  1.00   n/a"]


@pytest.mark.parametrize("axis", [Axis("fast_period", tuple(range(MOST_ROWS + 50)))])
async def test_of_thousands_the_best_are_shown(axis: Axis) -> None:
    shown = await board((axis,), [({axis.name: one}, float(one)) for one in axis.values])  # type: ignore[arg-type]
    shown.catch_up("sharpe")
    rows = shown.rows()
    assert len(rows) == MOST_ROWS
    assert f"the best {MOST_ROWS} below" in shown.progress(NOW)
    assert rows[0].cells[1].text == f"{MOST_ROWS + 49}.00"

"""Sweeps in real worker processes: the same results as single runs, whatever becomes of some."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from catalog import workers
from catalog.errors import WrongInput
from catalog.events import Event, ignore
from core.backtest.data import RunData
from core.backtest.fingerprint import strategy_hash
from core.backtest.results import RunStore, RunSummary, StoredRun
from core.backtest.runner import run_backtest, run_of_sweep
from core.backtest.spec import RunSpec
from core.backtest.sweep import Axis, SweepResult, SweepSpec
from core.backtest.sweep_running import SweepRunEnded, SweepStarted, run_sweep
from core.strategies.library import SHIPPED
from tests.scenarios import backtest_bars as market
from tests.scenarios.test_backtest_terms import rates

SCRIPTED = "tests.scenarios.scripted:Scripted"
GRID = (Axis("fast_period", (5, 10, 30)), Axis("slow_period", (20, 40)))


@dataclass
class Lab:
    """A store, the data of a sweep, and what was heard of it."""

    folder: Path
    data: RunData
    heard: list[Event] = field(default_factory=list)
    one_ended: asyncio.Event = field(default_factory=asyncio.Event)
    ran: int = 0

    @property
    def store(self) -> RunStore:
        return RunStore(self.folder / "runs")

    def spec(self, strategy: str = "sma_crossover", **parameters: object) -> RunSpec:
        return market.spec_for(self.data, strategy, trade_size=10, **parameters)

    async def single(self, spec: RunSpec, data: RunData) -> StoredRun:
        return await run_backtest(spec, data, self.store, report=ignore)

    async def one_of_many(self, spec: RunSpec, data: RunData, sweep: str) -> RunSummary:
        self.ran += 1
        return await run_of_sweep(spec, data, self.store, sweep)

    async def sweep(self, sweep: SweepSpec) -> SweepResult:
        name = sweep.base.strategy
        return await run_sweep(
            sweep,
            self.store,
            await workers.run(strategy_hash, name, sweep.base.fees, ()),
            check=lambda spec: SHIPPED.read(name, spec.parameters),
            prepare=self._prepared,
            run=lambda spec, data: self.one_of_many(spec, data, sweep.id),
            report=self._hear,
        )

    def _hear(self, event: Event) -> None:
        self.heard.append(event)
        if isinstance(event, SweepRunEnded):
            self.one_ended.set()

    async def _prepared(self, spec: RunSpec) -> RunData:
        return self.data


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    held = market.instrument(tmp_path, market.walk(600), market.equity())
    start = market.START + 50 * market.MINUTE
    return Lab(tmp_path, RunData((held,), (start, start + 500 * market.MINUTE)))


async def test_each_run_of_a_sweep_is_the_run_one_would_make_alone(lab: Lab) -> None:
    """The workers of a sweep map Arrow files where a single run reads Parquet: those of the bars,
    and of the rates of a euro account, of which the last one before the start counts too."""
    lab.data = replace(lab.data, rates=(rates(lab.folder, [1.25, *[1.2] * 600]),))
    euros = replace(lab.spec(), cash="80000 EUR")
    result = await lab.sweep(SweepSpec(euros, GRID))
    assert len(result.runs) == 6
    assert [run.parameters for run in result.runs if run.error] == [
        {"fast_period": 30, "slow_period": 20}
    ]
    for run in result.runs:
        if run.run_id is None:
            continue
        swept = lab.store.load(run.run_id)
        same = replace(euros, parameters={**euros.parameters, **run.parameters})
        alone = await lab.single(same, lab.data)
        assert len(swept.fills) > 5
        assert swept.fills == alone.fills
        assert swept.equity.value.tolist() == alone.equity.value.tolist()
        assert swept.result.fingerprint == alone.result.fingerprint
        assert (swept.result.sweep, alone.result.sweep) == (result.sweep_id, "")
    best = result.ranked("total_return")[0]
    assert best.metrics is not None
    assert best.metrics.total_return == max(
        run.metrics.total_return for run in result.runs if run.metrics
    )
    assert not list((lab.folder / "runs").rglob("*.arrow"))


async def test_a_run_that_raises_or_dies_takes_no_other_with_it(lab: Lab) -> None:
    scripts = Axis("script", ("L", "LL!", "S", "LX", "LLFF"))
    result = await lab.sweep(SweepSpec(lab.spec(SCRIPTED), (scripts,), workers=2))
    errors = {str(run.parameters["script"]): run.error for run in result.runs}
    assert [script for script, error in errors.items() if error] == ["LL!", "LX"]
    assert "ZeroDivisionError" in errors["LL!"]
    assert {run.result.state for run in lab.store.list()} == {"done", "failed"}


async def test_what_was_cancelled_goes_on_where_it_stopped(lab: Lab) -> None:
    sweep = SweepSpec(lab.spec(), (Axis("fast_period", (3, 4, 5, 6, 7, 8)),), workers=1)
    running = asyncio.ensure_future(lab.sweep(sweep))
    await lab.one_ended.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    kept = {run.run_id for run in lab.store.list()}
    assert 1 <= len(kept) < 6
    assert {run.result.state for run in lab.store.list()} == {"done"}
    lab.ran, lab.heard = 0, []
    result = await lab.sweep(sweep)
    started = next(event for event in lab.heard if isinstance(event, SweepStarted))
    assert started.held == len(kept)
    assert lab.ran == 6 - len(kept)
    assert kept < {run.run_id for run in result.runs}
    assert not any(run.error for run in result.runs)


async def test_runs_on_other_data_are_made_again(lab: Lab) -> None:
    sweep = SweepSpec(lab.spec(), (Axis("fast_period", (3, 4)),))
    first = await lab.sweep(sweep)
    again = await lab.sweep(sweep)
    assert again == first
    assert lab.ran == 2
    held = market.instrument(lab.folder, market.walk(600, seed=2), market.equity())
    lab.data = replace(lab.data, instruments=(held,))
    other = await lab.sweep(sweep)
    assert lab.ran == 4
    assert other.sweep_id == first.sweep_id
    assert {run.run_id for run in other.runs}.isdisjoint(run.run_id for run in first.runs)


async def test_a_sweep_of_nothing_that_can_run_is_refused(lab: Lab) -> None:
    with pytest.raises(WrongInput, match="no parameter 'speed'"):
        await lab.sweep(SweepSpec(lab.spec(), (Axis("speed", (1, 2)),)))
    assert lab.store.list() == []
    index = market.equity("^SPX.CBOE", type="IndexInstrument")
    held = market.instrument(lab.folder, market.walk(600), index)
    lab.data = replace(lab.data, instruments=(held,))
    with pytest.raises(WrongInput, match="cannot be traded"):
        await lab.sweep(SweepSpec(lab.spec(), GRID))
    assert (lab.store.list(), lab.ran) == ([], 0)

"""Runs are kept whole, found again, and never half there."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import CatalogUnusable, DataUnavailable, WrongInput
from core.backtest.accounting import Equity, Fill, Position, Trade
from core.backtest.fingerprint import Fingerprint
from core.backtest.metrics import Metrics
from core.backtest.records import (
    ACCOUNTS,
    EQUITY,
    FILLS,
    ORDERS,
    POSITIONS,
    TRADES,
    Balance,
    Order,
)
from core.backtest.results import RunResult, RunStore, StoredRun
from core.backtest.run_files import Remarks
from core.backtest.run_index import Search
from core.backtest.spec import RunSpec
from core.backtest.tables import columns_of, write_columns, write_rows
from core.backtest.venues import VenueDetected

SPEC = RunSpec(
    "buy_and_hold",
    {},
    ("AAPL.NASDAQ",),
    start="2024-01-02",
    end="2024-01-03",
    cash="100000 USD",
)
METRICS = Metrics(
    start_equity=100.0,
    end_equity=110.0,
    total_return=0.1,
    benchmark_return=0.1,
    cagr=None,
    volatility=None,
    sharpe=None,
    sortino=None,
    max_drawdown=0.0,
    calmar=None,
    exposure=1.0,
    leverage=0.9,
    trades=0,
    open_trades=1,
    win_rate=None,
    profit_factor=None,
    expectancy=None,
    fees=1.0,
    rejected=0,
    bars=2,
    seconds=0.1,
    days=1,
    longest_drawdown=12_960_000_000_000_001,
)
FILL = Fill(1, "AAPL.NASDAQ", "O-1", 1.0, 100.0, 1.0)
OPEN_TRADE = Trade("AAPL.NASDAQ", "long", 1.0, 1, 100.0, None, None, 10.0, 1.0)
ORDER = Order(1, "AAPL.NASDAQ", "O-1", "BUY", "MARKET", 1.0, 1.0, 100.0, "FILLED", "")
POSITION = Position(1, "AAPL.NASDAQ", 1.0, 100.0, -1.0)
BALANCE = Balance(1, "NASDAQ-001", "USD", 99.0, 0.0)
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


EQUITY_OF_IT = Equity(
    np.array([1, 2]),
    np.array([100.0, 110.0]),
    np.array([100.0, 110.0]),
    np.array([0, 0]),
    np.array([100.0, 105.0]),
)
FINGERPRINT = Fingerprint("s", {"AAPL.NASDAQ": "d"}, "c", "2.0")


def keep_one(
    store: RunStore,
    now: datetime = NOW,
    spec: RunSpec = SPEC,
    metrics: Metrics = METRICS,
    sweep: str = "",
) -> StoredRun:
    staging = store.begin(now)
    write_columns(staging / EQUITY, columns_of(EQUITY_OF_IT))
    write_rows(staging / FILLS, Fill, [FILL])
    write_rows(staging / TRADES, Trade, [OPEN_TRADE])
    write_rows(staging / ORDERS, Order, [ORDER])
    write_rows(staging / POSITIONS, Position, [POSITION])
    write_rows(staging / ACCOUNTS, Balance, [BALANCE])
    venue = VenueDetected(venue="NASDAQ", source="instrument", instrument_id="AAPL.NASDAQ")
    result = RunResult(
        staging.name,
        "done",
        "t0",
        "t1",
        venues=(venue,),
        warnings=("a warning",),
        metrics=metrics,
        notes=("a note",),
        interval=(0, 2),
        fingerprint=FINGERPRINT,
        sweep=sweep,
    )
    return store.load(store.keep(staging, spec, result, [{"message": "hello"}]).run_id)


def test_a_kept_run_is_read_back_as_it_was(tmp_path: Path) -> None:
    kept = keep_one(RunStore(tmp_path))
    read = RunStore(tmp_path).load(kept.run_id)
    assert read.run_id.startswith("20240506-070809-")
    assert (read.spec, read.result) == (kept.spec, kept.result)
    assert read.result.venues[0].source == "instrument"
    assert read.metrics == METRICS
    assert (read.fills, read.trades, read.orders) == ((FILL,), (OPEN_TRADE,), (ORDER,))
    assert (read.positions, read.balances) == ((POSITION,), (BALANCE,))
    for name in ("ts", "value", "gross", "date", "benchmark"):
        assert getattr(read.equity, name).tolist() == getattr(EQUITY_OF_IT, name).tolist()
    assert read.log == ({"message": "hello"},)


def test_runs_are_listed_newest_first(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    assert store.list() == []
    first, second = keep_one(store), keep_one(store, NOW.replace(hour=8))
    assert [run.run_id for run in store.list()] == [second.run_id, first.run_id]


def test_runs_of_one_second_are_listed_in_the_order_they_began(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    began = [keep_one(store, NOW.replace(microsecond=at * 1000)).run_id for at in (7, 45, 999)]
    assert [run.run_id for run in store.list()] == began[::-1]


def test_the_index_follows_the_folders(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    first, second = keep_one(store), keep_one(store, NOW.replace(hour=8))
    assert [run.run_id for run in store.list()] == [second.run_id, first.run_id]
    (tmp_path / "index.sqlite").unlink()
    assert [run.run_id for run in store.list()] == [second.run_id, first.run_id]
    shutil.rmtree(tmp_path / first.run_id)
    assert [run.run_id for run in store.list()] == [second.run_id]


def test_a_damaged_index_is_built_again(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    kept = keep_one(store)
    (tmp_path / "index.sqlite").write_bytes(b"this is no database" * 100)
    assert [run.run_id for run in store.list()] == [kept.run_id]


def test_what_is_not_kept_is_not_listed_and_what_is_discarded_is_gone(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    staging = store.begin(NOW)
    assert store.list() == []
    store.discard(staging)
    assert not staging.exists()


def test_folders_of_dead_processes_are_swept(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    own = store.begin(NOW)
    ended = subprocess.Popen(["true"])
    ended.wait()
    orphan = own.parent.parent / str(ended.pid) / "20240101-000000-abcdef"
    orphan.mkdir(parents=True)
    store.begin(NOW)
    assert own.exists()
    assert not orphan.parent.exists()


def test_a_failed_run_is_kept_with_its_reason_and_has_no_figures(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    staging = store.begin(NOW)
    error = {"title": "it broke", "reason": "because", "steps": []}
    store.keep(staging, SPEC, RunResult(staging.name, "failed", "t0", "t1", error=error), [])
    read = store.load(store.list()[0].run_id)
    assert read.result.error == error
    assert len(read.equity.ts) == 0
    with pytest.raises(DataUnavailable, match="it broke"):
        _ = read.metrics


@pytest.mark.parametrize("run_id", ["nothing", "", "..", "../elsewhere", ".staging"])
def test_an_unknown_run_is_refused(tmp_path: Path, run_id: str) -> None:
    store = RunStore(tmp_path / "runs")
    kept = keep_one(store)
    with pytest.raises(WrongInput) as refusal:
        store.load(run_id)
    assert kept.run_id in refusal.value.reason


def test_a_damaged_run_is_told(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    kept = keep_one(store)
    (tmp_path / kept.run_id / FILLS).write_bytes(b"nonsense")
    with pytest.raises(DataUnavailable, match="cannot be read"):
        store.load(kept.run_id)
    assert [run.run_id for run in store.list()] == [kept.run_id]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(CatalogUnusable, match="cannot be stored"):
        RunStore(tmp_path / "runs").begin(NOW)
    assert (tmp_path / "runs").read_text() == "a file"


def test_runs_are_sorted_by_a_metric_best_first_and_those_without_it_last(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    figures = [(1.5, 0.2), (None, 0.1), (-0.5, 0.3), (2.5, 0.4)]
    runs = [
        keep_one(
            store, NOW.replace(hour=hour), metrics=replace(METRICS, sharpe=one, max_drawdown=fall)
        )
        for hour, (one, fall) in enumerate(figures)
    ]
    by_sharpe = [run.run_id for run in store.list(Search(sort="sharpe"))]
    assert by_sharpe == [runs[at].run_id for at in (3, 0, 2, 1)]
    by_drawdown = [run.run_id for run in store.list(Search(sort="max_drawdown", most=2))]
    assert by_drawdown == [runs[at].run_id for at in (1, 0)]
    with pytest.raises(WrongInput, match="no metric 'luck'") as refusal:
        store.list(Search(sort="luck"))
    assert "sortino" in refusal.value.reason


def test_runs_are_found_by_words_of_their_spec_notes_and_tags(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    plain = keep_one(store)
    swept = keep_one(
        store,
        NOW.replace(hour=8),
        RunSpec("sma_crossover", {"fast_period": 5}, ("EUR/USD.IDEALPRO",)),
        sweep="abc123",
    )
    store.remark(plain.run_id, lambda _: Remarks("Keep this one", ("quarterly",), starred=True))

    def found(search: Search) -> list[str]:
        return [run.run_id for run in store.list(search)]

    assert found(Search("crossover eur/usd")) == [swept.run_id]
    assert found(Search("crossover msft")) == []
    assert found(Search("keep QUARTERLY")) == [plain.run_id]
    assert found(Search("100%_")) == []
    assert found(Search(starred=True)) == [plain.run_id]
    assert found(Search(sweep="abc123")) == [swept.run_id]


def test_remarks_outlive_the_index(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    kept = keep_one(store)
    assert store.list()[0].remarks == Remarks()
    store.remark(kept.run_id, lambda now: replace(now, note="looks right", tags=("a", "b")))
    said = store.remark(kept.run_id, lambda now: replace(now, starred=True))
    assert said == Remarks("looks right", ("a", "b"), starred=True)
    assert store.list()[0].remarks == said
    (tmp_path / "index.sqlite").unlink()
    assert store.list()[0].remarks == said
    assert store.load(kept.run_id).remarks == said


def test_a_deleted_run_is_gone_with_its_files(tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    gone, stays = keep_one(store), keep_one(store, NOW.replace(hour=8))
    store.delete(gone.run_id)
    assert [run.run_id for run in store.list()] == [stays.run_id]
    assert not list(tmp_path.rglob(f"*{gone.run_id}*"))
    with pytest.raises(WrongInput):
        store.delete(gone.run_id)


def test_a_kept_run_was_on_the_disk_before_it_was_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every file and the folder are synced before the rename, the parent's names after it."""
    store = RunStore(tmp_path)
    done: list[str] = []
    sync, rename = os.fsync, Path.rename

    def note_sync(handle: int) -> None:
        done.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        sync(handle)

    def note_rename(path: Path, target: Path) -> Path:
        done.append("renamed")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", note_sync)
    monkeypatch.setattr(Path, "rename", note_rename)
    kept = keep_one(store)
    before, after = done[: done.index("renamed")], done[done.index("renamed") + 1 :]
    files = {path.name for path in (tmp_path / kept.run_id).iterdir()}
    assert set(before) == files | {kept.run_id}
    assert after == [tmp_path.name]

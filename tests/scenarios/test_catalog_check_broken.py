"""A catalog as it was found in the wild, with overlaps, doubled days and no instruments: checked,
mended and traded on, by commands."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from catalog.health import check
from catalog.repair import plan, repair
from catalog.series import Series
from catalog.store import Catalog
from catalog.trash import undo
from tests.outside import SHARED
from tests.scenarios.commands import Shell

BROKEN = SHARED / "data/trading_ntrader/broken_catalog"
AAPL_DAYS = Series.from_bar_type("AAPL.NASDAQ-1-DAY-LAST-EXTERNAL")

pytestmark = pytest.mark.skipif(not BROKEN.exists(), reason="the broken catalog is not here")


def kinds(findings: list[dict[str, object]], subject: str) -> set[object]:
    return {one["kind"] for one in findings if str(one["subject"]).startswith(subject)}


def test_a_catalog_from_the_wild_is_checked_mended_and_traded_on(
    gateway_port: int, tmp_path: Path
) -> None:
    root = tmp_path / "home" / "catalog"
    shutil.copytree(BROKEN, root)
    shell = Shell(tmp_path / "home", gateway_port)

    checked = shell.run("catalog", "check", "--json")
    findings = checked.summary["findings"]
    assert checked.code == 4
    assert kinds(findings, "AAPL") == {"legacy", "overlap", "orphan", "stale"}
    assert kinds(findings, "MSFT") == kinds(findings, "GOOGL") == {"legacy", "orphan", "stale"}
    (overlap,) = [one for one in findings if one["kind"] == "overlap"]
    assert overlap["count"] == 9
    assert "share 9 bars" in overlap["detail"]

    repaired = shell.run("catalog", "repair", "--yes", "--json")
    assert (repaired.code, repaired.summary["failed"]) == (0, 0)
    told = {one["series"]: one for one in repaired.told("series_mended")}
    assert told["AAPL.NASDAQ 1-DAY-LAST"]["bars"] == 30
    assert told["AAPL.NASDAQ 1-DAY-LAST"]["dropped"] == 9

    backfilled = shell.run("catalog", "backfill", "--json")
    assert backfilled.code == 0, backfilled.err
    assert set(backfilled.summary["stored"]) == {"AAPL.NASDAQ", "MSFT.NASDAQ", "GOOGL.NASDAQ"}

    left = check(root, now_ns=time.time_ns())
    assert {finding.kind for finding in left.findings} == {"stale"}
    assert {finding.mend for finding in left.findings} == {"quarterdeck update"}

    mended = Catalog.open(root).read_bars(AAPL_DAYS)
    assert len(set(mended.ts.tolist())) == len(mended) == 30

    run = shell.run(
        *("backtest", "run", "buy_and_hold", "--instrument", "AAPL.NASDAQ"),
        *("--bars", "1-DAY-LAST", "--start", "2023-12-15", "--end", "2024-01-30"),
        *("--source", "catalog", "--json"),
    )
    assert run.code == 0, run.err
    assert run.summary["metrics"]["bars"] == 30
    assert run.summary["synthetic"] is False


def test_without_yes_a_repair_only_shows_its_steps(tmp_path: Path) -> None:
    root = tmp_path / "home" / "catalog"
    shutil.copytree(BROKEN, root)
    before = sorted(root.rglob("*.parquet"))
    shown = Shell(tmp_path / "home", 4002).run("catalog", "repair")
    assert shown.code == 0
    assert "AAPL.NASDAQ-1-DAY-LAST-EXTERNAL: gather all its bars" in shown.out
    assert "3 steps, done with: quarterdeck catalog repair --yes" in shown.out
    assert sorted(root.rglob("*.parquet")) == before


def test_undo_gives_back_the_catalog_from_the_wild_bit_for_bit(tmp_path: Path) -> None:
    root = tmp_path / "catalog"
    shutil.copytree(BROKEN, root)
    Catalog.open(root).close()
    steps = plan(check(root, now_ns=time.time_ns()).findings)
    assert repair(root, steps) == 0
    assert not list((root / "data" / "bar").rglob("*.parquet"))
    for _ in steps:
        undo(root)
    originals = {path.relative_to(BROKEN): path for path in BROKEN.rglob("*.parquet")}
    assert {path.relative_to(root) for path in (root / "data").rglob("*.parquet")} == set(originals)
    for place, original in originals.items():
        assert (root / place).read_bytes() == original.read_bytes()

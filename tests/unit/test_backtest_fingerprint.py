"""What a run stood on: bars, definitions, sources."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from catalog import files
from catalog.files import Asked
from catalog.layout import file_name, series_folder
from core.backtest.data import InstrumentData, RunData
from core.backtest.fingerprint import data_hashes, source_hash
from tests.scenarios import backtest_bars as market


def signed(root: Path, count: int, definition: market.Definition | None) -> InstrumentData:
    """An instrument with the first `count` minutes of a walk, in a file with a footer of ours."""
    held = market.instrument(root / "unsigned", market.walk(10), market.equity())
    bars, series = market.walk(10).take(slice(0, count)), held.series[0]
    path = root / series_folder(series) / file_name(int(bars.ts[0]), int(bars.ts[-1]))
    path.parent.mkdir(parents=True, exist_ok=True)
    asked = Asked(((int(bars.ts[0]), int(bars.ts[-1])),), "regular", 1, "simulated", "now")
    files.write(path, series, bars, asked)
    return replace(held, definition=definition, files=(path,))


def test_a_whole_file_is_taken_by_its_footer_and_a_part_by_its_bars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interval = (market.START, market.START + 6 * market.MINUTE)
    longer = data_hashes(RunData((signed(tmp_path / "a", 10, None),), interval))
    exact = RunData((signed(tmp_path / "b", 6, None),), interval)
    monkeypatch.setattr(files, "read_between", None)  # not called: the footer says it
    assert data_hashes(exact) == longer


def test_definitions_count_but_not_when_they_were_fetched(tmp_path: Path) -> None:
    def hashes(definition: market.Definition | None) -> dict[str, str]:
        interval = (market.START, market.START + 6 * market.MINUTE)
        return data_hashes(RunData((signed(tmp_path, 6, definition),), interval))

    known = hashes(market.equity())
    assert hashes(market.equity(ts_init=5, ts_event=5, info={"trading_hours": "x"})) == known
    assert hashes(market.equity(price_increment="0.05")) != known
    assert "AAPL.NASDAQ" not in hashes(None)


def test_every_source_file_of_a_class_counts_and_all_it_imports_from_folders_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    (mine := tmp_path / "mine").mkdir()
    monkeypatch.syspath_prepend(elsewhere)
    monkeypatch.syspath_prepend(mine)
    (elsewhere / "below_it.py").write_text("class Below: pass\n")
    (elsewhere / "beside_it.py").write_text("ANY = 1\n")
    (mine / "rules_for_it.py").write_text("LENGTH = 1\n")
    (mine / "on_it.py").write_text(
        "import beside_it, rules_for_it\nfrom below_it import Below\nclass On(Below): pass\n"
    )

    def hashed() -> str:
        for name in ("on_it", "below_it", "beside_it", "rules_for_it"):
            sys.modules.pop(name, None)
        return source_hash((mine,), __import__("on_it").On, None)

    first = hashed()
    (elsewhere / "beside_it.py").write_text("ANY = 2\n")
    (mine / "not_imported.py").write_text("LENGTH = 1\n")
    assert hashed() == first
    (elsewhere / "below_it.py").write_text("class Below: another = 1\n")
    second = hashed()
    assert second != first
    (mine / "rules_for_it.py").write_text("LENGTH = 2\n")
    assert hashed() != second

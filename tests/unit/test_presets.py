"""Presets of runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.errors import DataUnavailable, WrongInput
from core.backtest.presets import Presets
from core.backtest.spec import RunSpec

FAST = RunSpec("sma_crossover", {"fast_period": 3}, ("AAPL",), start="2024-01-02", end="2024-02-02")


def test_presets_are_kept_by_name_replaced_and_dropped(tmp_path: Path) -> None:
    presets = Presets(tmp_path / "home" / "presets.json")
    assert presets.all() == {}
    presets.keep("fast", FAST)
    presets.keep("other", RunSpec("buy_and_hold"))
    presets.keep("fast", RunSpec("sma_crossover", {"fast_period": 4}))
    assert list(presets.all()) == ["fast", "other"]
    assert Presets(tmp_path / "home" / "presets.json").all()["fast"].parameters == {
        "fast_period": 4
    }
    presets.drop("fast")
    assert list(presets.all()) == ["other"]
    with pytest.raises(WrongInput, match="no preset 'fast'"):
        presets.drop("fast")


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', '{"a": {"strategy": "b"}}'])
def test_a_damaged_file_of_presets_is_told_and_left_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "presets.json"
    file.write_text(content)
    with pytest.raises(DataUnavailable, match="presets cannot be read"):
        Presets(file).keep("fast", FAST)
    assert file.read_text() == content

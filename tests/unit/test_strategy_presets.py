"""Presets: kept as typed, per strategy, in a file a person can read."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from catalog.errors import WrongInput
from core.strategies.presets import Presets


def test_a_preset_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    presets = Presets(tmp_path / "home" / "presets.toml")
    values = {"fast_period": 5, "threshold": 0.25, "trade_size": Decimal("0.10"), "loud": True}
    presets.save("sma_crossover", "quick", values)
    presets.save("my_file:Touch", "other one", {"label": 'a "quoted" word', "absent": None})
    again = Presets(presets.file)
    assert again.load("sma_crossover", "quick") == {**values, "trade_size": "0.10"}
    assert again.of("my_file:Touch") == {"other one": {"label": 'a "quoted" word'}}
    assert again.of("buy_and_hold") == {}


def test_saving_again_replaces_and_deleting_forgets(tmp_path: Path) -> None:
    presets = Presets(tmp_path / "presets.toml")
    presets.save("sma_crossover", "quick", {"fast_period": 5, "slow_period": 9})
    presets.save("sma_crossover", "quick", {"fast_period": 7})
    assert presets.load("sma_crossover", "quick") == {"fast_period": 7}
    presets.delete("sma_crossover", "quick")
    with pytest.raises(WrongInput, match="no preset 'quick'"):
        presets.load("sma_crossover", "quick")
    with pytest.raises(WrongInput):
        presets.delete("sma_crossover", "quick")


def test_what_a_person_wrote_into_the_file_stays(tmp_path: Path) -> None:
    file = tmp_path / "presets.toml"
    file.write_text("# mine\n[sma_crossover.slow]\nslow_period = 200 # trading days\n")
    Presets(file).save("sma_crossover", "quick", {"fast_period": 5})
    text = file.read_text()
    assert "# mine" in text and "# trading days" in text
    assert Presets(file).load("sma_crossover", "slow") == {"slow_period": 200}


def test_a_file_that_is_none_is_told(tmp_path: Path) -> None:
    file = tmp_path / "presets.toml"
    file.write_text("[sma_crossover\n")
    with pytest.raises(WrongInput, match="presets cannot be read"):
        Presets(file).of("sma_crossover")
    assert file.read_text() == "[sma_crossover\n"

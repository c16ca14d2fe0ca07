"""Presets: kept as typed, per strategy, in a file a person can read."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from catalog.errors import WrongInput
from catalog.series import BarSpec
from core.backtest.presets import Preset, Presets
from core.backtest.spec import RunSpec

RUN = RunSpec(
    "sma_crossover",
    {"fast_period": 3, "slow_period": None},
    ("AAPL", "MSFT"),
    BarSpec(5, "MINUTE"),
    "2024-01-02",
    "2024-02-02",
    leverage=2.0,
)


def test_parameters_come_back_as_they_were_saved(tmp_path: Path) -> None:
    presets = Presets(tmp_path / "home" / "presets.toml")
    values = {"fast_period": 5, "threshold": 0.25, "trade_size": Decimal("0.10"), "loud": True}
    presets.save("sma_crossover", "quick", Preset(values))
    presets.save("my_file:Touch", "other one", Preset({"label": 'a "quoted" word', "absent": None}))
    again = Presets(presets.file)
    assert again.load("sma_crossover", "quick") == Preset({**values, "trade_size": "0.10"})
    assert again.of("my_file:Touch") == {"other one": Preset({"label": 'a "quoted" word'})}
    assert again.of("buy_and_hold") == {}


def test_a_whole_run_comes_back_and_what_is_given_beside_it_goes_before(tmp_path: Path) -> None:
    presets = Presets(tmp_path / "presets.toml")
    presets.save("sma_crossover", "slow one", Preset.of(RUN))
    kept = presets.load("sma_crossover", "slow one")
    whole = kept.applied(RunSpec("sma_crossover"))
    assert (whole.instruments, whole.bars, whole.leverage) == (RUN.instruments, RUN.bars, 2.0)
    assert whole.parameters == {"fast_period": 3}
    typed = RunSpec("sma_crossover", {"slow_period": "9"}, ("IBM",), end="2025-01-01")
    mixed = kept.applied(typed, {"instruments", "end"})
    assert mixed.instruments == ("IBM",)
    assert (mixed.start, mixed.end) == ("2024-01-02", "2025-01-01")
    assert mixed.parameters == {"fast_period": 3, "slow_period": "9"}


def test_saving_again_replaces_and_deleting_forgets(tmp_path: Path) -> None:
    presets = Presets(tmp_path / "presets.toml")
    presets.save("sma_crossover", "quick", Preset.of(RUN))
    presets.save("sma_crossover", "quick", Preset({"fast_period": 7}))
    assert presets.load("sma_crossover", "quick") == Preset({"fast_period": 7})
    presets.delete("sma_crossover", "quick")
    with pytest.raises(WrongInput, match="no preset 'quick'"):
        presets.load("sma_crossover", "quick")
    with pytest.raises(WrongInput):
        presets.delete("sma_crossover", "quick")


def test_what_a_person_wrote_into_the_file_stays(tmp_path: Path) -> None:
    file = tmp_path / "presets.toml"
    file.write_text("# mine\n[sma_crossover.slow]\nslow_period = 200 # trading days\n")
    Presets(file).save("sma_crossover", "quick", Preset.of(RUN))
    text = file.read_text()
    assert "# mine" in text and "# trading days" in text
    assert Presets(file).load("sma_crossover", "slow") == Preset({"slow_period": 200})


def test_runs_that_were_kept_in_a_file_of_their_own_move_over_without_loss(tmp_path: Path) -> None:
    file, old = tmp_path / "presets.toml", tmp_path / "presets.json"
    file.write_text("[sma_crossover.slow]\nslow_period = 200\n")
    old.write_text(json.dumps({"slow": RUN.to_json(), "hold": RunSpec("buy_and_hold").to_json()}))
    presets = Presets(file, old)
    before = presets.of("sma_crossover"), presets.of("buy_and_hold")
    assert before[0]["slow"] == Preset({"slow_period": 200})
    assert before[0]["slow (run)"].applied(RunSpec("")).instruments == RUN.instruments
    presets.save("rsi", "mine", Preset({}))
    assert not old.exists()
    assert (presets.of("sma_crossover"), presets.of("buy_and_hold")) == before


@pytest.mark.parametrize(
    "content",
    [
        "[sma_crossover\n",
        "[sma_crossover.quick.run-terms]\nspeed = 3\n",
        '[sma_crossover.quick.run-terms]\nwarm_up = "20"\n',
        '[sma_crossover.quick.run-terms]\nbars = "1-EON"\n',
    ],
)
def test_a_file_that_is_none_is_told_and_left_alone(tmp_path: Path, content: str) -> None:
    file = tmp_path / "presets.toml"
    file.write_text(content)
    with pytest.raises(WrongInput, match="presets cannot be read"):
        Presets(file).of("sma_crossover")
    assert file.read_text() == content


@pytest.mark.parametrize("content", ["{", "[]", '{"a": 1}', '{"a": {"strategy": "b"}}'])
def test_a_damaged_file_of_old_is_told_and_left_alone(tmp_path: Path, content: str) -> None:
    old = tmp_path / "presets.json"
    old.write_text(content)
    with pytest.raises(WrongInput, match="presets cannot be read"):
        Presets(tmp_path / "presets.toml", old).save("sma_crossover", "quick", Preset({}))
    assert old.read_text() == content

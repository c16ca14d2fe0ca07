"""Strategies in files of the user's: found, described and set."""

from __future__ import annotations

import os
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from catalog.errors import QuarterdeckError, WrongInput
from catalog.series import BarSpec
from core.strategies.library import Library
from tests.scenarios.user_strategies import PLAIN, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "mine", "touching", PLAIN)
    return tmp_path / "mine"


def test_a_file_is_described_without_being_imported_here(folder: Path) -> None:
    library = Library([folder])
    info = library.find("touching")
    assert (info.name, info.summary) == ("touching:Touch", "Buys once above the average.")
    assert info.file == folder / "touching.py"
    assert "touching" not in sys.modules
    told = {each.name: (each.type, each.default) for each in info.parameters}
    assert told == {
        "instrument_id": ("instrument", None),
        "bar_type": ("bar type", None),
        "period": ("int", 3),
        "size": ("decimal", Decimal(10)),
        "share": ("float", 0.5),
        "mood": ("choice", "CALM"),
        "side": ("choice", "BUY"),
        "pace": ("choice", "slow"),
        "label": ("str", "x"),
        "loud": ("bool", False),
        "ceiling": ("float", None),
    }
    period = next(each for each in info.parameters if each.name == "period")
    assert (period.doc, period.at_least, period.at_most) == ("Bars in the average.", 2, 50)
    mood = next(each for each in info.parameters if each.name == "mood")
    assert mood.choices == ("CALM", "WILD")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"period": "1"}, "at least 2"),
        ({"period": "2.5"}, "whole number"),
        ({"mood": "ANGRY"}, "one of CALM, WILD"),
        ({"loud": "perhaps"}, "true or false"),
        ({"perido": 5}, "parameters are period"),
    ],
)
def test_values_are_checked_as_one_types(
    folder: Path, given: dict[str, object], words: str
) -> None:
    with pytest.raises(WrongInput) as refusal:
        Library([folder]).read("touching", given)
    assert words in refusal.value.reason


def test_too_few_instruments_are_refused(folder: Path) -> None:
    with pytest.raises(WrongInput, match="trades 2 instruments together"):
        Library().check("pairs_spread", {}, 1, BarSpec(1, "MINUTE"))


def test_a_configuration_that_refuses_its_values_is_told_before_the_run(folder: Path) -> None:
    write(
        folder,
        "picky",
        """
        from dataclasses import dataclass
        from nautilus_trader.trading import Strategy, StrategyConfig

        @dataclass(kw_only=True)
        class PickyConfig(StrategyConfig):
            low: int = 1
            high: int = 2

            def __post_init__(self):
                if self.low >= self.high:
                    raise ValueError("low must stay below high")

        class Picky(Strategy):
            def __init__(self, config: PickyConfig):
                super().__init__(config)
        """,
    )
    library = Library([folder])
    library.check("picky", {"high": 9}, 1, BarSpec(1, "MINUTE"))
    with pytest.raises(WrongInput) as refusal:
        library.check("picky", {"low": 5}, 1, BarSpec(1, "MINUTE"))
    first, place = refusal.value.reason.splitlines()
    assert first == "ValueError: low must stay below high"
    assert place.endswith('in __post_init__: raise ValueError("low must stay below high")')


def test_a_changed_file_is_read_again_and_an_unchanged_one_is_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library([folder])
    before = library.find("touching")
    monkeypatch.setattr("catalog.workers.run_blocking", lambda *_, **__: pytest.fail("imported"))
    assert library.find("touching") is before
    monkeypatch.undo()
    file = folder / "touching.py"
    file.write_text(file.read_text().replace("period: int", "length: int"))
    os.utime(file, ns=(1, 1))
    assert "length" in [each.name for each in library.find("touching").parameters]


BROKEN = {
    "bad_syntax": ("def oops(:\n", "SyntaxError"),
    "raises": ("\nvalue = {}['key']\n", "KeyError: 'key'"),
    "lacks": ("import no_such_module\n", "No module named 'no_such_module'"),
    "leaves": ("import os\nos._exit(3)\n", "exit code 3"),
    "unknown_type": (PLAIN.replace("period: int", "period: 'Absent'"), "name 'Absent' is not"),
    "empty": ("x = 1\n", "defines no strategy"),
    "json": (PLAIN, "a module of this name is there already"),
    "core": (PLAIN, "a module of this name is there already"),
}


def test_broken_files_are_listed_with_their_error_beside_the_sound_ones(folder: Path) -> None:
    for name, (source, _) in BROKEN.items():
        write(folder, name, source)
    write(folder, "test_touching", "raise AssertionError('tests are not imported')")
    listed = Library([folder, folder / "nowhere"]).list()
    errors = {info.name: info.error for info in listed if info.error}
    assert errors.keys() == {*BROKEN, str(folder / "nowhere")}
    for name, (_, words) in BROKEN.items():
        assert words in errors[name], name
    assert "touching:Touch" in [info.name for info in listed if not info.error]
    assert f"{folder}/bad_syntax.py, line 1: def oops(:" in errors["bad_syntax"]
    assert "raises.py, line 2, in <module>: value = {}['key']" in errors["raises"]


def test_a_name_that_none_has_is_answered_with_the_nearest(folder: Path) -> None:
    with pytest.raises(WrongInput) as refusal:
        Library([folder]).find("sma_crosover")
    assert refusal.value.reason.startswith("the strategies are sma_crossover, ")
    with pytest.raises(QuarterdeckError, match="no module 'nothing'"):
        Library([folder]).find("nothing:Here")

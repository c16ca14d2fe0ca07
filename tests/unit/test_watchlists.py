"""Lists of ids by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.errors import WrongInput
from core.settings import Settings
from core.watchlists import expand

LISTS = {"tech": ("AAPL", "MSFT"), "empty": ()}


def test_a_list_stands_for_its_ids_each_once_and_in_order() -> None:
    assert expand(["IBM", "@tech", "AAPL"], LISTS) == ("IBM", "AAPL", "MSFT")


def test_a_file_has_one_id_a_line_and_comments(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("AAPL\n\n# energy\nXOM  # dividends\nEUR/USD\n")
    assert expand([f"@{file}"], {}) == ("AAPL", "XOM", "EUR/USD")


@pytest.mark.parametrize("typed", ["@nosuch", "@empty", "@/", "@"])
def test_a_list_that_there_is_not_is_told_with_those_there_are(typed: str) -> None:
    with pytest.raises(WrongInput) as refused:
        expand([typed], LISTS)
    assert refused.value.exit_code == 2
    assert refused.value.steps


def test_the_settings_hold_lists(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('on_job_end = "true"\n[watchlists]\ntech = ["AAPL", "MSFT"]\n')
    settings = Settings.load(file)
    assert (settings.watchlists, settings.on_job_end) == ({"tech": ("AAPL", "MSFT")}, "true")


@pytest.mark.parametrize(
    "wrong", ['[watchlists]\ntech = "AAPL"', "watchlists = 1", "on_job_end = 1"]
)
def test_lists_that_are_none_are_told_by_key(tmp_path: Path, wrong: str) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(wrong)
    with pytest.raises(WrongInput, match=r"watchlists|on_job_end"):
        Settings.load(file)

"""Settings as they are typed; the last good ones where the file is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog.errors import WrongInput
from core.preferences import change_setting, keep_as_good, load_or_last_good
from core.settings import Home, Settings


@pytest.mark.parametrize(
    ("keys", "text", "value"),
    [
        (("theme",), "quarterdeck-light", "quarterdeck-light"),
        (("zone",), "Europe/London", "Europe/London"),
        (("fees",), "per_contract:1.2", "per_contract:1.2"),
        (("workers",), "4", 4),
        (("low_bandwidth",), "yes", True),
        (("keys", "catalog.fetch"), "ctrl+f", "ctrl+f"),
        (("watchlists", "tech"), "AAPL, MSFT", ("AAPL", "MSFT")),
        (("profiles", "demo", "port"), "4011", 4011),
    ],
)
def test_what_is_typed_is_read_back_and_empty_is_the_default(
    tmp_path: Path, keys: tuple[str, ...], text: str, value: object
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("# mine\n")
    change_setting(file, keys, text)

    def read() -> object:
        found: object = Settings.load(file)
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else getattr(found, key)
        return found

    assert read() == value
    assert file.read_text().startswith("# mine\n")
    change_setting(file, keys, "")
    assert read() != value


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (("zone",), "Mars/Base"),
        (("workers",), "0"),
        (("charts",), "crayons"),
        (("fees",), "free"),
        (("low_bandwidth",), "maybe"),
        (("profiles", "demo", "port"), "99999"),
    ],
)
def test_what_does_not_fit_is_refused_and_the_file_stays(
    tmp_path: Path, keys: tuple[str, ...], text: str
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text('theme = "nord"\n')
    with pytest.raises(WrongInput, match=keys[-1]):
        change_setting(file, keys, text)
    assert file.read_text() == 'theme = "nord"\n'


def test_the_last_good_settings_stand_in_for_broken_ones(tmp_path: Path) -> None:
    home = Home.find(tmp_path)
    home.create()
    home.settings_file.write_text('\nzone = "Europe/London"\n')
    assert load_or_last_good(home)[1] is None
    keep_as_good(home)
    home.settings_file.write_text('\nzone = "Mars/Base"\n')
    settings, problem = load_or_last_good(home)
    assert settings.zone == "Europe/London"
    assert problem is not None and "line 2: zone: " in problem.reason


def test_broken_settings_without_good_ones_are_an_error(tmp_path: Path) -> None:
    home = Home.find(tmp_path)
    home.create()
    home.settings_file.write_text("theme = ")
    with pytest.raises(WrongInput, match="cannot be read"):
        load_or_last_good(home)

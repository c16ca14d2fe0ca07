"""The settings file: what is wrong in it is told by line; what we change leaves the rest alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import tomlkit

from catalog.errors import CatalogUnusable, WrongInput
from core.profiles import add_profile, edit_profile, read_field, remove_profile, use_profile
from core.settings import BUILT_IN, Settings, line_of

MINE = """\
# my settings
on_job_end = "notify-send done"  # a bell

[watchlists]
tech = [
    "AAPL",  # apple
    "MSFT",
]

[profiles.work]  # the box downstairs
host = "10.0.0.5"
port = 4001
live = true
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "settings.toml"
    file.write_text(MINE)
    return file


def test_a_missing_file_is_no_error(tmp_path: Path) -> None:
    settings = Settings.load(tmp_path / "settings.toml")
    assert settings.choose(None) == BUILT_IN["paper-gateway"]
    assert settings.profiles == BUILT_IN


def test_what_the_file_says_lies_over_what_is_built_in(file: Path) -> None:
    file.write_text(MINE + "\n[profiles.live-tws]\nclient_id = 7\n")
    settings = Settings.load(file)
    assert settings.watchlists == {"tech": ("AAPL", "MSFT")}
    assert (settings.choose("work").port, settings.choose("work").live) == (4001, True)
    tws = settings.choose("live-tws")
    assert (tws.port, tws.live, tws.client_id) == (7496, True, 7)


@pytest.mark.parametrize(
    ("wrong", "line", "words"),
    [
        (
            '[profiles.work]\nhost = "x"\nport = 70000',
            3,
            "profiles.work.port: Input should be less",
        ),
        ('[profiles.work]\n\n# why\n"port" = "many"', 4, "profiles.work.port"),
        ("[profiles]\nwork.port = 0", 2, "profiles.work.port"),
        ('profiles."work".client_id = -1', 1, "profiles.work.client_id"),
        ("profiles = 7", 1, "profiles"),
        ("[profiles]\nwork = 7", 2, "profiles.work"),
        ("\n[profiles.work]\nhots = 1", 3, "there is no setting 'hots'"),
        ("speed = 9", 1, "there is no setting 'speed'"),
        ('[watchlists]\ntech = ["A", 7]', 2, "watchlists.tech.1"),
        ("profile = [1]", 1, "profile"),
        ("on_job_end = 1", 1, "on_job_end"),
        ("a = 1\nb = = 2", 2, "at line 2"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_key(
    tmp_path: Path, wrong: str, line: int, words: str
) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(wrong)
    with pytest.raises(WrongInput) as refused:
        Settings.load(file)
    assert str(file) in refused.value.reason
    assert f"line {line}" in refused.value.reason
    assert words in refused.value.reason
    assert refused.value.steps


def test_a_key_that_is_not_there_is_on_no_line() -> None:
    assert line_of("[a]\nb = 1", ("c",)) is None
    assert line_of("[a]\nb = 1", ("a", "x")) == 1


def test_profiles_are_made_changed_switched_and_removed(file: Path) -> None:
    made = add_profile(file, "desk", {"port": 4444, "client_id": None, "host": None})
    assert (made.name, made.host, made.port) == ("desk", "127.0.0.1", 4444)
    assert edit_profile(file, "desk", {"client_id": 9, "catalog": Path("/data/c")}).client_id == 9
    assert edit_profile(file, "desk", {"client_id": None}).client_id is None
    assert use_profile(file, "desk").name == "desk"
    settings = Settings.load(file)
    assert settings.choose(None) == settings.profiles["desk"]
    assert settings.profiles["desk"].catalog == Path("/data/c")
    with pytest.raises(WrongInput, match="in use"):
        remove_profile(file, "desk")
    use_profile(file, "demo")
    assert remove_profile(file, "desk")
    assert "desk" not in Settings.load(file).profiles


def test_the_users_own_lines_stay_as_they_are(file: Path) -> None:
    use_profile(file, "work")
    edit_profile(file, "work", {"port": 4002})
    edit_profile(file, "live-tws", {"client_id": 3})
    remove_profile(file, "live-tws")
    text = file.read_text()
    changed = MINE.replace("4001", "4002")
    assert text.replace('profile = "work"\n', "").rstrip() == changed.rstrip()
    assert tomlkit.parse(text)["profile"] == "work"


def test_a_built_in_profile_can_be_changed_and_put_back_but_not_removed(file: Path) -> None:
    assert edit_profile(file, "paper-tws", {"port": 7777}).port == 7777
    assert not remove_profile(file, "paper-tws")
    assert Settings.load(file).profiles["paper-tws"] == BUILT_IN["paper-tws"]
    with pytest.raises(WrongInput, match="built in"):
        remove_profile(file, "paper-tws")


@pytest.mark.parametrize(
    ("name", "values"),
    [("work", {}), ("demo", {}), ("a b", {}), ("", {}), ("x.y", {}), ("new", {"port": 0})],
)
def test_what_cannot_be_made_changes_nothing(
    file: Path, name: str, values: dict[str, object]
) -> None:
    with pytest.raises(WrongInput) as refused:
        add_profile(file, name, values)
    assert refused.value.steps
    assert file.read_text() == MINE
    for change in (edit_profile, lambda file, name, _: use_profile(file, name)):
        with pytest.raises(WrongInput, match="There is no profile"):
            change(file, "nobody", {})


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("host", "box.example", "box.example"),
        ("host", "fe80::1%eth0", "fe80::1%eth0"),
        ("port", "4002", 4002),
        ("client_id", "", None),
        ("timeout", "2.5", 2.5),
        ("catalog", "/data/office", Path("/data/office")),
    ],
)
def test_a_field_is_read_as_it_is_typed(field: str, text: str, value: object) -> None:
    assert read_field(field, text) == value


@pytest.mark.parametrize(
    ("field", "text"),
    [
        ("host", "10.0.0.5:4002"),
        ("host", "two words"),
        ("port", "0"),
        ("client_id", "-1"),
        ("timeout", "soon"),
    ],
)
def test_a_field_that_does_not_fit_is_told(field: str, text: str) -> None:
    with pytest.raises(WrongInput, match="cannot be"):
        read_field(field, text)


def test_a_file_that_is_wrong_already_is_not_written_over(file: Path) -> None:
    file.write_text("[profiles.work]\nport = 0\n")
    with pytest.raises(WrongInput, match="line 2"):
        edit_profile(file, "demo", {"port": 4011})
    assert file.read_text() == "[profiles.work]\nport = 0\n"


def test_a_link_to_the_file_stays_a_link_and_its_permissions_stay(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "quarterdeck.toml"
    real.parent.mkdir()
    real.write_text(MINE)
    real.chmod(0o600)
    link = tmp_path / "settings.toml"
    link.symlink_to(real)
    use_profile(link, "demo")
    assert link.is_symlink()
    assert 'profile = "demo"' in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert {one.name for one in real.parent.iterdir()} <= {real.name, "quarterdeck.lock"}


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "settings.lock").mkdir()
    with pytest.raises(CatalogUnusable) as refused:
        use_profile(tmp_path / "settings.toml", "demo")
    assert "settings" in refused.value.reason
    assert not (tmp_path / "settings.toml").exists()


def test_a_profile_of_defaults_only_is_one(tmp_path: Path) -> None:
    add_profile(tmp_path / "settings.toml", "plain", {})
    assert Settings.load(tmp_path / "settings.toml").choose("plain").port == 4002

"""Every key can be another one; what cannot be is told with its line, and the last good is used."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path

import pytest
from textual.binding import Binding, BindingsMap

import tui
from core.home import Home
from core.options import Options
from core.workspace import Workspace
from tests.tui.conftest import NOW
from tests.tui.deck import Deck, deck
from tui.app import QuarterdeckApp
from tui.remapping import faults, load_settings, named_keys


def keys_there_are() -> list[tuple[str, Binding]]:
    """The keys of every class of ours, also of one that the program does not know to have any."""
    modules = [
        importlib.import_module(one.name) for one in pkgutil.walk_packages(tui.__path__, "tui.")
    ]
    kinds = {kind for module in modules for kind in vars(module).values() if isinstance(kind, type)}
    return [
        (kind.__name__, binding)
        for kind in kinds
        if kind.__module__.startswith("tui.")
        for binding in vars(kind).get("BINDINGS", ())
    ]


def test_every_key_there_is_can_be_another_one() -> None:
    found, names = keys_there_are(), named_keys()
    assert len(found) > 100
    for place, binding in found:
        told = f"{place} {binding}"
        assert binding.description, f"the help does not tell {told}"
        assert binding.id in names, f"the settings do not know {told}"
        assert set(binding.key.split(",")) <= set(names[binding.id].keys), told
        there = BindingsMap([binding])
        there.apply_keymap({binding.id: "f12"})
        assert list(there.key_to_bindings) == ["f12"], told
        assert [fault.reason for fault in faults({binding.id: "f12"})] == [], told


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        ({"catalog.fech": "g"}, "there is no key of that name"),
        ({"catalog.fetch": "f,ctrlf"}, "'f,ctrlf' is no key"),
        ({"catalog.fetch": ","}, "',' is no key"),
        ({"catalog.fetch": "ctrl+f,u"}, "'u' is the key of catalog.update"),
        ({"catalog.fetch": "?"}, "'?' is the key of app.help"),
        ({"backtest.note": "e"}, "'e' is the key of backtest.edit"),
        ({"table.mark": "x"}, "'x' is the key of"),
        ({"app.quit": "f"}, "'f' is the key of"),
        ({"chart.closer": "i"}, "'i' is the key of chart.next_market"),
    ],
)
def test_a_key_that_cannot_be_is_told(chosen: dict[str, str], reason: str) -> None:
    (fault,) = faults(chosen)
    assert fault.name in chosen and fault.reason.startswith(reason)


@pytest.mark.parametrize(
    "chosen",
    [
        {"catalog.fetch": "u", "catalog.update": "f"},  # they change places
        {"catalog.fetch": "f,ctrl+f"},
        {"screen.back": "escape,ctrl+g"},  # escape is that of a list as well, as it always was
        {"confirm.yes": "f"},  # no key of the app or of a screen works in a dialog
    ],
)
def test_a_key_that_does_one_thing_in_each_place_is_good(chosen: dict[str, str]) -> None:
    assert list(faults(chosen)) == []


def test_without_good_ones_of_before_the_keys_are_the_usual_ones(tmp_path: Path) -> None:
    home = Home.find(tmp_path)
    home.create()
    home.settings_file.write_text('zone = "Europe/London"\n[keys]\n"table.mark" = "nothing"\n')
    settings, problem = load_settings(home)
    assert settings.zone == "Europe/London" and settings.keys == {}
    assert problem is not None and "line 3: keys.table.mark: 'nothing' is no key" in problem.reason


async def test_a_clash_is_told_with_its_line_and_the_last_good_keys_are_used(
    tmp_path: Path,
) -> None:
    file = tmp_path / "settings.toml"
    options = Options(profile="demo", home=tmp_path, port=1, now=NOW, last_good=True)
    good, clash = '"app.settings" = "ctrl+o"', '"connection.ping" = "c"'
    for text, told in ((good, ""), (f"{good}\n{clash}", "line 3: keys.connection.ping: 'c' is")):
        file.write_text(f"[keys]\n{text}\n")
        app = QuarterdeckApp(lambda: Workspace.open(options), title_profile="demo")
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            shown = Deck(app, pilot)
            await shown.shows("─ Session ", *told.split())  # it wraps where the path is long
            await shown.until(lambda app=app: bool(app._keymap))
            await shown.press("ctrl+o")
            await shown.shows("─ Settings: ")


async def test_keys_of_dialogs_and_lists_are_moved_and_told_where_they_work(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text(
        '[keys]\n"profiles.edit" = "ctrl+e"\n"list.down" = "ctrl+n"\n"app.help" = "f12"\n'
    )
    async with deck(tmp_path, size=(120, 50)) as shown:
        await shown.shows("f12 help")
        await shown.press("p")
        await shown.shows("─ Profiles ", "^e edit")
        await shown.press("f12")
        await shown.shows("^e ", "profiles.edit", "^n ", "list.down")
        await shown.press("escape", "g", "ctrl+n", "ctrl+e")
        await shown.shows("─ Profile live-gateway ")


async def test_a_key_that_cannot_be_is_not_taken_on_the_screen(tmp_path: Path) -> None:
    from tests.tui.test_shell_settings import change

    async with deck(tmp_path, size=(120, 40)) as shown:
        await change(shown, "keys.catalog.fetch", "u")
        await shown.shows("keys.catalog.fetch cannot be 'u': 'u' is the key of catalog.update")
        assert not (tmp_path / "settings.toml").exists()

"""The settings as a list: what is chosen, what it means; each line is changed in place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from catalog.errors import QuarterdeckError, WrongInput
from tui.keys import named
from tui.screens.dialog import CLOSE, Dialog
from tui.widgets.result_table import Cell, Column, ResultTable, Row

if TYPE_CHECKING:
    from core.settings import Profile, Settings
    from core.workspace import Workspace
    from tui.app import QuarterdeckApp
    from tui.remapping import NamedKey

_COLUMNS = (Column("setting"), Column("value", flexible=True))
_NEW_LIST = "watchlists.*"
_SHOWN_APART = {"profiles", "watchlists", "keys"}


class SettingTable(ResultTable):
    """The settings; enter changes one."""

    BINDINGS: ClassVar[list[BindingType]] = named("table", Binding("enter", "open", "change"))


class SettingsScreen(Dialog[None]):
    """Shows and changes the settings file; what is changed is in force at once where it can be."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        "dialog", Binding("escape,q", "back", "close", id=CLOSE)
    )
    ENTER: ClassVar[str] = "keep it; empty: as usual"

    def __init__(self, workspace: Workspace) -> None:
        super().__init__()
        self._workspace = workspace
        self._changing = ""
        self._settings: Settings | None = None
        self._keys: dict[str, NamedKey] = {}
        self._meanings: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="settings") as dialog:
            dialog.border_title = f"Settings: {self._workspace.home.settings_file}"
            yield SettingTable(*_COLUMNS, empty="reading the settings ...", id="setting-list")
            value = Input(id="setting-value", compact=True, select_on_focus=False)
            value.cursor_blink = False
            yield value
            yield Static(id="setting-told", markup=False)

    async def on_mount(self) -> None:
        from tui.remapping import load_settings, named_keys

        settings, problem = await asyncio.to_thread(load_settings, self._workspace.home)
        self._keys = await asyncio.to_thread(named_keys)
        self._show(settings)
        if problem is not None:
            self._tell(problem)

    @on(ResultTable.Reached)
    def _explain(self) -> None:
        told = self.query_one("#setting-told", Static).remove_class("-wrong")
        told.update(self._meanings.get(self.query_one(ResultTable).cursor_key or "", ""))

    @on(ResultTable.Opened)
    def _change(self, opened: ResultTable.Opened) -> None:
        row = self.query_one(ResultTable).cursor_row
        assert row is not None, "a row was opened"
        self._changing = opened.key
        value = self.query_one(Input)
        value.value = "" if opened.key == _NEW_LIST else row.cells[1].text
        value.placeholder = "name, then its ids" if opened.key == _NEW_LIST else ""
        self.query_one("#settings").add_class("-changing")
        value.focus()

    async def on_input_submitted(self, submitted: Input.Submitted) -> None:
        from core.preferences import change_setting

        table, _, name = self._changing.partition(".")
        text = submitted.value.strip()
        if self._changing == _NEW_LIST:
            name, _, text = text.partition(" ")
        keys = (table, *name.rsplit(".", 1)) if table == "profiles" else (table, name)
        keys = tuple(filter(None, keys))
        try:
            if table == "keys":
                await asyncio.to_thread(self._check_key, name, text)
            settings = await asyncio.to_thread(
                change_setting, self._workspace.home.settings_file, keys, text
            )
        except QuarterdeckError as error:
            self._tell(error)
            return
        cast("QuarterdeckApp", self.app).apply(settings)
        self._show(settings)
        self.action_back()

    def _check_key(self, name: str, typed: str) -> None:
        """Raises `WrongInput` where a key cannot be this one; for a thread."""
        from tui.remapping import faults

        others = self._settings.keys if self._settings else {}
        for fault in faults(others | {name: typed} if typed else {}):
            if fault.name == name:
                raise WrongInput(f"keys.{name} cannot be '{typed}'", fault.reason)

    def action_back(self) -> None:
        """Leave the field, or the settings."""
        if not self._changing:
            self.dismiss()
            return
        self._changing = ""
        self.query_one("#settings").remove_class("-changing")
        self._explain()
        self.query_one(ResultTable).focus()

    def _tell(self, error: QuarterdeckError) -> None:
        told = self.query_one("#setting-told", Static).add_class("-wrong")
        told.update(f"{error.title}: {error.reason}")

    def _show(self, settings: Settings) -> None:
        from core.preferences import told

        self._settings = settings
        lines = list(_lines(settings, self._workspace.profile, self._keys))
        self._meanings = {key: meaning for key, _, meaning in lines}
        self.query_one(ResultTable).show(
            [Row(key, (Cell(key), Cell(told(value)))) for key, value, _ in lines]
        )
        self._explain()


def _lines(
    settings: Settings, profile: Profile, keys: dict[str, NamedKey]
) -> Iterator[tuple[str, object, str]]:
    """Every setting: its key in the file, its value, and what it means."""
    for name, field in type(settings).model_fields.items():
        if name not in _SHOWN_APART:
            yield name, getattr(settings, name), " ".join((field.description or "").split())
    catalog = settings.profiles.get(profile.name, profile).catalog
    where = "The catalog's folder of the profile in use, from the next start on."
    yield f"profiles.{profile.name}.catalog", catalog, where
    for name, ids in settings.watchlists.items():
        yield f"watchlists.{name}", ids, f"@{name} stands for these ids."
    yield _NEW_LIST, None, "A new list of ids: type its name, then the ids."
    for name, key in keys.items():
        yield f"keys.{name}", settings.keys.get(name, ",".join(key.keys)), key.meaning

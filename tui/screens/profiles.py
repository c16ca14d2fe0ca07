"""The profiles: another gateway and catalog to work with, and where a gateway listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from catalog.errors import QuarterdeckError
from tui.keys import named
from tui.screens.dialog import Dialog
from tui.widgets.result_table import Cell, Column, ResultTable, Row

if TYPE_CHECKING:
    from core.settings import Home, Profile, Settings
    from tui.app import QuarterdeckApp

_COLUMNS = (
    Column("profile"),
    Column("endpoint"),
    Column("kind"),
    Column(""),
)


class ProfileTable(ResultTable):
    """The profiles; enter opens one."""

    BINDINGS: ClassVar[list[BindingType]] = named("table", Binding("enter", "open", "switch to it"))


class Profiles(Dialog[str]):
    """Dismissed with the name of the profile to open, or None."""

    CSS_PATH = "../styles/form.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        *named(
            "profiles",
            Binding("n", "new", "new", tooltip="Make a profile"),
            Binding("e", "edit", "edit", tooltip="Change where its gateway listens, and the rest"),
            Binding("u", "use", "by default", tooltip="Take it where none is named"),
            Binding("delete", "remove", "remove", tooltip="Remove it from the settings; asks"),
        ),
        *named("dialog", Binding("escape,q", "dismiss", "close")),
    ]

    def __init__(self, home: Home, current: str) -> None:
        super().__init__()
        self._home = home
        self._current = current
        self._settings: Settings | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="profiles", classes="dialog") as dialog:
            dialog.border_title = "Profiles"
            yield ProfileTable(*_COLUMNS, id="profile-table", filters=False, sorts=False)

    async def on_mount(self) -> None:
        self.query_one(ResultTable).focus()
        await self._show(self._current)

    async def _show(self, pointed_at: str = "") -> None:
        settings = self._settings = await asyncio.to_thread(_read, self._home)
        rows = [self._row(one, settings.profile) for one in settings.profiles.values()]
        table = self.query_one(ResultTable)
        table.show(rows)
        table.point_at(pointed_at)

    def _row(self, one: Profile, usual: str) -> Row:
        kind = "simulated" if one.simulated else "LIVE" if one.live else "paper"
        words = [
            word
            for word, holds in (
                ("open", one.name == self._current),
                ("by default", one.name == usual),
            )
            if holds
        ]
        cells = (
            Cell(one.name),
            Cell(_endpoint(one)),
            Cell(kind, "warning" if one.live else ""),
            Cell(", ".join(words), "good"),
        )
        return Row(one.name, cells)

    @property
    def _chosen(self) -> Profile | None:
        """The profile under the cursor."""
        key = self.query_one(ResultTable).cursor_key
        return self._settings.profiles[key] if self._settings and key else None

    @on(ResultTable.Opened)
    def _switch(self, opened: ResultTable.Opened) -> None:
        self.dismiss(None if opened.key == self._current else opened.key)

    def action_new(self) -> None:
        """Ask what a new profile shall be."""
        self._ask(None)

    def action_edit(self) -> None:
        """Ask what shall be different in the profile under the cursor."""
        if self._chosen is not None:
            self._ask(self._chosen)

    def _ask(self, profile: Profile | None) -> None:
        from tui.screens.profile_form import profile_form

        if self._settings is not None:
            self.app.push_screen(
                profile_form(self._home, self._settings, profile), self._take_written
            )

    async def _take_written(self, name: str | None) -> None:
        """Show a profile that was made or changed; the open one goes on as it was until it is
        opened anew."""
        from tui.screens.confirm import Confirm

        def answered(yes: bool | None) -> None:
            if yes:
                self.dismiss(name)

        if name is None:
            return
        await self._show(name)
        if name == self._current:
            changed = "What was changed is in force then, else from the next start on."
            self.app.push_screen(Confirm(f"Open {name} anew?", changed), answered)

    async def action_use(self) -> None:
        """Take the profile under the cursor where none is named."""
        from core.profiles import use_profile

        if (chosen := self._chosen) is not None:
            await self._change(lambda: use_profile(self._home.settings_file, chosen.name))

    def action_remove(self) -> None:
        """Ask whether the profile under the cursor shall go, and remove it."""
        from core.profiles import remove_profile
        from core.settings import BUILT_IN
        from tui.screens.confirm import Confirm

        if (chosen := self._chosen) is None:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.call_later(
                    self._change, lambda: remove_profile(self._home.settings_file, chosen.name)
                )

        if chosen == BUILT_IN.get(chosen.name):
            answered(True)  # it cannot go, which is told
            return
        question = Confirm(f"Remove the profile {chosen.name}?", _consequence(chosen, self._home))
        self.app.push_screen(question, answered)

    async def _change(self, change: Callable[[], object]) -> None:
        try:
            await asyncio.to_thread(change)
        except QuarterdeckError as error:
            cast("QuarterdeckApp", self.app).tell(error)
        await self._show()


def _read(home: Home) -> Settings:
    from core.preferences import load_or_last_good

    return load_or_last_good(home)[0]


def _endpoint(one: Profile) -> str:
    client = "" if one.client_id is None else f" client {one.client_id}"
    return "a simulator of its own" if one.simulated else f"{one.host}:{one.port}{client}"


def _consequence(one: Profile, home: Home) -> str:
    from core.settings import BUILT_IN

    if (built_in := BUILT_IN.get(one.name)) is not None:
        return f"It is built in: it goes back to {_endpoint(built_in)} and its own catalog."
    return f"{_endpoint(one)} is forgotten. The catalog stays: {one.catalog_root(home)}"

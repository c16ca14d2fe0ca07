"""The profiles: another gateway and catalog to work with, and where a gateway listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, cast

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen

from catalog.errors import QuarterdeckError, WrongInput
from tui.screens.ask import Ask
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

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "open", "switch to it")]


class Profiles(ModalScreen[str]):
    """Dismissed with the name of the profile to switch to, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("e", "edit", "edit", tooltip="Change where its gateway listens"),
        Binding("u", "use", "by default", tooltip="Take it where none is named"),
        Binding("escape,q", "dismiss", "close"),
    ]

    def __init__(self, home: Home, current: str) -> None:
        super().__init__()
        self._home = home
        self._current = current

    def compose(self) -> ComposeResult:
        with Vertical(id="profiles", classes="dialog") as dialog:
            dialog.border_title = "Profiles"
            dialog.border_subtitle = "enter switch  e edit  u by default  esc close"
            yield ProfileTable(*_COLUMNS, id="profile-table", filters=False, sorts=False)

    async def on_mount(self) -> None:
        self.query_one(ResultTable).focus()
        await self._show()

    async def _show(self) -> None:
        settings = await asyncio.to_thread(_settings, self._home)
        rows = [self._row(one, settings.profile) for one in settings.profiles.values()]
        self.query_one(ResultTable).show(rows)

    def _row(self, one: Profile, usual: str) -> Row:
        kind = "simulated" if one.simulated else "LIVE" if one.live else "paper"
        client = "" if one.client_id is None else f" client {one.client_id}"
        endpoint = "a simulator of its own" if one.simulated else f"{one.host}:{one.port}{client}"
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
            Cell(endpoint),
            Cell(kind, "warning" if one.live else ""),
            Cell(", ".join(words), "good"),
        )
        return Row(one.name, cells)

    @on(ResultTable.Opened)
    def _switch(self, opened: ResultTable.Opened) -> None:
        self.dismiss(opened.key)

    async def action_use(self) -> None:
        """Take the profile under the cursor where none is named."""
        from core.profiles import use_profile

        if (name := self.query_one(ResultTable).cursor_key) is not None:
            await self._change(lambda: use_profile(self._home.settings_file, name))

    async def action_edit(self) -> None:
        """Ask where the gateway of the profile under the cursor listens."""
        from core.profiles import edit_profile

        if (name := self.query_one(ResultTable).cursor_key) is None:
            return
        profile = (await asyncio.to_thread(_settings, self._home)).profiles[name]

        def answered(text: str | None) -> None:
            if text:
                host, port = _endpoint(text)
                values = {"host": host, "port": port}
                self.call_later(
                    self._change, lambda: edit_profile(self._home.settings_file, name, values)
                )

        hint = "host:port; more with: quarterdeck profile edit"
        current = f"{profile.host}:{profile.port}"
        self.app.push_screen(Ask(f"Gateway of {name}", hint, current, read=_endpoint), answered)

    async def _change(self, change: Callable[[], object]) -> None:
        try:
            await asyncio.to_thread(change)
        except QuarterdeckError as error:
            cast("QuarterdeckApp", self.app).tell(error)
        await self._show()


def _settings(home: Home) -> Settings:
    from core.preferences import load_or_last_good

    return load_or_last_good(home)[0]


def _endpoint(text: str) -> tuple[str, int]:
    """Host and port. Raises `WrongInput`."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise WrongInput(
            f"'{text}' is no host and port", "write it like 127.0.0.1:4002", "correct it"
        )
    return host, int(port)

"""The first start: demo or a gateway, and where the catalog lies. Asked once, and skippable."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from tui.keys import named
from tui.screens.dialog import Dialog
from tui.widgets.result_table import Cell, Column, ResultTable, Row

if TYPE_CHECKING:
    from core.settings import Home

_TEXT = (
    "Research with NautilusTrader on data of Interactive Brokers. Which gateway do you use? Choose "
    "with j and k or the arrows. "
    "All of this can be changed later: comma opens the settings."
)
_PROBE_S = 1.0


class Answer(NamedTuple):
    """What was chosen: a profile, and its catalog's folder where it is not the usual one."""

    profile: str
    catalog: str


class GatewayTable(ResultTable):
    """The usual gateways; enter takes one."""

    BINDINGS: ClassVar[list[BindingType]] = named("table", Binding("enter", "open", "take it"))


class Welcome(Dialog[Answer | None]):
    """Dismissed with the answer, or with None when it was skipped."""

    ENTER: ClassVar[str] = "take it"
    BINDINGS: ClassVar[list[BindingType]] = named(
        "welcome", Binding("escape", "skip", "skip", priority=True)
    )

    def __init__(self, home: Home) -> None:
        super().__init__()
        self._home = home
        self._profile = ""

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog", id="welcome") as dialog:
            dialog.border_title = "Welcome aboard"
            yield Static(_TEXT, markup=False, classes="help-text")
            yield GatewayTable(
                Column("gateway"),
                Column("port", number=True),
                Column("there", flexible=True),
                id="gateways",
                filters=False,
                sorts=False,
            )
            yield Static("the catalog's folder; enter takes it", id="folder-label", markup=False)
            folder = Input(id="folder", compact=True, select_on_focus=False)
            folder.cursor_blink = False
            yield folder

    async def on_mount(self) -> None:
        gateways = self.query_one(ResultTable)
        gateways.focus()
        gateways.show(await asyncio.to_thread(_rows, {}))  # its imports take a while
        listening = await _listening()
        rows = _rows(listening)
        gateways.show(rows)
        there = (row.key for row in rows if listening.get(int(row.cells[1].text or 0)))
        gateways.point_at(next(there, "demo"))

    @on(ResultTable.Opened)
    def _ask_folder(self, opened: ResultTable.Opened) -> None:
        from core.settings import BUILT_IN

        self._profile = opened.key
        self.query_one("#welcome").add_class("-folder")
        folder = self.query_one(Input)
        folder.value = str(BUILT_IN[opened.key].catalog_root(self._home))
        folder.focus()

    def on_input_submitted(self, submitted: Input.Submitted) -> None:
        from core.settings import BUILT_IN

        usual = str(BUILT_IN[self._profile].catalog_root(self._home))
        typed = submitted.value.strip()
        folder = str(Path(typed).expanduser().absolute())
        self.dismiss(Answer(self._profile, "" if typed in ("", usual) else folder))

    def action_skip(self) -> None:
        """Begin with what is usual."""
        self.dismiss(None)


def _rows(listening: dict[int, bool]) -> list[Row]:
    from core.settings import BUILT_IN

    rows = []
    for name, profile in BUILT_IN.items():
        if profile.simulated:
            cells = (Cell(name), Cell(""), Cell("simulated, no broker needed"))
        else:
            there = listening.get(profile.port)
            found = Cell("looking ...", "dim") if there is None else Cell("nobody listens", "dim")
            live = " LIVE account" if profile.live else ""
            cells = (
                Cell(name),
                Cell(str(profile.port)),
                Cell(f"listens{live}", "good") if there else found,
            )
        rows.append(Row(name, cells))
    return rows


async def _listening() -> dict[int, bool]:
    """Which of the four usual ports somebody listens on, on loopback."""
    from core.settings import BUILT_IN

    ports = [profile.port for profile in BUILT_IN.values() if not profile.simulated]
    return dict(zip(ports, await asyncio.gather(*map(_listens, ports)), strict=True))


async def _listens(port: int) -> bool:
    try:
        async with asyncio.timeout(_PROBE_S):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:  # refused, or no answer in time
        return False
    writer.close()
    return True


def keep(file: Path, answer: Answer | None) -> None:
    """Write the settings file of the answer, or one that says what is usual; for a thread.

    Raises `WrongInput` or `CatalogUnusable` when that cannot be.
    """
    from core.preferences import change_setting
    from core.settings import DEFAULT_PROFILE

    change_setting(file, ("profile",), answer.profile if answer else DEFAULT_PROFILE)
    if answer is not None and answer.catalog:
        change_setting(file, ("profiles", answer.profile, "catalog"), answer.catalog)

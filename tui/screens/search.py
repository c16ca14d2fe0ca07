"""Instruments that resemble a text, asked of the broker; those chosen go into a form."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Input, Static

from catalog.errors import QuarterdeckError
from tui.keys import named
from tui.screens.dialog import Dialog
from tui.widgets.result_table import Cell, Column, ResultTable, Row

if TYPE_CHECKING:
    from core.ibkr.contracts import Match
    from core.workspace import Workspace

logger = logging.getLogger(__name__)

_COLUMNS = (
    Column("symbol"),
    Column("type"),
    Column("exchange"),
    Column("currency"),
    Column("name", flexible=True),
)
_TYPES = {
    "STK": "stock",
    "FUT": "future",
    "CONTFUT": "futures",
    "CASH": "FX",
    "IND": "index",
    "OPT": "option",
    "CRYPTO": "crypto",
}
_HINT = "A symbol, the beginning of one, or a word of a company's name; enter asks the broker."


class Found(NamedTuple):
    """What was searched for, and the canonical ids of what was chosen."""

    text: str
    ids: tuple[str, ...]


class MatchTable(ResultTable):
    """What the broker knows; enter takes the marked ones, else the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = named("table", Binding("enter", "open", "take"))


class Search(Dialog[Found]):
    """Dismissed with what was chosen, or None when it was left. A `text` is searched for at once.

    The broker is connected to where it is not.
    """

    CSS_PATH: ClassVar = ["../styles/form.tcss", "../styles/fetch.tcss"]
    ENTER: ClassVar[str] = "search"

    def __init__(self, workspace: Workspace, text: str = "") -> None:
        super().__init__()
        self._workspace = workspace
        self._text = text
        self._asking: asyncio.Task[None] | None = None

    def compose(self) -> ComposeResult:
        with Vertical(id="search", classes="dialog") as dialog:
            dialog.border_title = "Search instruments"
            field = Input(self._text, "e.g. app", compact=True, select_on_focus=False)
            field.cursor_blink = False
            yield field
            yield Static(_HINT, id="search-told", markup=False)
            yield MatchTable(*_COLUMNS, id="matches", marks=True)

    def on_mount(self) -> None:
        if self._text:
            self._ask(self._search(self._text))

    def on_unmount(self) -> None:
        if self._asking is not None:
            self._asking.cancel()

    @on(Input.Submitted)
    def _search_typed(self, submitted: Input.Submitted) -> None:
        submitted.stop()
        if text := submitted.value.strip():
            self._ask(self._search(text))

    @on(ResultTable.Opened)
    def _take_chosen(self) -> None:
        self._ask(self._take(self.query_one(ResultTable).chosen_keys))

    def _ask(self, work: Coroutine[Any, Any, None]) -> None:
        """Ask the broker in place of what is asked still; what goes wrong is told here."""
        if self._asking is not None:
            self._asking.cancel()
        self._asking = asyncio.create_task(self._told(work))

    async def _told(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except QuarterdeckError as error:
            self._tell("\n".join([str(error), *error.steps[:1]]), wrong=True)
        except Exception as error:
            logger.exception("a search failed")
            told = f"{type(error).__name__}: {error}; the details are in the log file"
            self._tell(told, wrong=True)

    async def _search(self, text: str) -> None:
        from core.ibkr.contracts import search

        broker, jobs = self._workspace.broker, self._workspace.jobs
        if not broker.state.usable:
            self._tell(f"connecting to {broker.endpoint} ... {broker.state.reason}")
            await broker.connect(jobs.log.write)
        self._tell(f"asking for '{text}' ...")
        matches = await search(broker, text)
        self._text = text
        table = self.query_one(ResultTable)
        table.unmark()
        table.show([_row(one) for one in matches])
        if matches:
            contracts = "1 contract" if len(matches) == 1 else f"{len(matches):,} contracts"
            self._tell(f"{contracts} like '{text}'")
            table.focus()
        else:
            self._tell(f"the broker knows nothing like '{text}'; try the beginning of the symbol")

    async def _take(self, ids: tuple[str, ...]) -> None:
        """Ask by which ids the contracts are known, and close with them."""
        from core.ibkr.contracts import parse_id, resolve

        self._tell("asking for the canonical id ...")
        known = [await resolve(self._workspace.broker, parse_id(one)) for one in ids]
        self.dismiss(Found(self._text, tuple(one.instrument_id for one in known)))

    def _tell(self, text: str, *, wrong: bool = False) -> None:
        self.query_one("#search-told", Static).set_class(wrong, "-wrong").update(text)


def _row(match: Match) -> Row:
    kind = _TYPES.get(match.sec_type, match.sec_type)
    texts = (match.symbol, kind, match.exchange, match.currency, match.description)
    return Row(match.id, tuple(map(Cell, texts)))

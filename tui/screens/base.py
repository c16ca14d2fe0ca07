"""What all screens share: header, log panel, key bar, and the keys that work everywhere."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.reactive import Reactive
from textual.screen import Screen
from textual.widget import Widget

from catalog.errors import QuarterdeckError
from tui.keys import named
from tui.widgets.header import Header, Status
from tui.widgets.keybar import KeyBar
from tui.widgets.log import LogPanel

if TYPE_CHECKING:
    from catalog.series import BarSpec
    from core.workspace import Workspace
    from tui.app import QuarterdeckApp

logger = logging.getLogger(__name__)


class BaseScreen(Screen[None]):
    """One of the four screens. A subclass gives `compose_body` and `refresh_view`.

    `refresh_view` is called twice a second while the screen is shown: it reads snapshots and
    changes a widget only where the value differs, so that an idle screen sends nothing.
    """

    HELP_TITLE: ClassVar[str] = ""
    HELP_TEXT: ClassVar[str] = ""
    BODY_CLASSES: ClassVar[str] = ""
    """The style classes the body begins with."""
    TELLS_FAILED: ClassVar[str] = ""
    """The kind of job whose failure the screen itself tells in full."""

    focused: Reactive[Widget | None] = Reactive(None, repaint=False)
    """Where it moves, what is lit is drawn, not the whole screen, as Textual would."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (120, "-wide")]  # noqa: RUF012
    VERTICAL_BREAKPOINTS = [(0, "-short"), (36, "-tall")]  # noqa: RUF012

    BINDINGS: ClassVar[list[BindingType]] = named(
        "screen",
        Binding("escape", "back", "back", show=False, tooltip="Leave a field"),
        Binding("y", "copy", "copy", show=False, tooltip="Copy what the cursor is on"),
    )

    def __init__(self) -> None:
        super().__init__()
        # As the app's has it: otherwise Textual styles twice what it has just styled.
        self._css_update_count = 0
        self._work: set[asyncio.Task[None]] = set()
        self._complete = False

    @property
    def deck(self) -> QuarterdeckApp:
        """The app, as what it is."""
        return cast("QuarterdeckApp", self.app)

    @property
    def workspace(self) -> Workspace | None:
        """The open workspace; None until it is open."""
        return self.deck.workspace

    def compose(self) -> ComposeResult:
        yield Header()
        with Vertical(id="body", classes=self.BODY_CLASSES):
            yield from self.compose_body()
        yield LogPanel()
        yield KeyBar()

    def compose_body(self) -> ComposeResult:
        """The panels between header and log."""
        raise NotImplementedError

    def refresh_view(self, workspace: Workspace) -> None:
        """Bring the panels up to date with what the workspace says now."""

    def prefill(self, ids: tuple[str, ...], bars: BarSpec | None) -> None:
        """Take over instruments and a bar type chosen on another screen."""

    async def reveal(self, table: str, key: str, *, after: str = "") -> None:
        """Put the cursor of a table on the row of that key, after an action of the screen."""
        from tui.widgets.result_table import ResultTable

        if after:
            await self.run_action(after)
        shown = self.query_one(table, ResultTable)
        shown.clear_filter()
        shown.point_at(key)
        shown.focus()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run short work of this screen beside the loop; an error it raises is told.

        Long work is a job of the workspace: this here ends with the screen.
        """
        task = asyncio.create_task(self._told(work))
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def _told(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except QuarterdeckError as error:
            self.deck.tell(error)
        except Exception as error:
            logger.exception("work of the screen failed")
            self.deck.tell(
                QuarterdeckError(
                    "Something went wrong here",
                    f"{type(error).__name__}: {error}",
                    "the details are in the log file",
                )
            )

    def watch_focused(self, before: Widget | None, now: Widget | None) -> None:
        """Light the panel around what has the focus.

        With `:focus-within` Textual would style all there is in both panels anew, at each key.
        """
        left, entered = _panel_around(before), _panel_around(now)
        if left is entered:
            return
        for panel in filter(None, (left, entered)):
            panel.set_class(panel is entered, "-lit", update=False)
            self.app.stylesheet.update_nodes([panel])

    def on_unmount(self) -> None:
        for task in self._work:
            task.cancel()

    def on_mount(self) -> None:
        self._complete = True
        self.tick()

    def on_screen_resume(self) -> None:
        self.tick()

    def tick(self) -> None:
        """Read the workspace and show what changed, while all panels are there."""
        # At the end the panels go before the screen does, and a late call may still come.
        if not (self._complete and self.is_attached and self.app.is_running):
            return
        workspace = self.workspace
        log = self.query_one(LogPanel)
        for size in ("folded", "grown"):
            log.set_class(self.deck.log_size == size, f"-{size}")
        if workspace is None:
            self.query_one(Header).status = Status(self.deck.title_profile)
            return
        self.query_one(Header).status = Status.of(workspace)
        log.catch_up(workspace.jobs.log)
        self.refresh_view(workspace)

    def action_copy(self) -> None:
        """Copy what stands for the row under the cursor."""
        from tui.widgets.result_table import ResultTable

        if isinstance(self.focused, ResultTable) and (row := self.focused.cursor_row) is not None:
            self.app.copy_to_clipboard(row.cells[0].text)
            self.notify("it is in the clipboard", timeout=3)

    def action_back(self) -> None:
        """Leave a field for what had the focus at first."""
        self.set_focus(self.query_one(self.AUTO_FOCUS) if self.AUTO_FOCUS else None)


def _panel_around(widget: Widget | None) -> Widget | None:
    """The panel a widget is in; none for one that is a panel itself."""
    around = widget.ancestors if widget is not None else ()
    return next((one for one in around if isinstance(one, Widget) and one.has_class("panel")), None)

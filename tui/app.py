"""The dashboard: four screens over one workspace, which opens after the first paint."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from textual.app import SystemCommand
from textual.binding import Binding, BindingType
from textual.command import Provider
from textual.filter import LineFilter
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input

from catalog.errors import CatalogUnusable, QuarterdeckError, WrongInput
from tui import signs
from tui.bell import rings
from tui.keys import named, telling
from tui.logfile import LogStream, log_to
from tui.screens.base import BaseScreen
from tui.theme import THEMES
from tui.typeahead import TypeaheadApp
from tui.zone import EXCHANGE_ZONE

if TYPE_CHECKING:
    from catalog.series import BarSpec
    from core.settings import Home, Settings
    from core.workspace import Workspace
    from tui.widgets.fetch_jobs import FetchBoards

logger = logging.getLogger(__name__)

REFRESH_S = 0.5
SLOW_REFRESH_S = 3.0
_MIDDLING_TO_FULL = 1_000
"""So many of Python's collections of young garbage come before it looks through all objects."""

_PLACES: dict[str, Place] = {
    "connect": "connection",
    "plan": "fetch",
    "fetch": "fetch",
    "backtest": "backtest",
}
"""Where a job of a kind is shown; the others belong to the catalog."""

type LogSize = Literal["normal", "folded", "grown"]
type Place = Literal["connection", "catalog", "fetch", "backtest"]


def _place(kind: str) -> Place:
    return _PLACES.get(kind, "catalog")


def _connection() -> Screen[None]:
    from tui.screens.connection import ConnectionScreen

    return ConnectionScreen()


def _catalog() -> Screen[None]:
    from tui.screens.catalog import CatalogScreen

    return CatalogScreen()


def _fetch() -> Screen[None]:
    from tui.screens.fetch import FetchScreen

    return FetchScreen()


def _backtest() -> Screen[None]:
    from tui.screens.backtest import BacktestScreen

    return BacktestScreen()


def things() -> type[Provider]:
    """What the palette finds beside the keys."""
    from tui.palette import Things

    return Things


class QuarterdeckApp(TypeaheadApp):
    """The dashboard.

    `open_workspace` is awaited after the first paint; a `QuarterdeckError` it raises ends the app
    with that error in `failure`. The workspace is closed when the app ends, however it ends.
    `first_start` is the home of a user who has no settings yet, and is welcomed.
    """

    TITLE = "Quarterdeck"
    # What the first screen needs is read at once: all styles are parsed anew for each that follows.
    CSS_PATH: ClassVar = ["styles/shell.tcss", "styles/connection.tcss"]
    DEFAULT_MODE = "connection"
    MODES: ClassVar[dict[str, str | Callable[[], Screen[None]]]] = {
        "connection": _connection,
        "catalog": _catalog,
        "fetch": _fetch,
        "backtest": _backtest,
    }
    COMMANDS = TypeaheadApp.COMMANDS | {things}
    BINDINGS: ClassVar[list[BindingType]] = named(
        "app",
        Binding("1,f1", "go('connection')", "Connection", show=False, id="connection"),
        Binding("2,f2", "go('catalog')", "Catalog", show=False, id="catalog"),
        Binding("3,f3", "go('fetch')", "Fetch", show=False, id="fetch"),
        Binding("4,f4", "go('backtest')", "Backtest", show=False, id="backtest"),
        Binding("colon", "command_palette", "Commands by name (also ^p)", show=False),
        Binding("comma", "settings", "Settings", show=False),
        Binding("question_mark", "help", "This help", show=False),
        Binding("z", "size_log('folded')", "Fold the log, and back", show=False, id="fold_log"),
        Binding(
            "Z,shift+z", "size_log('grown')", "Grow the log, and back", show=False, id="grow_log"
        ),
        Binding("q", "quit", "Quit", show=False),
        Binding("ctrl+q", "quit", "Quit from anywhere", show=False, priority=True, id="leave"),
    )

    def __init__(
        self,
        open_workspace: Callable[[], Awaitable[Workspace]],
        *,
        title_profile: str,
        first_start: Home | None = None,
        low_bandwidth: bool = False,
    ) -> None:
        super().__init__()
        self.animation_level = "none"  # each frame costs bytes on a slow line
        self.title_profile = title_profile
        self.workspace: Workspace | None = None
        self.failure: QuarterdeckError | None = None
        self.next_profile: str | None = None
        """The profile to begin again with when the app has ended."""
        self.log_size: LogSize = "normal"
        self._open_workspace = open_workspace
        self._first_start = first_start
        self._low_bandwidth = low_bandwidth
        self._ticking: Timer | None = None
        self._opening: asyncio.Task[None] | None = None
        self._ended: set[int] = set()
        self._plain_signs = signs.PlainSigns()
        self._bell = True
        for theme in THEMES:
            self.register_theme(theme)
        self.set_reactive(QuarterdeckApp.theme, THEMES[0].name)  # nothing is drawn in another yet
        self.stylesheet.set_variables(self.get_css_variables())

    def on_load(self) -> None:
        self.stylesheet.apply(self)  # the first screen takes its colours from the app's

    def on_mount(self) -> None:
        # Textual puts back the real ones when the app has ended.
        sys.stdout, sys.stderr = LogStream("stdout"), LogStream("stderr")
        loop = asyncio.get_running_loop()
        for number in (signal.SIGHUP, signal.SIGTERM):
            loop.add_signal_handler(number, self.exit)
        self._tick_every(SLOW_REFRESH_S if self._low_bandwidth else REFRESH_S)

    def _tick_every(self, seconds: float) -> None:
        if self._ticking is not None:
            self._ticking.stop()
        self._ticking = self.set_interval(seconds, self.tick)

    def on_ready(self) -> None:
        # Textual is ready when all is laid out; what the opening imports would delay the paint.
        self.call_after_refresh(self._begin_opening)

    def _begin_opening(self) -> None:
        gc.enable()  # it was put off for the first paint
        self._opening = asyncio.create_task(self._open())

    async def on_unmount(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
        if self.workspace is not None:
            await self.workspace.close()

    async def _open(self) -> None:
        try:
            if self._first_start is not None:
                await self._welcome(self._first_start)
            self.workspace = await self._open_workspace()
        except QuarterdeckError as error:
            self._fail(error)
            return
        except Exception as error:
            logger.exception("the workspace could not be opened")
            self._fail(
                CatalogUnusable(
                    "The workspace could not be opened", f"{type(error).__name__}: {error}"
                )
            )
            return
        log_to(self.workspace.home.logs)
        # What is imported by now stays: walking through it would hold the loop for half a second,
        # as would walking through thousands of runs and series, which are no garbage either.
        gc.freeze()
        gc.set_threshold(*gc.get_threshold()[:2], _MIDDLING_TO_FULL)
        await self._take_settings(self.workspace)
        self.call_later(self.tick)  # in turn with the keys: between two modes no screen is shown
        self.workspace.connect()

    async def _welcome(self, home: Home) -> None:
        from tui.screens.welcome import Answer, Welcome, keep

        answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        await self.push_screen(Welcome(home), answered.set_result)
        await asyncio.to_thread(keep, home.settings_file, await answered)

    async def _take_settings(self, workspace: Workspace) -> None:
        from tui.remapping import load_settings

        settings, problem = await asyncio.to_thread(load_settings, workspace.home)
        self.apply(settings)
        if problem is not None:
            last_good = "the settings that were good the last time are used meanwhile"
            self.tell(WrongInput(problem.title, problem.reason, *problem.steps, last_good))

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Those in force: with signs of ASCII where the terminal has no others."""
        filters = super().get_line_filters()
        return [*filters, self._plain_signs] if signs.ascii_only() else filters

    def get_key_display(self, binding: Binding) -> str:
        """A key as it is told; the sign for enter has none of ASCII that says it."""
        told = super().get_key_display(binding)
        return told.replace("⏎", "enter") if signs.ascii_only() else told

    def apply(self, settings: Settings) -> None:
        """Take theme, keys, zone, signs, pace and bell from the settings."""
        signs.choose(settings.charts)
        if self.has_class("-ascii") != signs.ascii_only():
            self.toggle_class("-ascii")
            for screen in self.screen_stack:
                screen.query("*").refresh()
        EXCHANGE_ZONE.choose(settings.zone)
        self.set_keymap(settings.keys)
        self._bell = settings.bell
        slow = self._low_bandwidth or settings.low_bandwidth
        self._tick_every(SLOW_REFRESH_S if slow else REFRESH_S)
        if settings.theme in self.available_themes:
            self.theme = settings.theme
        else:
            known = ", ".join(self.available_themes)
            self.tell(
                WrongInput(f"There is no theme '{settings.theme}'", f"the themes are {known}")
            )

    def _fail(self, error: QuarterdeckError) -> None:
        self.failure = error
        self.exit(return_code=error.exit_code)

    def tick(self) -> None:
        """Let what is shown read the workspace."""
        screens = self.screen_stack  # none when the app is ending
        for screen in screens:
            if isinstance(screen, BaseScreen):
                screen.tick()
        if self.workspace is not None and screens:
            self.fetches.catch_up(self.workspace.jobs.running)
            self._tell_ended(self.workspace, screens[0])

    @cached_property
    def fetches(self) -> FetchBoards:
        """What is known of the fetches of this process, whichever screen is shown."""
        from tui.widgets.fetch_jobs import FetchBoards

        return FetchBoards()

    def _tell_ended(self, workspace: Workspace, shown: Screen[object]) -> None:
        """Tell of the jobs that ended since the last time what is not seen by itself."""
        ended = [job for job in workspace.jobs.all if not (job.running or job.id in self._ended)]
        self._ended.update(job.id for job in ended)
        for job in ended:
            told = isinstance(shown, BaseScreen) and job.kind == shown.TELLS_FAILED
            if job.snapshot.error is not None and not told:
                self._tell_briefly(job.kind, job.snapshot.error)
        if self._bell and any(
            rings(job, in_sight=self.current_mode == _place(job.kind)) for job in ended
        ):
            self.bell()

    def _tell_briefly(self, kind: str, error: QuarterdeckError) -> None:
        """Tell what failed off screen; the screen of the job tells it in full."""
        place = _place(kind)
        lines = [error.reason, *error.steps[:1]]
        if self.current_mode != place:
            lines.append(f"{1 + list(self.MODES).index(place)} shows more")
        message = "\n".join(filter(None, lines))
        self.notify(message, title=error.title, severity="error", timeout=6, markup=False)

    def tell(self, error: QuarterdeckError) -> None:
        """Show an error: what failed, why, and what to do next."""
        steps = [f"{number}. {step}" for number, step in enumerate(error.steps, 1)]
        message = "\n".join([error.reason, *steps] if error.reason else steps)
        self.notify(message, title=error.title, severity="error", timeout=10, markup=False)

    async def action_go(self, place: Place) -> None:
        """Show another screen."""
        await self.switch_mode(place)

    async def go_with(
        self, place: Literal["fetch", "backtest"], ids: tuple[str, ...], bars: BarSpec | None
    ) -> None:
        """Show a screen with its form filled in for these instruments and this bar type."""
        await self.switch_mode(place)
        screen = self.screen
        if isinstance(screen, BaseScreen):
            screen.prefill(ids, bars)

    async def do(self, place: Place, action: str) -> None:
        """Show a screen and do what one of its keys does."""
        await self.switch_mode(place)
        await self.screen.run_action(action)

    async def reveal(self, place: Place, table: str, key: str, *, after: str = "") -> None:
        """Show a screen with the cursor of one of its tables on a row, after an action of it."""
        await self.switch_mode(place)
        if isinstance(self.screen, BaseScreen):
            await self.screen.reveal(table, key, after=after)

    async def action_settings(self) -> None:
        """Show the settings, to be changed."""
        from tui.screens.settings import SettingsScreen

        if self.workspace is not None:
            await self.push_screen(SettingsScreen(self.workspace))

    def action_size_log(self, size: LogSize) -> None:
        """Fold or grow the log, or bring it back."""
        self.log_size = "normal" if self.log_size == size else size
        self.tick()

    async def action_help(self) -> None:
        """Show the keys of this screen."""
        from tui.screens.help import Help

        await self.push_screen(Help(self.screen))

    async def action_quit(self) -> None:
        """End the program; asks first while jobs run."""
        await self._leave("Quit while jobs run?", None)

    async def open_profile(self, name: str) -> None:
        """Leave this workspace for that of another profile; asks first while jobs run."""
        await self._leave("Switch while jobs run?", name)

    async def _leave(self, question: str, next_profile: str | None) -> None:
        from tui.screens.confirm import Confirm

        def answered(leave: bool | None) -> None:
            if leave:
                self.next_profile = next_profile
                self.exit()

        running = self.workspace.jobs.running if self.workspace else ()
        if not running:
            answered(True)
            return
        titles = "\n".join(f"{job.kind} {job.title}" for job in running)
        await self.push_screen(
            Confirm(question, f"They are cancelled; what is stored stays.\n{titles}"), answered
        )

    def on_command_palette_opened(self) -> None:
        self.screen.query_one(Input).cursor_blink = False  # blinking costs bytes all the time

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every key in force that does something, by name."""
        by_action = {active.binding.action: active for active in reversed(telling(screen))}
        for action, active in by_action.items():
            yield SystemCommand(
                active.binding.description.capitalize(),
                f"{self.get_key_display(active.binding)}  {active.tooltip}".rstrip(),
                self._runner(action, active.node),
            )
        yield SystemCommand("Theme", "Change the colours", self.action_change_theme)

    def _runner(self, action: str, node: object) -> Callable[[], object]:
        return lambda: self.call_later(self.run_action, action, node)

    def _fatal_error(self) -> None:
        # Textual would print the traceback with all locals over the user's terminal.
        logger.exception("the dashboard ended unexpectedly")
        self.failure = CatalogUnusable(
            "The dashboard ended unexpectedly",
            "a mistake in the program; nothing that was stored is lost",
            "the details are in the log file",
        )
        self._return_code = self.failure.exit_code
        self._close_messages_no_wait()

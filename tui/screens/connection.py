"""Screen 1: whether the broker is there, and why not."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal

from tui.screens.base import BaseScreen
from tui.widgets.fields import Field, Fields
from tui.widgets.header import CONNECTION_LOOKS, EXCHANGE_ZONE
from tui.widgets.lines import Line, LinePanel

if TYPE_CHECKING:
    from core.ibkr.connection import BrokerSession, ConnectionState, Ping
    from core.ibkr.notices import Notice
    from core.workspace import Workspace

PING_EVERY_S = 60.0
"""As rare as the clock in the header: an idle screen sends nothing else."""

_KEPT_PINGS = 16
_BLOCKS = "▁▂▃▄▅▆▇█"
_FARM_STYLES = {"ok": "$text-success", "broken": "$text-error", "connecting": "$text-warning"}


class ConnectionScreen(BaseScreen):
    """The state of the connection, the data farms, and what the broker told."""

    CSS_PATH = "../styles/connection.tcss"
    AUTO_FOCUS = "#notices"
    BODY_CLASSES: ClassVar[str] = "-no-session"
    HELP_TITLE: ClassVar[str] = "Connection"
    HELP_TEXT: ClassVar[str] = (
        "Whether TWS or IB Gateway is connected and, if not, why and what to do. "
        "The session is read-only: this program cannot send orders to the broker."
    )
    TELLS_FAILED: ClassVar[str] = "connect"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "connect", "connect", tooltip="Connect to the gateway"),
        Binding("d", "disconnect", "disconnect", tooltip="Leave the gateway"),
        Binding("r", "ping", "round trip", tooltip="Measure round trip and clock now"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._pings: deque[Ping] = deque(maxlen=_KEPT_PINGS)
        self._pinging: asyncio.Task[None] | None = None
        self._next_ping = 0.0
        self._state: ConnectionState | None = None
        self._last_notice: Notice | None = None

    def compose_body(self) -> ComposeResult:
        with Horizontal(id="session-and-farms"):
            session = Fields("Session", id="session")
            session.fields = (Field("", "opening the catalog ..."),)
            yield session
            yield Fields("Data farms", id="farms")
        yield LinePanel("Notices", id="notices")

    def refresh_view(self, workspace: Workspace) -> None:
        broker = workspace.broker
        if broker.state is not self._state:
            self._state_changed(broker.state)
        if broker.state.usable and asyncio.get_running_loop().time() >= self._next_ping:
            self._ping(broker)
        session = self.query_one("#session", Fields)
        session.fields = tuple(_session(broker, list(self._pings)))
        self.query_one("#farms", Fields).fields = tuple(_farms(broker))
        self._show_notices(broker)

    def _state_changed(self, state: ConnectionState) -> None:
        if not state.usable:
            self._pings.clear()
            self._next_ping = 0.0
        self._state = state
        self.query_one("#body").set_class(not state.usable, "-no-session")
        self.refresh_bindings()

    def _show_notices(self, broker: BrokerSession) -> None:
        notices = broker.notices
        self.query_one("#body").set_class(not notices, "-no-notices")
        fresh = list(takewhile(lambda one: one is not self._last_notice, reversed(notices)))
        if fresh:
            self._last_notice = fresh[0]
            panel = self.query_one("#notices", LinePanel)
            panel.add(_notice_line(notice) for notice in reversed(fresh))

    def check_action(self, action: str, _parameters: tuple[object, ...]) -> bool | None:
        """Offer only what the state allows."""
        if action not in ("connect", "disconnect", "ping"):
            return True
        if self._state is None:
            return False
        if action == "connect":
            return str(self._state.kind) in ("disconnected", "refused")
        return self._state.usable

    def action_connect(self) -> None:
        """Connect to the profile's gateway."""
        if self.workspace is not None:
            self.workspace.connect()

    async def action_disconnect(self) -> None:
        """Leave the gateway."""
        if self.workspace is not None:
            await self.workspace.disconnect()
            self.tick()

    def action_ping(self) -> None:
        """Measure the round trip now."""
        if self.workspace is not None:
            self._ping(self.workspace.broker)

    def _ping(self, broker: BrokerSession) -> None:
        self._next_ping = asyncio.get_running_loop().time() + PING_EVERY_S
        if self._pinging is None or self._pinging.done():
            self._pinging = self.start(self._measure(broker))

    async def _measure(self, broker: BrokerSession) -> None:
        self._pings.append(await broker.ping())
        self.tick()


def _session(broker: BrokerSession, pings: list[Ping]) -> Iterator[Field]:
    state = broker.state
    colour = CONNECTION_LOOKS[str(state.kind)].colour
    yield Field("state", f"{state.kind} since {_clock(state.since)}", colour)
    if state.reason:
        yield Field("why", state.reason, "$text-warning" if state.usable else "$text-error")
    for number, step in enumerate(state.steps, 1):
        yield Field("what to do" if number == 1 else "", f"{number}. {step}")
    client = "first free one" if state.client_id is None else str(state.client_id)
    yield Field("endpoint", f"{broker.endpoint}  client {client}")
    if not state.usable:
        return
    kind = " (simulated)" if state.simulated else ""
    yield Field("account", f"{' '.join(state.masked_accounts)}{kind}")
    yield Field("server", f"{state.server_version}  read-only")
    if pings:
        yield Field("clock", f"{pings[-1].clock_offset_s:+.1f} s to the broker's")
        trips = [ping.round_trip_s * 1000 for ping in pings]
        yield Field("round trip", f"{trips[-1]:,.0f} ms  {_sparkline(trips)}")


def _farms(broker: BrokerSession) -> Iterator[Field]:
    if not broker.farms:
        yield Field("", "none reported yet", "dim")
    for name, state in sorted(broker.farms.items()):
        yield Field(name, state, _FARM_STYLES.get(state, "dim"))


def _notice_line(notice: Notice) -> Line:
    head = f"{notice.time.astimezone(EXCHANGE_ZONE):%H:%M:%S} {notice.code:>4}"
    return Line(head, " ".join(notice.text.split()), notice.level)


def _clock(time: datetime) -> str:
    return f"{time.astimezone(EXCHANGE_ZONE):%H:%M} ET"


def _sparkline(values: list[float]) -> str:
    """Columns from zero to the largest value; a single one says nothing and is left out."""
    top = max(values)
    if len(values) < 2 or top <= 0:
        return ""
    return "".join(_BLOCKS[round(value / top * (len(_BLOCKS) - 1))] for value in values)

"""Screen 1: whether the broker is there, and why not."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from tui.keys import named
from tui.screens.base import BaseScreen
from tui.widgets.fields import Field, Fields
from tui.widgets.header import CONNECTION_LOOKS, EXCHANGE_ZONE
from tui.widgets.lines import Line, LinePanel

if TYPE_CHECKING:
    from core.ibkr.connection import BrokerSession, ConnectionState, Ping
    from core.ibkr.notices import Notice
    from core.ibkr.pacing import Gauge
    from core.workspace import Workspace

GAUGES_EVERY_S = 5.0
"""Other processes use up the same limits, so they are looked at also while nothing runs here."""

_SHOWN_PINGS = 20
_BLOCKS = "▁▂▃▄▅▆▇█"
_GAUGE_CELLS = 20
_NEARLY_FULL = 0.8
_LIMITS = {"open": "open", "budget": "≤30 s/10 min"}
"""What is told of the limits; messages a second come and go too fast to be looked at."""

_FARM_STYLES = {"ok": "$text-success", "broken": "$text-error", "connecting": "$text-warning"}


class ConnectionScreen(BaseScreen):
    """The state of the connection, the data farms, and what the broker told."""

    AUTO_FOCUS = ""  # the keys of the session come first; tab goes to the notices
    BODY_CLASSES: ClassVar[str] = "-no-session"
    HELP_TITLE: ClassVar[str] = "Connection"
    HELP_TEXT: ClassVar[str] = (
        "Whether TWS or IB Gateway is connected and, if not, why and what to do. "
        "The session is read-only: this program cannot send orders to the broker."
    )
    TELLS_FAILED: ClassVar[str] = "connect"
    BINDINGS: ClassVar[list[BindingType]] = named(
        "connection",
        Binding("c", "connect", "connect", tooltip="Connect to the gateway"),
        Binding("d", "disconnect", "disconnect", tooltip="Leave the gateway, stop coming back"),
        Binding("p", "profiles", "profiles", tooltip="Switch to another gateway, or change one"),
        Binding("D", "diagnose", "diagnose", tooltip="Try step by step what works and what not"),
        Binding("r", "ping", "round trip", tooltip="Measure round trip and clock now"),
    )

    def __init__(self) -> None:
        super().__init__()
        self._pinging: asyncio.Task[None] | None = None
        self._gauging: asyncio.Task[None] | None = None
        self._gauges_at = 0.0
        self._ping: Ping | None = None
        self._clock_offset_s = 0.0
        self._state: ConnectionState | None = None
        self._last_notice: Notice | None = None

    def compose_body(self) -> ComposeResult:
        with Horizontal(id="session-and-farms"):
            with Vertical(id="session-and-pacing"):
                session = Fields("Session", id="session")
                session.fields = (Field("", "opening the catalog ..."),)
                yield session
                yield Fields("Pacing", id="pacing")
            yield Fields("Data farms", id="farms")
        yield LinePanel("Notices", id="notices")

    def refresh_view(self, workspace: Workspace) -> None:
        broker = workspace.broker
        if broker.state is not self._state:
            self._state_changed(broker.state)
        if broker.pings and broker.pings[-1] is not self._ping:
            self._ping = broker.pings[-1]
            self._clock_offset_s = _offset(self._ping, workspace.clock())
        now = asyncio.get_running_loop().time()
        if broker.state.usable and now >= self._gauges_at:
            self._gauges_at = now + GAUGES_EVERY_S
            self._gauging = self._unless_busy(self._gauging, self._read_gauges(broker))
        self.query_one("#session", Fields).fields = tuple(_session(broker, self._clock_offset_s))
        self.query_one("#farms", Fields).fields = tuple(_farms(broker))
        self._show_notices(broker)

    def _state_changed(self, state: ConnectionState) -> None:
        self._state = state
        self._gauges_at = 0.0
        body = self.query_one("#body")
        body.set_class(not state.usable, "-no-session")
        body.set_class(bool(state.reason), "-troubled")
        self.refresh_bindings()

    async def _read_gauges(self, broker: BrokerSession) -> None:
        if broker.pacing is not None:
            gauges = await broker.pacing.gauges()
            self.query_one("#pacing", Fields).fields = tuple(
                _gauge(gauge) for gauge in gauges if gauge.name in _LIMITS
            )

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
        if action not in ("connect", "disconnect", "diagnose", "ping"):
            return True
        if self._state is None:
            return False
        match action:
            case "connect":
                return str(self._state.kind) in ("disconnected", "refused", "reconnecting")
            case "disconnect":
                return self._state.usable or str(self._state.kind) == "reconnecting"
            case "diagnose":
                return str(self._state.kind) != "connecting"
        return self._state.usable

    def action_connect(self) -> None:
        """Connect to the profile's gateway; while coming back to it, try at once."""
        if self.workspace is None:
            return
        for job in self.workspace.jobs.running:
            if job.kind == "connect":
                job.cancel()  # it waits for the same session
        self.workspace.connect()

    async def action_disconnect(self) -> None:
        """Leave the gateway."""
        if self.workspace is not None:
            await self.workspace.disconnect()
            self.tick()

    def action_profiles(self) -> None:
        """Choose another profile to work with, or change one."""
        from tui.screens.profiles import Profiles

        def chosen(name: str | None) -> None:
            if name is not None:
                self.call_later(self.deck.open_profile, name)

        if (workspace := self.workspace) is not None:
            self.app.push_screen(Profiles(workspace.home, workspace.profile.name), chosen)

    def action_diagnose(self) -> None:
        """Show step by step what works and, where it does not, what to change."""
        from tui.screens.diagnosis import Diagnosis

        if self.workspace is not None:
            self.app.push_screen(Diagnosis(self.workspace.diagnose()))

    def action_ping(self) -> None:
        """Measure the round trip now."""
        if self.workspace is not None:
            self._pinging = self._unless_busy(self._pinging, self._measure(self.workspace.broker))

    def _unless_busy(
        self, before: asyncio.Task[None] | None, work: Coroutine[Any, Any, None]
    ) -> asyncio.Task[None]:
        if before is not None and not before.done():
            work.close()
            return before
        return self.start(work)

    async def _measure(self, broker: BrokerSession) -> None:
        await broker.ping()
        self.tick()


def _session(broker: BrokerSession, clock_offset_s: float) -> Iterator[Field]:
    state = broker.state
    colour = CONNECTION_LOOKS[str(state.kind)].colour
    yield Field("state", f"{state.kind} since {_clock(state.since)}", colour)
    if state.attempt:
        yield Field("next try", f"{_until(state.next_try)}, attempt {state.attempt}; c tries now")
    if state.reason:
        yield Field("why", state.reason, "$text-warning" if state.usable else "$text-error")
    for number, step in enumerate(state.steps, 1):
        yield Field("what to do" if number == 1 else "", f"{number}. {step}")
    client = "first free one" if state.client_id is None else str(state.client_id)
    yield Field("endpoint", f"{broker.endpoint}  client {client}")
    if not state.usable:
        return
    accounts = f"{' '.join(state.masked_accounts)} ({state.money})"
    yield Field("account", accounts, "$text-error" if state.live else "")
    yield Field("server", f"{state.server_version}  read-only")
    if broker.pings:
        yield Field("clock", f"{clock_offset_s:+.1f} s to the broker's")
        trips = [ping.round_trip_s * 1000 for ping in list(broker.pings)[-_SHOWN_PINGS:]]
        yield Field("round trip", f"{trips[-1]:,.0f} ms  {_sparkline(trips)}")


def _until(next_try: datetime | None) -> str:
    if next_try is None:
        return "now"
    return f"in {max((next_try - datetime.now(UTC)).total_seconds(), 0.0):.0f} s"


def _offset(ping: Ping, now: datetime) -> float:
    """Seconds that the broker's clock is before the program's, which a demonstration may fix."""
    return ping.clock_offset_s + (datetime.now(UTC) - now).total_seconds()


def _gauge(gauge: Gauge) -> Field:
    part = min(gauge.used / gauge.limit, 1.0)
    full = round(part * _GAUGE_CELLS)
    bar = f"[{'#' * full}{'.' * (_GAUGE_CELLS - full)}]"
    style = "$text-warning" if part >= _NEARLY_FULL else ""
    return Field(_LIMITS[gauge.name], f"{gauge.used:>2}/{gauge.limit} {bar}", style)


def _farms(broker: BrokerSession) -> Iterator[Field]:
    if not broker.farms:
        yield Field("", "none reported yet", "dim")
    for name, state in sorted(broker.farms.items()):
        yield Field(name, state, _FARM_STYLES.get(state, "dim"))


def _notice_line(notice: Notice) -> Line:
    head = f"{notice.time.astimezone(EXCHANGE_ZONE):%H:%M:%S} {notice.code:>4}"
    return Line(head, " ".join(notice.text.split()), notice.level)


def _clock(time: datetime) -> str:
    return f"{time.astimezone(EXCHANGE_ZONE):%H:%M %Z}"


def _sparkline(values: list[float]) -> str:
    """Columns from zero to the largest value; a single one says nothing and is left out."""
    top = max(values)
    if len(values) < 2 or top <= 0:
        return ""
    return "".join(_BLOCKS[round(value / top * (len(_BLOCKS) - 1))] for value in values)

"""The session with TWS or IB Gateway: connect, watch, leave. Read-only, always."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from catalog.errors import BrokerUnavailable
from catalog.events import Event, Level, Report, ignore
from core.ibkr import refusals
from core.ibkr.handshake import CLIENT_ID_IN_USE, IdInUse, new_client, shake_hands
from core.ibkr.notices import FarmState, Notice, meaning
from core.ibkr.state import ConnectionKind, ConnectionState, Endpoint, Ping

if TYPE_CHECKING:
    from ib_async import IB

__all__ = ["BrokerSession", "ConnectionKind", "ConnectionState", "Endpoint", "Ping"]

CLIENT_IDS = range(1, 11)
"""Tried in this order when no client id is given."""

_KEPT_NOTICES = 500


@dataclass(frozen=True, slots=True)
class Connecting(Event):
    """A connection is tried."""

    channel = "session"

    endpoint: str
    client_id: int

    def __str__(self) -> str:
        return f"connecting to {self.endpoint} as client {self.client_id}"


@dataclass(frozen=True, slots=True)
class ClientIdInUse(Event):
    """A client id was refused; the next one is tried."""

    channel = "session"
    level = Level.WARNING

    client_id: int

    def __str__(self) -> str:
        return f"client id {self.client_id} is in use, trying the next one"


@dataclass(frozen=True, slots=True)
class Connected(Event):
    """The session stands."""

    channel = "session"

    endpoint: str
    server_version: int
    accounts: tuple[str, ...]
    simulated: bool

    def __str__(self) -> str:
        accounts = "1 account" if len(self.accounts) == 1 else f"{len(self.accounts)} accounts"
        simulated = ", SIMULATED" if self.simulated else ""
        return (
            f"connected to {self.endpoint}, server {self.server_version}, {accounts}, "
            f"read-only{simulated}"
        )


class BrokerSession:
    """One session with one gateway. After it ended, however it did, `connect` starts anew."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.state = ConnectionState()
        self.notices: deque[Notice] = deque(maxlen=_KEPT_NOTICES)
        self.farms: dict[str, FarmState] = {}
        self._ib: IB | None = None
        self._listeners: list[Callable[[], None]] = []
        self._connecting = asyncio.Lock()
        self._pinging = asyncio.Lock()

    @property
    def ib(self) -> IB:
        """The connected client. Raises `BrokerUnavailable` when there is none."""
        if self._ib is None or not self.state.usable:
            raise refusals.not_connected(str(self.endpoint))
        return self._ib

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback()` at every change of state, farms or notices; gives the way out."""
        self._listeners.append(callback)

        def unsubscribe() -> None:
            with suppress(ValueError):
                self._listeners.remove(callback)

        return unsubscribe

    async def wait_usable(self) -> None:
        """Wait until requests can be answered, for as long as something is done about it.

        Raises `BrokerUnavailable` when nothing is: the session was refused, or left.
        """
        changed = asyncio.Event()
        unsubscribe = self.subscribe(changed.set)
        try:
            while not self.state.answering:
                if not self.state.pending:
                    raise refusals.not_usable(
                        str(self.endpoint), self.state.reason, self.state.steps
                    )
                changed.clear()
                await changed.wait()
        finally:
            unsubscribe()

    async def connect(self, report: Report = ignore) -> None:
        """Connect, unless connected. Raises `BrokerUnavailable` naming endpoint and steps."""
        async with self._connecting:
            if self.state.usable:
                return
            try:
                await self._connect(report)
            except BrokerUnavailable as error:
                self._become(ConnectionKind.REFUSED, error.reason, error.steps)
                raise
            except BaseException:
                self._become(ConnectionKind.DISCONNECTED)
                raise

    async def disconnect(self) -> None:
        """Leave the gateway; nothing happens when there is no session."""
        async with self._connecting:
            ib, self._ib = self._ib, None
            if ib is not None:
                self._unhook(ib)
                ib.disconnect()
            self._become(ConnectionKind.DISCONNECTED)

    async def ping(self) -> Ping:
        """Ask the broker for its time. Raises `BrokerUnavailable` after the endpoint's timeout."""
        async with self._pinging:  # answers to this request carry no id
            ib = self.ib
            sent, sent_monotonic = time.time(), time.monotonic()
            try:
                answer = await asyncio.wait_for(ib.reqCurrentTimeAsync(), self.endpoint.timeout)
            except TimeoutError:
                raise refusals.silent(str(self.endpoint), self.endpoint.timeout) from None
            except ConnectionError:
                raise refusals.lost(str(self.endpoint)) from None
            round_trip = time.monotonic() - sent_monotonic
        return Ping(round_trip, answer.timestamp() + 0.5 - (sent + round_trip / 2))

    async def _connect(self, report: Report) -> None:
        given = self.endpoint.client_id
        candidates = list(CLIENT_IDS) if given is None else [given]
        refusal = ""
        for client_id in candidates:
            self._become(ConnectionKind.CONNECTING, client_id=client_id)
            report(Connecting(str(self.endpoint), client_id))
            in_use = await self._attempt(client_id)
            if in_use is None:
                report(
                    Connected(
                        str(self.endpoint),
                        self.state.server_version or 0,
                        self.state.masked_accounts,
                        self.state.simulated,
                    )
                )
                return
            refusal = in_use
            if client_id != candidates[-1]:
                report(ClientIdInUse(client_id))
        raise refusals.client_id_in_use(str(self.endpoint), candidates, refusal)

    async def _attempt(self, client_id: int) -> str | None:
        """One attempt: None when the session stands, the gateway's text when the id is in use."""
        ib = await new_client()
        ib.errorEvent += self._on_error  # notices come before the session stands
        try:
            await shake_hands(ib, self.endpoint, client_id)
        except IdInUse as error:
            return str(error)
        finally:
            if not ib.isConnected():
                self._unhook(ib)
        self._adopt(ib, client_id)
        return None

    def _adopt(self, ib: IB, client_id: int) -> None:
        ib.disconnectedEvent += self._on_dropped
        self._ib = ib
        self.state = ConnectionState(
            ConnectionKind.CONNECTED,
            server_version=ib.client.serverVersion(),
            accounts=tuple(ib.client.getAccounts()),
            client_id=client_id,
        )
        self._judge()

    def _unhook(self, ib: IB) -> None:
        ib.errorEvent -= self._on_error
        ib.disconnectedEvent -= self._on_dropped

    def _on_dropped(self) -> None:
        ib, self._ib = self._ib, None
        if ib is not None:
            self._unhook(ib)
        error = refusals.lost(str(self.endpoint))
        self._become(ConnectionKind.DISCONNECTED, error.reason, error.steps)

    def _on_error(self, request_id: int, code: int, text: str, _: object) -> None:
        if request_id != -1 or code == CLIENT_ID_IN_USE:
            return
        said = meaning(code, text)
        self.notices.append(Notice(datetime.now(UTC), code, text, said.level))
        if said.upstream is not None:
            self.state = replace(self.state, upstream=said.upstream)
        if said.upstream:
            self.farms.update(dict.fromkeys(self.farms, "ok"))
        self.farms.update(said.farms)
        self._judge()

    def _judge(self) -> None:
        """Connected or degraded, by what the gateway said of its own connections."""
        broken = sorted(name for name, state in self.farms.items() if state == "broken")
        if not self.state.usable:
            self._tell()
        elif not self.state.upstream:
            self._become(
                ConnectionKind.DEGRADED,
                "the gateway has lost its connection to IBKR (1100)",
                ("wait: the gateway reconnects by itself",),
            )
        elif broken:
            self._become(
                ConnectionKind.DEGRADED,
                f"data farm down: {', '.join(broken)}",
                ("wait: data of these farms comes late or not at all until they are back",),
            )
        else:
            self._become(ConnectionKind.CONNECTED)

    def _become(
        self,
        kind: ConnectionKind,
        reason: str = "",
        steps: tuple[str, ...] = (),
        *,
        client_id: int | None = None,
    ) -> None:
        if kind in (ConnectionKind.CONNECTED, ConnectionKind.DEGRADED):
            self.state = replace(self.state, kind=kind, reason=reason, steps=steps)
        else:
            self.farms.clear()
            self.state = ConnectionState(kind, reason, steps, client_id=client_id)
        self._tell()

    def _tell(self) -> None:
        for listener in list(self._listeners):
            listener()

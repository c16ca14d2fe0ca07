"""The session with TWS or IB Gateway: connect, watch, come back, leave. Read-only, always."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from catalog.errors import BrokerUnavailable
from catalog.events import Report, ignore
from core.ibkr import refusals
from core.ibkr.handshake import CLIENT_ID_IN_USE, IdInUse, new_client, shake_hands
from core.ibkr.heartbeat import Pulse, until_silent
from core.ibkr.notices import FarmState, Notice, meaning
from core.ibkr.pacing import Pacing
from core.ibkr.session_events import (
    ClientIdInUse,
    Connected,
    Connecting,
    ConnectionLost,
    Reconnecting,
)
from core.ibkr.state import ConnectionKind, ConnectionState, Endpoint, Ping
from core.ibkr.supervision import Pause, come_back

if TYPE_CHECKING:
    from ib_async import IB

__all__ = ["BrokerSession", "ConnectionKind", "ConnectionState", "Endpoint", "Ping"]

CLIENT_IDS = range(1, 11)
"""Tried in this order when no client id is given."""

SETTLING_S = 600.0
"""Seconds after the nightly restart in which valid contracts may still be unknown (error 200)."""

_KEPT_NOTICES = 500
_KEPT_PINGS = 60


class BrokerSession:
    """One session with one gateway.

    Once it stood, it is taken up again after every loss until `disconnect`. A first attempt that
    fails is not repeated: its reason is for a person.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        pacing: Pacing | None = None,
        report: Report = ignore,
        pause: Pause = asyncio.sleep,
        random: Random | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.pacing = pacing
        """Who admits requests; None: nobody has to."""
        self.report = report
        """Told what happens while nobody is connecting: losses, attempts to come back."""
        self._pause = pause
        self.state = ConnectionState()
        self.notices: deque[Notice] = deque(maxlen=_KEPT_NOTICES)
        self.farms: dict[str, FarmState] = {}
        self.pings: deque[Ping] = deque(maxlen=_KEPT_PINGS)
        self.volumes_in_lots = False
        """Whether this gateway was seen to send volumes of US stocks in lots of 100."""
        self._random = random or Random()
        self._ib: IB | None = None
        self._pulse: Pulse | None = None
        self._simulated: bool | None = None
        self._lost: BrokerUnavailable | None = None
        self._listeners: list[Callable[[], None]] = []
        self._connecting = asyncio.Lock()
        self._heartbeat: asyncio.Task[None] | None = None
        self._comeback: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._back_since = -math.inf

    @property
    def settling(self) -> bool:
        """Whether it came back, or reached IBKR again, so lately that it may not know all of its
        contracts yet."""
        return time.monotonic() < self._back_since + SETTLING_S

    @property
    def farms_down(self) -> tuple[str, ...]:
        """The data farms that the gateway has no connection to; those with "hmds" in their names
        serve history."""
        return tuple(sorted(name for name, state in self.farms.items() if state == "broken"))

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
        """Connect, unless connected. Raises `BrokerUnavailable` naming endpoint and steps.

        While a lost session is being taken up again, the next attempt is made at once, and
        waited for.
        """
        if self._comeback is not None:
            self._hurry.set()
            await self.wait_usable()
            return
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
        """Leave the gateway, and stop coming back; nothing happens when there is no session."""
        if self._comeback is not None:
            self._comeback.cancel()
            await asyncio.wait({self._comeback})
        async with self._connecting:
            ib = self._forget()
            if ib is not None:
                ib.disconnect()
            self._simulated = None
            self._become(ConnectionKind.DISCONNECTED)

    async def ping(self) -> Ping:
        """Ask the broker for its time. Raises `BrokerUnavailable` after the endpoint's timeout."""
        pulse, where = self._pulse, str(self.endpoint)
        if pulse is None:
            raise refusals.not_connected(where)
        try:
            measured = await pulse.measure(self.endpoint.timeout)
        except TimeoutError:
            raise refusals.stopped_answering(where, self.endpoint.timeout) from None
        except ConnectionError:
            raise refusals.lost(where) from None
        self.pings.append(measured)
        return measured

    async def _connect(self, report: Report) -> None:
        candidates = self._client_ids()
        refusal = ""
        for client_id in candidates:
            self._attempting(client_id)
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

    def _client_ids(self) -> list[int]:
        """Those to try, in order. Coming back, the one before may still count as in use."""
        given, last = self.endpoint.client_id, self.state.client_id
        return [given] if given is not None else sorted(CLIENT_IDS, key=lambda one: one != last)

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
        state = ConnectionState(
            ConnectionKind.CONNECTED,
            server_version=ib.client.serverVersion(),
            accounts=tuple(ib.client.getAccounts()),
            client_id=client_id,
            upstream=self.state.upstream,
        )
        if self._simulated not in (None, state.simulated):
            self._unhook(ib)
            ib.disconnect()
            raise refusals.another_gateway(str(self.endpoint), simulated=state.simulated)
        ib.disconnectedEvent += self._on_dropped
        self._ib, self._pulse, self._simulated = ib, Pulse(ib), state.simulated
        self.state = state
        self._heartbeat = asyncio.create_task(self._watch(ib, self._pulse))
        self._judge()

    async def _watch(self, ib: IB, pulse: Pulse) -> None:
        """End a connection whose other end is as good as gone."""
        await until_silent(self.ping, lambda: pulse.heard, self._pause)
        self._lost = refusals.stopped_answering(str(self.endpoint), self.endpoint.timeout)
        client: Any = ib.client
        if client.conn.transport is not None:
            client.conn.transport.abort()  # closing would wait until what is to be sent is sent

    def _unhook(self, ib: IB) -> None:
        ib.errorEvent -= self._on_error
        ib.disconnectedEvent -= self._on_dropped

    def _forget(self) -> IB | None:
        """Let go of the client and what watches it."""
        ib, self._ib, self._pulse = self._ib, None, None
        if self._heartbeat is not None:
            self._heartbeat.cancel()
            self._heartbeat = None
        if ib is not None:
            self._unhook(ib)
        return ib

    def _on_dropped(self) -> None:
        if self._forget() is None:
            return
        error, self._lost = self._lost or refusals.lost(str(self.endpoint)), None
        self.report(ConnectionLost(str(self.endpoint), error.reason))
        self._comeback = asyncio.create_task(self._come_back(error))
        self.farms.clear()
        self.state = replace(
            self.state,  # its accounts stay known: what is simulated stays so
            kind=ConnectionKind.RECONNECTING,
            reason=error.reason,
            steps=error.steps,
            since=datetime.now(UTC),
            upstream=True,
        )
        self._tell()

    async def _come_back(self, lost: BrokerUnavailable) -> None:
        try:
            await come_back(self._try_again, self._announce, self._rest, lost, self._random)
            self._back_since = time.monotonic()
        except BrokerUnavailable as error:
            self._simulated = None  # whoever connects now means this gateway
            self._become(ConnectionKind.REFUSED, error.reason, error.steps)
        finally:
            self._comeback = None
            self._tell()

    async def _try_again(self) -> None:
        async with self._connecting:
            await self._connect(self.report)

    def _announce(self, attempt: int, seconds: float, error: BrokerUnavailable) -> None:
        self.report(Reconnecting(attempt, seconds, error.reason))
        self.state = replace(
            self.state,
            reason=error.reason,
            steps=error.steps,
            attempt=attempt,
            next_try=datetime.now(UTC) + timedelta(seconds=seconds),
        )
        self._tell()

    async def _rest(self, seconds: float) -> None:
        """Wait, unless somebody is in a hurry."""
        self._hurry.clear()
        ways = {
            asyncio.ensure_future(self._pause(seconds)),
            asyncio.create_task(self._hurry.wait()),
        }
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()

    def _attempting(self, client_id: int) -> None:
        if self.state.kind is ConnectionKind.RECONNECTING:
            self.farms.clear()
            self.state = replace(self.state, client_id=client_id, upstream=True, next_try=None)
            self._tell()
        else:
            self._become(ConnectionKind.CONNECTING, client_id=client_id)

    def _on_error(self, request_id: int, code: int, text: str, _: object) -> None:
        if request_id != -1 or code == CLIENT_ID_IN_USE:
            return
        said = meaning(code, text)
        self.notices.append(Notice(datetime.now(UTC), code, text, said.level))
        upstream = self.state.upstream if said.upstream is None else said.upstream
        if said.upstream:
            self.farms.update(dict.fromkeys(self.farms, "ok"))
        elif any(state == "ok" for _, state in said.farms):  # 1101 and 1102 may be missing
            upstream = True
        if upstream and not self.state.upstream:
            self._back_since = time.monotonic()
        self.state = replace(self.state, upstream=upstream)
        self.farms.update(said.farms)
        self._judge()

    def _judge(self) -> None:
        """Connected or degraded, by what the gateway said of its own connections."""
        if not self.state.usable:
            self._tell()
        elif not self.state.upstream:
            self._become(
                ConnectionKind.DEGRADED,
                "the gateway has lost its connection to IBKR (1100)",
                ("wait: the gateway reconnects by itself",),
            )
        elif down := self.farms_down:
            self._become(
                ConnectionKind.DEGRADED,
                f"data farm down: {', '.join(down)}",
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

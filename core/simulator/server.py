"""The simulated gateway: a TCP server that speaks to TWS clients on loopback."""

import asyncio
import ipaddress
import random
import socket
import time
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from core.simulator import faults as fault_script
from core.simulator import hours
from core.simulator.account import ACCOUNT
from core.simulator.client import Client
from core.simulator.faults import OF_CONNECTION, OF_GATEWAY, Fault, Script
from core.simulator.history import History
from core.simulator.market import Market
from core.simulator.outages import Outages
from core.simulator.pacing import MESSAGES_A_SECOND, Pacing, Violation
from core.simulator.requests import Request
from core.simulator.ticks import TickHistory

HANG_UP_SECONDS = 1.0


class SimulatedGateway:
    """An IB Gateway with a simulated market, for tests, the demo and the curious.

    ``seed`` fixes all prices and chances; ``now`` (aware) stops its clock there, None lets it
    follow the wall clock; ``latency`` is the time in seconds before a historical request is
    answered; ``faults`` is a script (see ``faults.py``) or the faults themselves;
    ``message_rate`` is what a client may send a second, None for as much as it likes.

    ``requests`` is what clients asked, ``violations`` which rules of pacing they broke.

    Raises ``BadScript``, and ``OSError`` when the script cannot be read.
    """

    account = ACCOUNT
    clock = staticmethod(time.monotonic)

    def __init__(
        self,
        *,
        seed: int = 7,
        now: datetime | None = None,
        latency: float = 0.0,
        faults: Path | Sequence[Fault] = (),
        message_rate: int | None = MESSAGES_A_SECOND,
    ) -> None:
        if now is not None and now.tzinfo is None:
            raise ValueError("now must carry a time zone")
        if seed < 0:
            raise ValueError("the seed must not be negative")
        script = fault_script.read(faults) if isinstance(faults, Path) else faults
        self.latency = latency
        self.message_rate = message_rate
        self.requests: list[Request] = []
        self.violations: list[Violation] = []
        market = Market(seed)
        self.history = History(market)
        self.ticks = TickHistory(market)
        self.pacing = Pacing(self.clock)
        self.faults = Script(script, seed, self.clock)
        self.outages = Outages(self._notify, self.clock)
        self.client_ids: set[int] = set()
        self._now = now
        self._rng = random.Random(seed)
        self._forced_violations = 0
        self._endpoint = ("127.0.0.1", 0)
        self._server: asyncio.Server | None = None
        self._clients: set[Client] = set()
        self._conversations: set[asyncio.Task[None]] = set()
        self._happening: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The bound port. Raises ``RuntimeError`` while the gateway is not started."""
        port = self._endpoint[1]
        if not port:
            raise RuntimeError("the simulated gateway is not started")
        return port

    @property
    def open_requests(self) -> int:
        """How many historical requests are still to be answered, of all clients."""
        return sum(len(client.inquiries) for client in self._clients)

    def now(self) -> datetime:
        """What the gateway's clock shows, in UTC."""
        return (self._now or datetime.now(UTC)).astimezone(UTC)

    def shown_time(self) -> datetime:
        """What the gateway tells clients the time is; a fault may make it wrong."""
        return self.now() + timedelta(seconds=self.outages.clock_offset)

    def force_pacing(self, count: int) -> None:
        """Answer the next ``count`` historical requests with a pacing violation."""
        self._forced_violations = count

    def take_forced_violation(self) -> bool:
        """Whether the request at hand is one of those to be refused; counts it."""
        forced = self._forced_violations > 0
        self._forced_violations -= forced
        return forced

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen, and return the port; 0 takes a free one.

        Raises ``ValueError`` unless ``host`` is a loopback address: there is no login here.
        """
        if host != "localhost" and not _is_loopback(host):
            raise ValueError(f"the simulated gateway listens on loopback only, not on {host}")
        await asyncio.to_thread(hours.load_all)
        self._endpoint = (host, port)
        await self._listen()
        self.faults.begin()
        for fault in self.faults.timed:
            self._happen(self._strike_after(fault))
        return self.port

    async def _listen(self) -> None:
        host, port = self._endpoint
        self._server = await asyncio.start_server(self._converse, host, port)
        self._endpoint = (host, self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Hang up on every client and stop listening."""
        for task in self._happening:
            task.cancel()
        await asyncio.gather(*self._happening, return_exceptions=True)
        if self._server is not None:
            self._server.close()
            self._server = None
        for client in self._clients:
            client.line.close()
        if self._conversations:
            _, stuck = await asyncio.wait(self._conversations, timeout=HANG_UP_SECONDS)
            for client in self._clients:  # one that does not read what is still to be sent
                client.line.abort()
            if stuck:
                await asyncio.wait(stuck)
        self._endpoint = (self._endpoint[0], 0)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        client = Client(self, reader, writer, self._rng)
        self._conversations.add(task)
        self._clients.add(client)
        try:
            await client.serve()
        finally:
            self._clients.discard(client)
            self._conversations.discard(task)

    # Faults

    def strike(self, fault: Fault) -> None:
        """Let a fault of the gateway happen, or one of the connection to every client, now.

        Raises ``ValueError`` for a fault of one request, and for one of logging in.
        """
        if fault.what in OF_CONNECTION:
            for client in self._clients:
                client.line.suffer(fault)
            return
        if fault.what not in OF_GATEWAY:
            raise ValueError(f"{fault.what!r} happens to one request or connection")
        match fault.what:
            case "refuse":
                self._happen(self._refuse(fault.seconds))
            case "restart":
                self._happen(self._restart(fault))
            case "lost":
                self._happen(self.outages.lose_connection(fault, self._forget))
            case "farm":
                self._happen(self.outages.lose_farm(fault))
            case "clock":
                self.outages.show_clock(fault.offset)
            case "language":
                self.outages.speak(fault.prefix)

    def _happen(self, work: Coroutine[Any, Any, None]) -> None:
        # Begun at once, so that the very next request finds it so.
        task = asyncio.Task(work, loop=asyncio.get_running_loop(), eager_start=True)
        self._happening.add(task)
        task.add_done_callback(self._happening.discard)

    async def _strike_after(self, fault: Fault) -> None:
        await asyncio.sleep(fault.after)
        self.strike(fault)

    async def _refuse(self, seconds: float) -> None:
        """Stop listening for a while. The port stays ours: it is bound, though not listened on."""
        if self._server is None:
            return
        family = self._server.sockets[0].family
        self._server.close()
        self._server = None
        with socket.socket(family, socket.SOCK_STREAM) as reserved:
            reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.bind(self._endpoint)
            await asyncio.sleep(seconds)
        await self._listen()

    async def _restart(self, fault: Fault) -> None:
        for client in self._clients:
            client.line.close()
        await self._refuse(fault.seconds)
        self.outages.forget_contracts(fault.unknown)

    def _notify(self, code: int, text: str) -> None:
        for client in self._clients:
            if client.is_logged_in:
                client.notify(code, text)

    def _forget(self) -> None:
        for client in self._clients:
            client.forget()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""The simulated gateway: a TCP server that speaks to TWS clients on loopback."""

import asyncio
import ipaddress
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from core.simulator import hours
from core.simulator.client import Client
from core.simulator.history import History
from core.simulator.market import Market
from core.simulator.pacing import Pacing
from core.simulator.requests import Request

ACCOUNT = "DUSIM0001"
HANG_UP_SECONDS = 1.0


class SimulatedGateway:
    """An IB Gateway with a simulated market, for tests, the demo and the curious.

    ``seed`` fixes all prices; ``now`` (aware) stops its clock there, None lets it follow the
    wall clock; ``latency`` is the time in seconds before a historical request is answered.
    """

    account = ACCOUNT

    def __init__(self, *, seed: int = 7, now: datetime | None = None, latency: float = 0.0) -> None:
        if now is not None and now.tzinfo is None:
            raise ValueError("now must carry a time zone")
        if seed < 0:
            raise ValueError("the seed must not be negative")
        self.latency = latency
        self.requests: list[Request] = []
        self.history = History(Market(seed))
        self.pacing = Pacing(time.monotonic)
        self.client_ids: set[int] = set()
        self._now = now
        self._forced_violations = 0
        self._server: asyncio.Server | None = None
        self._conversations: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The bound port. Raises ``RuntimeError`` while the gateway is not started."""
        if self._server is None:
            raise RuntimeError("the simulated gateway is not started")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def now(self) -> datetime:
        """What the gateway's clock shows, in UTC."""
        return (self._now or datetime.now(UTC)).astimezone(UTC)

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
        self._server = await asyncio.start_server(self._converse, host, port)
        return self.port

    async def stop(self) -> None:
        """Hang up on every client and stop listening."""
        if self._server is None:
            return
        self._server.close()
        self._server.close_clients()
        try:
            async with asyncio.timeout(HANG_UP_SECONDS):
                await self._server.wait_closed()
        except TimeoutError:  # a client that does not read what is still to be sent
            self._server.abort_clients()
        await asyncio.gather(*self._conversations)
        self._server = None

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        try:
            await Client(self, reader, writer).serve()
        finally:
            self._conversations.discard(task)

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

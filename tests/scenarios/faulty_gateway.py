"""A simulated gateway that does something wrong, and what an ib_async session notices of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import ib_async
from ib_async import StartupFetchNONE

from core.simulator.faults import Fault
from core.simulator.server import SimulatedGateway
from tests.scenarios.simulator_clients import session

NOW = datetime(2024, 6, 11, 15, 0, 30, tzinfo=UTC)
EARLIER = "20240611-14:00:00"
AAPL = ib_async.Stock("AAPL", "SMART", "USD")
SOON = 30.0
HALF_AN_HOUR = (AAPL, EARLIER, "1800 S", "1 min", "TRADES", True, 2)


class Seen:
    """What an ib_async session noticed: errors and notices in order, and its end."""

    def __init__(self, ib: ib_async.IB) -> None:
        self.codes: list[int] = []
        self.texts: list[str] = []
        self.gone = asyncio.Event()
        self._news = asyncio.Event()
        ib.disconnectedEvent += self.gone.set
        ib.errorEvent += self._note

    def _note(self, _request_id: int, code: int, text: str, _contract: Any) -> None:
        self.codes.append(code)
        self.texts.append(text)
        self._news.set()

    async def until(self, code: int) -> None:
        """Wait for an error or notice."""
        async with asyncio.timeout(SOON):
            while code not in self.codes:
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def faulty(
    *faults: Fault, client_id: int = 1
) -> AsyncIterator[tuple[SimulatedGateway, ib_async.IB, Seen]]:
    """A gateway with ``faults``, and a session connected to it."""
    async with (
        SimulatedGateway(now=NOW, faults=faults) as gateway,
        session(gateway.port, client_id) as ib,
    ):
        yield gateway, ib, Seen(ib)


async def bars(ib: ib_async.IB, end: str = EARLIER) -> list[Any]:
    """Half an hour of AAPL."""
    async with asyncio.timeout(SOON):
        asked = (AAPL, end, *HALF_AN_HOUR[2:])
        return list(await ib.reqHistoricalDataAsync(*asked, timeout=0))


async def begun[T](request: Awaitable[T]) -> asyncio.Future[T]:
    """A request that is on the wire before the next one."""
    task = asyncio.ensure_future(request)
    await asyncio.sleep(0)
    return task


async def connect(port: int, timeout: float = 0.2) -> ib_async.IB:
    ib = ib_async.IB()
    await ib.connectAsync(
        "127.0.0.1", port, clientId=2, timeout=timeout, fetchFields=StartupFetchNONE, readonly=True
    )
    return ib


async def until_connected(port: int) -> ib_async.IB | None:
    try:
        return await connect(port, SOON)
    except ConnectionRefusedError:
        return None


async def faultless(end: str = EARLIER) -> list[Any]:
    async with faulty() as (_, ib, _):
        return await bars(ib, end)


async def bars_or_nothing(ib: ib_async.IB) -> list[Any]:
    try:
        return await bars(ib)
    except ib_async.RequestError:
        return []

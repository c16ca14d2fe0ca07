"""Whether the gateway is still there. A socket whose other end vanished looks open for hours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from catalog.errors import BrokerUnavailable
from core.ibkr.state import Ping
from core.ibkr.supervision import Pause

if TYPE_CHECKING:
    from ib_async import IB

HEARTBEAT_S = 30.0
"""Seconds from one answer to the next question."""

_MISSED_AT_MOST = 1


class Pulse:
    """Asks one gateway for its time (`reqCurrentTime`).

    The answer carries no id, so there is one question at a time, and one that is not answered yet
    is waited for again instead of being asked anew.
    """

    def __init__(self, ib: IB) -> None:
        self._ib = ib
        self._asking = asyncio.Lock()
        self._answer: asyncio.Future[datetime] | None = None
        self._sent = self._sent_monotonic = 0.0

    @property
    def heard(self) -> int:
        """How many bytes came from the gateway so far."""
        client: Any = self._ib.client
        heard: int = client.connectionStats().numBytesRecv if client.isReady() else 0
        return heard

    async def measure(self, timeout: float) -> Ping:
        """One round trip. Raises `TimeoutError`, or `ConnectionError` when the socket closes."""
        async with self._asking:
            if self._answer is None:
                self._sent, self._sent_monotonic = time.time(), time.monotonic()
                self._answer = asyncio.ensure_future(self._ib.reqCurrentTimeAsync())
                # Left alone it may fail with the connection, which is known by other ways.
                self._answer.add_done_callback(lambda done: done.cancelled() or done.exception())
            answer = self._answer
            await asyncio.wait({answer}, timeout=timeout)
            if not answer.done():
                raise TimeoutError
            self._answer = None
            round_trip = time.monotonic() - self._sent_monotonic
            moment = answer.result().timestamp()
        return Ping(round_trip, moment + 0.5 - (self._sent + round_trip / 2))


async def until_silent(
    ping: Callable[[], Awaitable[Ping]], heard: Callable[[], int], pause: Pause
) -> None:
    """Ping now and then; returns when the gateway is as good as gone.

    It is when a ping finds no answer and not a byte came meanwhile: one that is busy sending bars
    may be late. When the next ping is not answered either, what is sent makes no sense any more.
    """
    missed = 0
    while True:
        before = heard()
        try:
            await ping()
            missed = 0
        except BrokerUnavailable:
            missed += 1
            if missed > _MISSED_AT_MOST or heard() == before:
                return
        await pause(HEARTBEAT_S)

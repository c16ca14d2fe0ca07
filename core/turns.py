"""Who may ask the broker next: a bounded number of open requests, for which jobs take turns."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

from catalog.series import NANOS_PER_SECOND, BarSpec
from core.ibkr.connection import BrokerSession

OPEN_REQUESTS = 50
"""IBKR: "simultaneous open historical data requests", the limit of one gateway."""

SMALL_BAR = 30 * NANOS_PER_SECOND
"""ns. IBKR's stricter pacing rules are for bars up to this size."""

_NARROWEST = 4
_OPEN_FOR_SMALL_BARS = 10


class Turns:
    """The open requests of one session. Each job that waits is served in its turn, however many
    requests another one has.

    `width` is how many may be open now: halved when the broker does not answer in time, one more
    with each answer.
    """

    def __init__(self, most: int = OPEN_REQUESTS) -> None:
        self.width = most
        self._most = most
        self._open = 0
        self._waiting: dict[Hashable, deque[asyncio.Future[None]]] = {}

    @asynccontextmanager
    async def take(self, job: Hashable) -> AsyncIterator[None]:
        """Wait for a turn of `job`, and have one request open inside."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(job, deque()).append(turn)
        self._admit()
        try:
            await turn
            yield
        finally:
            if not turn.cancelled():
                self._open -= 1
                self._admit()

    def narrow(self) -> None:
        """The broker is overtaxed: have fewer requests open."""
        self.width = max(_NARROWEST, self.width // 2)

    def widen(self) -> None:
        """The broker answers: have one more open."""
        self.width = min(self._most, self.width + 1)
        self._admit()

    def _admit(self) -> None:
        while self._waiting and self._open < self.width:
            job, turns = next(iter(self._waiting.items()))
            turn = turns.popleft()
            del self._waiting[job]
            if turns:
                self._waiting[job] = turns  # behind the other jobs
            if not turn.cancelled():
                self._open += 1
                turn.set_result(None)


def turns_of(session: BrokerSession, spec: BarSpec | None = None) -> Turns:
    """The turns that all work on a session shares. Small bars have few of their own: requests for
    them wait long for pacing, and would hold those of all others."""
    usual, small = _of_sessions.setdefault(session, (Turns(), Turns(_OPEN_FOR_SMALL_BARS)))
    return small if spec is not None and spec.nanos <= SMALL_BAR else usual


_of_sessions: WeakKeyDictionary[BrokerSession, tuple[Turns, Turns]] = WeakKeyDictionary()

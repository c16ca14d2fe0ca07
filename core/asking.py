"""Asking the broker on behalf of one piece of work: counted, and with patience."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from catalog.events import Report
from core.fetch_events import PacingWait
from core.ibkr.connection import BrokerSession
from core.ibkr.requests import Pacing

type Pause = Callable[[float], Awaitable[None]]

PACING_WAITS = (15.0, 60.0, 180.0, 360.0)
"""Seconds before each further attempt: the longest pacing rule spans ten minutes."""


class PatientBroker:
    """A broker session that counts requests and asks again after a pacing violation."""

    def __init__(
        self, session: BrokerSession, report: Report, pause: Pause = asyncio.sleep
    ) -> None:
        self.session = session
        self.requests = 0
        self._report = report
        self._pause = pause

    async def connect(self) -> None:
        """Connect the session, unless it is. Raises `BrokerUnavailable`."""
        await self.session.connect(self._report)

    async def ask[T](self, request: Callable[[BrokerSession], Awaitable[T]]) -> T:
        """The outcome of a request; a pacing violation only after all waits, each told before."""
        for seconds in PACING_WAITS:
            self.requests += 1
            outcome = await request(self.session)
            if not isinstance(outcome, Pacing):
                return outcome
            self._report(PacingWait(seconds, outcome.text))
            await self._pause(seconds)
        self.requests += 1
        return await request(self.session)

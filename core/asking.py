"""Asking the broker on behalf of one series: in turn, counted, and with patience.

What passes by itself is waited out: a connection that is lost, pacing, an answer that does not
come, and valid contracts that are not known for some minutes around the nightly restart.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable

from catalog.errors import BrokerUnavailable
from catalog.events import Report
from catalog.series import BarSpec
from core.fetch_events import AskedAgain, ConnectionAwaited, ConnectionBack, PacingWait
from core.ibkr.connection import BrokerSession
from core.ibkr.requests import Lost, NotFound, Pacing, Timeout
from core.turns import turns_of

type Pause = Callable[[float], Awaitable[None]]

PACING_WAITS = (15.0, 60.0, 180.0, 360.0)
"""Seconds before each further attempt: the longest pacing rule spans ten minutes."""

RESTART_WAITS = (15.0, 30.0, *[60.0] * 9)
"""Seconds before a contract that should be known is asked for again, about ten minutes in all."""

TIMEOUTS_BORNE, TIMEOUTS_BORNE_WITHOUT_FARM = 2, 30
"""How often a request that was not answered in time is sent again; while a farm of historical data
is down, half an hour long: then it is no fault of the request."""


class JobLine:
    """The way to the broker that all series of one job share.

    A connection that was refused once is refused to all of them, without further attempts.
    """

    def __init__(self, session: BrokerSession, job: Hashable, pause: Pause = asyncio.sleep) -> None:
        self.session = session
        self.job = job
        self.pause = pause
        self._refusal: BrokerUnavailable | None = None
        self._connecting = asyncio.Lock()
        self._waiting = 0

    async def connect(self, report: Report) -> None:
        """Connect the session, unless it is; one that was lost is waited for.

        Raises `BrokerUnavailable`.
        """
        async with self._connecting:
            if self._refusal is not None:
                raise self._refusal
            awaited = self.session.state.pending
            if awaited:
                report(ConnectionAwaited(self.session.state.reason))
            try:
                await self.session.connect(report)
            except BrokerUnavailable as error:
                self._refusal = error
                raise
            if awaited:
                report(ConnectionBack())

    async def wait_usable(self, reason: str, report: Report) -> None:
        """Wait for a session that was lost; told once, however many requests were open.

        Raises `BrokerUnavailable` when the connection is gone and nobody mends it.
        """
        self._waiting += 1
        try:
            if self._waiting == 1:
                report(ConnectionAwaited(reason))
            await self.session.wait_usable()
        finally:
            self._waiting -= 1
        if not self._waiting:
            report(ConnectionBack())


class PatientBroker:
    """The broker as one series asks it, in the turns of its job; counts its requests."""

    def __init__(self, line: JobLine, report: Report, bars: BarSpec | None = None) -> None:
        self.session = line.session
        self.requests = 0
        self._line = line
        self._turns = turns_of(line.session, bars)
        self._report = report

    async def connect(self) -> None:
        """Connect the session, unless it is. Raises `BrokerUnavailable`."""
        await self._line.connect(self._report)

    async def ask[T](
        self, request: Callable[[BrokerSession], Awaitable[T]], *, known: bool = False
    ) -> T:
        """The outcome of a request; of those that may be another one later, only after all waits,
        each told before. `known`: that the broker knew the contract before; of a session that has
        just come back, any contract may be.

        Raises `BrokerUnavailable` when the connection is gone and nobody mends it.
        """
        pacing, restart = iter(PACING_WAITS), iter(RESTART_WAITS)
        timeouts = 0
        while True:
            async with self._turns.take(self._line.job):
                self.requests += 1
                outcome = await request(self.session)
            match outcome:
                case Lost(reason):
                    await self._line.wait_usable(reason, self._report)
                case Pacing(rule) if (seconds := next(pacing, None)) is not None:
                    self._report(PacingWait(seconds, rule))
                    await self._line.pause(seconds)
                case Timeout(seconds) if timeouts < self._timeouts_borne:
                    timeouts += 1
                    self._turns.narrow()
                    why = f"; {self.session.state.reason}" if self.session.farms_down else ""
                    self._report(AskedAgain(f"no answer in {seconds:g} s{why}", 0.0))
                case NotFound(text) if (known or self.session.settling) and (
                    seconds := next(restart, None)
                ) is not None:
                    self._report(AskedAgain(text, seconds))
                    await self._line.pause(seconds)
                case _:
                    self._turns.widen()
                    return outcome

    @property
    def _timeouts_borne(self) -> int:
        farm_down = any("hmds" in name for name in self.session.farms_down)
        return TIMEOUTS_BORNE_WITHOUT_FARM if farm_down else TIMEOUTS_BORNE

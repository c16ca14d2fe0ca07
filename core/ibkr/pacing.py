"""Admission to the broker: every request waits until none of IBKR's published rules is broken.

The budget belongs to a gateway (host and port), whoever asks: this program, a cron job, the one
that ran five minutes ago.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog.events import Report
from core.ibkr.budget import Budget
from core.ibkr.pacing_rules import Demand, open_limit, rules
from core.ibkr.session_events import PacingWait
from core.ibkr.supervision import Pause

_TOLD_FROM_S = 1.0
_PLENTY = 0.75


@dataclass(frozen=True, slots=True)
class Gauge:
    """How much of a rule is used up; at its limit, requests wait."""

    name: str
    used: int
    limit: int


@dataclass(slots=True)
class Admission:
    """A request that may be sent now."""

    sent: bool = True
    """Set to False where it was not sent after all: it does not count then."""


class Pacing:
    """The budget of one gateway, in a file that all processes on this machine share."""

    def __init__(
        self,
        file: Path,
        host: str,
        port: int,
        *,
        clock: Callable[[], float] = time.time,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._file = file
        self._gateway = f"{'127.0.0.1' if host == 'localhost' else host}:{port}"
        self._clock = clock
        self._pause = pause
        self._budget: Budget | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def admitted(
        self, demand: Demand, open_for: float, report: Report
    ) -> AsyncIterator[Admission]:
        """Wait until the request may be sent; waits are told before they begin. It counts as open
        until the end of the block, at most `open_for` seconds.

        Raises `CatalogUnusable` when the budget's file cannot be used.
        """
        budget = await self._opened()
        ticket, admission = uuid.uuid4().hex, Admission(sent=False)
        try:
            await self._wait(budget, ticket, demand, open_for, report)
            admission.sent = True
            yield admission
        finally:
            if admission.sent and demand.historical:
                await asyncio.to_thread(budget.release, ticket)
            elif not admission.sent:
                await asyncio.to_thread(budget.withdraw, ticket)

    async def gauges(self) -> tuple[Gauge, ...]:
        """How much of the gateway's limits is used up now, by all processes."""
        budget = await self._opened()
        used = await asyncio.to_thread(budget.used, self._gateway)
        limits = {"open": open_limit()} | {
            rule.name: rule.limit for rule in rules() if rule.scope == "gateway"
        }
        return tuple(Gauge(name, used[name], limit) for name, limit in limits.items())

    async def is_scarce(self) -> bool:
        """Whether little is left of what bars of seconds, ticks and head timestamps share."""
        return any(
            gauge.name == "budget" and gauge.used > gauge.limit * _PLENTY
            for gauge in await self.gauges()
        )

    def close(self) -> None:
        """Give the file back."""
        if self._budget is not None:
            self._budget.close()
            self._budget = None

    async def _wait(
        self, budget: Budget, ticket: str, demand: Demand, open_for: float, report: Report
    ) -> None:
        told = ""
        while wait := await asyncio.to_thread(
            budget.admit, self._gateway, ticket, demand, open_for
        ):
            if wait.rule != told and (wait.seconds >= _TOLD_FROM_S or not wait.known):
                report(PacingWait(wait.seconds if wait.known else 0.0, wait.rule))
                told = wait.rule
            await self._pause(wait.seconds)

    async def _opened(self) -> Budget:
        async with self._opening:
            if self._budget is None:
                self._budget = await asyncio.to_thread(Budget, self._file, self._clock)
            return self._budget

"""Runs wait for a free core: as many at a time as there are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from catalog.events import Event, Report


@dataclass(frozen=True, slots=True)
class RunQueued(Event):
    """A run waits until one of those before it has ended."""

    channel = "run"

    ahead: int

    def __str__(self) -> str:
        runs = "1 run" if self.ahead == 1 else f"{self.ahead} runs"
        return f"waiting for {runs} to end"


class RunQueue:
    """Slots for runs of one process, given in the order they are asked for."""

    def __init__(self, slots: int | None = None) -> None:
        self.slots = slots or os.cpu_count() or 1
        self._free = asyncio.Semaphore(self.slots)
        self._taken = 0

    @asynccontextmanager
    async def slot(self, report: Report) -> AsyncIterator[None]:
        """Wait for a slot and hold it. Telling that it waits, where it does."""
        if self._free.locked():
            report(RunQueued(self._taken + 1 - self.slots))
        self._taken += 1
        try:
            async with self._free:
                yield
        finally:
            self._taken -= 1

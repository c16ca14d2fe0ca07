"""Answers that come while others are being stored are stored together.

A file that holds the bars of several answers is then written once for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from catalog.columns import BarColumns, concat
from catalog.coverage import Interval, intersect
from catalog.series import BarSpec
from catalog.sessions import Sessions

type Store = Callable[[BarColumns, Interval], Awaitable[None]]
type Answer = tuple[Interval, BarColumns]


class Batches:
    """The answers of one series on their way into the catalog, by `store(bars, asked)`."""

    def __init__(self, store: Store, sessions: Sessions, spec: BarSpec) -> None:
        self._store = store
        self._open_times = sessions.open_times(spec)
        self._waiting: list[Answer] = []
        self._turn = asyncio.Lock()

    async def add(self, bars: BarColumns, asked: Interval) -> None:
        """Store an answer; returns once it is stored, by this call or by another one."""
        self._waiting.append((asked, bars))
        async with self._turn:
            batch, self._waiting = self._waiting, []
            for span, together in self._joined(batch):
                await self._store(together, span)

    def _joined(self, batch: list[Answer]) -> list[Answer]:
        """Neighbours with only closed time between them as one answer."""
        joined: list[Answer] = []
        for asked, bars in sorted(batch, key=lambda answer: answer[0]):
            if joined:
                (start, end), before = joined[-1]
                if not intersect([(end, asked[0])], self._open_times):
                    joined[-1] = ((start, asked[1]), concat([before, bars]))
                    continue
            joined.append((asked, bars))
        return joined

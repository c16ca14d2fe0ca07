"""Answers that are stored together."""

from __future__ import annotations

import asyncio

import numpy as np

from catalog.columns import BarColumns
from catalog.coverage import Interval
from catalog.series import BarSpec
from catalog.sessions import Sessions
from core.batches import Batches

DAY, HOUR = 86_400_000_000_000, 3_600_000_000_000


def session(day: int) -> Interval:
    return day * DAY + 14 * HOUR, day * DAY + 21 * HOUR


def bars(day: int) -> BarColumns:
    one = np.array([session(day)[0] + HOUR])
    return BarColumns(one, one, one, one, one, one, 2, 0)


async def test_answers_with_only_nights_between_them_are_stored_as_one() -> None:
    days = np.arange(10)
    opens, closes = (np.array(column) for column in zip(*map(session, range(10)), strict=True))
    sessions = Sessions(days, opens, closes, "UTC", "broker")
    stored: list[tuple[Interval, list[int]]] = []
    disk = asyncio.Event()

    async def store(columns: BarColumns, asked: Interval) -> None:
        await disk.wait()
        stored.append((asked, columns.ts.tolist()))

    batches = Batches(store, sessions, BarSpec(1, "HOUR"))
    adding = [
        asyncio.create_task(batches.add(bars(day), session(day))) for day in (0, 3, 1, 2, 7, 8)
    ]
    await asyncio.sleep(0)
    disk.set()
    await asyncio.gather(*adding)

    spans = [(0, 0), (1, 3), (7, 8)]
    assert [asked for asked, _ in stored] == [(session(a)[0], session(b)[1]) for a, b in spans]
    assert [ts for _, ts in stored] == [
        [session(day)[0] + HOUR for day in range(a, b + 1)] for a, b in spans
    ]

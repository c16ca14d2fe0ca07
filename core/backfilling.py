"""Instruments for all bars that have none, from the broker, in one go."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from catalog.errors import BrokerUnavailable, QuarterdeckError
from catalog.events import Event, Level, Report, ignore
from catalog.store import Catalog
from core.ibkr.connection import BrokerSession
from core.identity import Clock, backfill_instrument
from core.jobs import JobProgress


@dataclass(frozen=True, slots=True)
class BackfillFailed(Event):
    """The broker could not tell an instrument; its bars stay without one."""

    level: ClassVar[Level] = Level.ERROR
    channel: ClassVar[str] = "catalog"

    instrument_id: str
    reason: str

    def __str__(self) -> str:
        return f"no instrument for {self.instrument_id}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Backfilled:
    """What became of the orphans: the canonical id by the id their bars stand under, and the
    errors of those that stay orphans.

    Where the two ids differ, a check says so and a repair moves the bars.
    """

    stored: dict[str, str]
    failed: dict[str, QuarterdeckError]


async def backfill(
    catalog: Catalog, session: BrokerSession, clock: Clock, report: Report = ignore
) -> Backfilled:
    """Ask the broker for the instrument of every series that has none, and store it.

    The session is connected only if there is an orphan. One that fails does not stop the others.
    Raises `BrokerUnavailable`.
    """
    result = Backfilled({}, {})
    orphans = await asyncio.to_thread(_orphans, catalog)
    for done, orphan in enumerate(orphans):
        report(JobProgress(done, len(orphans), "instruments", orphan))
        try:
            result.stored[orphan] = await backfill_instrument(
                orphan, catalog=catalog, session=session, clock=clock, report=report
            )
        except BrokerUnavailable:
            raise
        except QuarterdeckError as error:
            result.failed[orphan] = error
            report(BackfillFailed(orphan, str(error)))
    return result


def _orphans(catalog: Catalog) -> list[str]:
    return sorted(
        {one.series.instrument_id for one in catalog.list_series() if not one.has_instrument}
    )

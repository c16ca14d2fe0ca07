"""The market's sessions, as the broker tells them (`whatToShow=SCHEDULE`)."""

from __future__ import annotations

import asyncio
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from catalog.coverage import Interval
from catalog.series import NANOS_PER_SECOND
from catalog.sessions import Hours, Sessions
from core.ibkr.connection import BrokerSession
from core.ibkr.requests import Failure, historical_schedule
from core.ibkr.symbology import iana_zone

if TYPE_CHECKING:
    from ib_async import Contract, HistoricalSchedule

_EPOCH = date(1970, 1, 1).toordinal()
_NANOS_PER_DAY = 86_400 * NANOS_PER_SECOND
_LONGEST_IN_DAYS = 365


async def broker_sessions(
    session: BrokerSession, contract: Contract, span: Interval, hours: Hours, now: datetime
) -> Sessions | Failure:
    """The sessions that touch `span` (ns UTC). Raises `BrokerUnavailable`."""
    from ib_async import HistoricalSchedule

    start, end = span
    endless = contract.secType == "CONTFUT"
    if endless:
        end = max(end, int(now.timestamp()) * NANOS_PER_SECOND)
    # As many sessions as the span has days reach back at least to its start.
    days = -(-(end - start) // _NANOS_PER_DAY) + 1
    years = -(-days // _LONGEST_IN_DAYS)
    answer = await historical_schedule(
        session,
        contract,
        end=None if endless else datetime.fromtimestamp(-(-end // NANOS_PER_SECOND), UTC),
        duration=f"{days} D" if days <= _LONGEST_IN_DAYS else f"{years} Y",
        regular_hours=hours == "regular",
    )
    if not isinstance(answer, HistoricalSchedule):
        return answer
    return _touching(await asyncio.to_thread(read_schedule, answer), span)


def read_schedule(schedule: HistoricalSchedule) -> Sessions:
    """Sessions of an answer, whose times are local to its zone."""
    zone = iana_zone(schedule.timeZone)
    local = ZoneInfo(zone)
    rows = sorted(
        (
            _nanos(row.startDateTime, local),
            _nanos(row.endDateTime, local),
            date.fromisoformat(row.refDate).toordinal() - _EPOCH,
        )
        for row in schedule.sessions
    )
    opens, closes, dates = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return Sessions(dates, opens, closes, zone, "broker")


def _touching(sessions: Sessions, span: Interval) -> Sessions:
    start, end = span
    return sessions.take((sessions.closes > start) & (sessions.opens < end))


def _nanos(text: str, zone: ZoneInfo) -> int:
    day, _, time = text.partition("-")  # 20260102-09:30:00; strptime is ten times slower
    moment = datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=zone)
    return int(moment.timestamp()) * NANOS_PER_SECOND

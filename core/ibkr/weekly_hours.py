"""Sessions from the hours that contract details list for some days, taken as those of every week.

The last resort, where neither the broker tells a schedule nor a calendar knows the venue. It has
no holidays: rather is a closed day asked for than an open one left out.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from catalog.coverage import Interval
from catalog.errors import DataUnavailable
from catalog.series import NANOS_PER_SECOND
from catalog.sessions import Sessions

# IBKR: "20180323:0400-20180323:2000;20180326:CLOSED"; before 2018 "20090507:0700-1830,1900-2330".
_HOURS = re.compile(r"(\d{8}):(\d{4})-(?:(\d{8}):)?(\d{4})")
_EPOCH = date(1970, 1, 1).toordinal()
_WORKDAYS = range(5)


class _Hours(NamedTuple):
    """A session by the clock of its exchange; it may open some days before its trading date."""

    days_before: int
    opens: time
    closes: time


def weekly_sessions(listed: str, zone: str, span: Interval) -> Sessions:
    """The sessions that touch `span` (ns UTC) if all weeks are like the one `listed` in
    `tradingHours` or `liquidHours`, in the time zone of the exchange (IANA).

    A workday that is closed in it may be a holiday: it gets the hours of most other days. Raises
    `DataUnavailable` when nothing is listed.
    """
    week = _week(listed)
    if not week:
        raise DataUnavailable(
            "its sessions are not known",
            "the broker tells neither a schedule nor hours, and no calendar knows its venue",
            "look whether it is traded at all: quarterdeck search",
        )
    local, (start, end) = ZoneInfo(zone), span
    first, last = (datetime.fromtimestamp(at // NANOS_PER_SECOND, local).date() for at in span)
    days = (first + timedelta(days) for days in range(-1, (last - first).days + 8))
    rows = np.array(
        [
            (
                day.toordinal() - _EPOCH,
                _nanos(day - timedelta(hours.days_before), hours.opens, local),
                _nanos(day, hours.closes, local),
            )
            for day in days
            for hours in week.get(day.weekday(), ())
        ],
        dtype=np.int64,
    ).reshape(-1, 3)
    dates, opens, closes = rows[(rows[:, 2] > start) & (rows[:, 1] < end)].T
    return Sessions(dates, opens, closes, zone, "week")


def _week(listed: str) -> dict[int, tuple[_Hours, ...]]:
    """The hours of each weekday, Monday being 0."""
    week: dict[int, tuple[_Hours, ...]] = {}
    for day, sessions in groupby(_sessions(listed), key=lambda one: one[0]):
        week[day.weekday()] = tuple(hours for _, hours in sessions)
    if week:
        ((usual, _),) = Counter(week.values()).most_common(1)
        week = defaultdict(tuple, {day: week.get(day, usual) for day in _WORKDAYS} | week)
    return week


def _sessions(listed: str) -> list[tuple[date, _Hours]]:
    """The sessions by trading date, the one on which they close."""
    found = []
    for part in listed.split(";"):
        day = part.partition(":")[0]
        for hours in part.split(","):
            text = hours if ":" in hours else f"{day}:{hours}"
            if match := _HOURS.fullmatch(text):
                opened, closed = map(date.fromisoformat, (match[1], match[3] or match[1]))
                opens, closes = map(time.fromisoformat, (match[2], match[4]))
                found.append((closed, _Hours((closed - opened).days, opens, closes)))
    return sorted(found)


def _nanos(day: date, at: time, zone: ZoneInfo) -> int:
    moment = datetime.combine(day, at, zone).astimezone(UTC)
    return int(moment.timestamp()) * NANOS_PER_SECOND

"""Which trading date each bar belongs to, so that daily returns end at a session's close."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from catalog.columns import Ints
from catalog.layout import NANOS_PER_DAY, open_of
from catalog.series import NANOS_PER_SECOND, BarSpec

if TYPE_CHECKING:
    from catalog.sessions import Sessions

_EPOCH = date(1970, 1, 1).toordinal()
_BLOCK = 100_000
"""Stamps worked out at a time, so that millions need little memory on the way."""


def trading_dates(ts: Ints, spec: BarSpec, sessions: Sessions | None, zone: str) -> Ints:
    """The trading date of each stamp in days since 1970-01-01, in the order of the stamps.

    A bar that opens inside or after one session and before the next one's open belongs to the
    first session that closes after its open. Without sessions, or beyond the last one, its date
    is the calendar day of its open in the exchange's zone. Bars of a day and longer are stamped
    with their date.
    """
    dates = np.empty(len(ts), dtype=np.int64)
    if not len(ts):
        return dates
    midnights, first = _midnights(open_of(ts[[0, -1]], spec), ZoneInfo(zone))
    for row in range(0, len(ts), _BLOCK):
        rows = slice(row, row + _BLOCK)
        opens = open_of(ts[rows], spec)
        if not spec.intraday:
            dates[rows] = opens // NANOS_PER_DAY
            continue
        dates[rows] = first + np.searchsorted(midnights, opens, "right")
        if sessions is not None:
            place = np.searchsorted(sessions.closes, opens, "right")
            known = place < len(sessions)
            dates[rows][known] = sessions.dates[place[known]]
    return np.maximum.accumulate(dates, out=dates)


def merged_dates(ts: Ints, markets: Sequence[tuple[Ints, Ints]]) -> Ints:
    """The trading date of each of the stamps, which are those of several markets together, from
    stamps and dates of each.

    Where markets disagree (one has begun its next session, the other not) the later date counts:
    a day of them together ends with the last market that closes it.
    """
    if len(markets) == 1:
        return markets[0][1]
    dates = np.zeros(len(ts), dtype=np.int64)
    for own_ts, own_dates in markets:
        rows = np.searchsorted(ts, own_ts)
        dates[rows] = np.maximum(dates[rows], own_dates)
    return np.maximum.accumulate(dates, out=dates)


def _midnights(reach: Ints, zone: ZoneInfo) -> tuple[Ints, int]:
    """The midnights of the zone after the date of the first moment up to the last one, ns, and
    that date in days since 1970-01-01."""
    first, last = (
        datetime.fromtimestamp(moment // NANOS_PER_SECOND, zone).date() for moment in reach.tolist()
    )
    days = [date.fromordinal(day) for day in range(first.toordinal() + 1, last.toordinal() + 1)]
    midnights = [int(datetime.combine(day, time(), zone).timestamp()) for day in days]
    return np.array(midnights, dtype=np.int64) * NANOS_PER_SECOND, first.toordinal() - _EPOCH

"""Which trading date each bar belongs to, so that daily returns end at a session's close."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from catalog.columns import Ints
from catalog.layout import NANOS_PER_DAY, open_of
from catalog.series import NANOS_PER_SECOND, BarSpec

if TYPE_CHECKING:
    from catalog.sessions import Sessions

_QUARTER = 900 * NANOS_PER_SECOND


def trading_dates(ts: Ints, spec: BarSpec, sessions: Sessions | None, zone: str) -> Ints:
    """The trading date of each stamp in days since 1970-01-01, in the order of the stamps.

    A bar that opens inside or after one session and before the next one's open belongs to the
    first session that closes after its open. Without sessions, or beyond the last one, its date
    is the calendar day of its open in the exchange's zone. Bars of a day and longer are stamped
    with their date.
    """
    opens = open_of(ts, spec)
    if not spec.intraday:
        return opens // NANOS_PER_DAY
    dates = _local_dates(opens, ZoneInfo(zone))
    if sessions is None or not len(sessions):
        return dates
    row = np.searchsorted(sessions.closes, opens, "right")
    known = row < len(sessions)
    dates[known] = sessions.dates[row[known]]
    return np.maximum.accumulate(dates)


def merged_dates(ts: Ints, markets: Sequence[tuple[Ints, Ints]]) -> Ints:
    """The trading date of each of the stamps, which are those of several markets together, from
    stamps and dates of each.

    Where markets disagree (one has begun its next session, the other not) the later date counts:
    a day of them together ends with the last market that closes it.
    """
    dates = np.zeros(len(ts), dtype=np.int64)
    for own_ts, own_dates in markets:
        rows = np.searchsorted(ts, own_ts)
        dates[rows] = np.maximum(dates[rows], own_dates)
    return np.maximum.accumulate(dates)


def _local_dates(moments: Ints, zone: ZoneInfo) -> Ints:
    # Offsets from UTC change at quarters of an hour, so one look-up for each is enough.
    quarters, places = np.unique(moments // _QUARTER, return_inverse=True)
    epoch = datetime(1970, 1, 1, tzinfo=UTC).toordinal()
    dates = [
        datetime.fromtimestamp(quarter * 900, UTC).astimezone(zone).toordinal() - epoch
        for quarter in quarters.tolist()
    ]
    return np.array(dates, dtype=np.int64)[places]

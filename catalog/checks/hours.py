"""When the market of a series was open, as far as anybody knows: for checks."""

from __future__ import annotations

import threading

from catalog import workers
from catalog.coverage import Interval, subtract
from catalog.errors import QuarterdeckError
from catalog.ledger import Ledger
from catalog.series import Series
from catalog.sessions import Hours, Sessions, calendar_sessions

_WORKER_PATIENCE_S = 60.0


class SessionBook:
    """Sessions from the ledger, where the broker told them, else of a calendar.

    A calendar is computed once for each venue, for the whole span of the catalog, in a worker
    process. Safe to use from several threads.
    """

    def __init__(self, ledger: Ledger, whole: Interval) -> None:
        self._ledger = ledger
        self._whole = whole
        self._told = ledger.session_spans()
        self._calendars: dict[tuple[str, Hours], Sessions | None] = {}
        self._guard = threading.Lock()

    def told(self, series: Series, hours: Hours | None, span: Interval) -> bool:
        """Whether the ledger knows all sessions of the span."""
        return hours is not None and not subtract(
            [span], self._told.get((series.instrument_id, hours), ())
        )

    def __call__(self, series: Series, hours: Hours | None, span: Interval) -> Sessions | None:
        """The sessions that touch the span; None when there is no calendar of the venue.

        Where nobody says which hours a series has, all hours count.
        """
        if hours is not None and self.told(series, hours, span):
            return self._ledger.sessions(series.instrument_id, hours, span)
        calendar = self._calendar(series.venue, hours or "all")
        if calendar is None:
            return None
        return calendar.take((calendar.closes > span[0]) & (calendar.opens < span[1]))

    def _calendar(self, venue: str, hours: Hours) -> Sessions | None:
        with self._guard:
            if (venue, hours) not in self._calendars:
                try:
                    self._calendars[venue, hours] = workers.run_blocking(
                        calendar_sessions, venue, self._whole, hours, timeout=_WORKER_PATIENCE_S
                    )
                except QuarterdeckError:
                    self._calendars[venue, hours] = None
            return self._calendars[venue, hours]

"""The time zone of what has no exchange of its own: clock, log, jobs. New York's unless chosen."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

_WORDS = {"America/New_York": "ET", "US/Eastern": "ET", "America/Chicago": "CT"}


class ScreenZone(tzinfo):
    """A zone that can be chosen while the program runs. `%Z` is its word: ET, CT, UTC, CEST."""

    def __init__(self, name: str) -> None:
        self._zone = ZoneInfo(name)

    @property
    def name(self) -> str:
        """Its IANA name."""
        return self._zone.key

    @property
    def word(self) -> str:
        """Its name in the title of a column: `ET`, `UTC`, `Tokyo`."""
        return zone_word(self.name)

    def choose(self, name: str) -> None:
        """Take another zone, by its IANA name."""
        self._zone = ZoneInfo(name)

    def utcoffset(self, dt: datetime | None) -> timedelta | None:
        return self._zone.utcoffset(self._in_zone(dt))

    def dst(self, dt: datetime | None) -> timedelta | None:
        return self._zone.dst(self._in_zone(dt))

    def tzname(self, dt: datetime | None) -> str | None:
        return _WORDS.get(self._zone.key) or self._zone.tzname(self._in_zone(dt))

    def fromutc(self, dt: datetime) -> datetime:
        return self._zone.fromutc(dt.replace(tzinfo=self._zone)).replace(tzinfo=self)

    def _in_zone(self, dt: datetime | None) -> datetime | None:
        return None if dt is None else dt.replace(tzinfo=self._zone)


def zone_word(name: str) -> str:
    """A time zone for the title of a column: `ET`, `UTC`, `Tokyo`."""
    return _WORDS.get(name, name.rpartition("/")[2].replace("_", " "))


EXCHANGE_ZONE = ScreenZone("America/New_York")
"""The one zone of the screens."""

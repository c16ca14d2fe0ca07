"""When each market of the universe trades, session by session.

Holidays, half days and lunch breaks come from ``exchange_calendars`` (XNYS, CMES for the days on
which futures trade, XHKG). Two spans for each session: everything that trades, and the regular part
of it (IBKR's trading hours and liquid hours). No session crosses a clock change, as those fall on
Sunday mornings.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from core.simulator.universe import Instrument

FIRST_DAY = date(2004, 12, 31)
LAST_DAY = date(2031, 12, 31)
NEW_YORK, CHICAGO, HONG_KONG = "US/Eastern", "US/Central", "Hongkong"

Seconds = NDArray[np.int64]
HOUR = 3600
NANOSECONDS = 1_000_000_000


@dataclass(frozen=True)
class Sessions:
    """The sessions of one market in order; times in epoch seconds UTC, ends exclusive.

    ``breaks`` is the begin and the end of each session's lunch break, both 0 where it has none.
    """

    zone: str
    dates: NDArray[np.datetime64]
    opens: Seconds
    closes: Seconds
    regular_opens: Seconds
    regular_closes: Seconds
    breaks: tuple[Seconds, Seconds] | None = None

    def span(self, index: int, *, regular: bool) -> tuple[int, int]:
        """Open and close of session ``index``."""
        if regular:
            return int(self.regular_opens[index]), int(self.regular_closes[index])
        return int(self.opens[index]), int(self.closes[index])

    def parts(self, index: int, *, regular: bool) -> list[tuple[int, int]]:
        """Session ``index`` without its lunch break: one or two spans."""
        opened, closed = self.span(index, regular=regular)
        begin, end = (int(at[index]) for at in self.breaks) if self.breaks else (0, 0)
        return [(opened, begin), (end, closed)] if begin else [(opened, closed)]

    def trading_date(self, index: int) -> date:
        """The trading date of session ``index``."""
        day: date = self.dates[index].astype(object)
        return day

    def on(self, day: date) -> int:
        """The index of the first session dated ``day`` or later."""
        return int(np.searchsorted(self.dates, np.datetime64(day)))

    def utc_offset(self, index: int) -> int:
        """Seconds the exchange's clock is ahead of UTC during session ``index``."""
        opened = datetime.fromtimestamp(int(self.opens[index]), ZoneInfo(self.zone))
        return int((opened.utcoffset() or timedelta()).total_seconds())

    def begun(self, moment: int, *, regular: bool) -> int:
        """How many sessions opened before ``moment`` (epoch seconds)."""
        opens = self.regular_opens if regular else self.opens
        return int(np.searchsorted(opens, moment))


@cache
def _computed(name: str) -> Any:
    # pandas comes along with the calendars: a second, paid by the gateway's process alone.
    import exchange_calendars

    first, last = FIRST_DAY.isoformat(), LAST_DAY.isoformat()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that of Hong Kong is not ready for pandas 4
        return exchange_calendars.get_calendar(name, start=first, end=last)


@cache
def _calendar(name: str) -> tuple[NDArray[np.datetime64], Seconds, Seconds]:
    calendar = _computed(name)
    dates = calendar.sessions.to_numpy().astype("datetime64[D]")
    return dates, calendar.opens_nanos // NANOSECONDS, calendar.closes_nanos // NANOSECONDS


def _breaks(name: str) -> tuple[Seconds, Seconds]:
    """Begin and end of each session's break; "not a time", where there is none, is below 0."""
    calendar = _computed(name)
    begins, ends = calendar.break_starts_nanos, calendar.break_ends_nanos
    return np.maximum(begins // NANOSECONDS, 0), np.maximum(ends // NANOSECONDS, 0)


def _us_stock() -> Sessions:
    """04:00 to 20:00 New York, regular 09:30 to 16:00; both ends 3 hours earlier on half days."""
    dates, opens, closes = _calendar("XNYS")
    return Sessions(NEW_YORK, dates, opens - 11 * HOUR // 2, closes + 4 * HOUR, opens, closes)


def _hong_kong_stock() -> Sessions:
    """09:30 to 12:00 and 13:00 to 16:00 Hong Kong; the morning alone on half days."""
    dates, opens, closes = _calendar("XHKG")
    return Sessions(HONG_KONG, dates, opens, closes, opens, closes, _breaks("XHKG"))


def _cboe_index() -> Sessions:
    """The New York session, 08:30 to 15:00 Chicago."""
    dates, opens, closes = _calendar("XNYS")
    return Sessions(CHICAGO, dates, opens, closes, opens, closes)


def _us_option() -> Sessions:
    """The New York session alone."""
    dates, opens, closes = _calendar("XNYS")
    return Sessions(NEW_YORK, dates, opens, closes, opens, closes)


def _crypto() -> Sessions:
    """Every day, all day, by UTC."""
    dates = np.arange(np.datetime64(FIRST_DAY), np.datetime64(LAST_DAY))
    opens = dates.astype("datetime64[s]").astype(np.int64)
    return Sessions("UTC", dates, opens, opens + 24 * HOUR, opens, opens + 24 * HOUR)


def _cme_index_future() -> Sessions:
    """17:00 to 16:00 Chicago, regular from 08:30 on.

    On a holiday of New York trading stops at 12:00 and all of it counts as regular, on its half
    days at 12:15, as IBKR's hours for ES show.
    """
    dates, opens, _ = _calendar("CMES")
    stock_dates, stock_opens, stock_closes = _calendar("XNYS")
    closes = opens + 23 * HOUR
    regular_opens = opens.copy()
    at = np.searchsorted(stock_dates, dates).clip(max=len(stock_dates) - 1)
    holiday = stock_dates[at] != dates
    half_day = ~holiday & (stock_closes[at] - stock_opens[at] < 6 * HOUR)
    closes[holiday] -= 4 * HOUR
    closes[half_day] -= 15 * HOUR // 4
    regular_opens[~holiday] = stock_opens[at][~holiday]
    return Sessions(CHICAGO, dates, opens, closes, regular_opens, closes)


def _fx() -> Sessions:
    """17:15 to 17:00 New York, Monday to Friday, but for Christmas and New Year's Day."""
    days = np.arange(np.datetime64(FIRST_DAY), np.datetime64(LAST_DAY))
    dates = np.array([day for day in days if _fx_trades(day.astype(object))])
    zone = ZoneInfo(NEW_YORK)

    def seconds(at: time, shift: timedelta) -> Seconds:
        moments = (datetime.combine(day.astype(object) + shift, at, zone) for day in dates)
        return np.array([int(moment.timestamp()) for moment in moments])

    opens = seconds(time(17, 15), timedelta(days=-1))
    closes = seconds(time(17), timedelta())
    return Sessions(NEW_YORK, dates, opens, closes, opens, closes)


def _fx_trades(day: date) -> bool:
    return day.weekday() < 5 and (day.month, day.day) not in {(12, 25), (1, 1)}


_MARKETS: dict[str, Callable[[], Sessions]] = {
    "us_stock": _us_stock,
    "us_option": _us_option,
    "hong_kong_stock": _hong_kong_stock,
    "crypto": _crypto,
    "cboe_index": _cboe_index,
    "cme_index_future": _cme_index_future,
    "fx": _fx,
}


@cache
def sessions(hours: str) -> Sessions:
    """The sessions of a market, by its name in ``universe.toml``. Slow the first time."""
    return _MARKETS[hours]()


def load_all() -> None:
    """Build every market's sessions, so that no request waits for them."""
    for hours in _MARKETS:
        sessions(hours)


def hours_text(instrument: Instrument, today: date, *, regular: bool, days: int = 6) -> str:
    """IBKR's ``tradingHours`` (or ``liquidHours``) for ``days`` days from ``today``.

    A day on which no session begins or ends is CLOSED, in the exchange's own time.
    """
    table = sessions(instrument.hours)
    zone = ZoneInfo(instrument.time_zone)
    last = today + timedelta(days=days)
    spans = []
    for index in range(table.on(today), table.on(last + timedelta(days=7))):
        last_day = instrument.expiry or instrument.delisted
        if last_day is None or table.trading_date(index) <= last_day:
            for opened, closed in table.parts(index, regular=regular):
                begin, end = (datetime.fromtimestamp(at, zone) for at in (opened, closed))
                spans.append((begin, end))
    touched = {moment.date() for span in spans for moment in span}
    parts = {
        opened: f"{opened:%Y%m%d:%H%M}-{closed:%Y%m%d:%H%M}"
        for opened, closed in spans
        if opened.date() < last
    }
    for offset in range(days):
        day = today + timedelta(days=offset)
        if day not in touched:
            parts[datetime.combine(day, time(), zone)] = f"{day:%Y%m%d}:CLOSED"
    return ";".join(parts[at] for at in sorted(parts))


def exchange_date(instrument: Instrument, now: datetime) -> date:
    """The calendar date at the instrument's exchange."""
    return now.astimezone(ZoneInfo(instrument.time_zone)).date()


def last_trade(instrument: Instrument) -> int | None:
    """When a future stops trading, in epoch seconds: 08:30 at its exchange on its last day.

    None for what trades until the close of its last session.
    """
    if instrument.expiry is None or instrument.type == "OPT":
        return None
    moment = datetime.combine(instrument.expiry, time(8, 30), ZoneInfo(instrument.time_zone))
    return int(moment.astimezone(UTC).timestamp())

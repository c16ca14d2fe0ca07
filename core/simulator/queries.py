"""What a historical request asks for, read off the wire and checked as a gateway checks it."""

import calendar
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from core.simulator.contracts import Description
from core.simulator.protocol import Fields, Refusal

# The zone a time without one is taken to be in: where this gateway's operator would sit.
OPERATOR_ZONE = "US/Eastern"
# An end in another year is taken for a slip of the pen.
FIRST_YEAR, LAST_YEAR = 1900, 2100

DAY = 86_400
WEEK = 7 * DAY
# Seconds of each bar size, by IBKR's names for it. A month only serves as "longer than a week".
BAR_SIZES = {
    **{f"{n} secs": n for n in (1, 5, 10, 15, 30)},
    "1 min": 60,
    **{f"{n} mins": 60 * n for n in (2, 3, 5, 10, 15, 20, 30)},
    "1 hour": 3_600,
    **{f"{n} hours": 3_600 * n for n in (2, 3, 4, 8)},
    "1 day": DAY,
    "1W": WEEK,
    "1M": 30 * DAY,
}
BAR_SIZE_ALIASES = {"1 week": "1W", "1 month": "1M"}
# How no-data errors spell a whatToShow; those without prices here never have data.
SHOWN_AS = {
    "TRADES": "Trades",
    "AGGTRADES": "AggTrades",
    "ADJUSTED_LAST": "Adjusted_Last",
    "MIDPOINT": "Midpoint",
    "BID": "Bid",
    "ASK": "Ask",
    "BID_ASK": "Bid_Ask",
}
WITHOUT_DATA = {
    "FEE_RATE",
    "HISTORICAL_VOLATILITY",
    "OPTION_IMPLIED_VOLATILITY",
}
SCHEDULE = "SCHEDULE"
# Longest duration in each unit; what is longer must be asked for in the next unit.
LONGEST = {
    "S": (86_400, "Historical data request for greater than 86400 seconds rejected."),
    "D": (
        365,
        "Historical data requests for durations longer than 365 days must be made in years.",
    ),
    "W": (
        52,
        "Historical data request for durations longer than 52 weeks must be made in years.",
    ),
    "M": (
        12,
        "Historical data request for durations longer than 12 months must be made in years.",
    ),
    "Y": (68, "Historical data requested duration is invalid."),
}
# Smallest bar for each unit, in seconds (IBKR's step table).
SMALLEST_STEP = {"S": 1, "D": 5, "W": 10, "M": 30, "Y": 60}
LONGEST_OF_ONE_SECOND_BARS = 2000
MOST_TICKS = 1000

HISTORY_ERROR = "Historical Market Data Service error message:"
CONTINUOUS_END = "Setting end date/time for continuous future security type is not allowed"
NO_ZONE = (
    "Warning: You submitted request with date-time attributes without explicit time zone. "
    "Please switch to use yyyymmdd-hh:mm:ss in UTC or use instrument time zone, like US/Eastern. "
    "Implied time zone functionality will be removed in the next API release"
)
_BAD_END = (
    "End Date/Time: The date, time, or time-zone entered is invalid. The correct format is "
    "yyyymmdd hh:mm:ss xx/xxxx where yyyymmdd and xx/xxxx are optional. E.g.: "
    "20031126 15:59:00 US/Eastern  Note that there is a space between the date and time, and "
    "between the time and time-zone.  If no date is specified, current date is assumed. If no "
    "time-zone is specified, local time-zone is assumed(deprecated).  You can also provide "
    "yyyymmddd-hh:mm:ss time is in UTC. Note that there is a dash between the date and time in "
    "UTC notation."
)
_DASHED = re.compile(r"(\d{8})-(\d\d:\d\d:\d\d)")
_SPACED = re.compile(r"(?:(\d{8}) +)?(\d\d:\d\d:\d\d)(?: +(\S+))?")


def invalid(letters: str, cause: str) -> Refusal:
    """Error 321; the two letters name a class of the gateway and differ from build to build."""
    return Refusal(321, f"Error validating request.-'{letters}' : cause - {cause}")


@dataclass(frozen=True)
class Duration:
    """How far back a request reaches: ``count`` of ``unit`` (S, D, W, M or Y)."""

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises error 321 for a malformed duration or one too long for its unit."""
        if not text:
            raise invalid("bM", "Historical data request duration not specified.")
        count, _, unit = text.partition(" ")
        if not count.isdecimal() or unit not in LONGEST:
            raise invalid(
                "bM",
                "When specifying a unit, historical data request duration format is "
                "integer{SPACE}unit (S|D|W|M|Y).",
            )
        longest, reason = LONGEST[unit]
        if not int(count):
            raise invalid("bM", "Historical data requested duration is invalid.")
        if int(count) > longest:
            raise invalid("bM", reason)
        return cls(int(count), unit)

    def before(self, end: datetime) -> datetime:
        """``end`` less this much of the calendar."""
        if self.unit in "SDW":
            seconds = {"S": 1, "D": DAY, "W": WEEK}[self.unit]
            return end - timedelta(seconds=self.count * seconds)
        months = end.year * 12 + end.month - 1 - self.count * (12 if self.unit == "Y" else 1)
        year, month = months // 12, months % 12 + 1
        day = min(end.day, calendar.monthrange(year, month)[1])
        return end.replace(year=year, month=month, day=day)


@dataclass(frozen=True)
class BarQuery:
    """Message 20, as the client sent it."""

    contract: Description
    end: str
    bar_size: str
    duration: str
    regular: bool
    what: str
    date_format: int

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """The fields after the request id. Live updates (``keepUpToDate``) are not served."""
        return cls(
            contract=Description.read(fields),
            end=fields.text(),
            bar_size=fields.text(),
            duration=fields.text(),
            regular=fields.flag(),
            what=fields.text(),
            date_format=fields.integer(),
        )

    @property
    def step(self) -> int:
        """Seconds of one bar. Raises error 321 for a size there is not."""
        size = BAR_SIZE_ALIASES.get(self.bar_size, self.bar_size)
        if size not in BAR_SIZES:
            legal = ", ".join(BAR_SIZES)
            raise invalid(
                "bK", f"Historical data bar size setting is invalid. Legal ones are: {legal}"
            )
        return BAR_SIZES[size]

    def half_a_bar_on(self, now: datetime) -> tuple[Self, datetime]:
        """The same request without an end, and the moment half a bar after the end it had."""
        moment = parse_end(self.end, now) + timedelta(seconds=self.step / 2)
        return replace(self, end=""), moment

    def check(self) -> Duration:
        """The duration of a request a gateway would take; otherwise its error."""
        duration, step = Duration.parse(self.duration), self.step
        if self.what not in {*SHOWN_AS, *WITHOUT_DATA, SCHEDULE}:
            raise invalid("bQ", "What to show field is missing or incorrect.")
        if self.what == SCHEDULE and step != DAY:
            raise invalid("bM", "Only daily resolution supported for Schedule requests")
        if self.what == "ADJUSTED_LAST" and self.end:
            raise invalid("bM", "End date not supported with adjusted last")
        if self.what == "ADJUSTED_LAST" and step > DAY:
            raise invalid("bM", "Multi day bar size not supported with adjusted last")
        if self.contract.type == "CONTFUT" and self.end:
            raise Refusal(10339, CONTINUOUS_END)
        if self.date_format not in (1, 2):
            raise invalid("bM", f"Date formatting selection of {self.date_format} rejected")
        too_long = step == 1 and duration.count > LONGEST_OF_ONE_SECOND_BARS
        if step < SMALLEST_STEP[duration.unit] or too_long:
            raise no_history(f"invalid step: {step}")
        return duration


@dataclass(frozen=True)
class HeadQuery:
    """Message 87: since when there is data."""

    contract: Description
    regular: bool
    what: str
    date_format: int

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """The fields after the request id."""
        return cls(
            contract=Description.read(fields),
            regular=fields.flag(),
            what=fields.text(),
            date_format=fields.integer(),
        )

    def check(self) -> None:
        """Raises error 321 for a request a gateway would not take."""
        if self.what not in {*SHOWN_AS, *WITHOUT_DATA}:
            raise invalid("bQ", "What to show field is missing or incorrect.")
        if self.date_format not in (1, 2):
            raise invalid("bM", f"Date formatting selection of {self.date_format} rejected")


@dataclass(frozen=True)
class TickQuery:
    """Message 96: single trades or quotes, from ``start`` on or up to ``end``."""

    contract: Description
    start: str
    end: str
    count: int
    what: str
    regular: bool

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """The fields after the request id. Ticks that only change a size do not exist here."""
        return cls(
            contract=Description.read(fields),
            start=fields.text(),
            end=fields.text(),
            count=fields.integer(),
            what=fields.text().upper(),
            regular=fields.flag(),
        )

    def check(self) -> None:
        """Raises error 321 for a request a gateway would not take; not one text was recorded."""
        if not self.contract.exchange:
            raise invalid("bP", "Exchange must not be empty")
        if self.contract.type == "BAG":
            raise invalid("bP", "Combo types are not supported")
        if self.count <= 0:
            raise invalid("bP", "Number of ticks must be > 0")
        if not self.what:
            raise invalid("bP", "Source price must not be empty")
        if self.what not in ("TRADES", "MIDPOINT", "BID_ASK"):
            raise invalid("bP", "Invalid source price")
        if bool(self.start) == bool(self.end):
            raise invalid("bP", "Exactly one of start and end time must be given")


def no_history(reason: str) -> Refusal:
    """Error 162, which the historical data service gives for nearly everything."""
    return Refusal(162, HISTORY_ERROR + reason)


def no_data(symbol: str, exchange: str, what: str) -> Refusal:
    """Error 162 of a request that finds nothing."""
    shown = SHOWN_AS.get(what, what)
    return no_history(f"HMDS query returned no data: {symbol}@{exchange} {shown}")


def lacks_zone(end: str) -> bool:
    """Whether ``endDateTime`` is well formed but for its zone, which earns warning 2174."""
    spaced = _SPACED.fullmatch(end)
    return spaced is not None and spaced[3] is None


def parse_end(end: str, now: datetime) -> datetime:
    """The moment an ``endDateTime`` means, ``now`` where it is empty.

    Raises error 10314 for a malformed one.
    """
    if not end:
        return now
    if dashed := _DASHED.fullmatch(end):
        day, clock, zone = dashed[1], dashed[2], "UTC"
    elif spaced := _SPACED.fullmatch(end):
        zone = spaced[3] or OPERATOR_ZONE
        day, clock = spaced[1], spaced[2]
    else:
        raise Refusal(10314, _BAD_END)
    try:
        at = ZoneInfo(zone)
        day = day or f"{now.astimezone(at):%Y%m%d}"
        moment = datetime.strptime(f"{day} {clock}", "%Y%m%d %H:%M:%S").replace(tzinfo=at)
    except (ValueError, OSError, KeyError):  # no such date, no such zone
        raise Refusal(10314, _BAD_END) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise Refusal(10314, _BAD_END)
    return moment.astimezone(UTC)

"""Times as they are typed, and the range of bar opens they mean on a market.

A bare date is a trading date of the instrument's exchange, its whole session; a time without a
zone is UTC. A range is [start, end) over bar opens, in ns UTC; for bars of a day and longer a date
counts as opening at 00:00 UTC. A range of weekly or monthly bars is widened to whole weeks, from
Monday on, or months: the broker dates such a bar by its last session, wherever that falls.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from catalog.coverage import Interval, intersect
from catalog.errors import WrongInput
from catalog.series import NANOS_PER_SECOND, BarSpec
from catalog.sessions import Sessions

type Moment = date | datetime

_NANOS_PER_DAY = 86_400 * NANOS_PER_SECOND
_EPOCH = date(1970, 1, 1).toordinal()
_EARLIEST, _LATEST = date(1970, 1, 1), date(2200, 1, 1)
_ONE_DAY = timedelta(days=1)
_SATURDAY = 5
_EXAMPLES = "write a date as 2024-01-31, or a time in UTC as 2024-01-31T14:30"
_YEAR_OR_MONTH = re.compile(r"(\d{4})(?:-(\d{2}))?")
_AGO = re.compile(r"-(\d{1,4})([dwmy])")
# Where no start is typed.
_BACK = {True: timedelta(days=7), False: timedelta(days=365)}


@dataclass(frozen=True, slots=True)
class TypedRange:
    """A range as it was typed: dates or aware datetimes, the end inclusive when it is a date."""

    start: Moment
    end: Moment

    def span(self, zone: str) -> Interval:
        """All moments the range can touch on an exchange in `zone`, ns UTC: the time whose
        sessions must be known."""
        after = self.end
        if not isinstance(after, datetime):
            after = after + timedelta(days=1)
        return _nanos(self.start, zone), _nanos(after, zone)


def parse_time(text: str) -> Moment:
    """Read ISO 8601: a date, or an aware datetime (UTC where no zone is given).

    Raises `WrongInput` for anything else.
    """
    try:
        moment: Moment = date.fromisoformat(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise WrongInput(f"'{text}' is not a time", "times are ISO 8601", _EXAMPLES) from None
    if isinstance(moment, datetime) and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    if not _EARLIEST <= _day(moment) < _LATEST:
        raise WrongInput(f"'{text}' is out of reach", "years run from 1970 to 2199", _EXAMPLES)
    return moment


def spell_out(text: str, now: datetime, *, end: bool = False) -> str:
    """What a shorthand stands for at `now`, as an ISO 8601 date; other text as it is.

    `2024` and `2024-01` are the first date of that year or month, at the `end` of a range the last
    one; `-30d` is so many days (w, m and y: weeks, months, years) before today; `ytd` is the first
    of January, `today` today. Raises `WrongInput` for a date that there is not.
    """
    text, today = text.strip(), now.astimezone(UTC).date()
    try:
        if named := _YEAR_OR_MONTH.fullmatch(text):
            first, months = date(int(named[1]), int(named[2] or 1), 1), 1 if named[2] else 12
            return str(_months_later(first, months) - _ONE_DAY if end else first)
        if ago := _AGO.fullmatch(text.lower()):
            return str(_ago(today, int(ago[1]), ago[2]))
    except (ValueError, OverflowError):
        raise WrongInput(f"'{text}' is not a time", "there is no such date", _EXAMPLES) from None
    return {"ytd": str(today.replace(month=1, day=1)), "today": str(today)}.get(text.lower(), text)


def read_range(start: str | None, end: str | None, spec: BarSpec, now: datetime) -> TypedRange:
    """Read both ends, shorthands spelled out. The end is now where none is given or it lies later;
    without a start, it is a week before the end, for days and longer a year.

    Raises `WrongInput` when a time cannot be read, the end is not after the start, or the start
    lies in the future.
    """
    last = parse_time(spell_out(end, now, end=True)) if end else now
    first = parse_time(spell_out(start, now)) if start else _day(last) - _BACK[spec.intraday]
    # At 14 hours east of UTC the date is furthest ahead.
    latest = now if isinstance(first, datetime) else _day(now + timedelta(hours=14))
    if first > latest:
        raise WrongInput(
            "the range lies in the future",
            f"it starts at {first}, and now it is {now:%Y-%m-%d %H:%M} UTC",
            "choose a start in the past",
        )
    if _before(last, first):
        raise WrongInput(
            "the end lies before the start",
            f"from {first} to {last} there is no time",
            "exchange start and end, or leave the end out for now",
        )
    if spec.unit in ("WEEK", "MONTH"):
        first, last = _period(_day(first), spec)[0], _period(_day(last), spec)[1] - _ONE_DAY
        last = min(last, now.date())  # whoever asks for later sessions gets none, each time anew
    return TypedRange(first, _not_after(last, now))


def resolve_range(
    typed: TypedRange, spec: BarSpec, sessions: Sessions, now: datetime
) -> Interval | None:
    """The bar opens of a typed range, up to the last bar that is closed by `now`.

    `sessions` are those that touch `typed.span(zone)`. None when the market was closed in all of
    it, or no bar in it is closed yet. "Closed" is judged by the session's close, never by a stamp.
    """
    moment = int(now.timestamp()) * NANOS_PER_SECOND
    rows = _rows_of_dates(typed, sessions)
    if not rows.any():
        return None
    if spec.intraday:
        start, end = _intraday(typed, spec, sessions, rows, moment)
    else:
        start, end = _dated(typed, spec, sessions, now)
    wanted = (start, end)
    return wanted if intersect([wanted], sessions.open_times(spec)) else None


def _intraday(
    typed: TypedRange, spec: BarSpec, sessions: Sessions, rows: npt.NDArray[np.bool_], now: int
) -> Interval:
    start, end = typed.start, typed.end
    first = _nanos(start) if isinstance(start, datetime) else int(sessions.opens[rows].min())
    last = _nanos(end) if isinstance(end, datetime) else int(sessions.closes[rows].max())
    # The bar that opens before the end is asked for whole.
    last = -(-last // spec.nanos) * spec.nanos
    closed = sessions.closes[sessions.closes <= now]
    complete = max(now // spec.nanos * spec.nanos, int(closed.max()) if len(closed) else 0)
    return first, min(last, complete)


def _dated(typed: TypedRange, spec: BarSpec, sessions: Sessions, now: datetime) -> Interval:
    start, end = typed.start, typed.end
    first = -(-_nanos(start) // _NANOS_PER_DAY) * _NANOS_PER_DAY
    last = -(-_nanos(end) // _NANOS_PER_DAY) * _NANOS_PER_DAY
    if not isinstance(end, datetime):
        last += _NANOS_PER_DAY
    unclosed = _unclosed(spec, sessions, now)
    return first, last if unclosed is None else min(last, _nanos(unclosed))


def _unclosed(spec: BarSpec, sessions: Sessions, now: datetime) -> date | None:
    """The first date whose day, week or month has a session that is not closed by `now`, or may
    still get one; None when there is none."""
    moment = int(now.timestamp()) * NANOS_PER_SECOND
    open_dates = sessions.dates[sessions.closes > moment]
    first = date.fromordinal(int(open_dates.min()) + _EPOCH) if len(open_dates) else None
    if spec.unit == "DAY":
        return first
    begun, following = _period(_day(now), spec)
    weekend = following
    while (weekend - _ONE_DAY).weekday() >= _SATURDAY:
        weekend -= _ONE_DAY
    running = begun if _day(now) < weekend else following
    return running if first is None else min(running, _period(first, spec)[0])


def _period(day: date, spec: BarSpec) -> tuple[date, date]:
    """The first day of the week or month of a date, and of the one after it."""
    if spec.unit == "WEEK":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    first = day.replace(day=1)
    return first, (first + timedelta(days=31)).replace(day=1)


def _ago(today: date, count: int, unit: str) -> date:
    if unit in "dw":
        return today - timedelta(days=count * (7 if unit == "w" else 1))
    first = _months_later(today.replace(day=1), -count * (12 if unit == "y" else 1))
    last = _months_later(first, 1) - _ONE_DAY
    return first.replace(day=min(today.day, last.day))


def _months_later(first: date, months: int) -> date:
    """The first of the month so many months after one."""
    years, month = divmod(first.month - 1 + months, 12)
    return date(first.year + years, month + 1, 1)


def _rows_of_dates(typed: TypedRange, sessions: Sessions) -> npt.NDArray[np.bool_]:
    """Which sessions belong to the typed dates; those at a typed time all do."""
    rows = np.ones(len(sessions), dtype=np.bool_)
    if not isinstance(typed.start, datetime):
        rows &= sessions.dates >= typed.start.toordinal() - _EPOCH
    if not isinstance(typed.end, datetime):
        rows &= sessions.dates <= typed.end.toordinal() - _EPOCH
    return rows


def _not_after(end: Moment, now: datetime) -> Moment:
    if isinstance(end, datetime):
        return min(end, now)
    return min(end, _day(now) + timedelta(days=1))


def _before(last: Moment, first: Moment) -> bool:
    if isinstance(first, datetime) and isinstance(last, datetime):
        return last <= first
    return _day(last) < _day(first)


def _day(moment: Moment) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _nanos(moment: Moment, zone: str = "UTC") -> int:
    if not isinstance(moment, datetime):
        moment = datetime.combine(moment, time(), ZoneInfo(zone))
    return int(moment.timestamp()) * NANOS_PER_SECOND

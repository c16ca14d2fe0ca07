"""Names and folders of Nautilus' catalog, and which bars share a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from catalog.columns import Ints
from catalog.coverage import Interval
from catalog.series import NANOS_PER_SECOND, BarSpec, Series

NANOS_PER_DAY = 86_400 * NANOS_PER_SECOND
ALL_TIME: Interval = (-(2**63), 2**63 - 1)
BARS = Path("data/bars")

_MOMENT = r"(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)-(\d{9})Z"
_FILE_NAME = re.compile(rf"{_MOMENT}_{_MOMENT}\.parquet")
_ENCODED = frozenset('\\{}%`]">[~<#|*?') | {chr(127)}


def folder_name(identifier: str) -> str:
    """The folder of an instrument id or bar type, as Nautilus spells it: `/` is dropped, `^` is
    `_`, control and other unsafe characters are percent-encoded.

    Two ids can share a folder (`EUR/USD.X` and `EURUSD.X`): only the files' metadata tells.
    """
    text = identifier.replace("/", "").replace("^", "_")
    return "".join(
        "".join(f"%{byte:02X}" for byte in char.encode())
        if char in _ENCODED or not 32 <= ord(char) < 127
        else char
        for char in text
    )


def series_folder(series: Series) -> Path:
    """The folder of a series, relative to the catalog's root."""
    return BARS / folder_name(series.bar_type)


def file_name(first: int, last: int) -> str:
    """Nautilus' name of a file by the stamps of its first and last row, both included (ns)."""
    return f"{_moment(first)}_{_moment(last)}.parquet"


def named_range(name: str) -> Interval | None:
    """The stamps a file name claims, both included, or None when it is no name of Nautilus'."""
    match = _FILE_NAME.fullmatch(name)
    if match is None:
        return None
    try:
        return _nanos(match[1], match[2]), _nanos(match[3], match[4])
    except ValueError:  # digits that are no date
        return None


def open_of[T: (int, Ints)](stamp: T, spec: BarSpec) -> T:
    """The open of the bar with this stamp, ns; 00:00 UTC of its date for a day and longer."""
    return stamp - spec.nanos if spec.intraday else stamp + 1 - NANOS_PER_DAY


def partitions(asked: Interval, spec: BarSpec) -> Iterator[tuple[Interval, Interval]]:
    """The parts of `asked` that go to different files, each with the span of its file.

    One file a month for bars under an hour, a year for hours, one for days and longer.
    """
    if not spec.intraday:
        yield asked, ALL_TIME
        return
    start, end = asked
    while start < end:
        span = _file_span(start, spec)
        yield (start, min(end, span[1])), span
        start = span[1]


def _file_span(moment: int, spec: BarSpec) -> Interval:
    day = datetime.fromtimestamp(moment // NANOS_PER_SECOND, UTC)
    if spec.unit == "HOUR":
        return _midnight(day.year, 1), _midnight(day.year + 1, 1)
    year, month = divmod(day.year * 12 + day.month, 12)
    return _midnight(day.year, day.month), _midnight(year, month + 1)


def _midnight(year: int, month: int) -> int:
    return int(datetime(year, month, 1, tzinfo=UTC).timestamp()) * NANOS_PER_SECOND


def _moment(nanos: int) -> str:
    seconds, rest = divmod(nanos, NANOS_PER_SECOND)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H-%M-%S}-{rest:09d}Z"


def _nanos(text: str, rest: str) -> int:
    moment = datetime.strptime(text, "%Y-%m-%dT%H-%M-%S").replace(tzinfo=UTC)
    return int(moment.timestamp()) * NANOS_PER_SECOND + int(rest)

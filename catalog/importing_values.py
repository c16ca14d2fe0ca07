"""Text and numbers of other programs as exact prices and moments; what cannot be read is None."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from catalog.columns import Ints
from catalog.encoding import int64s
from catalog.errors import WrongInput

type Mask = npt.NDArray[np.bool_]

NUMBER = pa.decimal128(38, 18)
"""What figures are read as; more decimals are not read."""
_NANOS = pa.timestamp("ns")
_UTC_NANOS = pa.timestamp("ns", tz="UTC")
_NUMBER_TEXT = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_NO_NUMBER = r"^(|\.|-|nan|NaN|NA|N/A|null|None|#N/A)$"
_ISO = r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?( ?(Z|[+-]\d\d(:?\d\d)?))?)?$"
_OFFSET = r":\d\d(\.\d+)? ?(Z|[+-]\d\d(:?\d\d)?)$"
_DATES = {"month first": "%m/%d/%Y", "day first": "%d/%m/%Y", "year first": "%Y/%m/%d"}
_CLOCKS = ("", " %H:%M", " %H:%M:%S")
_EPOCH_UNITS = {10: 10**9, 13: 10**6, 16: 10**3, 19: 1}
"""Seconds to nanoseconds since 1970, by the digits of a moment between 2001 and 2286."""


@dataclass(frozen=True, slots=True)
class Moments:
    """Times as they stand in a file: ns since 1970 of UTC where `aware`, else of a clock that is
    not named. `readable` is False for rows that cannot be read."""

    ns: Ints
    readable: Mask
    aware: bool


def numbers(column: pa.Array) -> tuple[pa.Array, Mask]:
    """Values as decimals, null where there is none, and which rows hold something else.

    Floats are taken as their shortest text, so 0.1 is 0.1.
    """
    if pa.types.is_decimal(column.type):
        return column.cast(NUMBER), np.zeros(len(column), dtype=np.bool_)
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    text = pc.if_else(pc.match_substring_regex(text, _NO_NUMBER), None, text)
    wrong = pc.invert(pc.fill_null(pc.match_substring_regex(text, _NUMBER_TEXT), True))
    text = pc.if_else(wrong, None, text)
    values = _cast_each(text, NUMBER)  # more decimals than there is room for do not fit
    return values, to_mask(wrong) | (to_mask(text.is_valid()) & to_mask(values.is_null()))


def moments(path: Path, column: pa.Array, time_format: str | None) -> Moments:
    """The times of a column.

    Raises `WrongInput` when days and months cannot be told apart.
    """
    kind = column.type
    if time_format is not None:
        return _parsed(pc.utf8_trim_whitespace(column.cast(pa.string())), time_format)
    if pa.types.is_timestamp(kind):
        return _moments(column.cast(_UTC_NANOS if kind.tz else _NANOS), aware=kind.tz is not None)
    if pa.types.is_date(kind):
        return _moments(column.cast(_NANOS), aware=False)
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    known = pc.drop_null(text)
    if _every(known, r"^\d{10}$|^\d{13}$|^\d{16}$|^\d{19}$"):
        return _since_epoch(text)
    if _every(known, r"^\d{8}$"):
        return _parsed(text, "%Y%m%d")
    if _every(known, r"^\d{8} +\d\d:\d\d:\d\d$"):
        return _parsed(pc.replace_substring_regex(text, " +", " "), "%Y%m%d %H:%M:%S")
    if _any(known, r"^\d+/\d+/\d+"):
        return _with_slashes(path, text)
    return _iso(text)


def localized(found: Moments, zone: str) -> Moments:
    """The moments when a clock in the zone shows these times; rows whose time comes twice or never
    (a clock change) are not readable.

    Raises `WrongInput` for a zone that does not exist.
    """
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise WrongInput(
            f"there is no time zone '{zone}'",
            "zones are those of the IANA database",
            "write for example America/New_York, Europe/London or UTC",
        ) from None
    naive = _array(found.ns, _NANOS)
    first, last = (
        int64s(pa.chunked_array([pc.assume_timezone(naive, zone, ambiguous=way, nonexistent=way)]))
        for way in ("earliest", "latest")
    )
    return Moments(first, found.readable & (first == last), aware=True)


def local_dates(found: Moments, zone: str | None) -> Ints:
    """The days since 1970 that a calendar shows at these moments: in the zone where moments are
    known, else as they are written."""
    ns = found.ns
    if found.aware and zone is not None:
        local = pc.local_timestamp(_array(ns, pa.timestamp("ns", tz=zone)))
        ns = int64s(pa.chunked_array([local]))
    return ns // (86_400 * 10**9)


def _iso(text: pa.Array) -> Moments:
    text = pc.if_else(pc.match_substring_regex(text, _ISO), text, None)
    offsets = pc.match_substring_regex(text, _OFFSET)
    aware = bool(pc.any(offsets).as_py())
    if aware:  # a row that says no offset among rows that do cannot be read
        text = pc.if_else(offsets, text, None)
    return _moments(_cast_each(text, _UTC_NANOS if aware else _NANOS), aware)


def _cast_each(text: pa.Array, kind: pa.DataType) -> pa.Array:
    """The values of texts, null for one that has none (a 31st of February)."""
    try:
        return text.cast(kind)
    except pa.ArrowInvalid:
        if len(text) == 1:
            return pa.nulls(1, kind)
        half = len(text) // 2
        return pa.concat_arrays([_cast_each(text[:half], kind), _cast_each(text[half:], kind)])


def _with_slashes(path: Path, text: pa.Array) -> Moments:
    readings: dict[str, Moments] = {}
    for (order, day), clock in product(_DATES.items(), _CLOCKS):
        found = _parsed(text, day + clock)
        best = readings.get(order)
        if best is None or found.readable.sum() > best.readable.sum():
            readings[order] = found
    most = max(int(one.readable.sum()) for one in readings.values())
    fitting = {order: one for order, one in readings.items() if one.readable.sum() == most}
    if len(fitting) > 1 and most:
        raise WrongInput(
            f"the dates in {path} can be read in two ways",
            f"{text[0]} may be {' or '.join(fitting)}",
            "say which: --time-format '%m/%d/%Y' (month first) or '%d/%m/%Y' (day first), "
            "with ' %H:%M' where there is a time",
        )
    return next(iter(fitting.values()))


def _parsed(text: pa.Array, time_format: str) -> Moments:
    # Seconds, because Arrow reads all dates in them.
    found = pc.strptime(text, format=time_format, unit="s", error_is_null=True)
    return _moments(found.cast(_NANOS), aware=False)


def _since_epoch(text: pa.Array) -> Moments:
    digits = pc.utf8_length(text)
    ns = text.cast(pa.int64())
    for count, factor in _EPOCH_UNITS.items():
        scaled = pc.multiply(text.cast(pa.int64()), factor) if factor > 1 else ns
        ns = pc.if_else(pc.equal(digits, count), scaled, ns)
    return _moments(ns, aware=True)


def _moments(times: pa.Array, aware: bool) -> Moments:
    ns = pc.fill_null(times.cast(pa.int64()), 0)
    return Moments(int64s(pa.chunked_array([ns])), to_mask(times.is_valid()), aware)


def _array(ns: Ints, kind: pa.DataType) -> pa.Array:
    return pa.Array.from_buffers(kind, len(ns), [None, pa.py_buffer(np.ascontiguousarray(ns))])


def _every(text: pa.Array, pattern: str) -> bool:
    return len(text) > 0 and bool(pc.all(pc.match_substring_regex(text, pattern)).as_py())


def _any(text: pa.Array, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring_regex(text, pattern)).as_py())


def to_mask(values: pa.Array) -> Mask:
    """Truth values as NumPy, null as false."""
    flags = pc.fill_null(values, False).cast(pa.uint8())
    raw = np.frombuffer(flags.buffers()[1], np.uint8)
    return raw[flags.offset : flags.offset + len(flags)].astype(np.bool_)

"""A typed range of bars that are held: what `export` and `delete` are about."""

from __future__ import annotations

from datetime import date, datetime

from catalog.coverage import Interval
from catalog.errors import WrongInput
from catalog.series import Series
from catalog.store import Catalog
from core.ranges import Moment, TypedRange, parse_time

_FIRST, _LAST = date(1970, 1, 1), date(2199, 12, 31)
_UNKNOWN_ZONE = "UTC"


def held_range(
    catalog: Catalog, series: Series, start: str | None, end: str | None
) -> Interval | None:
    """The bar opens (ns UTC, half-open) between two typed times; None where neither is typed.

    A date is a trading date of the exchange, its whole session where the catalog knows sessions,
    else its whole day; an end that is a date is included. Blocks on the disk. Raises `WrongInput`
    for times that cannot be read or lie the wrong way round.
    """
    if start is None and end is None:
        return None
    first = parse_time(start) if start else _FIRST
    last = parse_time(end) if end else _LAST
    if not series.spec.intraday:
        first, last = (one.date() if isinstance(one, datetime) else one for one in (first, last))
    bounds = _bounds(catalog, series, first)[0], _bounds(catalog, series, last)[1]
    if bounds[0] >= bounds[1]:
        raise WrongInput(
            "the end lies before the start",
            f"from {first} to {last} there is no time",
            "exchange start and end",
        )
    return bounds


def _bounds(catalog: Catalog, series: Series, moment: Moment) -> Interval:
    """The first open of a typed time, and the first one after it."""
    if isinstance(moment, datetime):
        ns = TypedRange(moment, moment).span(_UNKNOWN_ZONE)[0]
        return ns, ns
    if not series.spec.intraday:
        return TypedRange(moment, moment).span("UTC")
    definition = catalog.instrument(series.instrument_id) or {}
    zone = str((definition.get("info") or {}).get("time_zone") or _UNKNOWN_ZONE)
    day = TypedRange(moment, moment).span(zone)
    hours = catalog.hours(series)
    sessions = catalog.sessions(series.instrument_id, hours, day) if hours else None
    return (sessions.for_date(moment) if sessions else None) or day

"""Sessions computed from calendars. Imports pandas, so only `sessions.calendar_sessions` imports
this, in a worker process."""

from __future__ import annotations

import tomllib
from datetime import time
from importlib import resources
from typing import Any, cast

import exchange_calendars
import numpy as np
import pandas as pd

from catalog.columns import Ints
from catalog.coverage import Interval
from catalog.errors import DataUnavailable
from catalog.sessions import Hours, Sessions

_MARGIN = pd.Timedelta(days=4)
"""A session can begin on the day before its date, and calendars want a few sessions."""


def compute(venue: str, span: Interval, hours: Hours) -> Sessions:
    """See `sessions.calendar_sessions`."""
    market = _market(venue)
    first, last = (pd.Timestamp(moment, tz="UTC").tz_localize(None).normalize() for moment in span)
    if "weekdays" in market:
        sessions = _weekdays(market, first - _MARGIN, last + _MARGIN)
    else:
        sessions = _from_calendar(market, first - _MARGIN, last + _MARGIN, hours)
    touching = (sessions.closes > span[0]) & (sessions.opens < span[1])
    return sessions.take(touching)


def _market(venue: str) -> dict[str, Any]:
    table = tomllib.loads(resources.files("catalog").joinpath("calendars.toml").read_text())
    for market in table.values():
        if venue in market["venues"]:
            return cast(dict[str, Any], market)
    if venue in exchange_calendars.get_calendar_names():
        return {"calendar": venue, "zone": exchange_calendars.get_calendar(venue).tz.key}
    raise DataUnavailable(
        f"the sessions of {venue} are not known",
        "neither the broker told them nor is there a calendar for this venue",
        "fetch from the broker, which tells its schedule",
    )


def _from_calendar(
    market: dict[str, Any], first: pd.Timestamp, last: pd.Timestamp, hours: Hours
) -> Sessions:
    calendar = exchange_calendars.get_calendar(market["calendar"], start=first, end=last)
    days, opens, closes = calendar.sessions, calendar.opens_nanos, calendar.closes_nanos
    rules = market.get(hours, {})
    if "open" in rules:
        opens = _at(days, rules["open"], market["zone"])
    if "latest_close" in rules:
        closes = np.minimum(closes, _at(days, rules["latest_close"], market["zone"]))
    closes = closes + rules.get("after_close", 0) * pd.Timedelta(hours=1).value
    dates = _dates(days)
    # A date with a lunch break has two sessions.
    broken = calendar.break_starts_nanos != pd.NaT.value
    firsts = np.where(broken, calendar.break_starts_nanos, closes)
    starts = np.concatenate([opens, calendar.break_ends_nanos[broken]])
    order = np.argsort(starts)
    return Sessions(
        np.concatenate([dates, dates[broken]])[order],
        starts[order],
        np.concatenate([firsts, closes[broken]])[order],
        market["zone"],
        "calendar",
    )


def _weekdays(market: dict[str, Any], first: pd.Timestamp, last: pd.Timestamp) -> Sessions:
    rules = market["weekdays"]
    days = pd.bdate_range(first, last)
    days = days[~days.strftime("%m-%d").isin(rules["holidays"])]
    return Sessions(
        _dates(days),
        _at(days - pd.Timedelta(days=1), rules["open"], market["zone"]),
        _at(days, rules["close"], market["zone"]),
        market["zone"],
        "calendar",
    )


def _dates(days: pd.DatetimeIndex) -> Ints:
    return days.to_numpy().astype("datetime64[D]").astype(np.int64)


def _at(days: pd.DatetimeIndex, clock: time, zone: str) -> Ints:
    """The moment a clock of the zone shows this time on each day."""
    local = days + pd.Timedelta(hours=clock.hour, minutes=clock.minute)
    return local.tz_localize(zone).as_unit("ns").asi8

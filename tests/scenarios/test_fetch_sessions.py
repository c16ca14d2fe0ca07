"""The bars that a fetch finds to be missing, and gets, against market hours published by others."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from catalog import workers
from catalog.series import BarSpec
from catalog.sessions import calendar_sessions
from catalog.store import Catalog
from core.fetch import FetchRequest, fetch_series
from core.ibkr.connection import BrokerSession, Endpoint
from core.simulator.server import SimulatedGateway
from tests.outside import SHARED

LEAN = SHARED / "data/lean/market-hours-database.json.gz"
NOW = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)
SPEC = BarSpec(30, "MINUTE")
BAR = timedelta(minutes=30)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")

pytestmark = pytest.mark.skipif(not LEAN.exists(), reason="LEAN's market hours are not here")


def published_opens(
    entry: dict[str, Any], states: set[str], first: date, last: date
) -> Iterator[datetime]:
    """The moments at which bars open on the wall clock of an exchange, day by day."""
    zone = ZoneInfo(entry["exchangeTimeZone"])
    for days in range((last - first).days + 1):
        day = first + timedelta(days)
        named = f"{day.month}/{day.day}/{day.year}"
        if named in entry["holidays"]:
            continue
        early, late = (entry.get(kind, {}).get(named) for kind in ("earlyCloses", "lateOpens"))
        shut = clock(day, early or "00:00:00"), clock(day, late or "1.00:00:00")
        for hours in entry[WEEKDAYS[day.weekday()]]:
            if hours["state"] not in states:
                continue
            at, end = clock(day, hours["start"]), clock(day, hours["end"])
            while at < end:
                if not (early or late) or not shut[0] <= at < shut[1]:
                    yield at.replace(tzinfo=zone).astimezone(UTC)
                at += BAR


def clock(day: date, text: str) -> datetime:
    """`18:00:00` on a day; `1.00:00:00` is midnight after it."""
    days, _, at = text.rpartition(".")
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 a wall clock
    hours, minutes, _ = map(int, at.split(":"))
    return midnight + timedelta(days=int(days or 0), hours=hours, minutes=minutes)


STOCK = ("AAPL", "Equity-usa-[*]", {"market"})
FUTURE = ("ESZ6.CME", "Future-cme-ES", {"premarket", "market", "postmarket"})
HONG_KONG = ("700.SEHK", "Index-hkfe-[*]", {"market"})  # of its stocks


@pytest.mark.parametrize(
    ("traded", "start", "end"),
    [
        pytest.param(STOCK, "2025-11-24", "2025-11-30", id="Thanksgiving and the half day after"),
        pytest.param(STOCK, "2025-12-22", "2026-01-02", id="Christmas and New Year"),
        pytest.param(STOCK, "2026-03-04", "2026-03-11", id="a stock over the change to summer"),
        pytest.param(STOCK, "2026-10-28", "2026-11-04", id="a stock over the change to winter"),
        pytest.param(FUTURE, "2025-11-25", "2025-12-01", id="Thanksgiving of a future"),
        pytest.param(HONG_KONG, "2026-03-30", "2026-04-10", id="lunch breaks, Easter"),
        pytest.param(HONG_KONG, "2025-12-22", "2026-01-02", id="lunch breaks, half days"),
        pytest.param(HONG_KONG, "2026-02-12", "2026-02-23", id="the lunar New Year"),
        pytest.param(FUTURE, "2026-03-05", "2026-03-10", id="Sunday opens, change to summer"),
        pytest.param(FUTURE, "2026-10-29", "2026-11-03", id="Sunday opens, change to winter"),
    ],
)
async def test_a_fetch_gets_a_bar_for_each_half_hour_that_the_market_was_open(
    tmp_path: Path, traded: tuple[str, str, set[str]], start: str, end: str
) -> None:
    typed, key, states = traded
    entry = json.loads(gzip.decompress(LEAN.read_bytes()))["entries"][key]
    first, last = date.fromisoformat(start), date.fromisoformat(end)
    # Whole days of the exchange's clock: a trading date of the future begins the evening before.
    zone = ZoneInfo(entry["exchangeTimeZone"])
    begin, finish = (
        datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        for day in (first, last + timedelta(days=1))
    )
    catalog = Catalog.open(tmp_path)
    async with SimulatedGateway(now=NOW) as gateway:
        session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
        request = FetchRequest((typed,), SPEC, begin.isoformat(), finish.isoformat())
        fetched = await fetch_series(
            typed, request, catalog=catalog, session=session, clock=lambda: NOW
        )
        again = await fetch_series(
            typed, request, catalog=catalog, session=session, clock=lambda: NOW
        )
        await session.disconnect()
    assert fetched.series is not None
    stamps = catalog.read_bars(fetched.series).ts.tolist()
    catalog.close()
    opens = [datetime.fromtimestamp(stamp // 10**9, UTC) - BAR for stamp in stamps]
    assert opens == list(published_opens(entry, states, first, last))
    assert again.requests == 0


@pytest.mark.parametrize("traded", [STOCK, HONG_KONG], ids=["New York", "Hong Kong"])
@pytest.mark.parametrize(
    ("bars", "period"),
    [
        ("1-DAY-LAST", lambda day: day),
        ("1-WEEK-LAST", lambda day: day.isocalendar()[:2]),
        ("1-MONTH-LAST", lambda day: (day.year, day.month)),
    ],
)
async def test_days_weeks_and_months_bear_the_dates_of_their_last_published_sessions(
    tmp_path: Path,
    traded: tuple[str, str, set[str]],
    bars: str,
    period: Callable[[date], object],
) -> None:
    typed, key, states = traded
    entry = json.loads(gzip.decompress(LEAN.read_bytes()))["entries"][key]
    first, last = date(2025, 9, 1), date(2026, 5, 31)  # a Monday, a Sunday: whole weeks and months
    zone = ZoneInfo(entry["exchangeTimeZone"])
    dates = [at.astimezone(zone).date() for at in published_opens(entry, states, first, last)]
    expected = list({period(day): day for day in dates}.values())
    catalog = Catalog.open(tmp_path)
    async with SimulatedGateway(now=NOW) as gateway:
        session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
        request = FetchRequest((typed,), BarSpec.parse(bars), f"{first}", f"{last}")
        fetched = await fetch_series(
            typed, request, catalog=catalog, session=session, clock=lambda: NOW
        )
        await session.disconnect()
    assert fetched.series is not None
    stamps = catalog.read_bars(fetched.series).ts.tolist()
    catalog.close()
    assert [datetime.fromtimestamp(stamp // 10**9, UTC).date() for stamp in stamps] == expected


@pytest.mark.parametrize(
    ("venue", "key"), [("TSEJ", "Index-ose-[*]"), ("SEHK", "Index-hkfe-[*]")], ids=["Tokyo", "HK"]
)
def test_where_the_broker_tells_no_sessions_a_calendar_knows_the_lunch_breaks(
    venue: str, key: str
) -> None:
    entry = json.loads(gzip.decompress(LEAN.read_bytes()))["entries"][key]
    first, last = date(2025, 12, 1), date(2026, 9, 30)
    zone = ZoneInfo(entry["exchangeTimeZone"])
    span = tuple(
        int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 10**9
        for day in (first, last + timedelta(days=1))
    )
    sessions = workers.run_blocking(calendar_sessions, venue, span, "regular")
    opens = [
        datetime.fromtimestamp(moment // 10**9, UTC)
        for moment in sessions.bar_opens(span, SPEC).tolist()
    ]
    assert opens == list(published_opens(entry, {"market"}, first, last))

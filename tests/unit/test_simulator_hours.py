"""The simulated markets keep the hours of the real ones."""

import gzip
import json
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.simulator.hours import hours_text, sessions
from core.simulator.universe import universe
from tests.outside import SHARED

LEAN = SHARED / "data/lean/market-hours-database.json.gz"
BY_NAME = {found.local_symbol: found for found in universe()}
NEW_YORK = ZoneInfo("America/New_York")


def spans(hours: str, first: date, last: date, *, regular: bool, zone: str) -> dict[str, str]:
    """Each session's date and its span on the clock of ``zone``."""
    table = sessions(hours)
    clock = ZoneInfo(zone)
    found = {}
    for index in range(table.on(first), table.on(last + timedelta(days=1))):
        opened, closed = (
            datetime.fromtimestamp(at, clock) for at in table.span(index, regular=regular)
        )
        found[f"{table.trading_date(index):%m-%d}"] = f"{opened:%m-%d %H:%M}-{closed:%H:%M}"
    return found


def test_a_stock_trades_from_four_to_eight_and_less_on_a_half_day() -> None:
    thanksgiving = (date(2024, 11, 27), date(2024, 11, 29))
    assert spans("us_stock", *thanksgiving, regular=False, zone="US/Eastern") == {
        "11-27": "11-27 04:00-20:00",
        "11-29": "11-29 04:00-17:00",
    }
    assert spans("us_stock", *thanksgiving, regular=True, zone="US/Eastern") == {
        "11-27": "11-27 09:30-16:00",
        "11-29": "11-29 09:30-13:00",
    }


def test_the_future_trades_through_the_night_and_stops_early_on_holidays() -> None:
    assert spans(
        "cme_index_future", date(2024, 11, 27), date(2024, 12, 2), regular=False, zone="US/Central"
    ) == {
        "11-27": "11-26 17:00-16:00",
        "11-28": "11-27 17:00-12:00",
        "11-29": "11-28 17:00-12:15",
        "12-02": "12-01 17:00-16:00",
    }


def test_a_stock_in_hong_kong_has_lunch_and_on_a_half_day_the_morning_alone() -> None:
    assert hours_text(BY_NAME["700"], date(2025, 12, 23), regular=True) == (
        "20251223:0930-20251223:1200;20251223:1300-20251223:1600;"
        "20251224:0930-20251224:1200;20251225:CLOSED;20251226:CLOSED;"
        "20251227:CLOSED;20251228:CLOSED"
    )


@pytest.mark.parametrize(
    ("hours", "first", "zone", "expected"),
    [
        ("us_stock", date(2024, 3, 8), "US/Eastern", ["03-08 09:30-16:00", "03-11 09:30-16:00"]),
        ("cboe_index", date(2024, 3, 8), "US/Central", ["03-08 08:30-15:00", "03-11 08:30-15:00"]),
        (
            "cme_index_future",
            date(2024, 11, 1),
            "US/Central",
            ["11-01 08:30-16:00", "11-04 08:30-16:00"],
        ),
        ("fx", date(2024, 11, 1), "US/Eastern", ["10-31 17:15-17:00", "11-03 17:15-17:00"]),
    ],
)
def test_the_exchange_clock_does_not_move_with_summer_time(
    hours: str, first: date, zone: str, expected: list[str]
) -> None:
    found = spans(hours, first, first + timedelta(days=3), regular=True, zone=zone)
    assert list(found.values()) == expected


@pytest.mark.parametrize(
    ("symbol", "today", "trading", "liquid"),
    [
        (
            "TSLA",
            date(2022, 12, 29),
            "20221229:0400-20221229:2000;20221230:0400-20221230:2000;20221231:CLOSED;"
            "20230101:CLOSED;20230102:CLOSED;20230103:0400-20230103:2000",
            "20221229:0930-20221229:1600;20221230:0930-20221230:1600;20221231:CLOSED;"
            "20230101:CLOSED;20230102:CLOSED;20230103:0930-20230103:1600",
        ),
        (
            "ESM5",
            date(2025, 5, 22),
            "20250521:1700-20250522:1600;20250522:1700-20250523:1600;20250524:CLOSED;"
            "20250525:1700-20250526:1200;20250526:1700-20250527:1600;20250527:1700-20250528:1600",
            None,
        ),
        (
            "ESZ6",  # recorded for the micro contract, which keeps the same hours
            date(2025, 12, 23),
            "20251222:1700-20251223:1600;20251223:1700-20251224:1215;20251225:1700-20251226:1600;"
            "20251227:CLOSED;20251228:1700-20251229:1600",
            None,
        ),
        (
            "SPX",
            date(2026, 1, 31),
            "20260131:CLOSED;20260201:CLOSED;20260202:0830-20260202:1500;"
            "20260203:0830-20260203:1500;20260204:0830-20260204:1500;20260205:0830-20260205:1500",
            "20260131:CLOSED;20260201:CLOSED;20260202:0830-20260202:1500;"
            "20260203:0830-20260203:1500;20260204:0830-20260204:1500;20260205:0830-20260205:1500",
        ),
        (
            "EUR.USD",
            date(2022, 12, 6),
            "20221205:1715-20221206:1700;20221206:1715-20221207:1700;"
            "20221207:1715-20221208:1700;20221208:1715-20221209:1700;20221210:CLOSED;"
            "20221211:1715-20221212:1700",
            None,
        ),
    ],
)
def test_hours_read_as_real_gateways_wrote_them(
    symbol: str, today: date, trading: str, liquid: str | None
) -> None:
    """The expected texts were recorded; ES and EUR.USD's liquid hours are cut differently there."""
    instrument = BY_NAME[symbol]
    assert hours_text(instrument, today, regular=False) == trading
    if liquid is not None:
        assert hours_text(instrument, today, regular=True) == liquid


@pytest.mark.skipif(not LEAN.exists(), reason="LEAN's market hours are not here")
def test_stock_holidays_and_half_days_are_those_of_lean() -> None:
    entry = json.loads(gzip.decompress(LEAN.read_bytes()))["entries"]["Equity-usa-[*]"]
    holidays = {_day(text) for text in entry["holidays"]}
    early = {_day(text): at[:5] for text, at in entry["earlyCloses"].items()}

    for year in range(2012, 2026):
        first, last = date(year, 1, 1), date(year, 12, 31)
        ours = spans("us_stock", first, last, regular=True, zone="US/Eastern")
        day = first
        while day <= last:
            span = ours.get(f"{day:%m-%d}")
            if day.weekday() >= 5 or day in holidays:
                assert span is None, day
            else:
                assert span == f"{day:%m-%d} 09:30-{early.get(day, '16:00')}", day
            day += timedelta(days=1)


def _day(text: str) -> date:
    month, day, year = map(int, text.split("/"))
    return date(year, month, day)


@pytest.mark.skipif(not LEAN.exists(), reason="LEAN's market hours are not here")
def test_the_future_stops_early_when_lean_says_so() -> None:
    entry = json.loads(gzip.decompress(LEAN.read_bytes()))["entries"]["Future-cme-ES"]
    for text, at in entry["earlyCloses"].items():
        day = _day(text)
        # 17:00 is the ordinary end; 09:15 are Good Fridays, on which this market is shut.
        if day.year not in (2023, 2024, 2025) or at[:5] not in ("13:00", "13:15"):
            continue
        found = spans("cme_index_future", day, day, regular=False, zone="US/Eastern")
        assert found[f"{day:%m-%d}"].endswith(at[:5]), day

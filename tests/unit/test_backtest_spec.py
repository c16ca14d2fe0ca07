"""What is asked for: cash, specs, venues, trading dates."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest

from catalog.errors import WrongInput
from catalog.events import as_record
from catalog.series import BarSpec, Series
from catalog.sessions import Sessions
from core.backtest.spec import Cash, RunSpec
from core.backtest.trading_dates import trading_dates
from core.backtest.venues import detect_venue

MINUTES = BarSpec(1, "MINUTE")


def series(instrument_id: str) -> Series:
    return Series(instrument_id, MINUTES)


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()


def test_cash_is_an_amount_and_a_currency() -> None:
    assert Cash.parse("100,000.50 usd") == Cash(Decimal("100000.50"), "USD")


@pytest.mark.parametrize("text", ["", "100000", "USD", "-5 USD", "0 USD", "nan USD", "1e400 US"])
def test_what_is_no_cash_is_refused(text: str) -> None:
    with pytest.raises(WrongInput, match="starting cash"):
        Cash.parse(text)


def test_a_spec_survives_json() -> None:
    spec = RunSpec(
        "sma_crossover", {"fast_period": 5}, ("A.X", "B.Y"), MINUTES, "a", "b", source="catalog"
    )
    assert RunSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


def test_specs_without_instruments_or_with_unknown_fees_are_refused() -> None:
    with pytest.raises(WrongInput, match="needs an instrument"):
        RunSpec("buy_and_hold").check()
    with pytest.raises(WrongInput, match="no fees"):
        RunSpec("buy_and_hold", instruments=("A.X",), fees="free").check()


def test_the_venue_comes_from_the_instrument() -> None:
    found = detect_venue({"id": "AAPL.NASDAQ"}, series("AAPL.NASDAQ"))
    assert (found.venue, found.source, found.synthetic) == ("NASDAQ", "instrument", False)
    record = as_record(found)
    assert (record["event"], record["venue"], record["source"]) == (
        "venue_detected",
        "NASDAQ",
        "instrument",
    )


def test_the_venue_comes_from_the_bars_without_an_instrument() -> None:
    assert (detect_venue(None, series("BRK.B.NYSE")).venue) == "NYSE"
    assert detect_venue(None, series("GDX.ARCA")).source == "bars"
    assert detect_venue(None, series("GDX.SIM")).source == "default"
    assert detect_venue(None, series("GDX.SIM")).synthetic


def test_an_instrument_of_another_venue_is_an_error() -> None:
    with pytest.raises(WrongInput, match="another venue"):
        detect_venue({"id": "GDX.ARCA"}, series("GDX.NASDAQ"))


def test_a_bar_belongs_to_the_calendar_day_of_its_open_at_the_exchange() -> None:
    stamps = np.array([at("2024-01-03 04:59"), at("2024-01-03 05:00"), at("2024-01-03 05:01")])
    got = trading_dates(stamps, MINUTES, None, "America/New_York")
    assert got.tolist() == [day("2024-01-02"), day("2024-01-02"), day("2024-01-03")]


def test_a_session_over_midnight_is_one_date() -> None:
    sessions = Sessions(
        np.array([day("2024-01-03"), day("2024-01-04")]),
        np.array([at("2024-01-02 23:00"), at("2024-01-03 23:00")]),
        np.array([at("2024-01-03 22:00"), at("2024-01-04 22:00")]),
        "America/Chicago",
        "broker",
    )
    times = ("02 23:01", "03 22:00", "03 23:01", "04 22:00", "05 23:00")
    stamps = np.array([at(f"2024-01-{time}") for time in times])
    third, fourth, fifth = day("2024-01-03"), day("2024-01-04"), day("2024-01-05")
    got = trading_dates(stamps, MINUTES, sessions, "America/Chicago")
    assert got.tolist() == [third, third, fourth, fourth, fifth]


def test_daily_bars_carry_their_date() -> None:
    stamps = np.array([at("2024-01-03 00:00") - 1, at("2024-01-04 00:00") - 1])
    got = trading_dates(stamps, BarSpec(1, "DAY"), None, "Asia/Tokyo")
    assert got.tolist() == [day("2024-01-02"), day("2024-01-03")]

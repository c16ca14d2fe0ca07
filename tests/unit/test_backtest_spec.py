"""What is asked for: cash, specs, venues, trading dates."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.columns import BarColumns
from catalog.errors import WrongInput
from catalog.events import as_record
from catalog.made_instruments import made_instrument
from catalog.series import BarSpec, Series
from catalog.sessions import Sessions
from core.backtest.spec import Cash, RunSpec
from core.backtest.trading_dates import merged_dates, trading_dates
from core.backtest.venues import detect_venue

MINUTES = BarSpec(1, "MINUTE")
EPOCH = date(1970, 1, 1).toordinal()


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


def test_an_instrument_that_an_import_made_up_is_synthetic() -> None:
    bars = BarColumns.empty(2, 0)
    made = made_instrument(series("GDX.SIM"), "equity", "USD", bars, "UTC")
    found = detect_venue(made, series("GDX.SIM"))
    assert (found.source, found.synthetic) == ("instrument", True)
    assert "synthetic" in str(found)


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


@given(
    st.lists(st.integers(at("2020-01-01"), at("2026-12-31")), min_size=1, max_size=50),
    st.sampled_from(["America/New_York", "Asia/Tokyo", "Europe/London", "America/Sao_Paulo"]),
)
def test_without_sessions_the_date_is_that_of_a_clock_at_the_exchange(
    opens: list[int], zone: str
) -> None:
    stamps = np.array(sorted(opens)) // 60_000_000_000 * 60_000_000_000
    clock = [
        datetime.fromtimestamp((stamp - 60_000_000_000) / 1e9, ZoneInfo(zone)).date()
        for stamp in stamps.tolist()
    ]
    got = trading_dates(stamps, MINUTES, None, zone)
    assert [date.fromordinal(one + EPOCH) for one in got.tolist()] == clock


def test_markets_together_have_the_later_date_where_they_disagree() -> None:
    """New York has closed, Chicago trades on for a minute and begins its next session."""
    stock = np.array([at("2024-01-02 20:59"), at("2024-01-02 21:00"), at("2024-01-03 14:31")])
    future = np.array([at("2024-01-02 21:00"), at("2024-01-02 21:01"), at("2024-01-02 23:01")])
    second, third = day("2024-01-02"), day("2024-01-03")
    together = np.unique(np.concatenate([stock, future]))
    got = merged_dates(
        together,
        [
            (stock, np.array([second, second, third])),
            (future, np.array([second, second, third])),
        ],
    )
    assert got.tolist() == [second, second, second, third, third]


def test_cash_may_be_several_amounts() -> None:
    spec = RunSpec("buy_and_hold", cash="60,000 USD, 40_000.50 eur")
    assert spec.all_cash() == (Cash(Decimal(60_000), "USD"), Cash(Decimal("40000.50"), "EUR"))
    with pytest.raises(WrongInput, match="names a currency twice"):
        RunSpec("buy_and_hold", cash="1 USD, 2 USD").all_cash()


@pytest.mark.parametrize(
    "terms",
    [
        {"account": "loan"},
        {"oms": "both"},
        {"leverage": -1.0},
        {"slippage": 1.5},
        {"warm_up": -1},
        {"fees": "per_contract:much"},
        {"fees": "per_contract:-1"},
        {"fees": "my fees"},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(WrongInput):
        RunSpec("buy_and_hold", instruments=("A.X",), **terms).check()

"""The simulated gateway's messages have the fields and forms of those recorded from real ones."""

import json
import re
from datetime import UTC, date, datetime
from typing import Any

import pytest

from core.simulator import contracts
from core.simulator.contracts import Description
from core.simulator.history import History
from core.simulator.hours import hours_text
from core.simulator.market import Market
from core.simulator.outages import Outages
from core.simulator.protocol import Fields, Refusal
from core.simulator.queries import NO_ZONE, BarQuery, HeadQuery
from core.simulator.universe import Instrument, universe
from tests.outside import SHARED

RECORDINGS = SHARED / "recordings"
pytestmark = pytest.mark.skipif(not RECORDINGS.exists(), reason="the recordings are not here")

NOW = datetime(2026, 7, 10, 22, 44, 40, tzinfo=UTC)
BY_NAME = {found.local_symbol: found for found in universe()}
HISTORY = History(Market(seed=7))


def recorded(kind: str) -> list[str]:
    """The fields of the first recorded message of a kind."""
    lines = (RECORDINGS / "wire_text.jsonl").read_text().splitlines()
    messages = (json.loads(line) for line in lines)
    return next(message["fields"] for message in messages if message["kind"] == kind)


def errors(code: int) -> list[str]:
    """The recorded texts of an error."""
    lines = (RECORDINGS / "errors.jsonl").read_text().splitlines()
    return [row["msg"] for row in map(json.loads, lines) if row["code"] == code]


def query(symbol: str, **asked: Any) -> BarQuery:
    instrument = BY_NAME[symbol]
    description = Description(
        con_id=instrument.con_id,
        exchange=instrument.exchange,
        **dict.fromkeys(("symbol", "type", "expiry", "multiplier", "primary"), ""),
        **dict.fromkeys(("strike", "right", "currency", "local_symbol", "trading_class"), ""),
        include_expired=False,
    )
    default = {"end": "", "regular": True, "what": "TRADES", "date_format": 1}
    return BarQuery(contract=description, **default | asked)


def details(instrument: Instrument, today: date) -> list[str]:
    trading, liquid = (hours_text(instrument, today, regular=only) for only in (False, True))
    fields = contracts.details(9001, instrument, instrument.exchange, trading, liquid)
    return [str(field) for field in fields]


# What a simulated contract may state otherwise: order types, exchanges and their market rules.
OUR_OWN = {15, 16, -6}


@pytest.mark.parametrize(
    ("kind", "symbol", "today", "spurious", "differs"),
    [
        # Literals of rust-ibapi carry one empty field too many.
        ("contractDetails.STK.SMART", "TSLA", date(2022, 12, 29), 1, set()),
        # Old gateways wrote the last trade date without seconds; liquid hours end a day later.
        ("contractDetails.FUT.CME", "ESM5", date(2025, 5, 22), 0, {4, 27}),
        # This one was cut at another day; its sizes come with two decimals.
        ("nautilus.contract_details_eurusd", "EUR.USD", date(2023, 12, 4), 0, {26, 27, -3, -2, -1}),
    ],
)
def test_contract_details_stand_in_the_recorded_order(
    kind: str, symbol: str, today: date, spurious: int, differs: set[int]
) -> None:
    theirs = recorded(kind)
    theirs = theirs[: len(theirs) - spurious]
    theirs[1] = "9001"
    ours = details(BY_NAME[symbol], today)

    assert len(ours) == len(theirs)
    free = {position % len(ours) for position in OUR_OWN | differs}
    for position, (mine, real) in enumerate(zip(ours, theirs, strict=True)):
        assert position in free or mine == real, position


def test_hourly_bars_stand_at_the_recorded_times_in_the_recorded_form() -> None:
    theirs = recorded("historicalData.STK.1hour")
    end = recorded("historicalDataEnd")
    answer = HISTORY.answer(1, query("AAPL", bar_size="1 hour", duration="1 D"), NOW)
    ours = [str(field) for field in answer]

    # Since server version 196 start and end travel in a message of their own.
    assert ours[2:4] == end[2:4]
    del ours[2:4]
    assert len(ours) == len(theirs)
    assert ours[:3] == theirs[:3]
    assert ours[3::8] == theirs[3::8]
    for mine, real in zip(ours, theirs, strict=True):
        assert _shape(mine) == _shape(real)


def _shape(field: str) -> str:
    """A field with every digit run replaced; trailing zeros of an average may be cut."""
    return re.sub(r"\d+", "0", field)


def test_eight_days_of_daily_bars_are_eight_sessions_without_volume_on_the_mid() -> None:
    theirs = recorded("historicalData.BOND.1day.MIDPOINT")
    asked = query(
        "AAPL",
        end="20250413 17:56:00 US/Eastern",
        bar_size="1 day",
        duration="8 D",
        what="MIDPOINT",
    )
    ours = [str(field) for field in HISTORY.answer(1, asked, NOW)]
    assert ours[:5] == theirs[:5]
    assert ours[5::8] == theirs[5::8]
    assert [ours[at::8] for at in (10, 11, 12)] == [theirs[at::8] for at in (10, 11, 12)]


def test_a_schedule_has_the_recorded_form() -> None:
    theirs = recorded("historicalSchedule")
    asked = query(
        "AAPL",
        end="20230415-00:00:00",
        bar_size="1 day",
        duration="1 D",
        what="SCHEDULE",
    )
    ours = [str(field) for field in HISTORY.answer(9000, asked, NOW)]
    assert ours == theirs


def test_a_head_timestamp_has_the_recorded_form() -> None:
    description = query("AAPL", bar_size="1 day", duration="1 D").contract
    epoch = HISTORY.head_timestamp(9000, HeadQuery(description, True, "TRADES", 2), NOW)
    assert [_shape(str(field)) for field in epoch] == list(map(_shape, recorded("headTimestamp")))


def test_a_market_rule_has_the_recorded_form() -> None:
    assert [str(field) for field in contracts.market_rule(26)] == recorded("marketRule")


def test_the_login_burst_is_the_recorded_one() -> None:
    lines = (RECORDINGS / "wire_text.jsonl").read_text().splitlines()
    burst = [row["fields"] for row in map(json.loads, lines) if row["kind"] == "bootstrap.burst"]
    well = Outages(lambda code, text: None, lambda: 0.0)
    assert [tuple(fields[3:5]) for fields in burst[2:]] == [(str(c), t) for c, t in well.notices()]


def test_a_recorded_request_is_understood() -> None:
    message_id, request_id, *values = recorded("REQUEST.reqHistoricalData")
    # Since server version 196 the request carries one more field, keepUpToDate's options aside.
    asked = BarQuery.read(Fields(int(message_id), values))
    assert (request_id, asked.contract.con_id, asked.contract.exchange) == ("1", 265598, "SMART")
    assert (asked.bar_size, asked.duration, asked.what) == ("1 hour", "1 D", "TRADES")
    assert asked.regular
    assert asked.date_format == 1


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"bar_size": "7 mins", "duration": "1 D"}, 321),
        ({"bar_size": "1 min", "duration": "1 D", "what": "PRICES"}, 321),
        ({"bar_size": "1 min", "duration": "1 D", "date_format": 0}, 321),
        ({"bar_size": "1 min", "duration": ""}, 321),
        ({"bar_size": "1 min", "duration": "1"}, 321),
        ({"bar_size": "1 min", "duration": "86401 S"}, 321),
        ({"bar_size": "1 min", "duration": "366 D"}, 321),
        ({"bar_size": "1 min", "duration": "53 W"}, 321),
        ({"bar_size": "1 min", "duration": "13 M"}, 321),
        ({"bar_size": "1 min", "duration": "69 Y"}, 321),
        ({"bar_size": "1 secs", "duration": "2001 S"}, 162),
        ({"bar_size": "1 min", "duration": "1 D", "end": "yesterday"}, 10314),
    ],
)
def test_refusals_use_recorded_words(asked: dict[str, Any], code: int) -> None:
    with pytest.raises(Refusal) as refused:
        HISTORY.answer(1, query("AAPL", **asked), NOW)
    assert refused.value.code == code
    # The two letters name a class of the gateway's program and change with its build.
    words = {re.sub(r"-'b.'", "", text) for text in errors(code)}
    assert re.sub(r"-'b.'", "", refused.value.text) in words


def test_the_warning_about_a_missing_zone_is_the_recorded_one() -> None:
    assert errors(2174) == [NO_ZONE]

"""Two clients that nobody here wrote see one and the same simulated gateway."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import ib_async
import pytest
import pytest_asyncio

from core.simulator.server import SimulatedGateway
from tests.scenarios.official_client import OfficialClient, official_contract

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Friday 14 June 2024, half past four in New York: after the close of the regular session.
NOW = datetime(2024, 6, 14, 20, 30, tzinfo=UTC)

AAPL = {"symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD"}
GDX = {"symbol": "GDX", "secType": "STK", "exchange": "SMART", "currency": "USD"}
ES = {"symbol": "ES", "secType": "FUT", "exchange": "CME", "localSymbol": "ESM4"}
EURUSD = {"symbol": "EUR", "secType": "CASH", "exchange": "IDEALPRO", "currency": "USD"}
SPX = {"symbol": "SPX", "secType": "IND", "exchange": "CBOE", "currency": "USD"}

CONTRACT_FIELDS = (
    *("conId", "symbol", "secType", "multiplier", "exchange", "primaryExchange", "currency"),
    *("localSymbol", "tradingClass", "lastTradeDateOrContractMonth"),
)
DETAIL_FIELDS = (
    *("marketName", "minTick", "orderTypes", "validExchanges", "priceMagnifier", "underConId"),
    *("longName", "contractMonth", "industry", "category", "subcategory", "timeZoneId"),
    *("tradingHours", "liquidHours", "aggGroup", "underSymbol", "underSecType", "marketRuleIds"),
    *("realExpirationDate", "stockType", "minSize", "sizeIncrement", "suggestedSizeIncrement"),
    "lastTradeTime",
)


@dataclass
class Both:
    """The same session, seen by ib_async and by IBKR's client."""

    gateway: SimulatedGateway
    ib: ib_async.IB
    official: OfficialClient
    ib_errors: list[tuple[int, int, str]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both() -> AsyncIterator[Both]:
    """A gateway on one Friday afternoon, and both clients connected to it."""
    async with SimulatedGateway(now=NOW) as gateway:
        ib = ib_async.IB()
        ib.RaiseRequestErrors = True
        errors: list[tuple[int, int, str]] = []
        ib.errorEvent += lambda request_id, code, text, _: errors.append((request_id, code, text))
        await ib.connectAsync("127.0.0.1", gateway.port, clientId=1)
        async with OfficialClient(gateway.port) as official:
            yield Both(gateway, ib, official, errors)
        ib.disconnect()


async def ib_async_bars(both: Both, contract: dict[str, Any], *asked: Any) -> Any:
    end, duration, size, what, regular, form = asked
    return await both.ib.reqHistoricalDataAsync(
        ib_async.Contract(**contract), end, duration, size, what, bool(regular), form
    )


async def official_bars(both: Both, contract: dict[str, Any], *asked: Any) -> Any:
    end, duration, size, what, regular, form = asked
    return await both.official.ask(
        both.official.reqHistoricalData,
        official_contract(**contract),
        end,
        duration,
        size,
        what,
        regular,
        form,
        False,
        [],
    )


@pytest.mark.parametrize("contract", [AAPL, GDX, ES, EURUSD, SPX], ids=lambda c: c["symbol"])
async def test_both_clients_read_the_same_contract_details(
    both: Both, contract: dict[str, Any]
) -> None:
    asked = {**contract, "includeExpired": True}
    (theirs,) = await both.ib.reqContractDetailsAsync(ib_async.Contract(**asked))
    (official,) = await both.official.ask(
        both.official.reqContractDetails, official_contract(**asked)
    )

    for name in DETAIL_FIELDS:
        assert _plain(getattr(theirs, name)) == _plain(getattr(official, name)), name
    for name in CONTRACT_FIELDS:
        ours, other = getattr(theirs.contract, name), getattr(official.contract, name)
        assert _plain(ours) == _plain(other), name
    isins = [[(pair.tag, pair.value) for pair in d.secIdList or ()] for d in (theirs, official)]
    assert isins[0] == isins[1]


def _plain(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return value


@pytest.mark.parametrize(
    ("contract", "asked"),
    [
        (AAPL, ("", "1 D", "1 min", "TRADES", 1, 2)),
        (AAPL, ("20240610 16:00:00 US/Eastern", "2 D", "1 hour", "TRADES", 0, 1)),
        (AAPL, ("20240531-21:00:00", "3 M", "1 day", "TRADES", 1, 2)),
        (AAPL, ("20240531 21:00:00 UTC", "1 Y", "1 week", "TRADES", 1, 1)),
        (ES, ("20240604 12:00:00 US/Central", "2 D", "30 mins", "TRADES", 0, 2)),
        (EURUSD, ("", "1 W", "4 hours", "MIDPOINT", 0, 2)),
        (EURUSD, ("", "3600 S", "1 min", "BID", 0, 1)),
        (SPX, ("", "5 D", "1 hour", "TRADES", 1, 2)),
    ],
)
async def test_both_clients_read_the_same_bars(
    both: Both, contract: dict[str, Any], asked: tuple[Any, ...]
) -> None:
    theirs = await ib_async_bars(both, contract, *asked)
    official, _, _ = await official_bars(both, contract, *asked)

    def row(bar: Any, average: Any) -> tuple[float, ...]:
        prices = (bar.open, bar.high, bar.low, bar.close)
        return tuple(float(value) for value in (*prices, bar.volume, average, bar.barCount))

    assert len(theirs) > 0
    assert [row(bar, bar.average) for bar in theirs] == [row(bar, bar.wap) for bar in official]
    assert [_moment(bar.date) for bar in theirs] == [_moment(bar.date) for bar in official]


def _moment(value: Any) -> Any:
    """A bar's date as ib_async and as IBKR's client give it, in one form."""
    if isinstance(value, datetime | date):
        return value
    words = value.split()
    if len(words) == 1:
        is_day = len(value) == 8
        return date.fromisoformat(value) if is_day else datetime.fromtimestamp(int(value), tz=UTC)
    zone = ZoneInfo(words[2])
    return datetime.fromisoformat(f"{words[0]} {words[1]}").replace(tzinfo=zone)


@pytest.mark.parametrize("size", ["1 hour", "1 day"])
async def test_the_future_is_not_told(both: Both, size: str) -> None:
    known = await ib_async_bars(both, AAPL, "", "1 W", size, "TRADES", 1, 2)
    asked = await ib_async_bars(both, AAPL, "20240621-20:30:00", "2 W", size, "TRADES", 1, 2)
    assert list(asked) == list(known)


async def test_weeks_and_months_are_dated_by_their_last_session(both: Both) -> None:
    """As a real gateway does; Friday 29 March 2024 was a holiday."""
    end = "20240415-00:00:00"
    days = await ib_async_bars(both, AAPL, end, "2 M", "1 day", "TRADES", 1, 2)
    weeks = await ib_async_bars(both, AAPL, end, "2 W", "1 week", "TRADES", 1, 2)
    months = await ib_async_bars(both, AAPL, end, "1 M", "1 month", "TRADES", 1, 2)

    assert [bar.date for bar in weeks] == [date(2024, 4, 5), date(2024, 4, 12)]
    assert [bar.date for bar in months] == [date(2024, 3, 28), date(2024, 4, 12)]
    first_week = [bar for bar in days if date(2024, 4, 1) <= bar.date <= date(2024, 4, 5)]
    march = [bar for bar in days if bar.date.month == 3]
    for whole, parts in ((weeks[0], first_week), (months[0], march)):
        assert (whole.open, whole.close) == (parts[0].open, parts[-1].close)
        assert whole.high == max(bar.high for bar in parts)
        assert whole.low == min(bar.low for bar in parts)
        assert whole.volume == sum(bar.volume for bar in parts)


async def test_both_clients_find_the_same_symbols(both: Both) -> None:
    theirs = await both.ib.reqMatchingSymbolsAsync("A")
    official = await both.official.ask(both.official.reqMatchingSymbols, "A")

    def rows(found: Any) -> list[Any]:
        return [
            (d.contract.conId, d.contract.symbol, d.contract.description, d.derivativeSecTypes)
            for d in found
        ]

    assert rows(theirs) == rows(official)
    assert (265598, "AAPL", "APPLE INC") in [row[:3] for row in rows(theirs)]


async def test_both_clients_read_the_same_head_timestamp_and_schedule(both: Both) -> None:
    contract = ib_async.Contract(**AAPL)
    head = await both.ib.reqHeadTimeStampAsync(contract, "TRADES", True, 2)
    text = await both.official.ask(
        both.official.reqHeadTimeStamp, official_contract(**AAPL), "TRADES", 0, 2
    )
    assert head == datetime(2005, 1, 3, 14, 30, tzinfo=UTC)
    assert datetime.fromtimestamp(int(text), tz=UTC) == datetime(2005, 1, 3, 9, 0, tzinfo=UTC)

    theirs = await both.ib.reqHistoricalScheduleAsync(contract, 3)
    start, end, zone, sessions = await official_bars(
        both, AAPL, "", "3 D", "1 day", "SCHEDULE", 1, 1
    )
    assert (theirs.startDateTime, theirs.endDateTime, theirs.timeZone) == (start, end, zone)
    assert [(s.startDateTime, s.endDateTime, s.refDate) for s in theirs.sessions] == [
        (s.startDateTime, s.endDateTime, s.refDate) for s in sessions
    ]
    assert [s.refDate for s in theirs.sessions] == ["20240612", "20240613", "20240614"]


UNKNOWN = {**AAPL, "symbol": "NOSUCH"}
GDX_ON_NASDAQ = {**GDX, "primaryExchange": "NASDAQ"}
DAY = ("", "1 D", "1 min", "TRADES", 1, 2)


@pytest.mark.parametrize(
    ("contract", "asked", "code", "text"),
    [
        (UNKNOWN, DAY, 200, "No security definition has been found for the request"),
        (GDX_ON_NASDAQ, DAY, 200, "No security definition has been found for the request"),
        ({"symbol": "ES", "secType": "FUT", "exchange": "CME"}, DAY, 200, "ambiguous"),
        (EURUSD, DAY, 162, "No historical market data for EUR/CASH@FXSUBPIP Last 60"),
        (
            AAPL,
            ("20240615 20:00:00 UTC", "3600 S", "1 min", "TRADES", 1, 2),
            162,
            "HMDS query returned no data: AAPL@SMART Trades",
        ),
        (
            EURUSD,
            ("20010101 00:00:00 UTC", "1 D", "1 hour", "ASK", 1, 2),
            162,
            "HMDS query returned no data: EUR.USD@IDEALPRO Ask",
        ),
        (AAPL, ("14 June 2024", "1 D", "1 min", "TRADES", 1, 2), 10314, "yyyymmdd hh:mm:ss"),
        (AAPL, ("20241340 10:00:00 UTC", "1 D", "1 min", "TRADES", 1, 2), 10314, "End Date/Time"),
    ],
)
async def test_both_clients_are_refused_in_the_same_words(
    both: Both, contract: dict[str, Any], asked: tuple[Any, ...], code: int, text: str
) -> None:
    with pytest.raises(ib_async.RequestError) as refused:
        await ib_async_bars(both, contract, *asked)
    answer = await official_bars(both, contract, *asked)

    assert (refused.value.code, refused.value.message) == answer
    assert answer[0] == code
    assert text in answer[1]


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        (("", "1 D", "7 mins", "TRADES", 1, 2), "Legal ones are: 1 secs, 5 secs"),
        (("", "1 D", "1 min", "PRICES", 1, 2), "What to show field is missing or incorrect."),
        (("", "366 D", "1 min", "TRADES", 1, 2), "longer than 365 days must be made in years"),
        (("", "1 fortnight", "1 min", "TRADES", 1, 2), "integer{SPACE}unit"),
        (("", "90000 S", "1 min", "TRADES", 1, 2), "greater than 86400 seconds rejected"),
        (("", "1 D", "1 min", "TRADES", 1, 0), "Date formatting selection of 0 rejected"),
        (("", "1 D", "1 min", "SCHEDULE", 1, 1), "Only daily resolution supported"),
    ],
)
async def test_a_request_that_makes_no_sense_is_error_321(
    both: Both, asked: tuple[Any, ...], text: str
) -> None:
    # ib_async takes 321 for a warning and would wait, so only the official client is asked.
    code, answer = await official_bars(both, AAPL, *asked)
    assert code == 321
    assert answer.startswith("Error validating request.-'")
    assert text in answer


async def test_an_end_without_a_zone_is_warned_about_and_answered(both: Both) -> None:
    naive = await official_bars(both, AAPL, "20240614 12:00:00", "1 D", "1 min", "TRADES", 1, 2)
    zoned = await official_bars(
        both, AAPL, "20240614 12:00:00 US/Eastern", "1 D", "1 min", "TRADES", 1, 2
    )
    assert [bar.date for bar in naive[0]] == [bar.date for bar in zoned[0]]
    assert len(naive[0]) == 150
    assert [code for _, code, _ in both.official.errors].count(2174) == 1


async def test_cancelling_what_is_not_asked_is_error_366(both: Both) -> None:
    answer = await both.official.ask(both.official.cancelHistoricalData)
    assert answer == (366, f"No historical data query found for ticker id:{both.official._next}")


async def test_a_future_without_expiry_lists_every_live_one(both: Both) -> None:
    es = ib_async.Contract(symbol="ES", secType="FUT", exchange="CME")
    live = await both.ib.reqContractDetailsAsync(es)
    es.includeExpired = True
    all_of_them = await both.ib.reqContractDetailsAsync(es)

    assert [d.contract.localSymbol for d in live][:2] == ["ESM4", "ESU4"]
    assert {d.contract.localSymbol for d in all_of_them} - {
        d.contract.localSymbol for d in live
    } == {"ESH4"}


@pytest.mark.parametrize(
    "description",
    [
        {"conId": 265598},
        {"conId": 265598, "exchange": "SMART"},
        {"symbol": "AAPL", "secType": "STK", "exchange": "SMART", "currency": "USD"},
        {"symbol": "AAPL", "secType": "STK", "exchange": "ISLAND", "primaryExchange": "ISLAND"},
        {"localSymbol": "AAPL", "secType": "STK", "exchange": "NASDAQ"},
        {"symbol": "AAPL", "secType": "STK", "exchange": "SMART", "primaryExchange": "NASDAQ"},
    ],
)
async def test_a_contract_is_found_by_whatever_names_it(
    both: Both, description: dict[str, Any]
) -> None:
    (found,) = await both.ib.reqContractDetailsAsync(ib_async.Contract(**description))
    assert found.contract.conId == 265598
    assert found.contract.primaryExchange == "NASDAQ"


async def test_a_stock_without_exchange_is_listed_on_each_of_its_exchanges(both: Both) -> None:
    found = await both.ib.reqContractDetailsAsync(ib_async.Contract(symbol="AMD", secType="STK"))
    assert [d.contract.exchange for d in found] == found[0].validExchanges.split(",")


async def test_history_wants_an_exchange(both: Both) -> None:
    code, text = await official_bars(both, {"conId": 265598}, *DAY)
    assert (code, text) == (
        321,
        "Error validating request.-'bT' : cause - Please enter exchange",
    )


async def test_the_gateway_remembers_what_was_asked(both: Both) -> None:
    before = len(both.gateway.requests)
    await ib_async_bars(both, AAPL, *DAY)
    await both.ib.reqContractDetailsAsync(ib_async.Contract(**GDX))
    bars, details = both.gateway.requests[before:]

    assert (bars.kind, details.kind) == ("historical_bars", "contract_details")
    assert (bars.fields["symbol"], bars.fields["duration"]) == ("AAPL", "1 D")
    assert details.fields["symbol"] == "GDX"


async def test_market_rules_and_the_clock(both: Both) -> None:
    (found,) = await both.ib.reqContractDetailsAsync(ib_async.Contract(**EURUSD))
    rule = await both.ib.reqMarketRuleAsync(int(found.marketRuleIds))
    assert [(step.lowEdge, step.increment) for step in rule] == [(0, found.minTick)]
    assert await both.ib.reqCurrentTimeAsync() == NOW

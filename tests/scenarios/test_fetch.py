"""Fetching from the simulated gateway into a real catalog."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from catalog.errors import BrokerUnavailable, WrongInput
from catalog.events import Event
from catalog.series import BarSpec, Series
from catalog.sessions import Hours
from catalog.store import BarsPersisted, Catalog
from core.asking import JobLine, PatientBroker
from core.fetch import FetchRequest, SeriesFetched, backfill_instrument, fetch_all, fetch_series
from core.fetch_events import (
    AskedAgain,
    CalendarUsed,
    ChunkRequested,
    ConnectionAwaited,
    ConnectionBack,
    DataBegin,
    IdCorrected,
    NoLongerKept,
    NothingToDo,
    PacingWait,
)
from core.ibkr.connection import BrokerSession, ConnectionKind, Endpoint
from core.ibkr.requests import Empty, Timeout
from core.ibkr.session_events import Connecting
from core.jobs import JobProgress
from core.simulator.server import SimulatedGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")

# A Wednesday; New York was at UTC-5, its stocks open 14:30 to 21:00 UTC.
NOW = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)
OPTION = "AAPL  270115C00300000.AMEX"
HOUR = ("2026-11-18T15:00", "2026-11-18T16:00")


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway() -> AsyncIterator[SimulatedGateway]:
    async with SimulatedGateway(now=NOW) as running:
        yield running


@dataclass
class Desk:
    """A catalog of its own and a session with the shared gateway."""

    gateway: SimulatedGateway
    session: BrokerSession
    catalog: Catalog
    now: datetime = NOW
    events: list[Event] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    async def fetch(
        self, typed: str, bars: str, start: str, end: str | None, hours: Hours | None = None
    ) -> SeriesFetched:
        self.events.clear()

        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)

        return await fetch_series(
            typed,
            FetchRequest((typed,), BarSpec.parse(bars), start, end, hours),
            catalog=self.catalog,
            session=self.session,
            clock=lambda: self.now,
            report=self.events.append,
            pause=pause,
        )

    def told[T: Event](self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]

    def asked(self) -> list[str]:
        return [request.kind for request in self.gateway.requests]


@pytest_asyncio.fixture(loop_scope="module")
async def desk(gateway: SimulatedGateway, tmp_path: Path) -> AsyncIterator[Desk]:
    gateway.requests.clear()
    gateway.force_pacing(0)
    catalog = Catalog.open(tmp_path / "catalog")
    session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
    yield Desk(gateway, session, catalog)
    await session.disconnect()
    catalog.close()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody listens, for as long as the test runs."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


async def test_an_hour_of_minutes_is_sixty_bars_and_the_instrument(desk: Desk) -> None:
    fetched = await desk.fetch("AAPL.NASDAQ", "1-MINUTE-LAST", *HOUR)

    assert (fetched.outcome, fetched.bars, fetched.held, fetched.error) == ("stored", 60, 60, None)
    assert fetched.series is not None
    bars = desk.catalog.read_bars(fetched.series)
    assert bars.ts[0] == ns("2026-11-18T15:01")
    assert bars.ts[-1] == ns("2026-11-18T16:00")
    definition = desk.catalog.instrument("AAPL.NASDAQ")
    assert definition is not None
    assert definition["info"]["con_id"] == 265598
    assert definition["isin"] == "US0378331005"
    assert desk.catalog.origin == "simulated"
    assert not desk.told(IdCorrected)


async def test_the_instrument_is_stored_before_the_first_bar(desk: Desk) -> None:
    await desk.fetch("AAPL.NASDAQ", "1-MINUTE-LAST", *HOUR)
    names = [type(event).__name__ for event in desk.events]
    assert names.index("InstrumentStored") < names.index("BarsPersisted")
    assert desk.asked().index("contract_details") < desk.asked().index("historical_bars")


async def test_a_second_fetch_makes_no_request_and_needs_no_broker(
    desk: Desk, closed_port: int
) -> None:
    await desk.fetch("AAPL.NASDAQ", "1-MINUTE-LAST", *HOUR)
    await desk.session.disconnect()
    before = len(desk.gateway.requests)
    desk.session = BrokerSession(Endpoint("127.0.0.1", closed_port))

    again = await desk.fetch("AAPL.NASDAQ", "1-MINUTE-LAST", *HOUR)

    assert (again.outcome, again.requests, again.held) == ("nothing to do", 0, 60)
    assert len(desk.gateway.requests) == before
    assert desk.session.state.kind is ConnectionKind.DISCONNECTED


async def test_without_broker_what_is_missing_fails_with_the_way_to_the_broker(
    desk: Desk, closed_port: int
) -> None:
    desk.session = BrokerSession(Endpoint("127.0.0.1", closed_port))
    fetched = await desk.fetch("AAPL.NASDAQ", "1-MINUTE-LAST", *HOUR)
    assert fetched.outcome == "failed"
    assert isinstance(fetched.error, BrokerUnavailable)
    assert fetched.error.steps
    assert desk.catalog.instrument_ids() == []


@pytest.mark.parametrize(
    ("typed", "canonical"),
    [("GDX.NASDAQ", "GDX.ARCA"), ("IBM", "IBM.NYSE"), ("aapl.island", "AAPL.NASDAQ")],
)
async def test_the_canonical_id_is_told_and_found_next_time_without_broker(
    desk: Desk, closed_port: int, typed: str, canonical: str
) -> None:
    first = await desk.fetch(typed, "1-MINUTE-LAST", *HOUR)
    assert first.series == Series(canonical, BarSpec(1, "MINUTE"))
    assert [(told.typed, told.canonical) for told in desk.told(IdCorrected)] == [(typed, canonical)]

    desk.session = BrokerSession(Endpoint("127.0.0.1", closed_port))
    again = await desk.fetch(typed, "1-MINUTE-LAST", *HOUR)
    assert (again.series, again.outcome) == (first.series, "nothing to do")
    assert desk.told(IdCorrected)


async def test_only_the_missing_minutes_are_asked_for(desk: Desk) -> None:
    await desk.fetch("AAPL", "1-MINUTE-LAST", *HOUR)
    more = await desk.fetch("AAPL", "1-MINUTE-LAST", "2026-11-18T15:30", "2026-11-18T16:45")
    assert (more.bars, more.held) == (45, 75)
    assert [(one.start, one.end) for one in desk.told(ChunkRequested)] == [
        (ns("2026-11-18T16:00"), ns("2026-11-18T16:45"))
    ]


async def test_a_hole_in_the_middle_is_all_that_is_asked_for(desk: Desk) -> None:
    await desk.fetch("AAPL", "1-MINUTE-LAST", "2026-11-17", "2026-11-17")
    await desk.fetch("AAPL", "1-MINUTE-LAST", "2026-11-12", "2026-11-12")
    whole = await desk.fetch("AAPL", "1-MINUTE-LAST", "2026-11-12", "2026-11-17")
    assert [(one.start, one.end) for one in desk.told(ChunkRequested)] == [
        (ns("2026-11-13T14:30"), ns("2026-11-16T21:00"))  # Friday and Monday in one request
    ]
    assert whole.held == 4 * 390


async def test_fetched_in_pieces_or_at_once_the_bars_are_the_same(
    desk: Desk, tmp_path: Path
) -> None:
    for start, end in (("2026-11-13", "2026-11-16"), ("2026-10-29", "2026-11-13")):
        await desk.fetch("IBM", "5-MINUTE-LAST", start, end)
    pieces = desk.catalog
    desk.catalog = Catalog.open(tmp_path / "other")
    fetched = await desk.fetch("IBM", "5-MINUTE-LAST", "2026-10-29", "2026-11-16")
    assert fetched.series is not None
    assert pieces.read_bars(fetched.series) == desk.catalog.read_bars(fetched.series)
    pieces.close()


async def test_a_month_of_minutes_is_one_run_of_chunks(desk: Desk) -> None:
    fetched = await desk.fetch("MSFT", "1-MINUTE-LAST", "2026-10-19", "2026-11-17")
    assert fetched.bars == fetched.held == 22 * 390
    assert desk.asked().count("historical_bars") == 5  # five sessions each
    ts = desk.catalog.read_bars(Series("MSFT.NASDAQ", BarSpec(1, "MINUTE"))).ts
    assert np.all(np.diff(ts) > 0)
    assert sum(event.bars for event in desk.told(BarsPersisted)) == fetched.bars


async def test_days_are_stamped_at_the_end_of_their_date(desk: Desk) -> None:
    fetched = await desk.fetch("SPY", "1-DAY-LAST", "2026-11-02", "2026-11-06")
    assert fetched.series is not None
    ts = desk.catalog.read_bars(fetched.series).ts.tolist()
    assert ts == [ns(f"2026-11-{day:02d}T23:59:59") + 999_999_999 for day in range(2, 7)]


async def test_a_day_counts_once_its_session_has_closed(desk: Desk) -> None:
    desk.now = datetime(2026, 11, 17, 20, 59, tzinfo=UTC)  # a minute before the close
    fetched = await desk.fetch("SPY", "1-DAY-LAST", "2026-11-16", None)
    assert (fetched.bars, fetched.held) == (1, 1)
    desk.now = datetime(2026, 11, 17, 21, 0, tzinfo=UTC)
    fetched = await desk.fetch("SPY", "1-DAY-LAST", "2026-11-16", None)
    assert (fetched.bars, fetched.held) == (1, 2)


async def test_a_bar_in_progress_is_left_for_later(desk: Desk) -> None:
    desk.now = datetime(2026, 11, 18, 15, 10, 30, tzinfo=UTC)
    fetched = await desk.fetch("SPY", "1-MINUTE-LAST", "2026-11-18T15:00", "2026-11-18T16:00")
    assert fetched.bars == 10
    desk.now = datetime(2026, 11, 18, 15, 12, tzinfo=UTC)
    fetched = await desk.fetch("SPY", "1-MINUTE-LAST", "2026-11-18T15:00", "2026-11-18T16:00")
    assert (fetched.bars, fetched.held) == (2, 12)


async def test_sixteen_years_of_days_come_in_few_requests(desk: Desk) -> None:
    fetched = await desk.fetch("AAPL", "1-DAY-LAST", "2010-01-01", "2025-12-31")
    assert desk.asked().count("historical_bars") == 3
    assert fetched.bars == fetched.held == 4_024


async def test_before_the_first_data_there_is_none_and_it_is_not_asked_for_again(
    desk: Desk,
) -> None:
    fetched = await desk.fetch("TSLA", "1-DAY-LAST", "2010-06-01", "2010-06-11")
    assert (fetched.outcome, fetched.error) == ("no data", None)
    assert desk.told(CalendarUsed)  # the broker has no schedule for that time
    progress = desk.told(JobProgress)[-1]  # that there are none is an answer, too
    assert progress.done == progress.total == 9
    again = await desk.fetch("TSLA", "1-DAY-LAST", "2010-06-01", "2010-06-11")
    assert (again.outcome, again.requests) == ("nothing to do", 0)


async def test_what_reaches_back_before_the_first_data_is_asked_from_there_on(desk: Desk) -> None:
    fetched = await desk.fetch("TSLA", "1-MINUTE-LAST", "2010-03-01", "2010-06-30")
    assert fetched.bars == fetched.held == 2 * 390
    assert desk.asked().count("historical_bars") == 1
    again = await desk.fetch("TSLA", "1-MINUTE-LAST", "2010-03-01", "2010-06-30")
    assert again.requests == 0


async def test_seconds_older_than_six_months_are_not_asked_for(desk: Desk) -> None:
    series = Series("AAPL.NASDAQ", BarSpec(30, "SECOND"))
    old = await desk.fetch("AAPL", "30-SECOND-LAST", "2026-04-01", "2026-04-01")
    assert (old.outcome, old.error, desk.asked().count("historical_bars")) == ("no data", None, 0)
    assert [event.series for event in desk.told(NoLongerKept)] == [series]
    assert desk.catalog.covered(series) == []

    # 180 days before NOW it was Friday, the 22nd of May; the Monday after was a holiday.
    both = await desk.fetch("AAPL", "30-SECOND-LAST", "2026-05-22", "2026-05-26")
    assert (both.outcome, both.bars) == ("stored", 780)
    ((start, _),) = desk.catalog.covered(series)
    assert start == ns("2026-05-26T13:30")
    assert [event.begin for event in desk.told(NoLongerKept)] == [ns("2026-05-23T00:00")]


async def test_years_before_the_first_data_are_not_asked_for_day_by_day(desk: Desk) -> None:
    fetched = await desk.fetch("TSLA", "1-MINUTE-LAST", "2009-01-02", "2010-06-11")
    assert (fetched.outcome, fetched.error) == ("no data", None)
    assert desk.told(DataBegin)
    assert "historical_bars" not in desk.asked()
    again = await desk.fetch("TSLA", "1-MINUTE-LAST", "2009-01-02", "2010-06-11")
    assert (again.outcome, again.requests) == ("nothing to do", 0)


@pytest.mark.parametrize(
    ("typed", "bars", "canonical", "kind", "count"),
    [
        ("ESZ6.CME", "1-MINUTE-LAST", "ESZ6.CME", "FuturesContract", 1_380),
        ("EUR/USD", "1-MINUTE-BID", "EUR/USD.IDEALPRO", "CurrencyPair", 1_425),
        ("EUR.USD", "5-MINUTE-ASK", "EUR/USD.IDEALPRO", "CurrencyPair", 285),
        ("eurusd", "15-MINUTE-MID", "EUR/USD.IDEALPRO", "CurrencyPair", 95),
        ("^SPX.CBOE", "1-MINUTE-LAST", "^SPX.CBOE", "IndexInstrument", 390),
        ("IBM.NYSE", "1-HOUR-LAST", "IBM.NYSE", "Equity", 7),
        ("BTC/USD.PAXOS", "1-MINUTE-LAST", "BTC/USD.PAXOS", "CurrencyPair", 1_350),
        ("AAPL270115C00300000", "5-MINUTE-MID", OPTION, "OptionContract", 78),
        ("AAPL270115C00300000", "1-MINUTE-LAST", OPTION, "OptionContract", 390),
    ],
)
async def test_each_asset_class_over_a_trading_date(
    desk: Desk, typed: str, bars: str, canonical: str, kind: str, count: int
) -> None:
    fetched = await desk.fetch(typed, bars, "2026-11-18", "2026-11-18")
    assert fetched.error is None
    assert (fetched.bars, fetched.held) == (count, count)
    definition = desk.catalog.instrument(canonical)
    assert definition is not None
    assert definition["type"] == kind
    again = await desk.fetch(typed, bars, "2026-11-18", "2026-11-18")
    assert (again.outcome, again.requests) == ("nothing to do", 0)


async def test_an_expired_future_is_fetched_too(desk: Desk) -> None:
    fetched = await desk.fetch("ESM5.CME", "1-HOUR-LAST", "2025-06-02", "2025-06-03")
    assert fetched.error is None
    assert fetched.bars == 46


async def test_overnight_futures_bars_belong_to_the_next_trading_date(desk: Desk) -> None:
    await desk.fetch("ESZ6.CME", "1-HOUR-LAST", "2026-11-16", "2026-11-16")  # a Monday
    ts = desk.catalog.read_bars(Series("ESZ6.CME", BarSpec(1, "HOUR"))).ts
    assert (ts[0], ts[-1]) == (ns("2026-11-16T00:00"), ns("2026-11-16T22:00"))


@pytest.mark.parametrize(("bars", "count"), [("1-MINUTE-LAST", 210), ("1-HOUR-LAST", 4)])
async def test_a_half_day_has_half_the_bars(desk: Desk, bars: str, count: int) -> None:
    fetched = await desk.fetch("AAPL", bars, "2025-11-27", "2025-11-28")  # Thanksgiving, and after
    assert (fetched.bars, fetched.held) == (count, count)
    again = await desk.fetch("AAPL", bars, "2025-11-27", "2025-11-28")
    assert again.requests == 0


async def test_over_a_clock_change_sessions_keep_their_local_time(desk: Desk) -> None:
    await desk.fetch("AAPL", "30-MINUTE-LAST", "2026-03-06", "2026-03-09")
    ts = desk.catalog.read_bars(Series("AAPL.NASDAQ", BarSpec(30, "MINUTE"))).ts.tolist()
    assert [ts[0], ts[13]] == [ns("2026-03-06T15:00"), ns("2026-03-09T14:00")]
    assert len(ts) == 26


async def test_simulated_bars_do_not_mix_with_real_ones(desk: Desk) -> None:
    await backfill_instrument("IBM", catalog=desk.catalog, session=desk.session, clock=lambda: NOW)
    real = Catalog.open(desk.catalog.root.parent / "real")
    definition = desk.catalog.instrument("IBM.NYSE")
    assert definition is not None
    await asyncio.to_thread(real.store_instrument, definition, origin="real")
    desk.catalog.close()
    desk.catalog = real
    desk.gateway.requests.clear()

    fetched = await desk.fetch("AAPL", "1-MINUTE-LAST", *HOUR)

    assert isinstance(fetched.error, WrongInput)
    assert "real" in fetched.error.title
    assert desk.asked() == []


async def test_an_unknown_symbol_is_wrong_input_and_writes_nothing(desk: Desk) -> None:
    fetched = await desk.fetch("XYZQ", "1-MINUTE-LAST", *HOUR)
    assert isinstance(fetched.error, WrongInput)
    assert "XYZQ" in fetched.error.title
    assert fetched.series is None
    assert desk.catalog.instrument_ids() == []


@pytest.mark.parametrize(
    ("typed", "bars", "start", "end"),
    [
        ("AAPL", "1-MINUTE-LAST", "2027-01-04", "2027-01-05"),
        ("AAPL", "1-MINUTE-LAST", "2026-11-18T22:31", None),
        ("AAPL", "1-MINUTE-LAST", "2026-11-18", "2026-11-17"),
        ("AAPL", "1-MINUTE-LAST", "2026-11-18T15:00", "2026-11-18T15:00"),
        ("AAPL", "1-MINUTE-LAST", "yesterday", None),
        ("AAPL", "7-MINUTE-LAST", *HOUR),
        ("AAPL..", "1-MINUTE-LAST", *HOUR),
    ],
)
async def test_wrong_input_is_refused_before_the_broker_is_asked(
    desk: Desk, typed: str, bars: str, start: str, end: str | None
) -> None:
    fetched = await desk.fetch(typed, bars, start, end)
    assert isinstance(fetched.error, WrongInput)
    assert desk.asked() == []


async def test_trades_of_a_currency_pair_are_refused_in_words(desk: Desk) -> None:
    fetched = await desk.fetch("EUR/USD", "1-MINUTE-LAST", *HOUR)
    assert isinstance(fetched.error, WrongInput)
    assert "1-MINUTE-MID" in fetched.error.steps[0]
    assert "historical_bars" not in desk.asked()


async def test_on_a_weekend_there_is_nothing_to_do(desk: Desk) -> None:
    fetched = await desk.fetch("AAPL", "1-MINUTE-LAST", "2026-11-14", "2026-11-15")
    assert (fetched.outcome, fetched.error) == ("nothing to do", None)
    assert "closed" in desk.told(NothingToDo)[0].reason
    assert "historical_bars" not in desk.asked()


async def test_hours_do_not_mix_in_a_series(desk: Desk) -> None:
    await desk.fetch("AAPL", "1-HOUR-LAST", "2026-11-18", "2026-11-18")
    fetched = await desk.fetch("AAPL", "1-HOUR-LAST", "2026-11-17", "2026-11-17", "all")
    assert isinstance(fetched.error, WrongInput)
    assert desk.catalog.read_bars(Series("AAPL.NASDAQ", BarSpec(1, "HOUR"))).ts[0] > ns(
        "2026-11-18T00:00"
    )


async def test_a_pacing_violation_is_waited_out_and_told(desk: Desk) -> None:
    await desk.session.connect()
    await backfill_instrument("AAPL", catalog=desk.catalog, session=desk.session, clock=lambda: NOW)
    await desk.fetch("AAPL", "1-MINUTE-LAST", "2026-11-18T15:00", "2026-11-18T15:01")
    desk.gateway.force_pacing(2)
    fetched = await desk.fetch("AAPL", "1-MINUTE-LAST", "2026-11-18T15:01", "2026-11-18T15:11")
    assert fetched.bars == 10
    assert desk.pauses == [wait.seconds for wait in desk.told(PacingWait)]
    assert len(desk.pauses) == 2


async def test_endless_pacing_gives_up_and_keeps_what_came_before(desk: Desk) -> None:
    await desk.fetch("AAPL", "1-MINUTE-LAST", *HOUR)
    desk.gateway.force_pacing(100)
    fetched = await desk.fetch("AAPL", "1-MINUTE-LAST", "2026-11-18T15:30", "2026-11-18T16:00")
    assert fetched.outcome == "nothing to do"
    fetched = await desk.fetch("AAPL", "1-MINUTE-LAST", "2026-11-18T15:30", "2026-11-18T17:00")
    assert isinstance(fetched.error, BrokerUnavailable)
    assert "pacing" in fetched.error.reason
    assert fetched.outcome == "failed"
    assert len(desk.catalog.read_bars(Series("AAPL.NASDAQ", BarSpec(1, "MINUTE")))) == 60


async def test_an_instrument_can_be_had_without_bars(desk: Desk) -> None:
    found = await backfill_instrument(
        "GDX.NASDAQ", catalog=desk.catalog, session=desk.session, clock=lambda: NOW
    )
    assert found == "GDX.ARCA"
    assert desk.catalog.instrument_ids() == ["GDX.ARCA"]
    assert "historical_bars" not in desk.asked()


async def test_a_cancelled_fetch_keeps_whole_chunks_and_goes_on_later(desk: Desk) -> None:
    persisted = asyncio.Event()

    def report(event: Event) -> None:
        if isinstance(event, BarsPersisted):
            persisted.set()

    request = FetchRequest(("NVDA",), BarSpec(1, "MINUTE"), "2026-09-01", "2026-11-17")
    task = asyncio.create_task(
        fetch_series(
            "NVDA",
            request,
            catalog=desk.catalog,
            session=desk.session,
            clock=lambda: NOW,
            report=report,
        )
    )
    await persisted.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    series = Series("NVDA.NASDAQ", BarSpec(1, "MINUTE"))
    held = len(desk.catalog.read_bars(series))
    assert held > 0
    assert held % 390 == 0
    rest = await desk.fetch("NVDA", "1-MINUTE-LAST", "2026-09-01", "2026-11-17")
    assert rest.bars + held == rest.held == 55 * 390


async def no_pause(seconds: float) -> None:
    """Waits that a test has no time for."""
    await asyncio.sleep(0)


@pytest_asyncio.fixture(loop_scope="module")
async def mortal(tmp_path: Path) -> AsyncIterator[Desk]:
    """A desk with a gateway of its own, which may die."""
    catalog = Catalog.open(tmp_path / "catalog")
    gateway = SimulatedGateway(now=NOW)
    port = await gateway.start()
    session = BrokerSession(Endpoint("127.0.0.1", port), pause=no_pause)
    yield Desk(gateway, session, catalog)
    await session.disconnect()
    await gateway.stop()
    catalog.close()


async def test_a_gateway_that_dies_midway_is_waited_for_and_nothing_is_lost(mortal: Desk) -> None:
    port = mortal.gateway.port
    later = SimulatedGateway(now=NOW)
    restarts: list[asyncio.Task[None]] = []

    async def restart() -> None:
        await mortal.gateway.stop()
        await later.start(port=port)

    def report(event: Event) -> None:
        mortal.events.append(event)
        if isinstance(event, BarsPersisted) and not restarts:
            restarts.append(asyncio.create_task(restart()))

    fetched = await fetch_series(
        "AMD",
        FetchRequest(("AMD",), BarSpec(1, "MINUTE"), "2025-11-17", "2026-11-17"),
        catalog=mortal.catalog,
        session=mortal.session,
        clock=lambda: NOW,
        report=report,
    )

    assert (fetched.outcome, fetched.error) == ("stored", None)
    assert mortal.told(ConnectionAwaited)
    assert mortal.told(ConnectionBack)
    assert fetched.bars == fetched.held == 252 * 390 - 2 * 180  # two half days
    await restarts[0]
    await mortal.session.disconnect()
    await later.stop()


async def test_a_fetch_that_waits_for_the_connection_can_be_cancelled(mortal: Desk) -> None:
    await mortal.fetch("AAPL", "1-MINUTE-LAST", *HOUR)
    waiting = asyncio.Event()

    def report(event: Event) -> None:
        if isinstance(event, ConnectionAwaited):
            waiting.set()

    await mortal.gateway.stop()
    task = asyncio.create_task(
        fetch_series(
            "AAPL",
            FetchRequest(("AAPL",), BarSpec(1, "MINUTE"), "2026-11-17", "2026-11-17"),
            catalog=mortal.catalog,
            session=mortal.session,
            clock=lambda: NOW,
            report=report,
        )
    )
    await asyncio.wait_for(waiting.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_one_series_that_fails_does_not_stop_the_others(desk: Desk) -> None:
    request = FetchRequest(
        ("AAPL", "XYZQ", "IBM.NYSE", "AAPL.NASDAQ"),
        BarSpec(1, "MINUTE"),
        "2026-11-17",
        "2026-11-17",
    )
    summary = await fetch_all(
        request,
        catalog=desk.catalog,
        session=desk.session,
        clock=lambda: NOW,
        report=desk.events.append,
    )
    assert [one.outcome for one in summary.series] == [
        "stored",
        "failed",
        "stored",
        "nothing to do",  # the first one under another name
    ]
    assert [one.held for one in summary.series] == [390, 0, 390, 390]
    assert [one.typed_id for one in summary.failed] == ["XYZQ"]
    assert desk.asked().count("historical_bars") == 2
    progress = desk.told(JobProgress)[-1]
    assert (progress.done, progress.total) == (780, 780)


async def test_a_closed_port_is_tried_once_for_all_series(desk: Desk, closed_port: int) -> None:
    session = BrokerSession(Endpoint("127.0.0.1", closed_port))
    summary = await fetch_all(
        FetchRequest(("AAPL", "IBM", "MSFT"), BarSpec(1, "MINUTE"), *HOUR),
        catalog=desk.catalog,
        session=session,
        clock=lambda: NOW,
        report=desk.events.append,
    )
    assert all(isinstance(one.error, BrokerUnavailable) for one in summary.series)
    assert len(desk.told(Connecting)) == 1


async def test_an_answer_that_does_not_come_is_asked_for_again(desk: Desk) -> None:
    answers = [Timeout(1.0), Timeout(1.0), Empty("none")]
    broker = PatientBroker(JobLine(desk.session, "job"), desk.events.append)

    async def ask(session: BrokerSession) -> Timeout | Empty:
        return answers.pop(0)

    assert await broker.ask(ask) == Empty("none")
    assert len(desk.told(AskedAgain)) == 2

    async def never(session: BrokerSession) -> Timeout:
        return Timeout(1.0)

    assert await broker.ask(never) == Timeout(1.0)
    assert broker.requests == 3 + 3


@pytest.mark.parametrize(
    ("bars", "start", "end", "dates"),
    [
        ("1-WEEK-LAST", "2026-10-07", "2026-11-18", ["10-09", "10-16", "10-23", "10-30", "11-06"]),
        ("1-WEEK-LAST", "2026-06-15", "2026-06-19", ["06-18"]),  # Friday was a holiday
        ("1-MONTH-LAST", "2026-08-31", "2026-11-18", ["08-31", "09-30", "10-30"]),
    ],
)
async def test_weeks_and_months_carry_the_date_of_their_last_session(
    desk: Desk, bars: str, start: str, end: str, dates: list[str]
) -> None:
    fetched = await desk.fetch("AAPL", bars, start, end)
    assert fetched.series is not None
    ts = desk.catalog.read_bars(fetched.series).ts.tolist()
    told = [ns(f"2026-{day}T23:59:59") + 999_999_999 for day in dates]
    assert ts[: len(told)] == told
    assert len(ts) - len(told) == ("11-06" in dates)  # the week before this one
    assert fetched.requests == 3  # the contract, its sessions, the bars
    again = await desk.fetch("AAPL", bars, start, end)
    assert (again.outcome, again.requests) == ("nothing to do", 0)

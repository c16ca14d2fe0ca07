"""What goes wrong with a fetch: wrong input, no broker, one that says no, one that goes away."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from catalog.errors import BrokerUnavailable, WrongInput
from catalog.events import Event
from catalog.series import BarSpec, Series
from catalog.store import BarsPersisted, Catalog
from core.asking import JobLine, PatientBroker
from core.fetch import FetchRequest, backfill_instrument, fetch_all, fetch_series
from core.fetch_events import (
    AskedAgain,
    ChunkRequested,
    ConnectionAwaited,
    ConnectionBack,
    PacingWait,
    SeriesDone,
    SeriesFailed,
)
from core.ibkr.connection import BrokerSession, Endpoint
from core.ibkr.requests import Empty, Timeout
from core.ibkr.session_events import Connecting
from core.jobs import JobProgress
from core.simulator.faults import Fault
from core.simulator.server import SimulatedGateway
from tests.scenarios.fetch_desk import HOUR, NOW, Desk, no_pause

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_without_broker_what_is_missing_fails_with_the_way_to_the_broker(
    desk: Desk, closed_port: int
) -> None:
    desk.session = BrokerSession(Endpoint("127.0.0.1", closed_port))
    fetched = await desk.fetch("AAPL.NASDAQ", "1-MINUTE-LAST", *HOUR)
    assert fetched.outcome == "failed"
    assert isinstance(fetched.error, BrokerUnavailable)
    assert fetched.error.steps
    assert desk.catalog.instrument_ids() == []


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


async def test_before_a_long_job_starts_it_is_known_which_series_the_broker_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.fetch.LONG_S", 1.0)
    told = "Historical Market Data Service error message:No market data permissions for NASDAQ STK"
    refused = Fault(what="error", at="historical_bars", symbol="NVDA", times=0, text=told)
    events: list[Event] = []
    async with SimulatedGateway(now=NOW, faults=(refused,)) as gateway:
        session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
        summary = await fetch_all(
            FetchRequest(("AAPL", "NVDA"), BarSpec(1, "MINUTE"), "2026-10-19", "2026-11-17"),
            catalog=Catalog.open(tmp_path / "catalog"),
            session=session,
            clock=lambda: NOW,
            report=events.append,
        )
        await session.disconnect()
    assert [one.outcome for one in summary.series] == ["stored", "failed"]
    told_by_time = [type(event) for event in events]
    assert told_by_time.index(SeriesFailed) < told_by_time.index(SeriesDone)
    asked = [event.series.instrument_id for event in events if isinstance(event, ChunkRequested)]
    assert sorted(asked[:2]) == ["AAPL.NASDAQ", "NVDA.NASDAQ"]  # one of each, then the others
    assert set(asked[2:]) == {"AAPL.NASDAQ"}


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


async def test_while_a_farm_is_down_its_answers_are_awaited_for_longer(mortal: Desk) -> None:
    """The nightly restart of IBKR's farms takes minutes, in which nothing is answered."""
    session = mortal.session
    down, back = asyncio.Event(), asyncio.Event()
    await session.connect()
    session.subscribe(lambda: (down if session.farms_down else back).set())
    mortal.gateway.strike(Fault(what="farm", farm="ushmds", seconds=2.0))
    await asyncio.wait_for(down.wait(), 30)
    back.clear()
    broker = PatientBroker(JobLine(session, "job"), mortal.events.append)
    unanswered = 0

    async def ask(session: BrokerSession) -> Timeout | Empty:
        nonlocal unanswered
        unanswered += 1
        if unanswered > 5:
            await asyncio.wait_for(back.wait(), 30)
        return Empty("none") if back.is_set() else Timeout(60.0)

    assert await broker.ask(ask) == Empty("none")
    told = mortal.told(AskedAgain)
    assert len(told) >= 5
    assert told[0].reason == "no answer in 60 s; data farm down: ushmds"


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
    # Told once, not by each of the fifty requests that were open.
    assert 1 <= len(mortal.told(ConnectionAwaited)) <= 2
    assert len(mortal.told(ConnectionBack)) == len(mortal.told(ConnectionAwaited))
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
    await asyncio.wait_for(waiting.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def restarted(desk: Desk) -> None:
    """A gateway that has just restarted."""
    session, back = desk.session, asyncio.Event()
    await session.connect()
    unsubscribe = session.subscribe(lambda: session.settling and back.set())
    desk.gateway.strike(Fault(what="restart", seconds=0.05))
    await asyncio.wait_for(back.wait(), 30)
    unsubscribe()


@pytest.mark.parametrize(
    ("times", "outcome", "bars"), [(1, "stored", 1_000), (2, "no data", 0)], ids=["once", "twice"]
)
@pytest.mark.parametrize("size", [1, 30])
async def test_small_bars_said_to_be_none_are_asked_for_once_more_and_not_alike(
    tmp_path: Path, size: int, times: int, outcome: str, bars: int
) -> None:
    """Asked alike, the gateway would call it a violation, or we would wait for 15 seconds."""
    catalog = Catalog.open(tmp_path)
    spec = BarSpec(size, "SECOND")
    end = NOW.replace(hour=6, minute=0) + timedelta(seconds=1_000 * size)
    empty = Fault(what="empty", at="historical_bars", times=times)
    async with SimulatedGateway(now=NOW, faults=[empty]) as gateway:
        session = BrokerSession(Endpoint("127.0.0.1", gateway.port))
        request = FetchRequest(
            ("EUR/USD",), spec.with_side("MID"), "2026-11-18T06:00", f"{end:%FT%T}"
        )
        fetched = await fetch_series(
            "EUR/USD", request, catalog=catalog, session=session, clock=lambda: NOW, pause=no_pause
        )
        await session.disconnect()
    assert (fetched.outcome, fetched.bars) == (outcome, bars)
    asked = [request.kind for request in gateway.requests].count("historical_bars")
    assert (asked, gateway.violations) == (2, [])
    catalog.close()


@pytest.mark.parametrize("held", [False, True], ids=["a new symbol", "one the catalog holds"])
async def test_after_a_restart_contracts_are_asked_for_until_they_are_known(
    mortal: Desk, held: bool
) -> None:
    if held:
        await mortal.fetch("IBM.NYSE", "1-MINUTE-LAST", *HOUR)
    await restarted(mortal)
    mortal.gateway.outages.forget_contracts(3600)

    def report(event: Event) -> None:
        if isinstance(event, AskedAgain):
            mortal.events.append(event)
            mortal.gateway.outages.forget_contracts(0)

    fetched = await fetch_series(
        "IBM.NYSE",
        FetchRequest(("IBM.NYSE",), BarSpec(1, "MINUTE"), "2026-11-17", "2026-11-17"),
        catalog=mortal.catalog,
        session=mortal.session,
        clock=lambda: NOW,
        report=report,
        pause=no_pause,
    )
    assert (fetched.outcome, fetched.bars) == ("stored", 390)
    (asked_again,) = mortal.told(AskedAgain)
    assert "No security definition" in asked_again.reason


async def test_a_symbol_that_stays_unknown_after_a_restart_is_given_up_in_ten_minutes(
    mortal: Desk,
) -> None:
    await restarted(mortal)
    fetched = await mortal.fetch("XYZQ", "1-MINUTE-LAST", *HOUR)
    assert isinstance(fetched.error, WrongInput)
    assert 500 < sum(mortal.pauses) <= 600

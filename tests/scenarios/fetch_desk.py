"""A desk at which tests fetch: a simulated gateway, a session with it, a catalog of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from catalog.events import Event
from catalog.series import BarSpec
from catalog.sessions import Hours
from catalog.store import Catalog
from core.fetch import FetchRequest, SeriesFetched, fetch_series
from core.ibkr.connection import BrokerSession, Endpoint
from core.simulator.server import SimulatedGateway

# A Wednesday; New York was at UTC-5, its stocks open 14:30 to 21:00 UTC.
NOW = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)
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

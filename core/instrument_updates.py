"""All stored instruments asked for again: what the broker says otherwise now is a new version."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar

from catalog.errors import BrokerUnavailable, QuarterdeckError
from catalog.events import Event, Level, Report, ignore
from catalog.instruments import InstrumentStored, contract_id
from catalog.store import Catalog
from core.ibkr.connection import BrokerSession
from core.identity import Clock, backfill_instrument
from core.jobs import JobProgress


@dataclass(frozen=True, slots=True)
class InstrumentNotUpdated(Event):
    """The broker told nothing of an instrument; what is stored of it stays."""

    level: ClassVar[Level] = Level.WARNING
    channel: ClassVar[str] = "catalog"

    instrument_id: str
    reason: str

    def __str__(self) -> str:
        return f"{self.instrument_id} stays as it is: {self.reason}"


@dataclass(frozen=True, slots=True)
class InstrumentsUpdated(Event):
    """All stored instruments were asked for again; so many became a new version, said the same,
    are unknown to the broker, and were made up by imports."""

    channel: ClassVar[str] = "catalog"

    changed: int
    unchanged: int
    failed: int
    made_up: int

    def __str__(self) -> str:
        return (
            f"{self.changed:,} instruments changed, {self.unchanged:,} did not, "
            f"{self.failed:,} are unknown to the broker, {self.made_up:,} were made up"
        )


@dataclass(slots=True)
class InstrumentUpdates:
    """What became of the stored instruments, by id: a new version, the same as before, unknown to
    the broker, or made up by an import so that nobody can be asked."""

    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    failed: dict[str, QuarterdeckError] = field(default_factory=dict)
    made_up: list[str] = field(default_factory=list)


async def update_instruments(
    catalog: Catalog, session: BrokerSession, clock: Clock, report: Report = ignore
) -> InstrumentUpdates:
    """Ask the broker for every stored instrument, by its contract id where that is known.

    The session is connected only if there is one to ask for. One that fails does not stop the
    others. Raises `BrokerUnavailable`.
    """
    result = InstrumentUpdates()
    ids = await asyncio.to_thread(catalog.instrument_ids)
    for done, instrument_id in enumerate(ids):
        report(JobProgress(done, len(ids), "instruments", instrument_id))
        typed_id = await asyncio.to_thread(_to_ask_for, catalog, instrument_id)
        if typed_id is None:
            result.made_up.append(instrument_id)
            continue
        stored: list[Event] = []

        def hear(event: Event, stored: list[Event] = stored) -> None:
            if isinstance(event, InstrumentStored):
                stored.append(event)
            report(event)

        try:
            await backfill_instrument(
                typed_id, catalog=catalog, session=session, clock=clock, report=hear
            )
        except BrokerUnavailable:
            raise
        except QuarterdeckError as error:
            result.failed[instrument_id] = error
            report(InstrumentNotUpdated(instrument_id, str(error)))
        else:
            (result.changed if stored else result.unchanged).append(instrument_id)
    counts = result.changed, result.unchanged, result.failed, result.made_up
    report(InstrumentsUpdated(*map(len, counts)))
    return result


def _to_ask_for(catalog: Catalog, instrument_id: str) -> str | None:
    """What to ask the broker for; None for an instrument that an import made up."""
    definition = catalog.instrument(instrument_id)
    assert definition is not None, "its id was just listed"
    if (definition["info"] or {}).get("made_up"):
        return None
    con_id = contract_id(definition)
    if con_id is None:
        return instrument_id
    # A contract that was renamed since keeps the id it is stored under.
    typed_id = f"conid:{con_id}"
    catalog.add_alias(typed_id.upper(), instrument_id, con_id, "broker")
    return typed_id

"""The instrument behind a typed id: from the catalog when it knows it, else from the broker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any

from catalog.errors import DataUnavailable
from catalog.events import Report, ignore
from catalog.instrument_encoding import Encoded
from catalog.instruments import Definition, contract_id
from catalog.ledger_rows import NameSource
from catalog.origin import Origin, is_adjusted, origin_of
from catalog.series import NANOS_PER_SECOND
from catalog.store import Catalog
from core.asking import JobLine, PatientBroker
from core.fetch_events import IdCorrected
from core.ibkr.connection import BrokerSession
from core.ibkr.contracts import ContractQuery, Resolved, parse_id, settle
from core.ibkr.instruments import definition
from core.ibkr.requests import NotFound, contract_details
from core.refining import as_fine_as_stored, refine
from core.writing import write

type Clock = Callable[[], datetime]


class InstrumentLookup:
    """Finds out what a typed id means.

    `definition` is there after `find` or `ask`; `origin`, of bars of this broker, after `ask`.
    `adjusted` says that their prices are.
    """

    def __init__(
        self,
        typed_id: str,
        *,
        catalog: Catalog,
        broker: PatientBroker,
        clock: Clock,
        adjusted: bool = False,
        report: Report = ignore,
    ) -> None:
        self.typed_id = typed_id
        self.definition: Definition = {}
        self.origin: Origin = "real"
        self._catalog = catalog
        self._broker = broker
        self._clock = clock
        self._adjusted = adjusted
        self._report = report
        self._resolved: Resolved | None = None

    @property
    def id(self) -> str:
        """The canonical instrument id."""
        return str(self.definition["id"])

    @property
    def info(self) -> dict[str, Any]:
        """What the broker said of the contract, by the keys of `core.ibkr.instruments`."""
        info: dict[str, Any] = self.definition["info"]
        return info

    @property
    def con_id(self) -> int | None:
        """The contract id that decides identity. None for a continuous future: the contract behind
        it is another one after each roll, and the canonical id alone says what it is."""
        return contract_id(self.definition)

    async def find(self) -> None:
        """Know the definition. The broker is asked when the catalog has none of ours.

        Raises as `ask`, before that `WrongInput` when the id is malformed.
        """
        found = await asyncio.to_thread(self._find_stored)
        if found is None:
            await self.ask()
        else:
            self._know(found)

    async def ask(self) -> Resolved:
        """The contract as the broker knows it now, its definition and aliases stored.

        Connects when needed. Raises `WrongInput` for an unknown or ambiguous id, an origin or a
        contract that must not mix with what the catalog holds; `BrokerUnavailable`.
        """
        if self._resolved is None:
            query = self._current_query()
            await self._broker.connect()
            simulated = self._broker.session.state.simulated
            self.origin = origin_of(simulated=simulated, adjusted=self._adjusted)
            await asyncio.to_thread(self._catalog.require_origin, self.origin)
            answer = await self._broker.ask(
                lambda session: contract_details(session, query.contract())
            )
            if isinstance(answer, NotFound) and self.definition:
                raise DataUnavailable(
                    f"the broker no longer knows {self.id}",
                    answer.text,
                    "if it was delisted there is nothing to do: what is stored stays",
                    "around the nightly restart contracts are unknown for minutes: try again later",
                )
            resolved = await settle(self._broker.session, query, answer)
            fresh = definition(
                resolved.details,
                now_ns=int(self._clock().timestamp()) * NANOS_PER_SECOND,
                simulated=simulated,
            )
            wanted = await asyncio.to_thread(self._named, fresh, resolved)
            # Before the writers' turn: those of several lookups are encoded together.
            encoded = await asyncio.to_thread(
                self._catalog.encoded_instrument, wanted, origin=self.origin
            )
            stored = await write(
                lambda tell: self._store(wanted, encoded, resolved, tell), self._report
            )
            self._know(stored)
            self._resolved = resolved
        return self._resolved

    def _current_query(self) -> ContractQuery:
        if not self.definition:
            return parse_id(self.typed_id)
        if self.con_id is None:
            return parse_id(self.id)
        return ContractQuery(self.typed_id, con_id=self.con_id)

    def _find_stored(self) -> Definition | None:
        known = self._catalog.alias(_key(self.typed_id))
        stored = self._catalog.instrument(known) if known else None
        return stored if stored and "con_id" in (stored.get("info") or {}) else None

    def _named(self, fresh: Definition, resolved: Resolved) -> Definition:
        """The definition under the id it is stored by."""
        con_id = contract_id(fresh)
        # A renamed contract keeps its folder: the id it was first stored under goes on.
        known = self._catalog.alias(f"CONID:{con_id}") if con_id is not None else None
        return as_fine_as_stored(self._catalog, {**fresh, "id": known or resolved.instrument_id})

    def _store(
        self, definition: Definition, encoded: Encoded | None, resolved: Resolved, report: Report
    ) -> Definition:
        con_id, name = contract_id(definition), str(definition["id"])
        names: dict[str, NameSource] = {resolved.instrument_id: "broker"}
        if con_id is not None:
            names[f"CONID:{con_id}"] = "broker"
        if self._catalog.store_instrument(
            definition, origin=self.origin, encoded=encoded, report=report
        ):
            refine(self._catalog, definition, report)
        for called, source in {_key(self.typed_id): "typed", **names}.items():
            if called != name:
                self._catalog.add_alias(called, name, con_id, source)
        stored = self._catalog.instrument(name)
        assert stored is not None, "an instrument just stored is there"
        return stored

    def _know(self, stored: Definition) -> None:
        if not self.definition and stored["id"] != _key(self.typed_id):
            self._report(IdCorrected(self.typed_id, stored["id"]))
        self.definition = stored


async def backfill_instrument(
    typed_id: str,
    *,
    catalog: Catalog,
    session: BrokerSession,
    clock: Clock,
    report: Report = ignore,
) -> str:
    """Ask the broker for an instrument and store it; gives its canonical id.

    Raises `WrongInput` for a malformed, unknown or ambiguous id; `BrokerUnavailable`.
    """
    broker = PatientBroker(JobLine(session, typed_id), report)
    lookup = InstrumentLookup(
        typed_id,
        catalog=catalog,
        broker=broker,
        clock=clock,
        adjusted=is_adjusted(await asyncio.to_thread(lambda: catalog.origin)),
        report=report,
    )
    await lookup.ask()
    return lookup.id


def _key(typed: str) -> str:
    return typed.strip().upper()

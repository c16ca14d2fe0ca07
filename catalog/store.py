"""The catalog: instruments and bars in Nautilus' Parquet layout, and what was asked to get them.

Everything here may block on the disk: call it through `asyncio.to_thread`. A `Catalog` may be used
from several threads, and several processes may use one root: writers take turns, readers never
wait.
"""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Self, cast

import numpy as np

from catalog import coverage
from catalog.appending import Append, BarsPersisted, merge, refuse_mixing
from catalog.columns import BarColumns
from catalog.commit import finish_left_over, writing
from catalog.coverage import Interval
from catalog.errors import WrongInput
from catalog.events import Report, ignore
from catalog.exchange import Transaction
from catalog.files import Asked, Origin, damaged, read
from catalog.instrument_encoding import Encoded, encode
from catalog.instruments import (
    Definition,
    InstrumentStored,
    InstrumentUnchanged,
    contract_id,
    definition_path,
    read_definitions,
    same_instrument,
    usual_hours,
)
from catalog.inventory import Inventory, touching, undisturbed
from catalog.ledger import Ledger
from catalog.ledger_rows import NameSource, Note
from catalog.listing import Listing, SeriesSummary
from catalog.refusals import (
    another_contract,
    instrument_not_stored,
    other_decimals,
    overlapping_files,
    unknown_series,
)
from catalog.rewriting import Rewrite, stage
from catalog.root import PRIVATE, not_writable, prepare_root
from catalog.series import Series
from catalog.sessions import Hours, Sessions

__all__ = ["BarsPersisted", "Catalog", "InstrumentStored", "InstrumentUnchanged", "Origin"]


class Catalog:
    """One catalog on disk. Make it with `Catalog.open`."""

    def __init__(self, root: Path, ledger: Ledger, *, writable: bool) -> None:
        self.root = root
        self._ledger = ledger
        self._writable = writable
        self._inventory = Inventory(root, ledger)
        self._listing = Listing(root, self._inventory, ledger)

    @classmethod
    def open(cls, root: Path, *, create: bool = True) -> Self:
        """Open the catalog in a folder, made when absent and `create` is set.

        A folder that may only be read is opened too; writing then fails. Raises `WrongInput` when
        there is no such folder and none can be made, or when Nautilus could never read from it;
        `CatalogUnusable` when a newer Quarterdeck wrote its ledger.
        """
        root, writable = prepare_root(root, create=create)
        if writable:
            finish_left_over(root)
        ledger = Ledger(root / PRIVATE / "ledger.sqlite" if writable else None)
        return cls(root, ledger, writable=writable)

    def close(self) -> None:
        """Release the ledger."""
        self._ledger.close()

    def require_writable(self) -> None:
        """Raise `WrongInput` when the catalog may only be read."""
        if not self._writable:
            raise not_writable(self.root, "the folder is read-only for this user")

    # Origin and identity

    @property
    def origin(self) -> Origin | None:
        """Whether the catalog holds simulated or real bars; None before the first write."""
        known = self._ledger.fact("origin")
        if known is None and (known := self._inventory.origin()):
            self._ledger.remember_fact("origin", known)
        return cast(Origin | None, known)

    def require_origin(self, origin: Origin) -> None:
        """Raise `WrongInput` when the catalog holds the other kind of bars."""
        held = self.origin
        if held is not None and held != origin:
            raise WrongInput(
                f"the catalog {self.root} holds {held} bars",
                f"{origin} bars must not mix with them",
                "choose another catalog with --catalog or another profile with --profile",
            )

    def con_id(self, instrument_id: str) -> int | None:
        """IBKR's contract id behind an instrument id, if the catalog knows it."""
        definition = self.instrument(instrument_id)
        if definition is not None:
            return contract_id(definition)
        alias = self._ledger.alias(instrument_id)
        return alias[1] if alias else None

    def alias(self, typed: str) -> str | None:
        """The canonical id of what somebody typed: itself when it is stored, else what it was
        found to mean, else None."""
        if self._inventory.definitions(typed) or self._inventory.precisions(typed):
            return typed
        found = self._ledger.alias(typed) or self._ledger.alias(typed.upper())
        return found[0] if found else None

    def aliases(self, instrument_id: str) -> dict[str, NameSource | None]:
        """What was found to mean this instrument, sorted, and who said it; None where a ledger of
        before this was kept does not know."""
        return self._ledger.aliases(instrument_id)

    def add_alias(
        self, typed: str, instrument_id: str, con_id: int | None, source: NameSource = "typed"
    ) -> None:
        """Remember that a typed id means this instrument."""
        self._ledger.remember_alias(typed, instrument_id, con_id, source)

    # Instruments

    def instrument(self, instrument_id: str, at: int | None = None) -> Definition | None:
        """The definition of an instrument: the latest, or the one in force at `at` (ns UTC).

        A version is in force from its `ts_init`, the first also for all time before. Raises
        `DamagedFile` when its file cannot be read.
        """
        versions = self.versions(instrument_id)
        if at is not None:
            versions = [one for one in versions if int(one["ts_init"]) <= at] or versions[:1]
        return versions[-1] if versions else None

    def versions(self, instrument_id: str) -> list[Definition]:
        """All versions of an instrument, oldest first; one that an import made up counts only
        where there is no other.

        Raises `DamagedFile` when a file of one cannot be read.
        """
        known = self._inventory.definitions(instrument_id)
        return [one for one in known if not (one["info"] or {}).get("made_up")] or known

    def instrument_ids(self) -> list[str]:
        """The ids of all stored instruments, sorted."""
        return self._listing.instrument_ids()

    def store_instrument(
        self,
        definition: Definition,
        *,
        origin: Origin,
        encoded: Encoded | None = None,
        report: Report = ignore,
    ) -> bool:
        """Store a definition as a new version, unless the stored one says the same; `encoded` where
        that was asked for before. Read back, then renamed in. True when a version was written.
        Raises as `encoded_instrument`."""
        encoded = encoded or self.encoded_instrument(definition, origin=origin)
        path = self._publish_instrument(encoded, origin) if encoded is not None else None
        name = str(definition["id"])
        report(InstrumentStored(name, path) if path else InstrumentUnchanged(name))
        return path is not None

    def encoded_instrument(self, definition: Definition, *, origin: Origin) -> Encoded | None:
        """What `store_instrument` has to write, None where the stored definition says the same. A
        version is later than the one before. Raises `WrongInput` for another origin, another
        contract of the same id, or what Nautilus refuses."""
        self.require_writable()
        self.require_origin(origin)
        stored = self.instrument(str(definition["id"]))
        if stored is not None:
            self._require_contract(stored["id"], contract_id(definition))
            later = max(int(definition["ts_init"]), int(stored["ts_init"]) + 1)
            definition = {**definition, "ts_init": later}
            if same_instrument(stored, definition):
                return None
        return encode(definition)

    def _publish_instrument(self, encoded: Encoded, origin: Origin) -> Path | None:
        definition = encoded.definition
        target = self.root / definition_path(definition)
        with writing(self.root) as staging:
            self.require_origin(origin)
            stored = self.instrument(str(definition["id"]))
            if stored is not None and same_instrument(stored, definition):
                return None
            staged = staging.folder / target.name
            staged.write_bytes(encoded.content)
            if read_definitions(staged) != [definition]:
                raise damaged(staged, "the instrument written does not read back")
            staging.publish(staged, target)
            self._ledger.remember_instrument_hash(target.relative_to(self.root), encoded.sha256)
            self._ledger.remember_fact("origin", origin)
        return target

    # Bars

    def precisions(self, instrument_id: str) -> dict[Series, int]:
        """The price precision of each series of an instrument that has files."""
        return self._inventory.precisions(instrument_id)

    def store_bars(
        self,
        series: Series,
        bars: BarColumns,
        *,
        asked: Interval,
        hours: Hours,
        con_id: int | None,
        origin: Origin,
        fetched: datetime | None = None,
        report: Report = ignore,
    ) -> int:
        """Store the answer to one request and that `asked` was answered, `fetched` then, or now;
        give how many bars are new.

        Bars outside `asked` and bars already held are dropped; an answer without bars is kept as
        an empty span. Under one hold of the writer lock each file is staged, read back, compared
        and renamed in, then the ledger learns of all. Raises `CatalogUnusable` when the instrument
        is not stored, `WrongInput` when the answer must not mix with what the series holds,
        `DamagedFile` when a file of the series cannot be read, `ValueError` when the bars are out
        of order.
        """
        if np.any(np.diff(bars.ts) <= 0):
            raise ValueError(f"bars of {series} are out of order")
        self.require_writable()
        bars = bars.between(*asked)
        fetched = fetched or datetime.now(UTC)
        answer = Asked((asked,), hours, con_id, origin, fetched.isoformat())
        with writing(self.root) as staging:
            self.require_origin(origin)
            self._require_definition(series, bars, con_id)
            append = Append(
                self.root, series, self._inventory.sound_files(series), self._ledger.empties(series)
            )
            refuse_mixing(series, append.files, append.empties, bars, answer)
            append.add(staging, bars, answer)
            with self._ledger.transaction():
                self._ledger.remember_fact("origin", origin)
                self._ledger.remember_bar_files(self.root, append.files, append.gone, checked=True)
                self._ledger.replace_empties(series, append.empties)
        for event in append.persisted:
            report(event)
        return sum(event.bars for event in append.persisted)

    def rewrite_bars(self, rewrite: Rewrite) -> Transaction | None:
        """Take bars out of a series or add some, as one transaction that `undo` takes back; None
        when nothing changes.

        Raises `WrongInput` when what comes must not mix with what the series, its instrument or
        the catalog holds, `DamagedFile` when a file of the series cannot be read.
        """
        self.require_writable()
        series, answer = rewrite.series, rewrite.answer
        with writing(self.root) as staging:
            definition = self.instrument(series.instrument_id)
            if answer is not None and rewrite.bars is not None:
                self.require_origin(answer.origin)
                if definition is not None:
                    self._require_definition(series, rewrite.bars, answer.con_id)
            nature = Asked((), usual_hours(definition), None, self.origin or "real", "")
            files, empties = self._inventory.sound_files(series), self._ledger.empties(series)
            change = stage(rewrite, self.root, staging.folder, files, empties, nature)
            if change is None:
                return None
            transaction = staging.exchange(change)
            self._ledger.remember_fact("origin", answer.origin if answer else nature.origin)
        return transaction

    def note(self, series: Series, name: Note) -> str | None:
        """What was found out about a series."""
        return self._ledger.notes(name).get(series.bar_type)

    def take_note(self, series: Series, name: Note, text: str | None) -> None:
        """Remember something about a series, or with None that it is so no longer."""
        self._ledger.take_note(series.bar_type, name, text or "")

    def read_bars(
        self, series: Series, start: int | None = None, end: int | None = None
    ) -> BarColumns:
        """The bars of a series whose opens lie in [start, end), ns.

        Raises `DataUnavailable` when nothing of the series is stored, `DamagedFile` when one of
        the files is not as it was written.
        """

        def attempt() -> BarColumns:
            files = self._inventory.sound_files(series)
            if not files:
                raise unknown_series(series)
            nothing = BarColumns.empty(files[0].price_precision, files[0].size_precision)
            return merge([nothing, *(read(file.path) for file in touching(files, start, end))])

        bars = undisturbed(self.root, attempt)
        return bars.between(
            np.iinfo(np.int64).min if start is None else start,
            np.iinfo(np.int64).max if end is None else end,
        )

    def files(self, series: Series, start: int | None = None, end: int | None = None) -> list[Path]:
        """The files that hold bars of the series with opens in [start, end), in time order."""
        files = self._inventory.series_files(series)
        return [file.path for file in touching(files, start, end)]

    def checked_files(
        self, series: Series, start: int | None = None, end: int | None = None
    ) -> list[Path]:
        """The same files, each one known to be readable and to hold what was written.

        Raises `DamagedFile` naming the first that is not, `DataUnavailable` when files overlap
        (an engine would see bars twice) and when nothing of the series is stored.
        """

        def attempt() -> list[Path]:
            files = self._inventory.sound_files(series)
            if not files:
                raise unknown_series(series)
            wanted = touching(files, start, end)
            for file, following in pairwise(wanted):
                if following.first <= file.last:
                    raise overlapping_files(file.path, following.path)
            for file in wanted:
                self._inventory.check(file)
            return [file.path for file in wanted]

        return undisturbed(self.root, attempt)

    # Coverage

    def covered(self, series: Series) -> list[Interval]:
        """What was asked and answered of the series, with bars or without, over bar opens.

        Files of other programs do not say what was asked: they cover just the bars they hold.
        """
        files = self._inventory.series_files(series)
        answered = [interval for file in files for interval in file.covered]
        return coverage.union(answered + [empty.interval for empty in self._ledger.empties(series)])

    def hours(self, series: Series) -> Hours | None:
        """Which hours the series was asked for; None when nobody says."""
        files = self._inventory.series_files(series)
        answers = [file.asked for file in files if file.asked] + self._ledger.empties(series)
        return answers[0].hours if answers else None

    def missing(
        self, series: Series, wanted: Interval, sessions: Sessions | None
    ) -> list[Interval]:
        """What of `wanted` must still be asked for: wanted ∩ sessions - covered, pieces with only
        closed time between them joined. Without sessions all time counts as open."""
        open_times = sessions.open_times(series.spec) if sessions is not None else None
        return coverage.missing(wanted, self.covered(series), open_times)

    def sessions(self, instrument_id: str, hours: Hours, span: Interval) -> Sessions | None:
        """The remembered sessions that touch `span` (ns UTC), or None unless all of it is
        known."""
        return self._ledger.sessions(instrument_id, hours, span)

    def store_sessions(
        self, instrument_id: str, hours: Hours, span: Interval, sessions: Sessions
    ) -> None:
        """Remember the sessions that touch `span`; together with it none others are known."""
        self._ledger.remember_sessions(instrument_id, hours, span, sessions)

    # Listing

    def list_series(self, report: Report = ignore) -> list[SeriesSummary]:
        """Every series that has files, sorted, from names and footers; tells how far it is."""
        return self._listing.series(report)

    # What the calls above share

    def _require_contract(self, instrument_id: str, con_id: int | None) -> None:
        known = self.con_id(instrument_id)
        if known is not None and con_id is not None and known != con_id:
            raise another_contract(instrument_id, known, con_id)

    def _require_definition(self, series: Series, bars: BarColumns, con_id: int | None) -> None:
        definition = self.instrument(series.instrument_id)
        if definition is None:
            raise instrument_not_stored(series)
        self._require_contract(series.instrument_id, con_id)
        precision = int(definition["price_precision"])
        if len(bars) and bars.price_precision != precision:
            raise other_decimals(series, bars.price_precision, precision)

"""Instrument files: can they be read, are they what was stored, do they stand where they belong?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import pyarrow.parquet as pq

from catalog.checks.bar_files import REFUSALS
from catalog.checks.findings import Finding
from catalog.files import DamagedFile
from catalog.instruments import Definition, definition_path, read_definitions
from catalog.layout import folder_name, named_range
from catalog.ledger import Ledger
from catalog.legacy import is_legacy


@dataclass(frozen=True, slots=True)
class InstrumentFile:
    """What a check remembers of one instrument file; no definitions when it cannot be read."""

    path: str
    findings: tuple[Finding, ...]
    definitions: tuple[Definition, ...] = ()

    def as_fields(self) -> dict[str, Any]:
        """The file as JSON keeps it."""
        return {
            "path": self.path,
            "findings": [one.as_fields() for one in self.findings],
            "definitions": self.definitions,
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """What `as_fields` gave."""
        findings = tuple(map(Finding.from_fields, fields["findings"]))
        return cls(fields["path"], findings, tuple(fields["definitions"]))


def examine_instrument(path: Path, root: Path, ledger: Ledger) -> InstrumentFile:
    """Read an instrument file and tell all that is wrong with it; of a file that no store told
    the hash of, the bytes found now are taken for right.

    Raises `FileNotFoundError` when it is gone.
    """
    place = path.relative_to(root)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    stored = ledger.instrument_hash(place)

    def wrong(kind: str, detail: str) -> InstrumentFile:
        return InstrumentFile(str(place), (Finding(kind, place.parent.name, detail, str(place)),))

    try:
        with pq.ParquetFile(path) as file:
            if not file.metadata.num_rows:
                return wrong("empty_file", "0 rows")
            if is_legacy(file.schema_arrow):
                return wrong("legacy_data", "an instrument in the schema of NautilusTrader 1.x")
        definitions = tuple(read_definitions(path))
        found = tuple(_place_findings(place, definitions))
    except DamagedFile as error:
        return wrong("damaged", error.reason)
    except REFUSALS as error:
        return wrong("unreadable", str(error) or type(error).__name__)
    if stored not in (None, digest):
        return wrong("damaged", "its bytes are not those that were stored")
    if stored is None:
        ledger.remember_instrument_hash(place, digest)
    return InstrumentFile(
        str(place), tuple(replace(one, file=str(place)) for one in found), definitions
    )


def _place_findings(place: Path, definitions: tuple[Definition, ...]) -> Iterator[Finding]:
    instrument_id = str(definitions[0]["id"])
    proper = definition_path(definitions[0])
    if (place.parent.parent, place.parent.name) != (proper.parent.parent, proper.parent.name):
        yield Finding("misplaced", instrument_id, f"{place.parent} holds a {proper.parent}")
    stamps = [int(one["ts_init"]) for one in definitions]
    if named_range(place.name) != (min(stamps), max(stamps)):
        yield Finding("misnamed", instrument_id, f"{place.name} is not named by its versions")
    if any(folder_name(str(one["id"])) != proper.parent.name for one in definitions):
        yield Finding("misplaced", instrument_id, f"{place.name} holds several instruments")

"""Putting a file aside that cannot be used: kept for good, its bars missing from now on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from catalog.commit import writing
from catalog.events import Event, Level, Report, ignore
from catalog.exchange import Change


@dataclass(frozen=True, slots=True)
class FileQuarantined(Event):
    """A file that cannot be used was put aside."""

    level: ClassVar[Level] = Level.WARNING
    channel: ClassVar[str] = "catalog"

    path: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.path.parent.name}/{self.path.name} put aside: {self.reason}"


def quarantine(root: Path, path: Path, reason: str, report: Report = ignore) -> None:
    """Move a file of the catalog to quarantine, as one transaction that can be undone.

    What its bars covered is missing from now on, since coverage is what the files say.
    """
    with writing(root) as staging:
        if not path.exists():
            return
        staging.exchange(Change(reason, removes=[path], quarantine=True))
    report(FileQuarantined(path, reason))

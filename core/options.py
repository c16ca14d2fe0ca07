"""What the command line may say for every command. Light: imported before the first paint."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Options:
    """The global options. None leaves the choice to the settings and the profile."""

    profile: str | None = None
    catalog: Path | None = None
    home: Path | None = None
    host: str | None = None
    port: int | None = None
    client_id: int | None = None
    now: datetime | None = None
    """Fixes the clock of the program (aware UTC); for demonstrations and tests."""
    last_good: bool = False
    """Take the settings that were good the last time where the file cannot be understood."""
    low_bandwidth: bool = False
    """Write to the terminal as little as can be."""

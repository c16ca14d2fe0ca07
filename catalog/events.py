"""What long work reports: small frozen dataclasses, one line each, from any floor.

Work takes a `report: Report` and calls it with an event; the call never waits. Each part of the
program defines the events it sends beside the code that sends them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar


class Level(StrEnum):
    """How much an event matters to the reader."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened in long work. `str(event)` is its line in a log."""

    level: ClassVar[Level] = Level.INFO
    channel: ClassVar[str] = "job"
    """The column of the log it belongs to: session, fetch, catalog, venue, data, run."""


type Report = Callable[[Event], None]


def ignore(event: Event) -> None:
    """A `Report` for callers that do not listen."""


def event_name(kind: type[Event]) -> str:
    """The name of an event class in snake case, as JSON shows it: `VenueDetected` is
    `venue_detected`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


def as_record(event: Event) -> dict[str, object]:
    """The event as one JSON-able object: `event`, `level`, `message`, its fields.

    Fields that JSON does not know are given as text.
    """
    fields = {field.name: _plain(getattr(event, field.name)) for field in dataclasses.fields(event)}
    return {
        "event": event_name(type(event)),
        "level": str(event.level),
        "message": str(event),
        **fields,
    }


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return str(value)

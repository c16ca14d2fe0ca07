"""What a check finds: one thing that is not as it should be."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args

from catalog.coverage import Interval
from catalog.errors import WrongInput
from catalog.series import NANOS_PER_SECOND, Series

type Severity = Literal["error", "warning", "notice"]
type Remedy = Literal[
    "repair", "backfill", "fetch", "update", "rebuild", "migrate", "look", "leave"
]

SEVERITIES: tuple[Severity, ...] = get_args(Severity.__value__)
"""The worst first."""

_REMEDIES = {
    "repair": "quarterdeck catalog repair",
    "backfill": "quarterdeck catalog backfill",
    "update": "quarterdeck update",
    "migrate": "quarterdeck catalog migrate",
    "look": "look at it: nothing mends it by itself",
    "leave": "nothing: they stay as they are",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a file, a series, an instrument or the catalog.

    `kind` is one of `kinds.toml`. `subject` is the bar type, the instrument id or the path it is
    about; `file` a path relative to the root. `span` is the time it is about, ns UTC.
    """

    kind: str
    subject: str
    detail: str
    file: str | None = None
    span: Interval | None = None
    count: int = 1

    @property
    def severity(self) -> Severity:
        """How much it matters."""
        return _kinds()[self.kind].severity

    @property
    def meaning(self) -> str:
        """What it means for who uses the bars."""
        return _kinds()[self.kind].meaning

    @property
    def remedy(self) -> Remedy:
        """What kind of thing mends it."""
        return _kinds()[self.kind].remedy

    @property
    def series(self) -> Series | None:
        """The series it is about, if it is about one."""
        try:
            return Series.from_bar_type(self.subject)
        except WrongInput:
            return None

    @property
    def mend(self) -> str:
        """What to do, in words or as a command."""
        if self.remedy == "rebuild":
            return f"quarterdeck update --rebuild {self.subject}"
        if self.remedy != "fetch":
            return _REMEDIES[self.remedy]
        series = self.series
        if series is None:
            return f"quarterdeck fetch {self.subject}"
        start = f" --start {moment(self.span[0])[:10]}" if self.span else ""
        return f"quarterdeck fetch {series.instrument_id} --bars {series.spec}{start}"

    def __str__(self) -> str:
        return f"{self.subject}: {self.detail}"

    def as_fields(self) -> dict[str, Any]:
        """The finding as JSON keeps it."""
        return asdict(self)

    def as_record(self) -> dict[str, object]:
        """The finding as one JSON-able object."""
        return self.as_fields() | {
            "severity": self.severity,
            "meaning": self.meaning,
            "remedy": self.remedy,
            "mend": self.mend,
        }

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Finding:
        """What `as_fields` gave."""
        span = fields["span"]
        return cls(**{**fields, "span": (span[0], span[1]) if span else None})


def by_weight(finding: Finding) -> tuple[int, str, str]:
    """A key that sorts the worst first, then by what they are about."""
    return SEVERITIES.index(finding.severity), finding.subject, finding.kind


def moment(nanos: int) -> str:
    """A time in ns as UTC text to the minute."""
    return f"{datetime.fromtimestamp(nanos // NANOS_PER_SECOND, UTC):%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class _Kind:
    severity: Severity
    meaning: str
    remedy: Remedy


@cache
def _kinds() -> dict[str, _Kind]:
    text = resources.files("catalog.checks").joinpath("kinds.toml").read_text()
    return {name: _Kind(**fields) for name, fields in tomllib.loads(text).items()}

"""When the end of a job rings the terminal: for who looks elsewhere meanwhile."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.jobs import Job

LONG_S = 10.0
"""Nobody is expected to watch work that takes longer."""

_SILENT = ("connect", "plan")
"""Kinds that are no work by themselves: the header tells of the one, a question of the other."""


def rings(job: Job[object], *, in_sight: bool) -> bool:
    """Whether the end of a job is worth a bell: after long work, or where another screen is shown.

    Who cancelled it knows.
    """
    snapshot = job.snapshot
    if job.kind in _SILENT or snapshot.state == "cancelled":
        return False
    return not in_sight or snapshot.elapsed(datetime.now(UTC)) >= LONG_S

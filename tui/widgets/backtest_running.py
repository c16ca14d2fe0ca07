"""A run that was started here, as one line."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from tui.widgets.result_progress import clock, progress_bar

if TYPE_CHECKING:
    from core.jobs import Job


class RunningRun[T]:
    """How far a job is; each of its phases, such as fetching a series, has a pace of its own."""

    def __init__(self, job: Job[T], title: str) -> None:
        self.job = job
        self._title = title
        self._done = self._done_before = 0.0
        self._since = job.snapshot.started

    def line(self, now: datetime) -> str:
        """How far it is, how fast, and when it will be there."""
        snapshot = self.job.snapshot
        if snapshot.done < self._done:  # the next series, or the run itself after its data
            self._since, self._done_before = now, snapshot.done
        self._done = snapshot.done
        elapsed = (now - self._since).total_seconds()
        rate = (snapshot.done - self._done_before) / elapsed if elapsed > 0 else 0.0
        left = (snapshot.total - snapshot.done) / rate if rate else None
        counted = f"{snapshot.done:,.0f}/{snapshot.total:,.0f} {snapshot.unit}"
        parts = (
            f"  {progress_bar(snapshot.fraction)}",
            counted if snapshot.total else "preparing",
            f"{rate:,.0f} {snapshot.unit}/s" if rate else "",
            f"{clock(left)} left" if left is not None else "",
            snapshot.text,
            self._title,
        )
        return "  ".join(part for part in parts if part)

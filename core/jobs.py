"""Long work as asyncio tasks owned here, so that no screen's end can end them.

A `Job` reports by events, keeps an immutable snapshot for the screen and its last lines for the
log. Cancelling its task is the only cancel there is.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

from catalog.errors import QuarterdeckError
from catalog.events import Event, Level

logger = logging.getLogger(__name__)

KEPT_LINES = 2_000

type Kind = Literal[
    "connect",
    "plan",
    "fetch",
    "derive",
    "backtest",
    "check",
    "repair",
    "backfill",
    "instruments",
    "import",
    "delete",
    "export",
    "undo",
]


class JobState(StrEnum):
    """Where a job stands."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One event with the time it was reported."""

    time: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class LinesLost(Event):
    """A reader came too late for so many lines."""

    level = Level.WARNING

    count: int

    def __str__(self) -> str:
        return f"... {self.count:,} {'line' if self.count == 1 else 'lines'} lost"


class EventLog:
    """The last lines of something, counted, so that a late reader is told what it lost."""

    def __init__(self, keep: int = KEPT_LINES) -> None:
        self._lines: deque[LogLine] = deque(maxlen=keep)
        self._total = 0
        self._changed = asyncio.Event()

    @property
    def total(self) -> int:
        """How many lines were ever written."""
        return self._total

    def write(self, event: Event) -> None:
        """Append one event; never waits."""
        self._lines.append(LogLine(datetime.now(UTC), event))
        self._total += 1
        self.wake()

    def wake(self) -> None:
        """Let followers look again."""
        self._changed.set()
        self._changed = asyncio.Event()

    def since(self, seen: int) -> list[LogLine]:
        """The lines after the first `seen` ones, as far as they are still kept; where some are
        not, a line that says so comes first."""
        lost = max(self._total - seen - len(self._lines), 0)
        fresh = self._total - seen - lost
        kept = list(itertools.islice(self._lines, len(self._lines) - fresh, None))
        return [LogLine(kept[0].time, LinesLost(lost)), *kept] if lost else kept

    @property
    def changed(self) -> asyncio.Event:
        """Set at the next line. Take it before reading: what is written meanwhile sets it."""
        return self._changed


@dataclass(frozen=True, slots=True)
class JobProgress(Event):
    """How far a job is: `done` of `total` in `unit`, with what it is doing now."""

    level = Level.DEBUG

    done: float
    total: float
    unit: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.done:,.0f} of {self.total:,.0f} {self.unit} {self.text}".rstrip()


@dataclass(frozen=True, slots=True)
class JobFailed(Event):
    """A job ended with an error; whoever waits for the job gets the error itself. `steps` say what
    to do about it, its line the first of them."""

    level = Level.ERROR

    title: str
    reason: str
    steps: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = f"{self.title}: {self.reason}" if self.reason else self.title
        return " -> ".join([told, *self.steps[:1]])


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """A job as a screen draws it."""

    state: JobState
    started: datetime
    finished: datetime | None = None
    done: float = 0.0
    total: float = 0.0
    unit: str = ""
    text: str = ""
    error: QuarterdeckError | None = None

    @property
    def fraction(self) -> float:
        """How much is done, 0 to 1; 0 while the total is not known."""
        if self.state is JobState.DONE:
            return 1.0
        return min(self.done / self.total, 1.0) if self.total else 0.0

    def elapsed(self, now: datetime) -> float:
        """Seconds since the start, until the end."""
        return ((self.finished or now) - self.started).total_seconds()

    def remaining(self, now: datetime) -> float | None:
        """Seconds until the end at the rate so far; None while that is not known."""
        if not self.fraction or self.state is not JobState.RUNNING:
            return None
        return self.elapsed(now) * (1 - self.fraction) / self.fraction


class Job[T]:
    """One piece of long work."""

    def __init__(
        self, number: int, kind: Kind, title: str, keep: int, listener: Callable[[Event], None]
    ):
        self.id = number
        self.kind = kind
        self.title = title
        self.log = EventLog(keep)
        self.snapshot = JobSnapshot(JobState.RUNNING, datetime.now(UTC))
        self._listener = listener
        self._task: asyncio.Task[T] | None = None

    def begin(self, work: Callable[[Job[T]], Awaitable[T]]) -> None:
        """Start the work; called once, by `Jobs`."""
        self._task = asyncio.get_running_loop().create_task(
            self._run(work), name=f"{self.kind} {self.id}"
        )
        # A failure is kept in the snapshot: asyncio need not complain when nobody waits for it.
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    def report(self, event: Event) -> None:
        """Take note of an event of this job. Progress moves the snapshot and is not logged."""
        if isinstance(event, JobProgress):
            self.snapshot = replace(
                self.snapshot,
                done=event.done,
                total=event.total,
                unit=event.unit,
                text=event.text,
            )
            self.log.wake()
            return
        self.log.write(event)
        self._listener(event)

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.snapshot.state is JobState.RUNNING

    def cancel(self) -> None:
        """Ask it to stop; a step that is writing finishes first."""
        if self._task is not None:
            self._task.cancel()

    async def wait(self) -> T:
        """Its result. Raises what the work raised, `CancelledError` when it was cancelled."""
        assert self._task is not None, "a job is begun before it is waited for"
        return await asyncio.shield(self._task)

    async def ended(self) -> None:
        """Wait until it has ended, however it ended."""
        assert self._task is not None, "a job is begun before it is waited for"
        await asyncio.wait([self._task])

    async def events(self) -> AsyncIterator[Event]:
        """Every event from the first one kept, until the job ends."""
        seen = 0
        while True:
            changed, finished = self.log.changed, not self.running
            lines = self.log.since(seen)
            seen = self.log.total
            for line in lines:
                yield line.event
            if finished:
                return
            await changed.wait()

    async def _run(self, work: Callable[[Job[T]], Awaitable[T]]) -> T:
        try:
            result = await work(self)
        except asyncio.CancelledError:
            self._finish(JobState.CANCELLED)
            raise
        except QuarterdeckError as error:
            self._finish(JobState.FAILED, error)
            raise
        except Exception as error:
            logger.exception("%s '%s' failed unexpectedly", self.kind, self.title)
            told = QuarterdeckError(
                f"{self.title} failed unexpectedly",
                f"{type(error).__name__}: {error}",
                "the details are in the log file",
            )
            self._finish(JobState.FAILED, told)
            raise told from error
        self._finish(JobState.DONE)
        return result

    def _finish(self, state: JobState, error: QuarterdeckError | None = None) -> None:
        self.snapshot = replace(self.snapshot, state=state, finished=datetime.now(UTC), error=error)
        if error is not None:
            # For the shared log alone: who follows this job's own gets the error from `wait`.
            self._listener(JobFailed(error.title, error.reason, error.steps))
        self.log.wake()


class Jobs:
    """All jobs of this process, newest last, and the one log they share."""

    def __init__(self) -> None:
        self.log = EventLog()
        self._jobs: list[Job[object]] = []

    def start[T](
        self,
        kind: Kind,
        title: str,
        work: Callable[[Job[T]], Awaitable[T]],
        *,
        keep: int = KEPT_LINES,
    ) -> Job[T]:
        """Start work as a job on the running loop. It keeps so many of its last lines."""
        job: Job[T] = Job(len(self._jobs) + 1, kind, title, keep, self.log.write)
        self._jobs.append(job)  # type: ignore[arg-type]
        job.begin(work)
        return job

    @property
    def all(self) -> tuple[Job[object], ...]:
        """Every job since the start of the process."""
        return tuple(self._jobs)

    @property
    def running(self) -> tuple[Job[object], ...]:
        """Those that have not ended."""
        return tuple(job for job in self._jobs if job.running)

    async def stop(self) -> None:
        """Cancel what runs and wait until it has ended."""
        running = self.running
        for job in running:
            job.cancel()
        for job in running:
            await job.ended()

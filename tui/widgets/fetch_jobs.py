"""A fetch as lines of a table: the job, and each of its series below it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from catalog.events import Event
from catalog.series import BarSpec, Series
from core.fetch_events import (
    ChunkEmpty,
    ChunkReceived,
    ChunkRequested,
    ConnectionAwaited,
    ConnectionBack,
    FetchPlanned,
    IdCorrected,
    NothingToDo,
    PacingWait,
    SeriesDone,
    SeriesFailed,
)
from core.jobs import Job, JobSnapshot, JobState
from tui.widgets.header import EXCHANGE_ZONE
from tui.widgets.result_progress import clock, percent, progress_bar
from tui.widgets.result_table import Cell, Column, Row

_TONES = {
    JobState.DONE: "good",
    JobState.FAILED: "bad",
    JobState.CANCELLED: "warning",
}
_STILL = timedelta(seconds=2)
"""Where no answer came for this long, a wait that was told before is what it waits for."""


@dataclass(slots=True)
class _SeriesLine:
    """Where one series of a fetch stands."""

    name: str
    spec: BarSpec
    asked_as: str = ""
    requests: int = 0
    answered: int = 0
    under_way: set[int] = field(default_factory=set)
    """The ends of the spans that are asked for; one that is asked for again is no other."""
    heard: datetime | None = None
    """When the last answer came."""
    bars: int = 0
    outcome: str = ""
    failed: bool = False

    def key(self, job: Job[object]) -> str:
        """What its row stands for in the table."""
        return f"{job.id} {self.name} {self.spec}"

    def row(self, job: Job[object], held_up: str, *, named_by_bars: bool) -> Row:
        """The line of the series in the table of its job, which may be held up by something."""
        key = self.key(job)
        name = f"  {self.name}" + (f" {self.spec}" if named_by_bars else "")
        if self.failed:
            return Row(key, (Cell(f"{name}  failed: {self.outcome}", "bad"),))
        state = Cell(self.outcome, "good") if self.outcome else Cell(self._stands(job, held_up))
        named = Cell(f"{name}{self._surprise}")
        return Row(key, (named, state, Cell(f"{self.bars:,}"), Cell("")))

    @property
    def _surprise(self) -> str:
        """What was typed, where one would not know it again."""
        expected = self.name.startswith(f"{self.asked_as.upper()}.")
        return f" for {self.asked_as}" if self.asked_as and not expected else ""

    def _stands(self, job: Job[object], held_up: str) -> str:
        """How many requests are answered, and what the next one waits for."""
        if not self.requests:
            return "being planned" if job.running else job.snapshot.state
        # An answer may speak for a part of its span only: what is left is one more request.
        asked = max(self.requests, self.answered + len(self.under_way))
        answers = f"{self.answered}/{asked}"
        if not job.running:
            return f"{answers}, {job.snapshot.state}"
        if held_up or self.under_way:
            return f"{answers}, {held_up or f'{len(self.under_way)} under way'}"
        return f"{answers}, {'waits its turn' if self.answered < asked else 'storing'}"


COLUMNS = (
    Column("job", flexible=True),
    Column("progress"),
    Column("bars", number=True),
    Column("bars/s", number=True),
    Column("left", number=True),
)


class FetchBoards:
    """The boards of all fetches of this process. They are to catch up while other screens are
    shown, too: a job keeps only its last lines."""

    def __init__(self) -> None:
        self._boards: dict[int, FetchBoard] = {}

    def add(self, board: FetchBoard) -> None:
        """Take one that was made for a job."""
        self._boards[board.job.id] = board

    def of(self, job: Job[object]) -> FetchBoard:
        """The board of a fetch."""
        return self._boards.setdefault(job.id, FetchBoard(job))

    def catch_up(self, jobs: Iterable[Job[object]]) -> None:
        """Read what those of the jobs that are fetches reported."""
        for job in jobs:
            if job.kind == "fetch":
                self.of(job).catch_up()


class FetchBoard:
    """What its events say of one fetch. Its series stand in the order of `ids`, as far as these
    name them."""

    def __init__(self, job: Job[object], ids: tuple[str, ...] = ()) -> None:
        self._job = job
        self.ids = ids
        self._seen = 0
        self._lines: dict[tuple[str, BarSpec], _SeriesLine] = {}
        self._typed: dict[str, str] = {}
        self._heard = self._paced_until = job.snapshot.started
        self._waits_for = ""  # the rule of a wait that has no end of its own
        self._without_broker = False
        self._unfolded: bool | None = None

    def fold(self) -> None:
        """Hide the lines of the series, or show them again."""
        self._unfolded = not self._shows_series

    def catch_up(self) -> None:
        """Read the events that are new."""
        for line in self._job.log.since(self._seen):
            self._take(line.event, line.time)
        self._seen = self._job.log.total

    def rows(self, now: datetime) -> Iterator[Row]:
        """The job's line and, unfolded, those of its series."""
        self.catch_up()
        yield self._job_row(now)
        if self._shows_series:
            several = len({spec for _, spec in self._lines}) > 1
            for one in sorted(self._lines.values(), key=self._place):
                held_up = self._held_up(now, one.heard or self._job.snapshot.started)
                yield one.row(self._job, held_up, named_by_bars=several)

    def _held_up(self, now: datetime, heard: datetime) -> str:
        """What keeps from going on where the last answer came at `heard`; others may go on."""
        if self._without_broker:
            return "paused: no broker"
        if (left := self._paced_for(now)) > 0 and now - heard > _STILL:
            return f"waiting {clock(left)}: pacing"
        if self._waits_for and now - heard > _STILL:
            return f"waiting: {self._waits_for}"
        return ""

    def _paced_for(self, now: datetime) -> float:
        """Seconds until the end of the longest wait that was told, negative after it."""
        return (self._paced_until - now).total_seconds()

    def _place(self, line: _SeriesLine) -> int:
        typed = line.asked_as or line.name
        return self.ids.index(typed) if typed in self.ids else len(self.ids)

    def names(self, key: str) -> tuple[str, ...]:
        """The ids that the series of a row goes by; none for the row of the job."""
        line = next((one for one in self._lines.values() if one.key(self._job) == key), None)
        return () if line is None else tuple(filter(None, (line.name, line.asked_as)))

    @property
    def job(self) -> Job[object]:
        """The fetch it is about."""
        return self._job

    @property
    def _shows_series(self) -> bool:
        if self._unfolded is None:
            failed = any(line.failed for line in self._lines.values())
            return failed or self._job.snapshot.state is not JobState.DONE
        return self._unfolded

    def _job_row(self, now: datetime) -> Row:
        job, snapshot = self._job, self._job.snapshot
        bars = sum(line.bars for line in self._lines.values())
        elapsed, remaining = snapshot.elapsed(now), snapshot.remaining(now)
        if remaining is not None:
            remaining = max(remaining, self._paced_for(now))
        error = snapshot.error
        reason = " -> ".join([f": {error.title}", *error.steps[:1]]) if error else ""
        cells = (
            Cell(job.title + reason, "bad" if reason else ""),
            self._progress(snapshot, now) if snapshot.finished is None else self._end(snapshot),
            Cell(f"{bars:,}"),
            Cell(f"{bars / elapsed:,.0f}" if bars and elapsed else ""),
            Cell("" if remaining is None else clock(remaining)),
        )
        return Row(str(job.id), cells)

    def _progress(self, snapshot: JobSnapshot, now: datetime) -> Cell:
        if held_up := self._held_up(now, self._heard):
            return Cell(f"{percent(snapshot.fraction):>4} {held_up}")
        return Cell(progress_bar(snapshot.fraction))

    def _end(self, snapshot: JobSnapshot) -> Cell:
        assert snapshot.finished is not None, "only of a job that ended"
        failed = sum(line.failed for line in self._lines.values())
        at = f"{snapshot.finished.astimezone(EXCHANGE_ZONE):%H:%M}"
        if failed and failed == len(self._lines):
            return Cell(f"{JobState.FAILED} {at}", _TONES[JobState.FAILED])
        if failed:
            return Cell(f"{snapshot.state} {at}, {failed} failed", "warning")
        return Cell(f"{snapshot.state} {at}", _TONES[snapshot.state])

    def _line(self, series: Series) -> _SeriesLine:
        return self._line_of(series.instrument_id, series.spec)

    def _line_of(self, name: str, spec: BarSpec) -> _SeriesLine:
        if (name, spec) not in self._lines:
            self._lines[name, spec] = _SeriesLine(name, spec, self._typed.get(name, ""))
        return self._lines[name, spec]

    def _take(self, event: Event, time: datetime) -> None:
        match event:
            case ChunkRequested():
                self._line(event.series).under_way.add(event.end)
            case IdCorrected(typed, canonical):
                self._typed[canonical] = typed
            case FetchPlanned(series, requests, _):
                self._line(series).requests = requests
                self._without_broker = False
            case ChunkReceived() | ChunkEmpty():
                line = self._line(event.series)
                line.heard = self._heard = time
                self._waits_for = ""
                line.answered += 1
                line.under_way.discard(event.end)
                line.bars += event.bars if isinstance(event, ChunkReceived) else 0
            case NothingToDo(series, reason):
                line = self._line(series)
                line.bars, line.outcome = 0, reason  # what was compared is none of its new bars
            case SeriesDone(series, bars, _, _):
                line = self._line(series)
                line.bars = bars
                line.outcome = line.outcome or "done"
            case SeriesFailed(typed_id, spec, title, reason, steps):
                names = [name for name, typed in self._typed.items() if typed == typed_id]
                line = self._line_of(names[0] if names else typed_id, spec)
                line.failed = True
                line.outcome = " -> ".join([f"{title}, {reason}", *steps[:1]])
            case PacingWait(0, rule):
                self._waits_for = rule
            case PacingWait(seconds, _):
                self._paced_until = max(self._paced_until, time + timedelta(seconds=seconds))
            case ConnectionAwaited() | ConnectionBack():
                self._without_broker = isinstance(event, ConnectionAwaited)

"""What a command prints: lines for a person, or one JSON object a line."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from catalog.errors import QuarterdeckError
from catalog.events import Event, Level, as_record

if TYPE_CHECKING:
    from rich.table import Table

    from core.jobs import Job

_CHANNEL_WIDTH = 8
_PIPE_WIDTH = 400
_GAP = 3
"""Cells between the columns of a table."""
_READABLE, _NARROWEST = 12, 6
"""What texts are cut to before titles of numbers are, and what nothing is cut below."""
_PROGRESS_S = 1.0


class Output:
    """Where a command's events, tables and summary go. Errors go to stderr in both forms."""

    def __init__(self, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._summary: dict[str, object] = {}
        self._progress_at = time.monotonic()

    @property
    def width(self) -> int:
        """The cells of a line. A pipe has no width: what is cut there is lost."""
        return shutil.get_terminal_size().columns if sys.stdout.isatty() else _PIPE_WIDTH

    def event(self, event: Event) -> None:
        """One event of the work."""
        if self.as_json:
            self._object(as_record(event))
            return
        mark = "" if event.level in (Level.DEBUG, Level.INFO) else f"{event.level}: "
        self.line(f"{event.channel:<{_CHANNEL_WIDTH}} {mark}{event}")

    def progress(self, event: Event) -> None:
        """How far something is that takes long: for a person who waits, on stderr in both forms,
        once a second at most and not in the first one."""
        now = time.monotonic()
        if now - self._progress_at >= _PROGRESS_S:
            self._progress_at = now
            print(event, file=sys.stderr, flush=True)

    def line(self, text: str = "") -> None:
        """Text for a person; nothing in JSON."""
        if not self.as_json:
            print(text, flush=True)

    def table(self, columns: dict[str, bool], rows: Iterable[Iterable[str]]) -> None:
        """A table for a person, as `in_columns`."""
        if self.as_json:
            return
        from rich.console import Console

        table = in_columns(columns, rows, self.width)
        # Wider than the line where numbers alone do not fit: cut ones would be other numbers.
        room = max(self.width, _together([column.width or 0 for column in table.columns]))
        Console(highlight=False, width=room).print(table)

    def fields(self, fields: Mapping[str, object]) -> None:
        """Names and values for a person, one pair a line."""
        widest = max((len(name) for name in fields), default=0)
        for name, value in fields.items():
            self.line(f"{name:<{widest}}  {value}")

    def summary(self, **fields: object) -> None:
        """What the last object of a JSON stream says; called once, `end` prints it."""
        self._summary = fields

    def end(self, exit_code: int) -> None:
        """The last object of a JSON stream, also of a command that failed."""
        if self.as_json:
            self._object({"event": "summary", "exit_code": exit_code, **self._summary})

    def told(self, event: str, **fields: object) -> None:
        """An object of a JSON stream that no event stands behind."""
        if self.as_json:
            self._object({"event": event, "level": "info", **fields})

    def error(self, error: QuarterdeckError) -> None:
        """Title, reason and numbered steps."""
        if self.as_json:
            self._object(
                {"event": "error", "level": "error", "message": str(error), **error.as_record()}
            )
        print("\n".join(in_words(error, "Error")), file=sys.stderr, flush=True)

    async def follow[T](self, job: Job[T]) -> T:
        """Print what a job reports until it ends, and give its result, or raise its error."""
        async for event in job.events():
            self.event(event)
        return await job.wait()

    def _object(self, fields: dict[str, object]) -> None:
        import json  # the first paint does not wait for it

        print(json.dumps(fields, default=str), flush=True)


def in_columns(columns: Mapping[str, bool], rows: Iterable[Iterable[str]], room: int) -> Table:
    """A table: column titles, with True for those that hold numbers.

    Where the room is too narrow texts are cut, never numbers nor, while there are others, those of
    the first column: they name the row.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    lines = [tuple(row) for row in rows]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for (title, numbers), width in zip(columns.items(), _widths(columns, lines, room), strict=True):
        justify: Literal["right", "left"] = "right" if numbers else "left"
        table.add_column(title, justify=justify, no_wrap=True, width=width)
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    return table


def _widths(columns: Mapping[str, bool], lines: Sequence[tuple[str, ...]], room: int) -> list[int]:
    """How wide each column is, that all fit into `room` where that can be: texts give way first,
    then titles of numbers, then what is left
    of texts, the first column at last."""
    widths = [max(map(len, cells)) for cells in zip(columns, *lines, strict=True)]
    numbers = [at for at, of_numbers in enumerate(columns.values()) if of_numbers]
    texts = [at for at in range(len(widths)) if at not in numbers]
    figures = {at: max((len(line[at]) for line in lines), default=0) for at in numbers}
    for least in (
        dict.fromkeys(texts[1:], _READABLE),
        {at: max(width, _NARROWEST) for at, width in figures.items()},
        dict.fromkeys(texts[1:], _NARROWEST),
        dict.fromkeys(texts[:1], _NARROWEST),
    ):
        while _together(widths) > room and (wide := [at for at in least if widths[at] > least[at]]):
            widths[max(wide, key=widths.__getitem__)] -= 1
    return widths


def _together(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def in_words(error: QuarterdeckError, what: str) -> list[str]:
    """An error in lines: its title behind what it is, its reason, its numbered steps."""
    reason = [f"  {error.reason}"] if error.reason else []
    steps = [f"  {number}. {step}" for number, step in enumerate(error.steps, 1)]
    return [f"{what}: {error.title}", *reason, *steps]

"""Reading many files whole: each once for each change of it, several at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import batched, groupby
from pathlib import Path
from typing import Any, ClassVar, Protocol

from catalog.checks.memory import CheckMemory, SeenFile
from catalog.errors import QuarterdeckError
from catalog.events import Event, Level, Report

_BATCH = 64
_READERS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class CheckProgress(Event):
    """How many bytes of those that must be read were read."""

    level: ClassVar[Level] = Level.DEBUG
    channel: ClassVar[str] = "catalog"

    done: int
    total: int

    def __str__(self) -> str:
        return f"{self.done / 1e6:,.1f} of {self.total / 1e6:,.1f} MB checked"


class CheckStopped(Exception):
    """The check was told to stop; what was read by then is remembered."""


class Result(Protocol):
    """What an examination of a file gives."""

    def as_fields(self) -> dict[str, Any]:
        """The result as JSON keeps it."""


@dataclass(frozen=True, slots=True)
class Examination[T: Result]:
    """How one kind of file is examined.

    `read` raises `FileNotFoundError` for a file that is gone. `decode` takes what `as_fields`
    gave. A result is not remembered beyond a change of its `context`.
    """

    read: Callable[[Path], T]
    decode: Callable[[dict[str, Any]], T]
    context: Callable[[T], str]


class FileReader:
    """Examines files and remembers the results; counts what it had to read."""

    def __init__(
        self,
        memory: CheckMemory,
        root: Path,
        *,
        full: bool,
        report: Report,
        stopped: Callable[[], bool],
    ) -> None:
        self.files_read = 0
        self.bytes_read = 0
        self._memory = memory
        self._root = root
        self._full = full
        self._report = report
        self._stopped = stopped
        self._read_now: set[SeenFile] = set()

    def results[T: Result](self, seen: Sequence[SeenFile], examination: Examination[T]) -> list[T]:
        """The results of the files, which stand together by folder; those that vanish meanwhile
        have none.

        Raises `CheckStopped`.
        """
        results: list[T] = []
        changed: list[SeenFile] = []
        for folder, files in groupby(seen, key=lambda one: one.path.parent):
            results += self._remembered(folder, list(files), examination, changed)
        total = self.bytes_read + sum(one.size for one in changed)
        with ThreadPoolExecutor(_READERS) as pool:
            for batch in batched(changed, _BATCH, strict=False):
                self.go_on()
                results += self._read(batch, examination, pool)
                self._report(CheckProgress(self.bytes_read, total))
        return results

    def go_on(self) -> None:
        """Raises `CheckStopped` when the check was told to stop."""
        if self._stopped():
            raise CheckStopped

    def _remembered[T: Result](
        self,
        folder: Path,
        files: Sequence[SeenFile],
        examination: Examination[T],
        changed: list[SeenFile],
    ) -> Iterator[T]:
        known = self._memory.recall(folder.relative_to(self._root))
        for one in files:
            size, mtime_ns, context, text = known.pop(one.path.name, (0, 0, "", ""))
            unchanged = one == SeenFile(one.path, size, mtime_ns)
            if unchanged and (not self._full or one in self._read_now):
                with suppress(ValueError, KeyError, TypeError, QuarterdeckError):  # it may rot too
                    result = examination.decode(json.loads(text))
                    if examination.context(result) == context:
                        yield result
                        continue
            changed.append(one)
        if known:
            place = folder.relative_to(self._root)
            self._memory.forget(str(place / name) for name in known)

    def _read[T: Result](
        self, batch: Sequence[SeenFile], examination: Examination[T], pool: ThreadPoolExecutor
    ) -> list[T]:
        def attempt(one: SeenFile) -> T | None:
            try:
                return examination.read(one.path)
            except FileNotFoundError:
                return None

        fresh = [
            (one, result)
            for one, result in zip(batch, pool.map(attempt, batch), strict=True)
            if result is not None
        ]
        self._memory.remember(
            (one, examination.context(result), result.as_fields()) for one, result in fresh
        )
        self._read_now.update(one for one, _ in fresh)
        self.files_read += len(fresh)
        self.bytes_read += sum(one.size for one, _ in fresh)
        return [result for _, result in fresh]

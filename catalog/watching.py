"""Folders that are read once for each change of theirs.

Making, renaming and removing a file changes its folder's time; a file that another program wrote
over in place changes only its own. So every folder's files are looked at when the program starts,
afterwards those of folders whose time changed and, by turns, some others.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from catalog.errors import QuarterdeckError
from catalog.ledger import Ledger

_BY_TURNS = 200
_SETTLED_NS = 2_000_000_000
"""A change within the grain of a file system's clock (2 s on FAT) cannot be told from the one
before: what changed just now is read again."""


@dataclass(frozen=True, slots=True)
class _Seen[T]:
    mtime_ns: int
    state: str
    text: int
    """The hash of what was read: of thousands the texts themselves are megabytes."""
    content: T


class FolderWatch[T]:
    """What `read` makes of each folder inside the parents, kept here and in the ledger.

    `read` is given a folder relative to the root and gives its content as text; `decode` makes
    the content of that. Safe to use from several threads; all calls may block on the disk.
    """

    def __init__(
        self,
        root: Path,
        ledger: Ledger,
        parents: Sequence[Path],
        read: Callable[[Path], str],
        decode: Callable[[str], T],
    ) -> None:
        self._root = root
        self._ledger = ledger
        self._parents = parents
        self._read = read
        self._decode = decode
        self._seen: dict[str, _Seen[T]] = {}
        self._mark: str | None = "never looked"
        self._guard = threading.Lock()

    def contents(self, tell: Callable[[int, int], None] = lambda _done, _total: None) -> list[T]:
        """The contents of all folders as they are now, in no order.

        `tell` is called before each folder, with how many were looked at, of how many.
        """
        with self._guard:
            return self._look(tell)

    def _look(self, tell: Callable[[int, int], None]) -> list[T]:
        saved = self._saved()
        known = saved.keys() | self._seen.keys()
        turn = set(islice(self._seen, _BY_TURNS))
        now = time.time_ns()
        present: set[str] = set()
        fresh: list[tuple[str, str, str]] = []
        contents: list[T] = []
        folders = list(self._folders())
        for done, (folder, mtime_ns) in enumerate(folders):
            tell(done, len(folders))
            present.add(folder)
            seen = self._seen.get(folder)
            if seen is None or seen.mtime_ns != mtime_ns or folder in turn:
                newest, state = self._state(folder, mtime_ns)
                settled = max(mtime_ns, newest) < now - _SETTLED_NS
                seen = self._known(folder, mtime_ns, state, saved)
                if seen is None:
                    text = self._read(Path(folder))
                    seen = _Seen(mtime_ns, state, hash(text), self._decode(text))
                    if settled:
                        fresh.append((folder, state, text))
                self._seen.pop(folder, None)
                if settled:
                    self._seen[folder] = seen
            contents.append(seen.content)
        gone = known - present
        for folder in gone:
            self._seen.pop(folder, None)
        if fresh or gone:
            self._ledger.remember_folders(fresh, gone, self._mark)
        return contents

    def _saved(self) -> dict[str, tuple[str, str]]:
        """What the ledger remembers, unless it says the same as at the last look; what it forgot
        or was told otherwise meanwhile is forgotten here too."""
        mark = self._ledger.mark()
        if mark == self._mark:
            return {}
        self._mark = mark
        saved = self._ledger.folders(self._parents)
        for folder, seen in list(self._seen.items()):
            state, text = saved.get(folder, ("", ""))
            if (state, hash(text)) != (seen.state, seen.text):
                del self._seen[folder]
        return saved

    def _known(
        self, folder: str, mtime_ns: int, state: str, saved: dict[str, tuple[str, str]]
    ) -> _Seen[T] | None:
        seen = self._seen.get(folder)
        if seen is not None and seen.state == state:
            return seen
        saved_state, text = saved.pop(folder, ("", ""))  # of thousands it is megabytes
        if saved_state != state:
            return None
        with suppress(ValueError, KeyError, TypeError, QuarterdeckError):  # a rotten ledger
            return _Seen(mtime_ns, state, hash(text), self._decode(text))
        return None

    def _folders(self) -> Iterable[tuple[str, int]]:
        """The folders inside the parents, relative to the root, with their times."""
        for parent in self._parents:
            with suppress(FileNotFoundError), os.scandir(self._root / parent) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        if entry.is_dir():
                            yield f"{parent}/{entry.name}", entry.stat().st_mtime_ns

    def _state(self, folder: str, mtime_ns: int) -> tuple[int, str]:
        """The time of the last change inside a folder, and a text that differs after any."""
        try:
            # By its number and not by its name, which the kernel would look up for each file.
            number = os.open(f"{self._root}/{folder}", os.O_RDONLY)
            try:
                with os.scandir(number) as entries:
                    files = [entry.stat() for entry in entries]
            finally:
                os.close(number)
        except FileNotFoundError:  # a file went away meanwhile: it changes right now
            return time.time_ns(), ""
        stamps = [file.st_mtime_ns for file in files]
        size = sum([file.st_size for file in files])
        state = f"{mtime_ns} {len(files)} {size} {sum(stamps)}"
        return max(stamps, default=mtime_ns), state

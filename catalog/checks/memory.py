"""What earlier checks found in files that have not changed since."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.ledger import Ledger


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file as a folder's listing gives it."""

    path: Path
    size: int
    mtime_ns: int


class CheckMemory:
    """The results of checks by file, in the ledger."""

    def __init__(self, root: Path, ledger: Ledger) -> None:
        self._root = root
        self._ledger = ledger

    def recall(self, folder: Path) -> dict[str, tuple[int, int, str, str]]:
        """Size, mtime, context and result (as JSON) of the files in a folder, by name; `folder` is
        relative to the root."""
        rows = self._ledger.rows(
            "SELECT path, size, mtime_ns, context, result FROM checks WHERE path > ? AND path < ?",
            f"{folder}/",
            f"{folder}0",  # the character after the slash
        )
        return {Path(path).name: (*seen, result) for path, *seen, result in rows}

    def remember(self, results: Iterable[tuple[SeenFile, str, dict[str, Any]]]) -> None:
        """Keep the results of files, each with the context it holds in."""
        with self._ledger.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO checks VALUES (?, ?, ?, ?, ?)",
                [
                    (
                        str(seen.path.relative_to(self._root)),
                        seen.size,
                        seen.mtime_ns,
                        context,
                        json.dumps(result),
                    )
                    for seen, context, result in results
                ],
            )

    def forget(self, paths: Iterable[str]) -> None:
        """Drop the results of files that are gone, given relative to the root."""
        with self._ledger.transaction() as connection:
            connection.executemany("DELETE FROM checks WHERE path = ?", [(one,) for one in paths])

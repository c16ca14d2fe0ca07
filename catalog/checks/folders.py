"""What stands in the catalog's folders beside its files of bars and instruments."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from catalog.checks.bar_files import claimed_span
from catalog.checks.findings import Finding
from catalog.exchange import transactions
from catalog.instruments import CLASS_FOLDERS
from catalog.layout import BARS
from catalog.legacy import LEGACY_BARS, LEGACY_FOLDERS
from catalog.root import PRIVATE

SERIES_PARENTS = (BARS, LEGACY_BARS)
_SLOWEST_WRITE_S = 600.0
"""A temporary file of Nautilus older than this belongs to no writer that lives."""


def folder_findings(root: Path) -> Iterator[Finding]:
    """Strays, left-overs, other data of 1.x, and what lies in quarantine."""
    yield from _strays(root)
    yield from _legacy(root)
    yield from _left_over(root)
    yield from _quarantined(root)


def _strays(root: Path) -> Iterator[Finding]:
    for path in _inside(root):
        if path.name not in ("data", PRIVATE.name):
            yield _stray(root, path)
    for path in _inside(root / "data"):
        if not path.is_dir() or (not _belongs(root, path) and not any(path.rglob("*.parquet"))):
            yield _stray(root, path)
    for parent in (*SERIES_PARENTS, *CLASS_FOLDERS):
        for folder in _inside(root / parent):
            if not folder.is_dir():
                yield _stray(root, folder)
                continue
            for path in _inside(folder):
                if path.is_dir() or ".parquet" not in path.name:
                    yield _stray(root, path)


def _belongs(root: Path, path: Path) -> bool:
    place = path.relative_to(root)
    return place in (*CLASS_FOLDERS, *SERIES_PARENTS) or place.name in LEGACY_FOLDERS


def _stray(root: Path, path: Path) -> Finding:
    place = str(path.relative_to(root))
    return Finding("stray", place, "a folder" if path.is_dir() else "a file", place)


def _legacy(root: Path) -> Iterator[Finding]:
    for path in _inside(root / "data"):
        if path.name in LEGACY_FOLDERS and path != root / LEGACY_BARS:
            files = sum(1 for _ in path.rglob("*.parquet"))
            if files:
                place = str(path.relative_to(root))
                yield Finding("legacy_data", place, f"{files:,} files of 1.x", place, count=files)


def _left_over(root: Path) -> Iterator[Finding]:
    for parent in (*SERIES_PARENTS, *CLASS_FOLDERS):
        for folder in _inside(root / parent):
            for path in _inside(folder):
                with suppress(FileNotFoundError):
                    age = time.time() - path.stat().st_mtime
                    if ".parquet#" in path.name and age > _SLOWEST_WRITE_S:
                        place = str(path.relative_to(root))
                        detail = "an unfinished write of Nautilus or another program"
                        yield Finding("left_over", place, detail, place)
    staged = [path for path in _inside(root / PRIVATE / "staging") if path.is_dir()]
    if staged and _nobody_writes(root):
        place = str(PRIVATE / "staging")
        yield Finding("left_over", place, f"{len(staged):,} unfinished commits", place)
    for path in _inside(root / PRIVATE):
        if path.suffix == ".damaged":
            place = str(path.relative_to(root))
            yield Finding("left_over", place, "a ledger that was put aside", place)


def _nobody_writes(root: Path) -> bool:
    lock = FileLock(root / PRIVATE / "lock", thread_local=False)
    try:
        with lock.acquire(timeout=0):
            return True
    except (Timeout, OSError):
        return False


def _quarantined(root: Path) -> Iterator[Finding]:
    known = transactions(root)
    undone = {transaction.undoes for transaction in known}
    for transaction in known:
        if not transaction.quarantine or transaction.id in undone:
            continue
        for name in transaction.kept:
            path = Path(name)
            detail = f"{path.name} of {transaction.at:%Y-%m-%d}: {transaction.title}"
            yield Finding("quarantined", path.parent.name, detail, None, claimed_span(path))


def _inside(folder: Path) -> Iterable[Path]:
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return ()

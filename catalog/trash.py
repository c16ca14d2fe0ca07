"""What a transaction replaced or removed is kept, and can be put back.

To take files out of the catalog, or to put others in their place, as one change that can be
undone:

    with writing(catalog.root) as staging:
        staging.exchange(Change("delete ...", puts=[(staged, target), ...], removes=[path, ...]))

The removed files then lie in `<root>/.quarterdeck/trash/<transaction>/` under their own relative
paths beside a manifest, for 7 days. Put bars staged by `files.write` there, never bare bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from catalog.commit import writing
from catalog.errors import DataUnavailable
from catalog.events import Event, Report, ignore
from catalog.exchange import Change, Transaction, from_lists, keep, transactions
from catalog.layout import BARS, named_range
from catalog.series import Series
from catalog.wording import counted

__all__ = ["Change", "Transaction", "Undone", "last_undoable", "transactions", "undo", "undoable"]


@dataclass(frozen=True, slots=True)
class Undone(Event):
    """A transaction was taken back."""

    channel: ClassVar[str] = "catalog"

    title: str
    restored: int
    removed: int

    def __str__(self) -> str:
        restored = counted(self.restored, "file")
        return f"undone: {self.title} ({restored} put back, {self.removed:,} taken out)"


def last_undoable(root: Path) -> Transaction | None:
    """The latest transaction that was not taken back yet, if the trash still has one."""
    return next(reversed(undoable(root)), None)


def undoable(root: Path) -> list[Transaction]:
    """The transactions that were not taken back yet and the trash still has, oldest first: each
    undo takes the last one."""
    known = transactions(root)
    undone = {transaction.undoes for transaction in known}
    return [one for one in known if one.undoes is None and one.id not in undone]


def undo(root: Path, report: Report = ignore) -> Transaction:
    """Put back what the last transaction replaced or removed and take out what it added, as one
    transaction; the one before it is then the last. Gives the transaction taken back.

    Raises `DataUnavailable` when there is none, or when what it touched was changed since.
    """
    with writing(root) as staging:
        last = last_undoable(root)
        if last is None:
            raise DataUnavailable(
                "there is nothing to undo",
                f"the trash of {root} keeps what was replaced or deleted for 7 days; it is empty",
            )
        if changed := next(_changed_since(root, last), None):
            raise DataUnavailable(
                f"'{last.title}' cannot be undone",
                f"{changed} was changed since, and would be lost",
                f"what it replaced lies in {last.folder}",
            )
        puts = []
        for number, kept in enumerate(last.kept):
            staged = staging.folder / f"kept-{number}"
            keep(last.folder / kept, staged)
            puts.append((staged, root / kept))
        staging.exchange(
            Change(
                title=f"undo of: {last.title}",
                puts=puts,
                removes=[root / path for path, _, _ in last.added],
                empties={
                    Series.from_bar_type(bar_type): from_lists(spans)
                    for bar_type, spans in last.empties.items()
                },
                notes={
                    Series.from_bar_type(bar_type): notes for bar_type, notes in last.notes.items()
                },
                undoes=last.id,
            )
        )
    report(Undone(last.title, len(last.kept), len(last.added)))
    return last


def _changed_since(root: Path, last: Transaction) -> Iterator[Path]:
    """The files that stand in the way of taking a transaction back."""
    added = {root / path for path, _, _ in last.added}
    for name, size, mtime_ns in last.added:
        path = root / name
        if not path.exists() or (path.stat().st_size, path.stat().st_mtime_ns) != (size, mtime_ns):
            yield path
    for kept in (root / name for name in last.kept):
        if kept.exists() and kept not in added:
            yield kept
        claimed = named_range(kept.name)
        if claimed is None or not kept.is_relative_to(root / BARS):
            continue
        for other in kept.parent.glob("*.parquet"):
            theirs = named_range(other.name)
            if other not in added and theirs and _overlap(claimed, theirs):
                yield other


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] <= other[1] and other[0] <= one[1]

"""Several files change as one: new ones appear, old ones go to the trash, all of it or nothing.

Everything is prepared in the staging folder: the new files, and links to the old ones beside a
manifest. A note then says what is to happen; from that instant the exchange is carried through,
by the next writer if this one dies. Each step of it may be done twice.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

from catalog.errors import CatalogUnusable
from catalog.ledger import Ledger
from catalog.ledger_rows import Empty, Note
from catalog.root import PRIVATE
from catalog.series import Series

TRASH = PRIVATE / "trash"
"""Where removed and replaced files are kept for `KEPT`, a folder for each transaction."""

QUARANTINE = PRIVATE / "quarantine"
"""Where unreadable files are kept until somebody deletes them; folders as in the trash."""

KEPT = timedelta(days=7)

_NOTE = "exchange.json"
_MANIFEST = "manifest.json"
_KEPT_FILES = "kept"
_MOMENT = "%Y%m%dT%H%M%S%f"


@dataclass(frozen=True, slots=True)
class Change:
    """What is to change. All paths are absolute.

    `title` says it in the user's words. `puts` are files in the staging folder, each with where it
    belongs. `removes` go to the trash; a path among them may be the target of a put. `empties` are
    the empty spans that series have afterwards, `notes` what is noted of them then. With
    `quarantine` the removed files are kept for good and `title` says what is wrong with them.
    `undoes` is the transaction this takes back.
    """

    title: str
    puts: Sequence[tuple[Path, Path]] = ()
    removes: Sequence[Path] = ()
    empties: Mapping[Series, Sequence[Empty]] = field(default_factory=dict)
    notes: Mapping[Series, Mapping[Note, str]] = field(default_factory=dict)
    quarantine: bool = False
    undoes: str | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A change that was carried out, as its manifest tells.

    `id` sorts by time. `kept` are the files it removed or replaced and `added` the new ones with
    their size and mtime, by paths relative to the catalog's root; `empties` are the empty spans of
    the series before it, and `notes` what was noted of them, by bar type. `folder` holds the kept
    files under their relative paths.
    """

    id: str
    title: str
    folder: Path
    kept: tuple[str, ...]
    added: tuple[tuple[str, int, int], ...]
    empties: dict[str, list[list[Any]]]
    notes: dict[str, dict[Note, str]]
    undoes: str | None
    quarantine: bool

    @property
    def at(self) -> datetime:
        """When it happened."""
        return datetime.strptime(self.id.partition("-")[0], _MOMENT).replace(tzinfo=UTC)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises `OSError`, `ValueError`, `KeyError` or `TypeError` when there is none."""
        fields = json.loads((folder / _MANIFEST).read_text())
        fields["kept"] = tuple(fields["kept"])
        fields["added"] = tuple((path, size, mtime) for path, size, mtime in fields["added"])
        fields.setdefault("notes", {})  # older ones know of none
        return cls(folder=folder, **fields)


def exchange(root: Path, staging: Path, change: Change) -> Transaction:
    """Carry out a change from the staging folder of a commit; the caller holds the writer lock
    and has no transaction of the ledger open.

    Raises `CatalogUnusable` when a target is taken by a file that is not removed.
    """
    for _, target in change.puts:
        if target not in change.removes:
            refuse_taken(target)
    name = f"{datetime.now(UTC).strftime(_MOMENT)}-{uuid4().hex[:8]}"
    area = QUARANTINE if change.quarantine else TRASH
    with closing(_ledger(root)) as ledger:
        before = {series.bar_type: as_lists(ledger.empties(series)) for series in change.empties}
        noted = {
            one.bar_type: {name: ledger.notes(name).get(one.bar_type, "") for name in notes}
            for one, notes in change.notes.items()
        }
    kept = staging / _KEPT_FILES
    for path in change.removes:
        keep(path, kept / path.relative_to(root))
    for staged, _ in change.puts:
        sync(staged)
    manifest = {
        "id": name,
        "title": change.title,
        "kept": [str(path.relative_to(root)) for path in change.removes],
        "added": [
            (str(target.relative_to(root)), staged.stat().st_size, staged.stat().st_mtime_ns)
            for staged, target in change.puts
        ],
        "empties": before,
        "notes": noted,
        "undoes": change.undoes,
        "quarantine": change.quarantine,
    }
    note = {
        "kept_in": str(area / name),
        "puts": [
            (str(staged.relative_to(staging)), str(target.relative_to(root)))
            for staged, target in change.puts
        ],
        "removes": manifest["kept"],
        "empties": {one.bar_type: as_lists(spans) for one, spans in change.empties.items()},
        "notes": {one.bar_type: dict(notes) for one, notes in change.notes.items()},
    }
    kept.mkdir(exist_ok=True)
    (kept / _MANIFEST).write_text(json.dumps(manifest))
    _sync_tree(kept)
    unfinished = staging / f"{_NOTE}#"
    unfinished.write_text(json.dumps(note))
    sync(unfinished)
    unfinished.replace(staging / _NOTE)
    sync(staging)
    finish(root, staging)
    _sweep(root)
    return Transaction.read(root / area / name)


def finish(root: Path, staging: Path) -> None:
    """Carry an exchange through that was noted in a staging folder; nothing when none was."""
    try:
        note = json.loads((staging / _NOTE).read_text())
    except FileNotFoundError:
        return
    except ValueError as error:
        raise CatalogUnusable(
            f"what a writer left half done in {staging} cannot be finished",
            f"its note cannot be read: {error}",
            f"look at the files there and in {root / TRASH}, then move {staging} away",
        ) from error
    kept, kept_in = staging / _KEPT_FILES, root / note["kept_in"]
    if kept.exists():
        make_folder(kept_in.parent)
        kept.rename(kept_in)
        sync(kept_in.parent)
    targets = {target for _, target in note["puts"]}
    for staged, target in note["puts"]:
        if (staging / staged).exists():
            make_folder((root / target).parent)
            (staging / staged).replace(root / target)
    gone = [root / path for path in note["removes"] if path not in targets]
    for path in gone:
        path.unlink(missing_ok=True)
    for folder in {(root / path).parent for path in (*targets, *note["removes"])}:
        with suppress(OSError):  # it still holds files, or went with another one
            folder.rmdir()
        _sync_nearest(folder)
    with closing(_ledger(root)) as ledger, ledger.transaction():
        ledger.remember_bar_files(root, (), gone, checked=True)
        for bar_type, spans in note["empties"].items():
            ledger.replace_empties(Series.from_bar_type(bar_type), from_lists(spans))
        for bar_type, notes in note.get("notes", {}).items():
            for name, text in notes.items():
                ledger.take_note(bar_type, name, text)
    (staging / _NOTE).unlink()


@dataclass(frozen=True, slots=True)
class Exchanges:
    """A moment in the row of exchanges: another one when there was one since."""

    under_way: bool
    times: tuple[int, ...]


def exchanges(root: Path) -> Exchanges:
    """Whether an exchange is under way, and when the last ones were."""
    times = []
    for area in (TRASH, QUARANTINE):
        with suppress(FileNotFoundError):
            times.append((root / area).stat().st_mtime_ns)
    under_way = any((root / PRIVATE / "staging").glob(f"*/{_NOTE}"))
    return Exchanges(under_way, tuple(times))


def transactions(root: Path) -> list[Transaction]:
    """What lies in the trash and in quarantine, oldest first; folders without a sound manifest
    are passed over."""
    return sorted(_read_all(root), key=lambda transaction: transaction.id)


def as_lists(empties: Iterable[Empty]) -> list[list[Any]]:
    """Empty spans as JSON takes them."""
    return [[*one.interval, one.hours, one.con_id, one.origin] for one in empties]


def from_lists(lists: Iterable[Sequence[Any]]) -> list[Empty]:
    """Empty spans from what `as_lists` gave."""
    return [Empty((start, end), *rest) for start, end, *rest in lists]


def refuse_taken(target: Path) -> None:
    """Raise `CatalogUnusable` when a file of this name exists."""
    if target.exists():
        raise CatalogUnusable(
            f"{target.name} is taken",
            f"another file of that name stands in {target.parent}",
            "look at what it is and move it away",
        )


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, so that they outlive a power cut."""
    if not folder.exists():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync(folder.parent)


def sync(path: Path) -> None:
    """Have the disk hold what a file or folder holds."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _read_all(root: Path) -> Iterator[Transaction]:
    for area in (TRASH, QUARANTINE):
        with suppress(FileNotFoundError):
            for folder in (root / area).iterdir():
                with suppress(OSError, ValueError, KeyError, TypeError):
                    yield Transaction.read(folder)


def _sweep(root: Path) -> None:
    oldest = datetime.now(UTC) - KEPT
    for transaction in transactions(root):
        if transaction.at < oldest and not transaction.quarantine:
            shutil.rmtree(transaction.folder, ignore_errors=True)


def keep(path: Path, place: Path) -> None:
    """Have a file stand at another place too, by a link where the file system has them."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, place)
    except FileNotFoundError:
        raise
    except OSError:  # a file system without hard links
        shutil.copy2(path, place)
        sync(place)


def _sync_tree(folder: Path) -> None:
    for inside, _, _ in folder.walk():
        sync(inside)
    sync(folder / _MANIFEST)


def _sync_nearest(folder: Path) -> None:
    while not folder.exists():
        folder = folder.parent
    sync(folder)


def _ledger(root: Path) -> Ledger:
    return Ledger(root / PRIVATE / "ledger.sqlite")

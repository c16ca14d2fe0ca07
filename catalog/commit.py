"""One writer at a time, and changes that are whole or not at all.

New content is staged on the same file system and renamed in. Where a file grows, its content is
replaced under the old name, which then only claims too little, before the file gets its new name.
An intent on disk lets the next writer finish what a dead one began.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from catalog import exchange
from catalog.errors import CatalogUnusable, QuarterdeckError
from catalog.exchange import Change, Transaction, make_folder, refuse_taken, sync
from catalog.files import BarFile, inspect
from catalog.root import PRIVATE, not_writable

_INTENT = "intent.json"
_PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Staging:
    """Where one commit prepares its files; only the holder of the writer lock has one."""

    folder: Path

    def publish(self, staged: Path, target: Path) -> None:
        """Make a staged file appear as `target`.

        Raises `CatalogUnusable` when a file of that name exists.
        """
        refuse_taken(target)
        make_folder(target.parent)
        sync(staged)
        staged.replace(target)
        sync(target.parent)

    def publish_bars(self, staged: BarFile, target: Path, replaces: Sequence[Path]) -> None:
        """Make a staged file of bars appear as `target`, in place of the files it replaces.

        `replaces` stand in the folder of `target`. Raises `CatalogUnusable` when `target` is
        another existing file.
        """
        if not replaces:
            self.publish(staged.path, target)
            return
        if target not in replaces:
            refuse_taken(target)
        assert staged.asked is not None
        intent = {
            "folder": str(target.parent.relative_to(_root_of(self.folder))),
            "target": target.name,
            "replaces": [path.name for path in replaces],
            "sha256": staged.asked.sha256,
        }
        note = self.folder / _INTENT
        note.write_text(json.dumps(intent))
        for path in (note, self.folder, staged.path):
            sync(path)
        staged.path.replace(replaces[0])
        _settle(target, replaces)

    def exchange(self, change: Change) -> Transaction:
        """Carry out a change of several files as one; what it removes goes to the trash."""
        return exchange.exchange(_root_of(self.folder), self.folder, change)


@contextmanager
def writing(root: Path, patience: float = _PATIENCE_SECONDS) -> Iterator[Staging]:
    """Hold the catalog's writer lock and a staging folder; what dead writers left is finished
    or swept first.

    Waits up to `patience` seconds. Raises `CatalogUnusable` naming who holds the lock, also for
    what the file system refuses inside, and `WrongInput` when the root cannot be written.
    """
    private = root / PRIVATE
    try:
        (private / "staging").mkdir(parents=True, exist_ok=True)
        with _lock(private, patience):
            for left_over in (private / "staging").iterdir():
                _finish(left_over)
                shutil.rmtree(left_over)
            staging = Staging(private / "staging" / f"{os.getpid()}-{uuid4().hex}")
            staging.folder.mkdir()
            try:
                yield staging
            except BaseException:
                _finish(staging.folder)  # if even that fails, its files stay for the next writer
                shutil.rmtree(staging.folder, ignore_errors=True)
                raise
            shutil.rmtree(staging.folder, ignore_errors=True)
    except PermissionError as error:
        raise not_writable(root, error) from error
    except OSError as error:
        raise CatalogUnusable(
            f"writing to the catalog {root} failed",
            str(error),
            "look at the disk: is it full, is it there?",
            "try again: nothing was left half done",
        ) from error


def finish_left_over(root: Path) -> None:
    """Finish what a dead writer left, if there is any; whoever is writing now is not waited for."""
    with suppress(FileNotFoundError, CatalogUnusable):
        if any((root / PRIVATE / "staging").iterdir()):
            with writing(root, patience=0):
                pass


@contextmanager
def _lock(private: Path, patience: float) -> Iterator[None]:
    # A lock object of its own for each commit: flock then also keeps our own threads apart.
    lock = FileLock(private / "lock", thread_local=False)
    owner = private / "lock.owner"
    try:
        lock.acquire(timeout=patience, poll_interval=_POLL_SECONDS)
    except Timeout:
        raise CatalogUnusable(
            f"the catalog {private.parent} is being written by someone else",
            f"waited {patience:.0f} s for {_described(owner)}",
            "wait for it to end and try again",
        ) from None
    try:
        owner.write_text(
            json.dumps(
                {
                    "pid": os.getpid(),
                    "host": socket.gethostname(),
                    "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
                    "since": time.time(),
                }
            )
        )
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _described(owner: Path) -> str:
    try:
        fields = json.loads(owner.read_text())
        age = time.time() - fields["since"]
        return (
            f"process {fields['pid']} on {fields['host']} ({fields['command']}), "
            f"which holds the lock for {age:.0f} s"
        )
    except (OSError, ValueError, KeyError):
        return "a process that has not told its name"


def _finish(left_over: Path) -> None:
    """Complete the exchange a writer died or failed in, and the publication, if its content is in
    place."""
    exchange.finish(_root_of(left_over), left_over)
    try:
        intent = json.loads((left_over / _INTENT).read_text())
    except (OSError, ValueError):
        return  # it died before it touched any file of the catalog
    folder = _root_of(left_over) / intent["folder"]
    target, replaces = folder / intent["target"], [folder / name for name in intent["replaces"]]
    for path in (target, replaces[0]):
        with suppress(FileNotFoundError, QuarterdeckError):
            file = inspect(path)
            if file and file.asked and file.asked.sha256 == intent["sha256"]:
                _settle(target, [path, *replaces])
                return


def _root_of(staging: Path) -> Path:
    return staging.parents[len(PRIVATE.parts) + 1]


def _settle(target: Path, replaces: Sequence[Path]) -> None:
    """Give content that stands under the first old name its new one; remove the other files."""
    if replaces[0] != target:
        sync(target.parent)
        replaces[0].rename(target)
    for path in replaces[1:]:
        if path != target:
            path.unlink(missing_ok=True)
    sync(target.parent)

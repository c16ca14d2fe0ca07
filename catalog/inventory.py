"""What stands in the catalog's folders now: names from disk, footers from the ledger's memory.

A footer is read once for each size and modification time of its file.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from catalog.commit import finish_left_over
from catalog.errors import CatalogUnusable, DataUnavailable
from catalog.exchange import exchanges
from catalog.files import BarFile, DamagedFile, inspect, read
from catalog.instruments import CLASS_FOLDERS, Definition, read_definitions
from catalog.layout import BARS, folder_name, series_folder
from catalog.ledger import Ledger
from catalog.refusals import mixed_precisions
from catalog.series import Series

_RETRIES = 50
_ENOUGH = 2
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class FolderContent:
    """The files of bars in one folder by first stamp, and those that cannot be read."""

    files: tuple[BarFile, ...]
    damaged: tuple[DamagedFile, ...]


class Inventory:
    """Looks at a catalog's folders through a ledger; all calls may block on the disk."""

    def __init__(self, root: Path, ledger: Ledger) -> None:
        self._root = root
        self._ledger = ledger

    def series_files(self, series: Series) -> tuple[BarFile, ...]:
        """The readable files of a series, by first stamp."""
        content = self.folder(series_folder(series))
        return tuple(file for file in content.files if file.series == series)

    def precisions(self, instrument_id: str) -> dict[Series, int]:
        """The price precision of each series of an instrument that has readable files."""
        prefix = folder_name(instrument_id) + "-"
        return {
            file.series: file.price_precision
            for name in subfolders(self._root / BARS)
            if name.startswith(prefix)
            for file in self.folder(BARS / name).files
            if file.series.instrument_id == instrument_id
        }

    def sound_files(self, series: Series) -> list[BarFile]:
        """The files of a series, by first stamp.

        Raises `DamagedFile` when one in its folder cannot be read, `DataUnavailable` when they
        mix precisions.
        """
        content = self.folder(series_folder(series))
        if content.damaged:
            raise content.damaged[0]
        files = [file for file in content.files if file.series == series]
        if len({(file.price_precision, file.size_precision) for file in files}) > 1:
            raise mixed_precisions(series, files[0].path.parent)
        return files

    def folder(self, folder: Path) -> FolderContent:
        """What stands in a folder of bars, given relative to the root."""
        return steady(lambda: self._look(folder))

    def _look(self, folder: Path) -> FolderContent:
        known = self._ledger.bar_files(self._root, folder)
        files: list[BarFile] = []
        fresh: list[BarFile] = []
        broken: list[DamagedFile] = []
        present = parquet_files(self._root / folder)
        for path, size, mtime_ns in present:
            remembered = known.get(path.name)
            if remembered and (remembered[0].size, remembered[0].mtime_ns) == (size, mtime_ns):
                files.append(remembered[0])
                continue
            try:
                if file := inspect(path):
                    fresh.append(file)
            except DamagedFile as error:
                broken.append(error)
        names = {path.name for path, _, _ in present}
        gone = [self._root / folder / name for name in known.keys() - names]
        if fresh or gone:
            self._ledger.remember_bar_files(self._root, fresh, gone)
        files += fresh
        return FolderContent(tuple(sorted(files, key=lambda file: file.first)), tuple(broken))

    def check(self, file: BarFile) -> None:
        """Read a file whole and compare it with its content hash, once for each change of it.

        Raises `DamagedFile`, and `FileNotFoundError` when it is gone.
        """
        remembered = self._ledger.bar_files(self._root, file.path.parent.relative_to(self._root))
        if remembered.get(file.path.name) != (file, True):
            read(file.path)
            self._ledger.remember_bar_files(self._root, [file], checked=True)

    def definitions(self, instrument_id: str) -> list[Definition]:
        """All versions of an instrument, oldest first.

        Raises `DamagedFile` when one cannot be read.
        """
        folder = folder_name(instrument_id)
        present = subfolders(self._root / BARS.parent)
        versions = [
            definition
            for parent in CLASS_FOLDERS
            if parent.name in present
            for definition in self._definitions_in(parent / folder)
            if definition["id"] == instrument_id
        ]
        return sorted(versions, key=lambda definition: int(definition["ts_init"]))

    def instrument_ids(self) -> list[str]:
        """The ids of all stored instruments, sorted; damaged files are passed over."""
        return sorted(
            {
                instrument_id
                for parent in CLASS_FOLDERS
                for folder in subfolders(self._root / parent)
                for instrument_id in self.ids_in(parent / folder)
            }
        )

    def ids_in(self, folder: Path) -> list[str]:
        """The ids of the instruments in a folder, given relative to the root; damaged files are
        passed over."""
        ids: set[str] = set()
        with suppress(DamagedFile):
            for definition in self._definitions_in(folder):
                ids.add(str(definition["id"]))
        return sorted(ids)

    def origin(self) -> str | None:
        """What the first file that tells its origin says."""
        for name in subfolders(self._root / BARS):
            for file in self.folder(BARS / name).files:
                if file.asked is not None:
                    return file.asked.origin
        for instrument_id in self.instrument_ids():
            for definition in self.definitions(instrument_id):
                if source := (definition["info"] or {}).get("source"):
                    return str(source)
        return None

    def _definitions_in(self, folder: Path) -> Iterator[Definition]:
        known = self._ledger.definitions(folder)
        for path, size, mtime_ns in parquet_files(self._root / folder):
            remembered = known.get(path.name)
            if remembered and remembered[:2] == (size, mtime_ns):
                yield from remembered[2]
                continue
            definitions = read_definitions(path)
            self._ledger.remember_definitions(folder / path.name, size, mtime_ns, definitions)
            yield from definitions


def touching(files: Sequence[BarFile], start: int | None, end: int | None) -> list[BarFile]:
    """Those of the files that can hold bars with opens in [start, end)."""
    return [
        file
        for file in files
        if (start is None or file.last > start) and (end is None or file.first <= end)
    ]


def steady[T](attempt: Callable[[], T]) -> T:
    """Look again when a writer renamed a file between its listing and its opening."""
    for _ in range(_RETRIES):
        with suppress(FileNotFoundError):
            return attempt()
    raise CatalogUnusable("the catalog keeps changing", "files vanish while they are read")


def undisturbed[T](root: Path, attempt: Callable[[], T]) -> T:
    """As `steady`, and look again when several files were exchanged meanwhile: for an instant old
    and new ones stand side by side. What a dead writer left half done is finished first.

    Where exchange follows exchange, what was read without an error is taken after some tries:
    bars that stood twice are merged.
    """
    for tries in range(_RETRIES):
        before = exchanges(root)
        try:
            result = steady(attempt)
        except DataUnavailable:
            if before == exchanges(root) and not before.under_way:
                raise
        else:
            if tries >= _ENOUGH or (before == exchanges(root) and not before.under_way):
                return result
        finish_left_over(root)
        time.sleep(_POLL_SECONDS)
    return steady(attempt)


def subfolders(folder: Path) -> list[str]:
    """The names of the folders in a folder; none when it does not exist."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_dir()]
    except FileNotFoundError:
        return []


def parquet_files(folder: Path) -> list[tuple[Path, int, int]]:
    """Path, size and mtime of the Parquet files in a folder.

    A rename during the listing can hide a file for an instant, so it is listed until the folder
    stood still meanwhile.
    """
    found: list[tuple[Path, int, int]] = []
    for _ in range(_RETRIES):
        try:
            before = folder.stat().st_mtime_ns
            with os.scandir(folder) as entries:
                found = [
                    (Path(entry.path), entry.stat().st_size, entry.stat().st_mtime_ns)
                    for entry in entries
                    if entry.name.endswith(".parquet") and entry.is_file()
                ]
            if folder.stat().st_mtime_ns == before:
                break
        except FileNotFoundError:
            if not folder.exists():
                return []
    return found

"""All strategies there are: the shipped ones, and those of the user, which workers import.

The dashboard's process never imports a user's file. What a worker found in one is remembered until
the file changes.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from catalog import workers
from catalog.errors import QuarterdeckError, WrongInput
from catalog.series import BarSpec
from core.strategies import parameters_of, strategy_names, unknown
from core.strategies.parameters import StrategyInfo
from core.strategies.shipped import STRATEGIES, info_of

_IMPORT_S = 20.0

type _Version = tuple[int, int]


class Library:
    """The shipped strategies and those in folders of the user's; `own` is one more folder, which
    need not be there. Every method may block: call them in a thread."""

    def __init__(self, folders: Sequence[Path] = (), own: Path | None = None) -> None:
        named = tuple(folder.expanduser().absolute() for folder in folders)
        self._named = named
        self.folders = named if own is None else (own.absolute(), *named)
        self._remembered: dict[str, tuple[tuple[_Version, ...], tuple[StrategyInfo, ...]]] = {}

    def list(self) -> tuple[StrategyInfo, ...]:
        """All of them, the shipped ones first. What cannot be used is among them, with its
        error."""
        files = [file for folder in self.folders for file in _strategy_files(folder)]
        lost = [_broken(str(one), "there is no such folder") for one in self._lost_folders()]
        with ThreadPoolExecutor(os.cpu_count()) as threads:
            found = list(threads.map(self._of_file, files))
        shipped = (info_of(name) for name in strategy_names())
        return (*shipped, *(info for infos in found for info in infos), *lost)

    def find(self, name: str) -> StrategyInfo:
        """The strategy of that name: a shipped one, `module:Class`, or a file or class of the
        folders when that is clear.

        Raises `WrongInput` for a name that none has, `DataUnavailable` for a file that cannot be
        imported.
        """
        if name in STRATEGIES:
            return info_of(name)
        if ":" in name:
            infos = self._of_module(name.partition(":")[0])
            found = [info for info in infos if info.name == name]
        else:
            infos = self.list()
            found = [info for info in infos if name in (info.name, *info.name.split(":"))]
        if len(found) > 1:
            names = ", ".join(info.name for info in found)
            raise WrongInput(f"'{name}' is not clear", f"it may be {names}", "name one of them")
        if not found:
            raise unknown(name, tuple(info.name for info in infos) or strategy_names())
        if found[0].error:
            raise WrongInput(f"{name} cannot be used", found[0].error, "correct the file")
        return found[0]

    def read(self, name: str, given: Mapping[str, object]) -> dict[str, object]:
        """The parameters, text read as what it stands for.

        Raises `WrongInput` for one that is unknown or does not fit, else as `find`.
        """
        read = self.find(name).read(given)
        if name in STRATEGIES:
            parameters_of(name, read)
        return read

    def check(self, name: str, given: Mapping[str, object], markets: int, bars: BarSpec) -> None:
        """Let the strategy itself look at parameters, number of instruments and bars, in a worker.

        Raises `WrongInput` for what it cannot work with, else as `find`.
        """
        info = self.find(name)
        info.refuse_count(markets)
        read = self.read(name, given)
        if name not in STRATEGIES:
            about = info.name, read, self.folders, markets, bars
            workers.run_blocking(_check, *about, timeout=_IMPORT_S)

    def _of_file(self, file: Path) -> tuple[StrategyInfo, ...]:
        try:
            return self._of_module(file.stem) or (
                _broken(file.stem, "it defines no strategy", file),
            )
        except QuarterdeckError as error:
            return (_broken(file.stem, str(error), file),)

    def _of_module(self, module: str) -> tuple[StrategyInfo, ...]:
        known, infos = self._remembered.get(module, ((), ()))
        if infos and known == _versions(infos):
            return infos
        infos = workers.run_blocking(_describe, module, self.folders, timeout=_IMPORT_S)
        self._remembered[module] = _versions(infos), infos
        return infos

    def _lost_folders(self) -> Sequence[Path]:
        return [folder for folder in self._named if not folder.is_dir()]


SHIPPED = Library()
"""The strategies that come with the program, and those of installed packages."""


def _describe(module: str, folders: Sequence[Path]) -> tuple[StrategyInfo, ...]:
    from core.strategies.loading import describe_module

    return describe_module(module, folders)


def _check(
    name: str,
    given: Mapping[str, object],
    folders: Sequence[Path],
    markets: int,
    bars: BarSpec,
) -> None:
    from core.strategies.loading import check

    check(name, given, folders, markets, bars)


def _strategy_files(folder: Path) -> Sequence[Path]:
    """The modules of a folder, its tests and what begins with an underscore left out."""
    names = sorted(folder.glob("*.py")) if folder.is_dir() else []
    return [file for file in names if not file.name.startswith(("_", "test_", "conftest"))]


def _versions(infos: Sequence[StrategyInfo]) -> tuple[_Version, ...]:
    """Changed time (ns) and size of the files."""
    states = (info.file.stat() for info in infos if info.file and info.file.exists())
    return tuple((state.st_mtime_ns, state.st_size) for state in states)


def _broken(name: str, error: str, file: Path | None = None) -> StrategyInfo:
    return StrategyInfo(name, "cannot be used", (), None, file, error)

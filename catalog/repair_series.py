"""Laying a series out afresh: every bar once, in order, of one precision, in its proper file.

One idea mends most of what can be wrong with readable files: whatever they are called and however
they overlap, their bars are gathered, the newest fetch wins, and what should stand there is put in
place of what does, as one transaction.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar

import numpy as np

from catalog.appending import merge
from catalog.checks.bar_files import Unusable, load
from catalog.columns import BarColumns, concat
from catalog.commit import writing
from catalog.coverage import Interval, intersect, subtract, union
from catalog.encoding import content_hash
from catalog.errors import CatalogUnusable, WrongInput
from catalog.events import Event, Level, Report, ignore
from catalog.exchange import Change
from catalog.files import Asked, DamagedFile, held, read, write
from catalog.instruments import Definition
from catalog.inventory import Inventory, parquet_files
from catalog.layout import file_name, partitions, series_folder
from catalog.ledger import Ledger
from catalog.ledger_rows import Empty, LostFile
from catalog.repair_precision import needed_precision, rescaled
from catalog.root import PRIVATE
from catalog.series import Series


@dataclass(frozen=True, slots=True)
class SeriesMended(Event):
    """The files of a series were laid out afresh, read back and compared with what they held.

    `dropped` bars stood more than once, of which `revised` had other values than the ones kept.
    """

    channel: ClassVar[str] = "catalog"

    series: Series
    files_before: int
    files_after: int
    bars: int
    dropped: int
    revised: int
    sha256: str

    def __str__(self) -> str:
        files = f"{self.files_before:,} files are {self.files_after:,}"
        kept = f"{self.bars:,} bars, read back"
        if not self.dropped:
            return f"{self.series}: {files}; {kept}, none changed"
        revised = f", {self.revised:,} of them older values" if self.revised else ", all the same"
        return f"{self.series}: {files}; {kept}; {self.dropped:,} duplicates dropped{revised}"


@dataclass(frozen=True, slots=True)
class PrecisionKept(Event):
    """The bars have digits that the instrument's precision would lose."""

    level: ClassVar[Level] = Level.WARNING
    channel: ClassVar[str] = "catalog"

    series: Series
    kept: int
    wanted: int

    def __str__(self) -> str:
        return (
            f"{self.series} keeps {self.kept} decimals: the instrument's {self.wanted} would lose"
            " digits"
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """Bars of one file in the order of their rows; `since` is when they were fetched or, of
    foreign files, written. `precisions` are those on disk; `restored` says that what was asked
    is known, but no longer stands in the file."""

    path: Path
    precisions: tuple[int, int]
    bars: BarColumns
    asked: Asked | None
    covered: tuple[Interval, ...]
    since: datetime
    restored: bool = False


@dataclass(frozen=True, slots=True)
class _Merged:
    bars: BarColumns
    dropped: int
    revised: int


def mend_series(
    root: Path, series: Series, also: Sequence[Path] = (), report: Report = ignore
) -> bool:
    """Lay a series out afresh; False when it stands as it should.

    `also` are files elsewhere that hold bars of it: in a wrong folder, of 1.x, or under an id
    that was found to mean this one. Files that cannot be used are passed over. Raises `WrongInput`
    when files of different contracts, hours or origins would mix, `CatalogUnusable` when another
    file stands where one must go.
    """
    with closing(Ledger(root / PRIVATE / "ledger.sqlite")) as ledger, writing(root) as staging:
        lost = [one for one in ledger.lost() if one.bar_type == series.bar_type]
        parts = _gather(root, series, also, ledger, lost, report)
        if not parts:
            return False
        merged = _merge(parts)
        layout = _Layout(root, series, parts, merged.bars)
        change = layout.change(staging.folder, ledger.empties(series))
        proof = concat([read(path) for path in layout.files])
        if proof != merged.bars:
            raise CatalogUnusable(
                f"{series} cannot be laid out afresh",
                "what would stand there is not all that stands there now; nothing was changed",
            )
        if change is not None:
            staging.exchange(change)
        for one in lost:
            if any(_has_bars_of(part, one) for part in parts):
                ledger.forget_lost(path=one.path)  # what could be restored of it, is
    if change is None:
        return False
    report(
        SeriesMended(
            series,
            len({part.path for part in parts}),
            len(layout.files),
            len(proof),
            merged.dropped,
            merged.revised,
            content_hash(proof),
        )
    )
    return True


class _Layout:
    """Where the bars of a series belong."""

    def __init__(
        self, root: Path, series: Series, parts: Sequence[_Part], bars: BarColumns
    ) -> None:
        self.files: list[Path] = []
        """The files of the series in time order, those that are staged there."""
        self._folder = root / series_folder(series)
        self._series = series
        self._parts = parts
        self._bars = bars

    def change(self, staging: Path, empties: Sequence[Empty]) -> Change | None:
        """What must change on disk, the new files staged; None when nothing must."""
        puts: list[tuple[Path, Path]] = []
        staying: set[Path] = set()
        left = list(empties)
        for span in self._spans():
            here, asked = self._bars.between(*span), self._asked(span)
            if not len(here):
                left += _as_empties(asked, left)
                continue
            target = self._folder / file_name(int(here.ts[0]), int(here.ts[-1]))
            if self._stands(target, here, asked):
                staying.add(target)
                self.files.append(target)
                continue
            staged = staging / target.name
            write(staged, self._series, here, asked)
            puts.append((staged, target))
            self.files.append(staged)
        removes = sorted({part.path for part in self._parts} - staying)
        if not puts and not removes:
            return None
        return Change(f"repair of {self._series}", puts, removes, {self._series: left})

    def _spans(self) -> list[Interval]:
        """The spans of the files that the bars and what was asked belong to."""
        spec = self._series.spec
        covered = union([*self._covered(), *held(self._bars.ts, spec)])
        return sorted({span for one in covered for _, span in partitions(one, spec)})

    def _covered(self) -> Iterator[Interval]:
        return (interval for part in self._parts for interval in part.covered)

    def _asked(self, span: Interval) -> Asked | None:
        """What was asked of a file's span; None when only foreign bars stand in it."""
        told = [part for part in self._parts if part.asked and intersect(part.covered, [span])]
        if not told:
            return None
        newest = max(told, key=lambda part: part.since).asked
        assert newest is not None
        return replace(newest, intervals=tuple(intersect(self._covered(), [span])))

    def _stands(self, target: Path, bars: BarColumns, asked: Asked | None) -> bool:
        here = [part for part in self._parts if part.path == target]
        precisions = (bars.price_precision, bars.size_precision)
        if (
            len(here) != 1
            or here[0].restored
            or here[0].precisions != precisions
            or here[0].bars != bars
        ):
            return False
        said = here[0].asked
        return here[0].precisions == precisions and (
            (said.intervals if said else None) == (asked.intervals if asked else None)
        )


def _gather(
    root: Path,
    series: Series,
    also: Sequence[Path],
    ledger: Ledger,
    lost: Sequence[LostFile],
    report: Report,
) -> list[_Part]:
    """All that is usable of the series, at one precision."""
    parts = [part for path in _paths(root, series, also) if (part := _part(path, series))]
    if not parts:
        return []
    precisions = _precisions(root, ledger, series, parts, report)
    same = [replace(part, bars=rescaled(part.bars, *precisions)) for part in parts]
    restored = [one for part in same for one in _restored(part, series, lost)]
    _refuse_mixing(series, restored)
    return restored


def _has_bars_of(part: _Part, lost: LostFile) -> bool:
    foreign = part.asked is None or part.restored
    return foreign and bool(part.bars.ts.min() <= lost.first and lost.last <= part.bars.ts.max())


def _paths(root: Path, series: Series, also: Sequence[Path]) -> list[Path]:
    found = [path for path, _, _ in parquet_files(root / series_folder(series))]
    return sorted({*found, *also})


def _part(path: Path, series: Series) -> _Part | None:
    """What a file gives to the series; None when it cannot be used."""
    try:
        loaded = load(path)
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except (Unusable, FileNotFoundError):
        return None
    if loaded.series != series and path.parent.name == series_folder(series).name:
        return None  # two series share a folder
    bars, asked = loaded.bars, loaded.asked
    precisions = (bars.price_precision, bars.size_precision)
    if asked is None:
        return _Part(path, precisions, bars, None, held(np.sort(bars.ts), series.spec), written)
    since = datetime.fromisoformat(asked.fetched_at)
    return _Part(path, precisions, bars, asked, asked.intervals, since)


def _restored(part: _Part, series: Series, lost: Sequence[LostFile]) -> Iterator[_Part]:
    """A foreign part taken apart where the ledger knows what was once asked for its bars: they
    are the same by their hash, only the footer was dropped."""
    if part.asked is not None:
        yield part
        return
    rest = np.ones(len(part.bars), dtype=np.bool_)
    for one in lost:
        rows = (part.bars.ts >= one.first) & (part.bars.ts <= one.last)
        said = one.asked
        if content_hash(merge([_in_order(part.bars.take(rows))])) == said.sha256:
            bars = part.bars.take(rows)
            yield replace(part, bars=bars, asked=said, covered=said.intervals, restored=True)
            rest &= ~rows
    if np.any(rest):
        foreign = part.bars.take(rest)
        yield replace(part, bars=foreign, covered=held(np.sort(foreign.ts), series.spec))


def _in_order(bars: BarColumns) -> BarColumns:
    return bars.take(np.argsort(bars.ts, kind="stable"))


def _refuse_mixing(series: Series, parts: Sequence[_Part]) -> None:
    told = [part.asked for part in parts if part.asked]
    for values in (
        {asked.con_id for asked in told if asked.con_id is not None},
        {asked.hours for asked in told},
        {asked.origin for asked in told},
    ):
        if len(values) > 1:
            raise WrongInput(
                f"{series} cannot be laid out afresh",
                f"its files are of {' and '.join(sorted(map(str, values)))}, which must not mix",
                "delete those that do not belong, or move them to another catalog",
            )


def _precisions(
    root: Path, ledger: Ledger, series: Series, parts: Sequence[_Part], report: Report
) -> tuple[int, int]:
    """The price and size precision for all bars: the instrument's where it holds every digit,
    else the finest there is."""
    finest, finest_size = (
        max(precisions) for precisions in zip(*(part.precisions for part in parts), strict=True)
    )
    definition = None
    with suppress(DamagedFile):
        versions = Inventory(root, ledger).definitions(series.instrument_id)
        definition = versions[-1] if versions else None
    if definition is None:
        return finest, finest_size
    wanted, wanted_size = _of_instrument(definition)
    needed = max(
        needed_precision(column, part.bars.price_precision)
        for part in parts
        for column in part.bars.arrays()[1:5]
    )
    needed_size = max(
        needed_precision(part.bars.volume, part.bars.size_precision) for part in parts
    )
    if needed > wanted:
        report(PrecisionKept(series, finest, wanted))
    return (
        wanted if needed <= wanted else finest,
        wanted_size if needed_size <= wanted_size else finest_size,
    )


def _of_instrument(definition: Definition) -> tuple[int, int]:
    return int(definition["price_precision"]), int(definition.get("size_precision") or 0)


def _merge(parts: Sequence[_Part]) -> _Merged:
    """Each stamp once, in time order: of two bars the one fetched later, in a file the later
    row."""
    newest_first = sorted(parts, key=lambda part: (part.since, part.path.name), reverse=True)
    joined = concat([part.bars.take(slice(None, None, -1)) for part in newest_first])
    _, rows, kept_as = np.unique(joined.ts, return_index=True, return_inverse=True)
    merged = joined.take(rows)
    differs = np.zeros(len(joined), dtype=np.bool_)
    for column, kept in zip(joined.arrays(), merged.arrays(), strict=True):
        differs |= column != kept[kept_as]
    return _Merged(merged, len(joined) - len(merged), int(np.sum(differs)))


def _as_empties(asked: Asked | None, known: Sequence[Empty]) -> list[Empty]:
    if asked is None:
        return []
    fresh = subtract(asked.intervals, [one.interval for one in known])
    return [Empty(interval, asked.hours, asked.con_id, asked.origin) for interval in fresh]

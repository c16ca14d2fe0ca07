"""Adding the answer to one request to the files of a series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from catalog import coverage
from catalog.columns import BarColumns, concat
from catalog.commit import Staging
from catalog.coverage import Interval
from catalog.events import Event
from catalog.files import Asked, BarFile, read, write
from catalog.layout import file_name, open_of, partitions, series_folder
from catalog.ledger_rows import Empty
from catalog.refusals import must_not_mix
from catalog.series import Series
from catalog.wording import counted


@dataclass(frozen=True, slots=True)
class BarsPersisted(Event):
    """New bars are in a file, read back and compared; they outlive any crash from now on.

    `start` and `end` are what was asked of this file's span, ns over bar opens.
    """

    channel: ClassVar[str] = "catalog"

    series: Series
    start: int
    end: int
    bars: int
    path: Path

    def __str__(self) -> str:
        return f"{self.series}: {counted(self.bars, 'bar')} stored, read back"


class Append:
    """The files and empty spans of one series while an answer is added to them.

    `files` and `empties` are what the series has after the last `add`; `gone` are the paths it no
    longer has, `persisted` what to tell once the ledger knows it all.
    """

    def __init__(
        self, root: Path, series: Series, files: Sequence[BarFile], empties: Sequence[Empty]
    ) -> None:
        self.files = list(files)
        self.empties = list(empties)
        self.gone: list[Path] = []
        self.persisted: list[BarsPersisted] = []
        self._folder = root / series_folder(series)
        self._series = series

    def add(self, staging: Staging, bars: BarColumns, answer: Asked) -> None:
        """Add bars that all open inside the answer's intervals, file by file."""
        for asked in answer.intervals:
            for part, span in partitions(asked, self._series.spec):
                self._add_part(staging, bars.between(*part), part, span, answer)

    def _add_part(
        self, staging: Staging, bars: BarColumns, part: Interval, span: Interval, answer: Asked
    ) -> None:
        held = [file for file in self.files if self._lies_in(file, span)]
        if not held and not len(bars):
            self.empties.append(Empty(part, answer.hours, answer.con_id, answer.origin))
            return
        # What was answered with nothing moves from the ledger into the file's own footer.
        absorbed = [one for one in self.empties if span[0] <= one.interval[0] < span[1]]
        answered = coverage.union(
            [part, *(one.interval for one in absorbed)]
            + [interval for file in held for interval in file.covered]
        )
        merged = merge([*(read(file.path) for file in held), bars])
        added = len(merged) - sum(file.rows for file in held)
        if len(held) == 1 and not added and tuple(answered) == held[0].covered:
            return
        first, last = int(merged.ts[0]), int(merged.ts[-1])
        target = self._folder / file_name(first, last)
        staged = write(
            staging.folder / target.name,
            self._series,
            merged,
            replace(answer, intervals=tuple(answered)),
        )
        staging.publish_bars(staged, target, [file.path for file in held])
        self.gone += [file.path for file in held]
        self.files = [file for file in self.files if file not in held]
        self.files.append(replace(staged, path=target))
        self.empties = [one for one in self.empties if one not in absorbed]
        if added:
            self.persisted.append(BarsPersisted(self._series, *part, added, target))

    def _lies_in(self, file: BarFile, span: Interval) -> bool:
        spec = self._series.spec
        return open_of(file.first, spec) < span[1] and open_of(file.last, spec) >= span[0]


def refuse_mixing(
    series: Series,
    files: Sequence[BarFile],
    empties: Sequence[Empty],
    bars: BarColumns,
    answer: Asked,
) -> None:
    """Raise `WrongInput` when an answer must not share a series with what it holds."""
    kinds: list[Asked | Empty] = [file.asked for file in files if file.asked]
    for kind in [*kinds, *empties]:
        if None not in (kind.con_id, answer.con_id) and kind.con_id != answer.con_id:
            raise must_not_mix(series, f"contract {kind.con_id}", f"contract {answer.con_id}")
        if kind.hours != answer.hours:
            raise must_not_mix(series, f"{kind.hours} hours", f"{answer.hours} hours")
    precisions = (bars.price_precision, bars.size_precision)
    for file in files if len(bars) else ():
        held = (file.price_precision, file.size_precision)
        if held != precisions:
            raise must_not_mix(
                series,
                f"{held[0]} price and {held[1]} volume decimals",
                f"{precisions[0]} price and {precisions[1]} volume decimals",
            )


def merge(parts: Sequence[BarColumns]) -> BarColumns:
    """All bars of the parts in time order, each stamp once; of two the earlier part's."""
    joined = concat([part for part in parts if len(part)] or list(parts[:1]))
    _, rows = np.unique(joined.ts, return_index=True)
    return joined.take(rows)

"""Changing bars that are stored: some go, others come, as one transaction that can be undone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from catalog.appending import merge, refuse_mixing
from catalog.columns import BarColumns
from catalog.coverage import Interval, intersect, subtract, union
from catalog.exchange import Change
from catalog.files import Asked, BarFile, read, write
from catalog.layout import file_name, open_of, partitions, series_folder
from catalog.ledger_rows import Empty, Note
from catalog.series import Series


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What is to become of a series.

    `title` says it in the user's words. Bars and coverage `without` these intervals (over bar
    opens) go; then `bars` come as the `answer`: of two bars of one time the stored one stays.
    `notes` are what is noted of it then.
    """

    series: Series
    title: str
    without: Sequence[Interval] = ()
    bars: BarColumns | None = None
    answer: Asked | None = None
    notes: Mapping[Note, str] = field(default_factory=dict)


def stage(
    rewrite: Rewrite,
    root: Path,
    staging: Path,
    files: Sequence[BarFile],
    empties: Sequence[Empty],
    nature: Asked,
) -> Change | None:
    """Write the new files of a series into the `staging` folder; None when nothing changes.

    `files` and `empties` are all that the series has; `nature` speaks for files of other programs,
    which do not say what was asked. The files that are touched are laid out afresh, those of a
    whole month or year among them. Raises `WrongInput` when what comes must not mix with what
    stays, `DamagedFile` when a file cannot be read.
    """
    series, spec = rewrite.series, rewrite.series.spec
    coming = rewrite.answer.intervals if rewrite.answer else ()
    spans = [span for interval in coming for _, span in partitions(interval, spec)]
    touched = [
        file
        for file in files
        if intersect([*spans, *rewrite.without], [_extent(file), *file.covered])
    ]
    left = [
        replace(one, interval=interval)
        for one in empties
        for interval in subtract([one.interval], rewrite.without)
    ]
    if rewrite.answer is not None and rewrite.bars is not None:
        staying = [one for one in files if subtract([_extent(one)], rewrite.without)]
        refuse_mixing(series, staying, left, rewrite.bars, rewrite.answer)
    arriving = [] if rewrite.bars is None else [rewrite.bars]
    parts = [*(_outside(read(file.path), rewrite.without) for file in touched), *arriving]
    bars = merge(parts) if parts else None
    answered = union(
        [*coming, *(one for file in touched for one in subtract(file.covered, rewrite.without))]
    )
    said = rewrite.answer or next((file.asked for file in touched if file.asked), nature)
    written: list[BarFile] = []
    for span in _file_spans(answered, series):
        here, asked = bars.between(*span) if bars else None, intersect([span], answered)
        if not here:
            left += [Empty(one, said.hours, said.con_id, said.origin) for one in asked]
            continue
        absorbed = [one for one in left if span[0] <= one.interval[0] < span[1]]
        left = [one for one in left if one not in absorbed]
        intervals = union([*asked, *(one.interval for one in absorbed)])
        path = staging / file_name(int(here.ts[0]), int(here.ts[-1]))
        written.append(write(path, series, here, replace(said, intervals=tuple(intervals))))
    return _change(rewrite, root, written, touched, left, empties)


def _change(
    rewrite: Rewrite,
    root: Path,
    written: Sequence[BarFile],
    touched: Sequence[BarFile],
    left: Sequence[Empty],
    empties: Sequence[Empty],
) -> Change | None:
    same = {_content(one) for one in written} & {_content(one) for one in touched}
    folder = root / series_folder(rewrite.series)
    puts = [(one.path, folder / one.path.name) for one in written if _content(one) not in same]
    removes = [one.path for one in touched if _content(one) not in same]
    if not puts and not removes and list(left) == list(empties) and not rewrite.notes:
        return None
    notes = {rewrite.series: rewrite.notes}
    return Change(rewrite.title, puts, removes, {rewrite.series: left}, notes)


def _content(file: BarFile) -> tuple[str, str, tuple[Interval, ...]]:
    return file.path.name, file.asked.sha256 if file.asked else "", file.covered


def _extent(file: BarFile) -> Interval:
    spec = file.series.spec
    return open_of(file.first, spec), open_of(file.last, spec) + 1


def _file_spans(answered: Sequence[Interval], series: Series) -> list[Interval]:
    spans = {span for interval in answered for _, span in partitions(interval, series.spec)}
    return sorted(spans)


def _outside(bars: BarColumns, intervals: Sequence[Interval]) -> BarColumns:
    keep = np.ones(len(bars), dtype=np.bool_)
    for start, end in intervals:
        keep &= (bars.ts <= start) | (bars.ts > end)
    return bars.take(keep)

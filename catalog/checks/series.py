"""The files of a series together, and the series beside its instrument, its sessions and today."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np

from catalog import coverage
from catalog.checks.bar_files import FileHealth, SessionsOf, Unusable, load
from catalog.checks.findings import Finding, moment
from catalog.checks.prices import LONGEST_CLOSURE, Jump
from catalog.coverage import Interval
from catalog.instruments import Definition
from catalog.layout import NANOS_PER_DAY, open_of, partitions
from catalog.ledger_rows import Empty
from catalog.series import Series
from catalog.sessions import Hours

_SETTLING = 10 * NANOS_PER_DAY
"""So long after an expiry nothing more is expected."""

_SCATTERED = 3
"""From so many files for the span of one on, a repair is offered."""


@dataclass(frozen=True, slots=True)
class SeriesState:
    """A series as the checks see it: its readable files by first stamp, what was answered with
    nothing, its instrument, the id its own is an alias of, and how the broker's history of it was
    found to be another one."""

    series: Series
    files: Sequence[FileHealth]
    empties: Sequence[Empty]
    definition: Definition | None
    alias: str | None
    revision: str | None

    @property
    def hours(self) -> Hours | None:
        """The hours that were asked for; None where nobody says."""
        return next((file.asked.hours for file in self.files if file.asked), None)

    @property
    def answered(self) -> list[Interval]:
        """What was asked and answered as our own files and the ledger say; over opens, ns."""
        told = [interval for file in self.files if file.asked for interval in file.covered]
        return coverage.union([*told, *(empty.interval for empty in self.empties)])

    @property
    def covered(self) -> list[Interval]:
        """What was asked and answered, and the bars of foreign files; over opens, ns."""
        answered = [interval for file in self.files for interval in file.covered]
        return coverage.union([*answered, *(empty.interval for empty in self.empties)])


def series_findings(
    state: SeriesState, root: Path, known: SessionsOf, now_ns: int
) -> Iterator[Finding]:
    """All that is wrong with a series beyond its single files."""
    yield from _instrument(state)
    if not state.files:
        return
    if state.revision:
        yield Finding("revised", state.series.bar_type, state.revision)
    yield from _mixed(state)
    yield from _overlaps(state, root)
    yield from _scattered(state)
    yield from _jumps_between(state)
    yield from _gaps(state, known)
    yield from _stale(state, known, now_ns)


def _instrument(state: SeriesState) -> Iterator[Finding]:
    subject, definition = state.series.bar_type, state.definition
    if definition is None and state.alias is not None:
        yield Finding("renamed", subject, f"{state.series.instrument_id} is {state.alias}")
    elif definition is None:
        rows = sum(file.rows for file in state.files)
        yield Finding("orphan", subject, f"{rows:,} bars, no instrument", count=rows)
    else:
        held = {(file.price_precision, file.size_precision) for file in state.files}
        wanted = (int(definition["price_precision"]), int(definition.get("size_precision") or 0))
        if len(held) == 1 and held != {wanted}:
            ((prices, sizes),) = held
            yield Finding(
                "precision",
                subject,
                f"{prices} price and {sizes} volume decimals, "
                f"the instrument has {wanted[0]} and {wanted[1]}",
            )


def _mixed(state: SeriesState) -> Iterator[Finding]:
    subject = state.series.bar_type
    precisions = sorted({(file.price_precision, file.size_precision) for file in state.files})
    if len(precisions) > 1:
        said = ", ".join(f"{prices} and {sizes}" for prices, sizes in precisions)
        yield Finding("mixed_precision", subject, f"price and volume decimals of {said}")
    kinds = [file.asked for file in state.files if file.asked] + list(state.empties)
    for name, values in (
        ("contracts", {kind.con_id for kind in kinds if kind.con_id is not None}),
        ("hours", {kind.hours for kind in kinds}),
        ("origins", {kind.origin for kind in kinds}),
    ):
        if len(values) > 1:
            said = ", ".join(sorted(map(str, values)))
            yield Finding("mixed_kinds", subject, f"different {name}: {said}")


def _overlaps(state: SeriesState, root: Path) -> Iterator[Finding]:
    furthest = state.files[0]
    for file in state.files[1:]:
        if file.first <= furthest.last:
            detail = f"{Path(furthest.path).name} and {Path(file.path).name}"
            if (common := _common(root, furthest, file)) is not None:
                detail += f" share {common:,} bars"
            span = (file.first, min(file.last, furthest.last))
            yield Finding(
                "overlap", state.series.bar_type, detail, file.path, span, count=common or 1
            )
        furthest = max(furthest, file, key=lambda one: one.last)


def _common(root: Path, one: FileHealth, other: FileHealth) -> int | None:
    """How many stamps two files share; None when one of them just went away."""
    try:
        stamps, others = (load(root / file.path).bars.ts for file in (one, other))
    except (Unusable, FileNotFoundError):
        return None
    return len(np.intersect1d(stamps, others))


def _scattered(state: SeriesState) -> Iterator[Finding]:
    spec = state.series.spec

    def place(file: FileHealth) -> Interval:
        opened = open_of(file.first, spec)
        return next(partitions((opened, opened + 1), spec))[1]

    for _, files in groupby(state.files, key=place):
        together = list(files)
        if len(together) >= _SCATTERED:
            detail = f"{len(together):,} files from {moment(together[0].first)} on"
            span = (together[0].first, together[-1].last)
            yield Finding("scattered", state.series.bar_type, detail, None, span, len(together))


def _jumps_between(state: SeriesState) -> Iterator[Finding]:
    for one, other in pairwise(state.files):
        if not 0 < other.first - one.last <= LONGEST_CLOSURE:
            continue
        before = one.last_close / 10.0**one.price_precision
        after = other.first_open / 10.0**other.price_precision
        jump = Jump(other.first, before, after)
        if jump.unusual:
            span = (other.first, other.first)
            yield Finding("jump", state.series.bar_type, str(jump), other.path, span)


def _gaps(state: SeriesState, known: SessionsOf) -> Iterator[Finding]:
    spec, covered = state.series.spec, state.covered
    if spec.intraday and state.hours is None:
        return  # nobody says which hours belong to it
    span = (covered[0][0], covered[-1][1])
    sessions = known(state.series, state.hours, span)
    if sessions is None:
        return
    lacking = coverage.missing(span, covered, sessions.open_times(spec))
    if lacking:
        times = ", ".join(f"{moment(start)} to {moment(end)}" for start, end in lacking[:3])
        more = f" and {len(lacking) - 3:,} more" if len(lacking) > 3 else ""
        detail = f"{len(lacking):,} pieces never asked for: {times}{more}"
        yield Finding("gap", state.series.bar_type, detail, None, lacking[0], len(lacking))


def _stale(state: SeriesState, known: SessionsOf, now_ns: int) -> Iterator[Finding]:
    expires = int((state.definition or {}).get("expiration_ns") or 0)
    end = state.covered[-1][1]
    if end >= now_ns or (expires and expires <= end + _SETTLING):
        return
    sessions = known(state.series, state.hours, (end, now_ns))
    if sessions is None:
        return
    since = sessions.take((sessions.opens >= end) & (sessions.closes <= now_ns))
    if count := len(np.unique(since.dates)):
        last = max(file.last for file in state.files)
        detail = f"the last bar is of {moment(last)}, {count:,} sessions ago"
        yield Finding("stale", state.series.bar_type, detail, None, (end, now_ns), count)

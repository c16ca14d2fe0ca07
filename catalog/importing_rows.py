"""Rows of imported files as bars: each checked, none dropped without a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from catalog.columns import BarColumns, Ints
from catalog.encoding import integers
from catalog.errors import WrongInput
from catalog.importing_files import RawBars
from catalog.importing_values import (
    NUMBER,
    Mask,
    Moments,
    local_dates,
    localized,
    moments,
    numbers,
    to_mask,
)
from catalog.layout import NANOS_PER_DAY
from catalog.series import NANOS_PER_SECOND, BarSpec

type Stamps = Literal["open", "close"]
"""Whether a row carries the time its bar opens or closes."""

NOT_POSITIVE = "is not above zero"

_DECIMALS_OF_DATA = 9
"""The most decimals that prices are stored with where no instrument says how many."""

_ENOUGH_TO_TELL = 4
"""Bars that a file must hold for its span to be seen."""

_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True, slots=True)
class Reading:
    """How rows are to be read. `zone` and `stamps` are None where the user did not say.

    `price_precision` None takes the decimals of the data; `signed` allows prices of zero and less.
    """

    spec: BarSpec
    zone: str | None
    stamps: Stamps | None
    time_format: str | None
    price_precision: int | None
    size_precision: int
    signed: bool


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that is no bar, and why."""

    path: Path
    row: int
    reason: str

    def __str__(self) -> str:
        return f"{self.path.name} row {self.row}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Rows:
    """The bars of some files in time order, and what became of the other rows.

    `blank` rows have no price at all, `repeated` ones say the same as another. `rounded_prices`
    and `rounded_volumes` count the bars whose figures had more decimals than are stored.
    """

    bars: BarColumns
    rows: int
    blank: int
    repeated: int
    unordered: bool
    rounded_prices: int
    rounded_volumes: int
    rejects: tuple[Reject, ...]


def read_rows(files: Sequence[RawBars], reading: Reading) -> Rows:
    """Make bars of the rows of some files.

    Raises `WrongInput` when an option is needed to understand them, or when the rows are not
    bars of this span.
    """
    table = _Table(files, reading)
    keep = ~table.blank & ~table.rejected
    given = table.bars.take(keep)
    order = np.argsort(given.ts, kind="stable")
    bars, rows = given.take(order), np.flatnonzero(keep)[order]
    repeats = np.concatenate(([False], np.diff(bars.ts) == 0))[: len(bars)]
    same = repeats & _as_the_one_before(bars)
    for at in np.flatnonzero(repeats & ~same).tolist():
        path, number = table.place(int(rows[at - 1]))
        table.reject(int(rows[at]), f"another bar of the same time stands in {path.name} {number}")
    bars = bars.take(~repeats)
    _refuse_other_span(files[0].path, bars, reading.spec)
    return Rows(
        bars=bars,
        rows=len(keep),
        blank=int(table.blank.sum()),
        repeated=int(same.sum()),
        unordered=bool(np.any(np.diff(given.ts) < 0)),
        rounded_prices=int(table.rounded_prices[keep].sum()),
        rounded_volumes=int(table.rounded_volumes[keep].sum()),
        rejects=tuple(sorted(table.rejects.values(), key=lambda one: (one.path, one.row))),
    )


class _Table:
    """All rows of the files, one file after the other.

    `bars` has one for each row, in the order of the rows, whatever is wrong with it. `blank` rows
    have no price; `rejects` says by row what else is wrong.
    """

    def __init__(self, files: Sequence[RawBars], reading: Reading) -> None:
        self._files = files
        self._starts = np.cumsum([0] + [len(file) for file in files])
        self.rejects: dict[int, Reject] = {}
        prices = [self._numbers(field) for field in _PRICES]
        volumes = self._numbers("volume")
        self.blank: Mask = np.logical_and.reduce([_nulls(column) for column in prices])
        for row in self.rejects:
            self.blank[row] = False
        for field, column in zip(_PRICES, prices, strict=True):
            self._reject_all(_nulls(column) & ~self.blank, f"there is no {field}")
        ts = np.concatenate([self._stamps(number, reading) for number in range(len(files))])
        precision = reading.price_precision
        if precision is None:
            precision = _decimals_in(prices)
        (opens, highs, lows, closes), self.rounded_prices = _integers(prices, precision)
        (volume,), self.rounded_volumes = _integers([volumes], reading.size_precision)
        none = volume == -(10**reading.size_precision)  # IBKR's word for no volume
        volume = np.where(none, 0, volume)
        self.bars = BarColumns(
            ts, opens, highs, lows, closes, volume, precision, reading.size_precision
        )
        self._check_values(reading)

    @property
    def rejected(self) -> Mask:
        """Which rows are rejected."""
        rejected = np.zeros(int(self._starts[-1]), dtype=np.bool_)
        rejected[list(self.rejects)] = True
        return rejected

    def place(self, row: int) -> tuple[Path, int]:
        """The file of a row, and its number as the user counts them."""
        number = int(np.searchsorted(self._starts, row, side="right")) - 1
        file = self._files[number]
        return file.path, row - int(self._starts[number]) + file.first_row

    def reject(self, row: int, reason: str) -> None:
        """Note that a row is no bar; the first reason counts."""
        self.rejects.setdefault(row, Reject(*self.place(row), reason))

    def _reject_all(self, rows: Mask, reason: str) -> None:
        for row in np.flatnonzero(rows).tolist():
            self.reject(row, reason)

    def _reject_values(self, number: int, field: str, rows: Mask, reason: str) -> None:
        """Reject rows of one file, naming the value that stands there."""
        column, start = self._files[number].columns[field], int(self._starts[number])
        for row in np.flatnonzero(rows).tolist():
            self.reject(start + row, f"'{column[row]}' {reason}")

    def _numbers(self, field: str) -> pa.Array:
        """A column over all files, null where a row has no number."""
        parts: list[pa.Array] = []
        for number, file in enumerate(self._files):
            if field in file.columns:
                values, wrong = numbers(file.columns[field])
                self._reject_values(number, field, wrong, f"is no {field}")
                parts.append(values)
            else:
                parts.append(pa.nulls(len(file), NUMBER))
        return pa.concat_arrays(parts)

    def _stamps(self, number: int, reading: Reading) -> Ints:
        """The stamps of the rows of one file."""
        file, spec = self._files[number], reading.spec
        found = moments(file.path, file.columns["time"], reading.time_format)
        blank = self.blank[int(self._starts[number]) :][: len(file)]
        self._reject_values(number, "time", ~found.readable & ~blank, "is no time")
        if not spec.intraday:
            _refuse_unclear_dates(file.path, found, reading)
            return local_dates(found, reading.zone) * NANOS_PER_DAY + NANOS_PER_DAY - 1
        if reading.stamps is None:
            raise _needs_stamps(file.path)
        if not found.aware:
            if reading.zone is None:
                raise _needs_zone(file.path, file.columns["time"][0])
            readable, found = found.readable, localized(found, reading.zone)
            twice = readable & ~found.readable & ~blank
            reason = f"comes twice or never in {reading.zone}, where the clock changes"
            self._reject_values(number, "time", twice, reason)
        return found.ns + (spec.nanos if reading.stamps == "open" else 0)

    def _check_values(self, reading: Reading) -> None:
        bars = self.bars
        checks = [
            (bars.high, bars.high < np.maximum(bars.open, bars.close), "high", "is below a price"),
            (bars.low, bars.low > np.minimum(bars.open, bars.close), "low", "is above a price"),
        ]
        if not reading.signed:
            lowest = np.minimum(bars.low, bars.close)
            checks.append((lowest, lowest <= 0, "price", NOT_POSITIVE))
        for values, wrong, field, reason in checks:
            for row in np.flatnonzero(wrong & ~self.blank).tolist():
                amount = f"{values[row] / 10**bars.price_precision:.{bars.price_precision}f}"
                self.reject(row, f"{field} {amount} {reason}")
        self._reject_all((bars.volume < 0) & ~self.blank, "the volume is below zero")


def _refuse_unclear_dates(path: Path, found: Moments, reading: Reading) -> None:
    if reading.spec.unit != "DAY" and reading.stamps != "close":
        raise WrongInput(
            f"the dates in {path} may be the first or the last ones of their bars",
            f"a {reading.spec.unit.lower()} stamped by its first day would be seen before it ended",
            "give the date of each bar's last day, and say so: --stamps close",
        )
    if found.aware and reading.zone is None and np.any(found.ns[found.readable] % NANOS_PER_DAY):
        raise WrongInput(
            f"the days in {path} begin at other times than midnight UTC",
            "which date a bar belongs to depends on the time zone",
            "say the zone of its dates: --zone America/New_York",
        )


def _needs_zone(path: Path, example: object) -> WrongInput:
    return WrongInput(
        f"the times in {path} say no time zone",
        f"{example} is another moment in New York than in UTC",
        "say the zone they are of: --zone America/New_York, or --zone UTC",
    )


def _needs_stamps(path: Path) -> WrongInput:
    return WrongInput(
        f"the times in {path} may be those of the open or of the close of bars",
        "a bar must not be seen before it closed",
        "say which they are: --stamps open or --stamps close",
    )


def _refuse_other_span(path: Path, bars: BarColumns, spec: BarSpec) -> None:
    """A month has 28 to 31 days; an hour's first bar may be a half one."""
    if len(bars) < _ENOUGH_TO_TELL:
        return
    distances, counts = np.unique(np.diff(bars.ts), return_counts=True)
    usual = int(distances[np.argmax(counts)])
    if spec.unit == "MONTH":
        fits = 28 * NANOS_PER_DAY <= usual // spec.step <= 31 * NANOS_PER_DAY
    else:
        fits = spec.nanos in distances and usual >= spec.nanos
    if not fits:
        raise WrongInput(
            f"{path} holds no bars of {spec}",
            f"most of its rows are {usual / NANOS_PER_SECOND:,.0f} s apart, "
            f"bars of {spec.step} {spec.unit.lower()} are {spec.nanos / NANOS_PER_SECOND:,.0f} s",
            "say the bars it holds: --series ID-STEP-UNIT-SIDE",
        )


def _as_the_one_before(bars: BarColumns) -> Mask:
    same = np.ones(max(len(bars) - 1, 0), dtype=np.bool_)
    for column in bars.arrays():
        same &= np.diff(column) == 0
    return np.concatenate(([False], same))[: len(bars)]


def _decimals_in(columns: Sequence[pa.Array]) -> int:
    """How many decimals all values have together, superfluous zeros aside."""
    for precision in range(_DECIMALS_OF_DATA):
        try:
            for column in columns:
                column.cast(pa.decimal128(38, precision))
        except pa.ArrowInvalid:
            continue
        return precision
    return _DECIMALS_OF_DATA


def _integers(columns: Sequence[pa.Array], precision: int) -> tuple[list[Ints], Mask]:
    """The columns in units of 10**-precision, rounded half-even, and the rows where one was."""
    rounded = np.zeros(len(columns[0]), dtype=np.bool_)
    whole: list[Ints] = []
    for column in columns:
        values = pc.round(column, ndigits=precision, round_mode="half_to_even")
        rounded |= to_mask(pc.not_equal(values, column))
        try:
            whole.append(integers(pa.chunked_array([pc.fill_null(values, 0)]), precision))
        except ValueError as error:
            raise WrongInput("a figure is too large to be stored", str(error)) from error
    return whole, rounded


def _nulls(column: pa.Array) -> Mask:
    return to_mask(column.is_null())

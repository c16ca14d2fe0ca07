"""What a run is given: instruments, their bars as checked files, and the range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.coverage import Interval
from catalog.layout import NANOS_PER_DAY, folder_name
from catalog.series import Series

if TYPE_CHECKING:
    from catalog.files import Origin
    from catalog.sessions import Sessions
    from core.backtest.currencies import RateBars

_RATES_BEFORE = 10 * NANOS_PER_DAY
"""How far before the start a rate is looked for: over any row of holidays."""


@dataclass(frozen=True, slots=True)
class InstrumentData:
    """One instrument of a run.

    `definition` is what Nautilus' `to_dict()` gives; None when there is none to be had, then the
    run makes a synthetic one. `series` begins with the one the strategy sees; for currencies its
    BID and ASK follow when they are stored, and orders are filled on them. `longer` are series of
    longer bars that the strategy asks for by a parameter. `files` are files of any of these series
    that were checked. Without `sessions` a trading day is a calendar day in the exchange's time
    zone. With `only_sessions` the bars of `series` outside of them are left out.
    """

    instrument_id: str
    definition: dict[str, object] | None
    series: tuple[Series, ...]
    files: tuple[Path, ...]
    sessions: Sessions | None = None
    only_sessions: bool = False
    longer: tuple[Series, ...] = ()

    def files_of(self, series: Series) -> tuple[Path, ...]:
        """The files of one of the series."""
        folder = folder_name(series.bar_type)
        return tuple(path for path in self.files if path.parent.name == folder)

    @property
    def info(self) -> dict[str, object]:
        """What the definition keeps beyond Nautilus' own fields; empty without one."""
        info = (self.definition or {}).get("info")
        return info if isinstance(info, dict) else {}


@dataclass(frozen=True, slots=True)
class RunData:
    """Everything a run reads; `interval` is over bar opens, ns. `origin` says whether the bars
    are simulated or real, as far as that is known. `hashes` are those of its fingerprint, where
    they are known already.

    Bars from `warm_from` on, where it is given, are shown to indicators before the interval.
    `rates` say what other currencies are worth.
    """

    instruments: tuple[InstrumentData, ...]
    interval: Interval
    origin: Origin | None = None
    hashes: Mapping[str, str] | None = None
    warm_from: int | None = None
    rates: tuple[RateBars, ...] = ()

    @property
    def fed(self) -> Interval:
        """The interval of all bars the engine gets, those of the warm-up included."""
        start, end = self.interval
        return (start if self.warm_from is None else min(self.warm_from, start)), end

    @property
    def rated(self) -> Interval:
        """The interval that rates are read from: the last one before the start counts at it."""
        start, end = self.interval
        return start - _RATES_BEFORE, end

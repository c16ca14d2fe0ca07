"""A finer tick: the stored series of an instrument get its decimals; a series never mixes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import ClassVar

from catalog.events import Event, Level, Report
from catalog.files import Asked
from catalog.instruments import Definition
from catalog.rewriting import Rewrite
from catalog.series import Series
from catalog.store import Catalog


@dataclass(frozen=True, slots=True)
class SeriesRefined(Event):
    """The tick of an instrument became finer; its stored prices are written with more decimals."""

    channel: ClassVar[str] = "catalog"
    level: ClassVar[Level] = Level.WARNING

    series: Series
    before: int
    after: int

    def __str__(self) -> str:
        return (
            f"{self.series}: finer tick, prices now with {self.after} decimals, not {self.before}"
        )


def refine(catalog: Catalog, definition: Definition, report: Report) -> None:
    """Rewrite the series of an instrument that hold fewer decimals than its definition has, each
    as one change. Their prices stay the same. Blocking."""
    precision = int(definition["price_precision"])
    for held in catalog.list_series():
        coarser = held.price_precision < precision
        if held.series.instrument_id == definition["id"] and held.has_instrument and coarser:
            _refine(catalog, held.series, precision)
            report(SeriesRefined(held.series, held.price_precision, precision))


def _refine(catalog: Catalog, series: Series, precision: int) -> None:
    bars, covered = catalog.read_bars(series), catalog.covered(series)
    factor = 10 ** (precision - bars.price_precision)
    finer = replace(
        bars,
        open=bars.open * factor,
        high=bars.high * factor,
        low=bars.low * factor,
        close=bars.close * factor,
        price_precision=precision,
    )
    answer = Asked(
        tuple(covered),
        catalog.hours(series) or "regular",
        catalog.con_id(series.instrument_id),
        catalog.origin or "real",
        datetime.now(UTC).isoformat(),
    )
    everything = (covered[0][0], covered[-1][1])
    catalog.rewrite_bars(
        Rewrite(series, f"finer tick of {series}", without=[everything], bars=finer, answer=answer)
    )

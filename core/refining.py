"""A series never mixes decimals: with a finer tick the stored bars get more, with a coarser one the
new ones keep those of the stored."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
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
    for series, held in catalog.precisions(str(definition["id"])).items():
        if held < precision:
            _refine(catalog, series, precision)
            report(SeriesRefined(series, held, precision))


def as_fine_as_stored(catalog: Catalog, definition: Definition) -> Definition:
    """The definition with the decimals and the tick of the stored one, where those are finer: IBKR
    may make a tick coarser, and then prices of both ticks are on the finer one. Blocking."""
    stored = catalog.instrument(str(definition["id"]))
    if stored is None or int(stored["price_precision"]) <= int(definition["price_precision"]):
        return definition
    precision, tick = int(stored["price_precision"]), Decimal(stored["price_increment"])
    if Decimal(definition["price_increment"]) % tick:
        tick = Decimal(1).scaleb(-precision)
    return {**definition, "price_precision": precision, "price_increment": f"{tick:f}"}


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

"""The rates of a run in several currencies: stored bars of the pairs, fetched where there are
none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from catalog.layout import NANOS_PER_DAY
from catalog.series import BarSpec, Series
from core.backtest.currencies import RateBars, foreign_currencies, quotes_between
from core.backtest.data import RunData
from core.backtest.gathering import Gathering
from core.backtest.spec import RunSpec

_DAYS = BarSpec(1, "DAY", "MID")
_FINER = (BarSpec(1, "MINUTE", "MID"), BarSpec(1, "HOUR", "MID"))
_STALE = 5 * NANOS_PER_DAY


async def gather_rates(spec: RunSpec, data: RunData, gathering: Gathering) -> tuple[RateBars, ...]:
    """What each foreign currency of the run is worth in that of its figures, where it can be had;
    one that is lacking is refused by the checks of the run, in words."""
    found = []
    for currency in foreign_currencies(spec, data.instruments):
        rates = await _rates(currency, spec, data, gathering)
        if rates is not None:
            found.append(rates)
    return tuple(found)


async def _rates(
    currency: str, spec: RunSpec, data: RunData, gathering: Gathering
) -> RateBars | None:
    own = spec.starting_cash().currency
    stored = await asyncio.to_thread(_stored, currency, spec, data, gathering)
    if stored is not None:
        return stored
    (pair, _), *_ = quotes_between(currency, own)
    await gathering.fetch(pair, _DAYS, data.rated)
    return await asyncio.to_thread(_stored, currency, spec, data, gathering)


def _stored(currency: str, spec: RunSpec, data: RunData, gathering: Gathering) -> RateBars | None:
    catalog, (start, end) = gathering.catalog, data.interval
    for series, inverted in _candidates(currency, spec):
        if not catalog.files(series, *data.rated):
            continue
        ts = catalog.read_bars(series, *data.rated).ts
        if len(ts) and ts[0] <= start and end - ts[-1] <= _STALE:
            files = tuple(catalog.checked_files(series, *data.rated))
            return RateBars(currency, series, files, inverted)
    return None


def _candidates(currency: str, spec: RunSpec) -> Iterator[tuple[Series, bool]]:
    """The series that would do, the finest first: rates of days know nothing of the day."""
    spans = dict.fromkeys((spec.bars.with_side("MID"), *_FINER, _DAYS))
    for span in sorted(spans, key=lambda span: span.nanos):
        for pair, inverted in quotes_between(currency, spec.starting_cash().currency):
            yield Series(pair, span), inverted

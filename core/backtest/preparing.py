"""Get the data of a run ready: ids, range, bars, instruments; what is missing is fetched first."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime

from catalog.events import Report
from catalog.store import Catalog
from core.backtest.currencies import with_cash
from core.backtest.data import RunData
from core.backtest.gathering import Gathering
from core.backtest.longer import named_bars, refuse_strangers
from core.backtest.rate_gathering import gather_rates
from core.backtest.spec import RunSpec
from core.backtest.warming import with_warm_up
from core.ibkr.connection import BrokerSession
from core.ibkr.contracts import parse_id
from core.identity import Clock
from core.ranges import read_range
from core.strategies.library import SHIPPED, Library


def refuse_mistyped(spec: RunSpec, library: Library, now: datetime) -> None:
    """Raise `WrongInput` for what can be told from what was typed alone: ids, terms, dates, the
    strategy and its parameters. Blocking.

    Raises `DataUnavailable` for a file of a strategy that cannot be imported.
    """
    spec.check()
    for typed_id in spec.instruments:
        parse_id(typed_id)
    library.read(spec.strategy, spec.parameters)
    library.find(spec.strategy).refuse_count(len(spec.instruments))
    read_range(spec.start, spec.end, spec.bars, now)


async def prepare(
    spec: RunSpec,
    *,
    catalog: Catalog,
    session: BrokerSession,
    clock: Clock,
    report: Report,
    library: Library = SHIPPED,
) -> RunData:
    """The data of a run that was not mistyped, complete and checked.

    With source `auto` what is missing is fetched first; the broker is not connected to when
    nothing is. Raises `DataUnavailable` where the catalog lacks bars that were not to be fetched
    or that the broker does not have, `BrokerUnavailable` where they could not be asked for (both
    list what is missing), `WrongInput` for an id, a range, a strategy or a parameter that cannot be
    used.
    """
    # Before anything is fetched.
    markets = len(spec.instruments)
    await asyncio.to_thread(library.check, spec.strategy, spec.parameters, markets, spec.bars)
    gathering = Gathering(spec, catalog, session, clock, report)
    found = [await gathering.instrument(typed_id) for typed_id in spec.instruments]
    intervals = [interval for _, interval in found]
    data = RunData(
        tuple(each for each, _ in found),
        (min(start for start, _ in intervals), max(end for _, end in intervals)),
        await asyncio.to_thread(lambda: catalog.origin),
    )
    in_cash = with_cash(spec, data.instruments)
    data = replace(data, rates=await gather_rates(in_cash, data, gathering))
    if spec.warm_up:
        data = await with_warm_up(spec, data, gathering)
    return await _with_longer_bars(spec, data, gathering)


async def _with_longer_bars(spec: RunSpec, data: RunData, gathering: Gathering) -> RunData:
    """The data with the stored bars that parameters of the strategy ask for, from the warm-up
    on."""
    named = named_bars(spec.parameters)
    refuse_strangers(named, data.instruments)
    instruments = []
    for each in data.instruments:
        wanted = {one.spec for one in named if one.of(each.instrument_id)} - {spec.bars}
        for bars in sorted(wanted):
            each = await gathering.longer(each, bars, data.fed)
        instruments.append(each)
    return replace(data, instruments=tuple(instruments))

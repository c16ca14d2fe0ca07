"""Bars of any size, aggregated from the simulated minutes of one session after another."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.simulator.contracts import Instrument
from core.simulator.hours import sessions
from core.simulator.market import Floats, Ints, Market, Minutes

MINUTE = 60
OPEN, HIGH, LOW, CLOSE = range(4)
CACHED_DAYS = 20_000


@dataclass(frozen=True)
class Bars:
    """Bars in order: ``start`` in epoch seconds UTC, ``prices`` (open, high, low, close) in ticks.

    Where ``whatToShow`` publishes no volume, ``volume`` and ``count`` are -1.
    """

    start: Ints
    prices: Ints
    volume: Ints
    turnover: Floats
    count: Ints

    def __len__(self) -> int:
        return len(self.start)

    @classmethod
    def joined(cls, parts: list["Bars"]) -> "Bars":
        """One after the other; at least one part."""
        return cls(
            np.concatenate([part.start for part in parts]),
            np.concatenate([part.prices for part in parts], axis=1),
            np.concatenate([part.volume for part in parts]),
            np.concatenate([part.turnover for part in parts]),
            np.concatenate([part.count for part in parts]),
        )

    def since(self, moment: int) -> "Bars | None":
        """The bars that begin at ``moment`` or later."""
        first = int(np.searchsorted(self.start, moment))
        if first == len(self):
            return None
        return Bars(
            self.start[first:],
            self.prices[:, first:],
            self.volume[first:],
            self.turnover[first:],
            self.count[first:],
        )

    def grouped(self, firsts: NDArray[np.intp]) -> "Bars":
        """One bar for each run of bars that begins at ``firsts``."""
        lasts = np.append(firsts[1:], len(self)) - 1
        return Bars(
            self.start[firsts],
            np.stack(
                (
                    self.prices[OPEN, firsts],
                    np.maximum.reduceat(self.prices[HIGH], firsts),
                    np.minimum.reduceat(self.prices[LOW], firsts),
                    self.prices[CLOSE, lasts],
                )
            ),
            _total(self.volume, firsts),
            np.add.reduceat(self.turnover, firsts),
            _total(self.count, firsts),
        )


def _total(counts: Ints, firsts: NDArray[np.intp]) -> Ints:
    """Sums over runs; runs of -1, which stands for none, stay -1."""
    totals: Ints = np.maximum(np.add.reduceat(counts, firsts), -1)
    return totals


class BarSource:
    """Bars of one market, in the prices a ``whatToShow`` asks for.

    ``what`` is TRADES, MIDPOINT, BID or ASK; ``until`` is an epoch second: nothing of what happens
    from it on is in the answer, and the bar it falls into is unfinished.
    """

    def __init__(self, market: Market) -> None:
        self._market = market
        self._day = lru_cache(CACHED_DAYS)(self._one_bar)

    def intraday(
        self, instrument: Instrument, index: int, what: str, *, step: int, regular: bool, until: int
    ) -> Bars | None:
        """Bars of ``step`` seconds of session ``index``, cut where the exchange's clock shows them.

        So the hours of a US stock begin at 09:30, 10:00, 11:00, as recorded from a real gateway.
        """
        bars = self._minutes(instrument, index, what, regular=regular, until=until)
        if bars is None or step == MINUTE:
            return bars
        table = sessions(instrument.hours)
        slots = (bars.start + table.utc_offset(index)) // step
        return bars.grouped(np.flatnonzero(np.diff(slots, prepend=-1)))

    def day(
        self, instrument: Instrument, index: int, what: str, *, regular: bool, until: int
    ) -> Bars | None:
        """One bar over all of session ``index`` that lies before ``until``."""
        _, closed = sessions(instrument.hours).span(index, regular=regular)
        # Cut to the close, all later moments find the same cached bar.
        return self._day(instrument, index, what, regular, min(until, closed))

    def _one_bar(
        self, instrument: Instrument, index: int, what: str, regular: bool, until: int
    ) -> Bars | None:
        bars = self._minutes(instrument, index, what, regular=regular, until=until)
        return None if bars is None else bars.grouped(np.array([0]))

    def _minutes(
        self, instrument: Instrument, index: int, what: str, *, regular: bool, until: int
    ) -> Bars | None:
        minutes = self._market.minutes(instrument, index)
        opened, closed = sessions(instrument.hours).span(index, regular=regular)
        end = min(closed, until)
        kept = slice(*np.searchsorted(minutes.start, (opened, end)))
        if kept.start >= kept.stop:
            return None
        bars = _shown(minutes, kept, what, instrument.half_spread)
        unfinished = end - int(bars.start[-1])
        return bars if unfinished >= MINUTE else _cut_last(bars, unfinished / MINUTE)


def _shown(minutes: Minutes, kept: slice, what: str, half_spread: int) -> Bars:
    start = minutes.start[kept]
    if what == "TRADES":
        return Bars(
            start,
            minutes.last[:, kept],
            minutes.volume[kept],
            minutes.turnover[kept],
            minutes.count[kept],
        )
    shift = {"BID": -half_spread, "MIDPOINT": 0, "ASK": half_spread}[what]
    none = np.full(len(start), -1)
    return Bars(start, minutes.mid[:, kept] + shift, none, none.astype(float), none)


def _cut_last(bars: Bars, part: float) -> Bars:
    """The last minute as it stood when only ``part`` of it (0 to 1) had passed."""
    prices, volume, turnover = bars.prices.copy(), bars.volume.copy(), bars.turnover.copy()
    opened, highest, lowest, closed = prices[:, -1]
    now = opened + round((closed - opened) * part)
    prices[:, -1] = (
        opened,
        max(opened, now, opened + round((highest - opened) * part)),
        min(opened, now, opened - round((opened - lowest) * part)),
        now,
    )
    if volume[-1] > 0:
        volume[-1] = max(1, int(volume[-1] * part))
        turnover[-1] *= volume[-1] / bars.volume[-1]
    return Bars(bars.start, prices, volume, turnover, np.minimum(bars.count, volume))

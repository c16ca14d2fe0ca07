"""Bars of any size, aggregated from the minutes or seconds of one session after another."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from core.simulator.hours import sessions
from core.simulator.market import Market
from core.simulator.steps import Floats, Ints, Steps
from core.simulator.universe import Instrument

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

    def restated(self, prices: float, shares: int) -> "Bars":
        """The same bars after corporate actions: prices and volumes multiplied."""
        return replace(
            self,
            prices=np.rint(self.prices * prices).astype(np.int64),
            volume=np.where(self.volume > 0, self.volume * shares, self.volume),
            turnover=self.turnover * prices * np.where(self.volume > 0, shares, 1),
        )

    def averaged(self) -> "Bars":
        """BID_ASK bars in the end: time average of the bid as open, of the ask as close.

        Until then ``turnover`` sums the mid price of ``count`` steps, and open and close hold the
        distance of bid and ask from it, so that bars can be grouped.
        """
        prices = self.prices.copy()
        prices[[OPEN, CLOSE]] += np.rint(self.turnover / self.count).astype(np.int64)
        return replace(self, prices=prices, count=np.full(len(self), -1))


def _total(counts: Ints, firsts: NDArray[np.intp]) -> Ints:
    """Sums over runs; runs of -1, which stands for none, stay -1."""
    totals: Ints = np.maximum(np.add.reduceat(counts, firsts), -1)
    return totals


class BarSource:
    """Bars of one market, in the prices a ``whatToShow`` asks for.

    ``what`` is TRADES, MIDPOINT, BID, ASK or BID_ASK (see ``Bars.averaged``); ``until`` is an
    epoch second: nothing of what happens from it on is in the answer, and the bar it falls into is
    unfinished.
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
        bars = self._finest(instrument, index, what, step=step, regular=regular, until=until)
        if bars is None:
            return None
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
        bars = self._finest(instrument, index, what, step=MINUTE, regular=regular, until=until)
        return None if bars is None else bars.grouped(np.array([0]))

    def _finest(
        self, instrument: Instrument, index: int, what: str, *, step: int, regular: bool, until: int
    ) -> Bars | None:
        """Minutes, the last of them perhaps unfinished, or seconds where ``step`` wants them."""
        opened, closed = sessions(instrument.hours).span(index, regular=regular)
        end = min(closed, until)
        if step < MINUTE:
            steps = self._market.seconds(instrument, index)
            return self._shown(instrument, index, steps, what, opened, end)
        steps = self._market.minutes(instrument, index)
        whole = self._shown(instrument, index, steps, what, opened, end - end % MINUTE)
        if end % MINUTE == 0:
            return whole
        steps = self._market.seconds(instrument, index)
        begun = self._shown(instrument, index, steps, what, max(opened, end - end % MINUTE), end)
        if begun is None:
            return whole
        minute = begun.grouped(np.array([0]))
        return minute if whole is None else Bars.joined([whole, minute])

    def _shown(
        self, instrument: Instrument, index: int, steps: Steps, what: str, begin: int, end: int
    ) -> Bars | None:
        """The steps from ``begin`` to ``end`` as bars of what is to be shown."""
        kept = slice(*np.searchsorted(steps.start, (begin, end)))
        if kept.start >= kept.stop:
            return None
        start = steps.start[kept]
        if what == "TRADES":
            return Bars(
                start,
                steps.last[:, kept],
                steps.volume[kept],
                steps.turnover[kept],
                steps.count[kept],
            )
        day = sessions(instrument.hours).trading_date(index)
        half_spread = instrument.half_spread * instrument.tick_on(day)
        mid, none = steps.mid[:, kept], np.full(len(start), -1)
        if what == "BID_ASK":
            nothing = np.zeros_like(mid[OPEN])
            prices = np.stack((nothing, mid[HIGH], mid[LOW], nothing))
            apart = half_spread * np.array([[-1], [1], [-1], [1]])
            return Bars(start, prices + apart, none, mid.mean(axis=0), np.ones_like(none))
        shift = {"BID": -half_spread, "MIDPOINT": 0, "ASK": half_spread}[what]
        return Bars(start, mid + shift, none, none.astype(float), none)

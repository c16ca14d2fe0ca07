"""The gateway's pacing rules for historical data, as IBKR publishes them.

Bars of 30 seconds and less, and head timestamps: no identical request within 15 seconds, fewer
than six for the same contract, exchange and tick type within 2 seconds, at most 60 in 10 minutes
(IBKR Campus, "Historical Data Limitations"). BID_ASK counts double. Larger bars are not limited.
"""

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

SMALL_BAR = 30
IDENTICAL_SECONDS = 15.0
BURST, BURST_SECONDS = 6, 2.0
BUDGET, BUDGET_SECONDS = 60, 600.0
OPEN_REQUESTS = 50


@dataclass(frozen=True)
class _Admitted:
    at: float
    request: Hashable
    series: Hashable
    weight: int


class Pacing:
    """Decides which small-bar requests go through; ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._admitted: deque[_Admitted] = deque()

    def admits(self, request: Hashable, series: Hashable, *, weight: int = 1) -> bool:
        """Whether ``request`` for ``series`` may go through now; it counts only if so."""
        now = self._clock()
        while self._admitted and now - self._admitted[0].at >= BUDGET_SECONDS:
            self._admitted.popleft()
        identical = burst = budget = 0
        for earlier in self._admitted:
            age = now - earlier.at
            budget += earlier.weight
            identical += earlier.request == request and age < IDENTICAL_SECONDS
            burst += earlier.weight * (earlier.series == series and age < BURST_SECONDS)
        if identical or burst + weight >= BURST or budget + weight > BUDGET:
            return False
        self._admitted.append(_Admitted(now, request, series, weight))
        return True

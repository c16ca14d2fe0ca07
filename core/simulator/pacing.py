"""The gateway's limits on what a client may ask, as IBKR publishes them, and who broke them.

Bars of 30 seconds and less, head timestamps and ticks: no identical request within 15 seconds,
fewer than six for the same contract, exchange and tick type within 2 seconds, at most 60 in 10
minutes; BID_ASK counts double. Of all historical requests, 50 may be open (IBKR Campus, "Historical
Data Limitations"). That ticks count is our reading: nothing published says that they do not.
"""

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass

SMALL_BAR = 30
IDENTICAL_SECONDS = 15.0
BURST, BURST_SECONDS = 6, 2.0
BUDGET, BUDGET_SECONDS = 60, 600.0
OPEN_REQUESTS = 50
MESSAGES_A_SECOND = 50
# IBKR does not say how a second is cut; over two, a client is not blamed for a slow network.
MESSAGES_WINDOW = 2.0
WARNINGS = 2

IDENTICAL_RULE = f"identical request within {IDENTICAL_SECONDS:.0f} s"
BURST_RULE = f"{BURST} requests for one series within {BURST_SECONDS:.0f} s"
BUDGET_RULE = f"more than {BUDGET} requests in {BUDGET_SECONDS / 60:.0f} minutes"
OPEN_RULE = f"more than {OPEN_REQUESTS} open requests"
MESSAGES_RULE = f"more than {MESSAGES_A_SECOND} messages a second"


@dataclass(frozen=True)
class Violation:
    """A rule that a client broke, and the kind of request (see ``Request``) that broke it."""

    rule: str
    kind: str
    client_id: int

    def __str__(self) -> str:
        return f"client {self.client_id}: {self.rule} ({self.kind})"


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

    def broken_rule(self, request: Hashable, series: Hashable, *, weight: int = 1) -> str | None:
        """The rule that ``request`` for ``series`` would break now; it counts only if none."""
        now = self._clock()
        while self._admitted and now - self._admitted[0].at >= BUDGET_SECONDS:
            self._admitted.popleft()
        burst = budget = weight
        for earlier in self._admitted:
            age = now - earlier.at
            if earlier.request == request and age < IDENTICAL_SECONDS:
                return IDENTICAL_RULE
            budget += earlier.weight
            burst += earlier.weight * (earlier.series == series and age < BURST_SECONDS)
        if burst >= BURST:
            return BURST_RULE
        if budget > BUDGET:
            return BUDGET_RULE
        self._admitted.append(_Admitted(now, request, series, weight))
        return None


class MessageRate:
    """Decides which messages of one client are too many; ``limit`` a second, None for no limit."""

    def __init__(self, clock: Callable[[], float], limit: int | None) -> None:
        self._clock = clock
        self._limit = limit
        self._arrived: deque[float] = deque()

    def is_exceeded(self) -> bool:
        """Whether the message that arrives now is one too many; it counts only if not."""
        if self._limit is None:
            return False
        now = self._clock()
        while self._arrived and now - self._arrived[0] >= MESSAGES_WINDOW:
            self._arrived.popleft()
        if len(self._arrived) >= self._limit * MESSAGES_WINDOW:
            return True
        self._arrived.append(now)
        return False

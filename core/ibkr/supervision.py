"""Coming back to a gateway that was lost: again and again, with pauses that grow, until told to
stop. So the gateway's nightly restart is survived with nobody there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from random import Random

from catalog.errors import BrokerUnavailable
from core.ibkr.refusals import AnotherGateway

type Pause = Callable[[float], Awaitable[None]]

LONGEST_WAIT_S = 60.0


def waits(random: Random) -> Iterator[float]:
    """Seconds to wait before each attempt, for ever: at most 1, 2, 4, ... and then 60, each time
    somewhere in the upper half, so that several programs do not return in step."""
    longest = 1.0
    while True:
        yield random.uniform(longest / 2, longest)
        longest = min(2 * longest, LONGEST_WAIT_S)


async def come_back(
    attempt: Callable[[], Awaitable[None]],
    announce: Callable[[int, float, BrokerUnavailable], None],
    rest: Pause,
    lost: BrokerUnavailable,
    random: Random,
) -> None:
    """Attempt until it succeeds. Before each one its number, the seconds until then, and why the
    one before failed are announced.

    Raises `AnotherGateway`: no further attempt would be right.
    """
    error = lost
    for number, seconds in enumerate(waits(random), 1):
        announce(number, seconds, error)
        await rest(seconds)
        try:
            return await attempt()
        except AnotherGateway:
            raise
        except BrokerUnavailable as failed:
            error = failed
    return None

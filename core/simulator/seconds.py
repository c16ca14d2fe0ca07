"""The seconds inside simulated minutes: whatever their minute says, and nothing else.

Open, high, low, close, volume and count of sixty seconds add up to those of their minute exactly;
average prices only nearly. A second without trades may show the price moving where its minute has
fewer trades than prices.
"""

import numpy as np

from core.simulator.steps import Ints, Steps

SECONDS = 60
# How far a minute wanders from a straight line, as a part of its range.
WANDER = 0.7


def seconds_of(minutes: Steps, rng: np.random.Generator, half_spread: int, unit: int) -> Steps:
    """The seconds of all ``minutes``, whose prices are multiples of ``unit`` ticks."""
    mid = _mid(minutes.mid[:, :, np.newaxis] // unit, rng)
    last = _last(mid, minutes.last[:, :, np.newaxis] // unit, rng, half_spread)
    mid, last = mid * unit, last * unit
    count = rng.multinomial(minutes.count, np.full(SECONDS, 1 / SECONDS))
    # A share for each trade, and what is left spread over the trades.
    share = count / np.maximum(minutes.count, 1)[:, np.newaxis]
    volume = count + rng.multinomial(minutes.volume - minutes.count, share)
    return Steps(
        start=(minutes.start[:, np.newaxis] + np.arange(SECONDS)).ravel(),
        mid=mid.reshape(4, -1),
        last=last.reshape(4, -1),
        volume=volume.ravel(),
        turnover=(last.mean(axis=0) * volume).ravel(),
        count=count.ravel(),
    )


def _mid(minute: Ints, rng: np.random.Generator) -> Ints:
    """Open, high, low, close of each second: a walk from open to close, once at either bound."""
    opened, highest, lowest, closed = minute
    rows = np.arange(len(opened))
    part = np.arange(1, SECONDS + 1) / SECONDS
    walk = rng.standard_normal((len(rows), SECONDS)).cumsum(axis=1)
    walk -= part * walk[:, -1:]
    walk *= WANDER * (highest - lowest) / np.maximum(np.abs(walk).max(axis=1, keepdims=True), 1e-9)
    closes = np.rint(opened + part * (closed - opened) + walk).astype(np.int64)
    closes = closes.clip(lowest, highest)
    closes[:, -1] = closed[:, 0]
    opens = np.hstack((opened, closes[:, :-1]))
    highs, lows = np.maximum(opens, closes), np.minimum(opens, closes)
    highs[rows, rng.integers(SECONDS, size=len(rows))] = highest[:, 0]
    lows[rows, rng.integers(SECONDS, size=len(rows))] = lowest[:, 0]
    return np.stack((opens, highs, lows, closes))


def _last(mid: Ints, minute: Ints, rng: np.random.Generator, half_spread: int) -> Ints:
    """Trades of each second, between its bid and its ask and within its minute."""
    opened, highest, lowest, closed = minute
    bounce = rng.integers(-half_spread, half_spread, endpoint=True, size=(2, *mid.shape[1:]))
    opens = (mid[0] + bounce[0]).clip(lowest, highest)
    closes = (mid[3] + bounce[1]).clip(lowest, highest)
    opens[:, 0], closes[:, -1] = opened[:, 0], closed[:, 0]
    highs = np.maximum(np.maximum(opens, closes), mid[1])
    lows = np.minimum(np.minimum(opens, closes), mid[2])
    return np.stack((opens, highs, lows, closes))

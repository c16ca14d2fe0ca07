"""What kind of bars a catalog holds: whose they are, and whether dividends adjusted them."""

from __future__ import annotations

from typing import Literal

type Origin = Literal["simulated", "real", "simulated adjusted", "real adjusted"]
"""Whether bars come from the simulator or a real broker, and whether their prices are adjusted for
dividends; a catalog holds one kind. Prices adjusted for splits only, as IBKR's trades are, count as
raw: each dividend would put adjusted ones at odds with those stored before."""


def origin_of(*, simulated: bool, adjusted: bool) -> Origin:
    """The origin of bars."""
    if simulated:
        return "simulated adjusted" if adjusted else "simulated"
    return "real adjusted" if adjusted else "real"


def is_simulated(origin: Origin | None) -> bool:
    """Whether bars come from the simulator."""
    return origin in ("simulated", "simulated adjusted")


def is_adjusted(origin: Origin | None) -> bool:
    """Whether prices are adjusted for dividends."""
    return origin in ("simulated adjusted", "real adjusted")

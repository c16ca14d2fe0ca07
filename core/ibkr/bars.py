"""Bars as the broker sends them -> exact columns, with what had to be rounded or refused told.

Stamps: `ts = open + bar size`, also for bars that a session cuts short; a bar of a day and longer
is stamped at the end of its date, D 23:59:59.999999999 UTC. Both as Nautilus 2's own IB adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from catalog.columns import BarColumns, Floats, Ints
from catalog.instruments import Definition
from catalog.series import NANOS_PER_SECOND, BarSpec
from core.ibkr.instruments import precision_of

if TYPE_CHECKING:
    from ib_async import BarData

_NANOS_PER_DAY = 86_400 * NANOS_PER_SECOND
_NO_VOLUME = -1.0
# Prices are decimals that were sent as text: a millionth of a tick is noise of the float.
_TICK_NOISE_DIGITS = 6
_SHARES_A_LOT = 100.0


@dataclass(frozen=True, slots=True)
class PriceScale:
    """How the broker's numbers become integers: price / magnifier, in units of `increment`."""

    increment: Decimal
    magnifier: int = 1
    size_precision: int = 0
    negative_prices: bool = False
    """Whether prices of zero and below are real: futures and spreads."""
    us_stock: bool = False
    """Whether a gateway may send its volumes in lots of 100, by "Send market data in lots for US
    stocks" of its API settings."""

    @property
    def price_precision(self) -> int:
        """The decimals of a price."""
        return precision_of(self.increment)


@dataclass(frozen=True, slots=True)
class Reject:
    """A bar that was not taken, and why. `stamp` is ns UTC."""

    stamp: int
    reason: str
    bar: BarData


@dataclass(frozen=True, slots=True)
class BarsRead:
    """The bars taken, those not taken, how many had a price or a volume rounded, how many came
    later than one that follows them, and whether their volumes came in lots."""

    columns: BarColumns
    rejects: tuple[Reject, ...]
    rounded_prices: int
    rounded_volumes: int
    reordered: int
    in_lots: bool


def read_bars(
    bars: Sequence[BarData], spec: BarSpec, scale: PriceScale, *, in_lots: bool = False
) -> BarsRead:
    """Turn the bars of one answer into columns, put in order.

    Prices off the tick are rounded half-even to it; a MID lies between ticks by nature and is
    rounded to the precision. A volume of -1 means none; fractional volumes are rounded half-up to
    the size precision. Volumes of US stocks in lots of 100 become shares: `in_lots` says that this
    gateway sends lots, else hundredths among the volumes do. Bars that come twice, with prices
    outside high and low, not positive or missing, or with a negative volume are rejected.
    """
    told = np.array([_stamp(bar.date, spec) for bar in bars], dtype=np.int64)
    order = np.argsort(told, kind="stable")
    stamps, bars = told[order], [bars[row] for row in order.tolist()]
    raw = [
        np.array([getattr(bar, name) for bar in bars], dtype=np.float64)
        for name in ("open", "high", "low", "close", "volume")
    ]
    prices, sizes = raw[:4], raw[4]
    reasons = _reasons(stamps, prices, sizes, allow_negative=scale.negative_prices)
    kept = np.array([reason is None for reason in reasons], dtype=np.bool_)

    exact = Decimal(1).scaleb(-scale.price_precision)
    step = exact if spec.side == "MID" else scale.increment
    on_grid = [_to_units(column[kept], step, exact, scale.magnifier) for column in prices]
    opens, highs, lows, closes = (units for units, _ in on_grid)
    sizes = np.where(sizes == _NO_VOLUME, 0.0, sizes)[kept]
    in_lots = scale.us_stock and spec.side == "LAST" and (in_lots or _are_lots(sizes))
    shares = sizes * _SHARES_A_LOT if in_lots else sizes
    scaled_sizes = shares * 10.0**scale.size_precision
    volumes = np.floor(scaled_sizes + 0.5)
    return BarsRead(
        BarColumns(
            stamps[kept],
            opens,
            highs,
            lows,
            closes,
            volumes.astype(np.int64),
            scale.price_precision,
            scale.size_precision,
        ),
        tuple(
            Reject(int(stamp), reason, bar)
            for stamp, reason, bar in zip(stamps, reasons, bars, strict=True)
            if reason is not None
        ),
        int(np.any([moved for _, moved in on_grid], axis=0).sum()),
        int((volumes != np.round(scaled_sizes, _TICK_NOISE_DIGITS)).sum()),
        int((told < np.maximum.accumulate(told)).sum()),
        in_lots,
    )


def first_open(columns: BarColumns, spec: BarSpec) -> int:
    """When the first bar opens, in the coordinate of its series; there is at least one."""
    stamp = int(columns.ts[0])
    return stamp - spec.nanos if spec.intraday else stamp + 1 - spec.nanos


def scale_of(definition: Definition) -> PriceScale:
    """The scale of an instrument definition of ours (`instruments.definition`)."""
    return PriceScale(
        Decimal(definition["price_increment"]),
        int(definition["info"]["price_magnifier"]),
        int(definition.get("size_precision", 0)),
        definition["type"] == "FuturesContract",
        definition["type"] == "Equity" and definition["currency"] == "USD",
    )


def _stamp(at: date | datetime, spec: BarSpec) -> int:
    if isinstance(at, datetime):
        return int(at.timestamp()) * NANOS_PER_SECOND + spec.nanos
    midnight = datetime(at.year, at.month, at.day, tzinfo=UTC)
    return int(midnight.timestamp()) * NANOS_PER_SECOND + _NANOS_PER_DAY - 1


def _to_units(
    prices: Floats, step: Decimal, unit: Decimal, magnifier: int
) -> tuple[Ints, npt.NDArray[np.bool_]]:
    """Prices in whole `unit`s, on the grid of `step`, and which of them were off that grid."""
    steps = np.round(prices / float(step * magnifier), _TICK_NOISE_DIGITS)
    nearest = np.rint(steps)  # half-even
    return nearest.astype(np.int64) * int(step / unit), steps != nearest


def _are_lots(sizes: Floats) -> bool:
    """Whether some of the volumes have a fraction, and all are whole hundredths."""
    shares = np.round(sizes * _SHARES_A_LOT, _TICK_NOISE_DIGITS)
    return bool(np.any(sizes % 1) and not np.any(shares % 1))


def _reasons(
    stamps: Ints, prices: list[Floats], sizes: Floats, *, allow_negative: bool
) -> list[str | None]:
    """For each bar why it is rejected, None for a good one."""
    opens, highs, lows, closes = prices
    table = np.array(prices)
    with np.errstate(invalid="ignore"):
        checks: list[tuple[str, npt.NDArray[np.bool_]]] = [
            ("a price is missing", ~np.isfinite(table).all(axis=0)),
            ("high is below another price", highs < np.maximum(opens, closes)),
            ("low is above another price", lows > np.minimum(opens, closes)),
            ("the volume is negative", (sizes < 0) & (sizes != _NO_VOLUME)),
            ("the volume is missing", ~np.isfinite(sizes)),
        ]
        if not allow_negative:
            checks.append(("a price is not positive", (table <= 0).any(axis=0)))
    checks.append(("it is there twice", np.diff(stamps, prepend=-1) == 0))
    reasons: list[str | None] = [None] * len(stamps)
    for reason, found in reversed(checks):
        for row in np.flatnonzero(found):
            reasons[row] = reason
    return reasons

"""Bars at other precisions: exactly, or not at all."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from catalog.columns import BarColumns, Ints
from catalog.errors import WrongInput


def rescaled(bars: BarColumns, price_precision: int, size_precision: int) -> BarColumns:
    """The same values in units of other precisions, which must hold them.

    Raises `WrongInput` when a value would not fit 64 bits.
    """
    prices = price_precision - bars.price_precision
    sizes = size_precision - bars.size_precision
    return replace(
        bars,
        open=_shifted(bars.open, prices),
        high=_shifted(bars.high, prices),
        low=_shifted(bars.low, prices),
        close=_shifted(bars.close, prices),
        volume=_shifted(bars.volume, sizes),
        price_precision=price_precision,
        size_precision=size_precision,
    )


def needed_precision(values: Ints, precision: int) -> int:
    """The least precision that holds every digit of the values."""
    while precision and not np.any(values % 10):
        values, precision = values // 10, precision - 1
    return precision


def _shifted(values: Ints, decimals: int) -> Ints:
    if decimals <= 0:
        return values // np.int64(10**-decimals)
    if len(values) and int(np.abs(values).max()) * 10**decimals >= 2**63:
        raise WrongInput("a price does not fit", f"{decimals} more decimals exceed 64 bits")
    return values * np.int64(10**decimals)

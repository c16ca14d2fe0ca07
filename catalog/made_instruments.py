"""Instruments made up from what an import tells of them, where no broker defines them."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from catalog.columns import BarColumns
from catalog.instruments import Definition
from catalog.series import Series

type Kind = Literal["equity", "index", "commodity"]


def made_instrument(
    series: Series, kind: Kind, currency: str, bars: BarColumns, zone: str | None
) -> Definition:
    """A definition with the bars' decimals, multiplier 1 and no limits, in force for all time.

    Its `info` says that it was made up.
    """
    common: Definition = {
        "id": series.instrument_id,
        "raw_symbol": series.symbol,
        "price_precision": bars.price_precision,
        "price_increment": f"{Decimal(1).scaleb(-bars.price_precision):f}",
        "ts_event": 0,
        "ts_init": 0,
        "info": {"source": "real", "made_up": True, "time_zone": zone or "UTC"},
    }
    sizes = {"size_precision": 0, "size_increment": "1"}
    margins = {"margin_init": "0", "margin_maint": "0"}
    match kind:
        case "equity":
            return common | margins | {"type": "Equity", "currency": currency}
        case "index":
            return common | sizes | {"type": "IndexInstrument", "currency": currency}
        case "commodity":
            return (
                common
                | sizes
                | margins
                | {
                    "type": "Commodity",
                    "asset_class": "COMMODITY",
                    "quote_currency": currency,
                }
            )

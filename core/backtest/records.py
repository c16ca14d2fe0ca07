"""Orders and accounts as rows, and the files a run leaves behind."""

from __future__ import annotations

from dataclasses import dataclass

EQUITY = "equity.parquet"
FILLS = "fills.parquet"
TRADES = "trades.parquet"
ORDERS = "orders.parquet"
POSITIONS = "positions.parquet"
ACCOUNTS = "accounts.parquet"
INDICATORS = "indicators.parquet"
ENGINE_LOG = "engine.jsonl"

REFUSED = frozenset({"DENIED", "REJECTED"})


@dataclass(frozen=True, slots=True)
class Order:
    """One order: when it was made (ns), what was wanted and what became of it.

    `status` is Nautilus' word; `reason` says why it was refused or cancelled.
    """

    ts: int
    instrument_id: str
    order_id: str
    side: str
    type: str
    units: float
    filled: float
    average_price: float | None
    status: str
    reason: str

    @property
    def refused(self) -> bool:
        """Whether a risk check or the venue turned it away."""
        return self.status in REFUSED


@dataclass(frozen=True, slots=True)
class Balance:
    """The cash of one of Nautilus' accounts after something changed it, at `ts` (ns): in all, and
    what of it is locked as margin."""

    ts: int
    account_id: str
    currency: str
    total: float
    locked: float

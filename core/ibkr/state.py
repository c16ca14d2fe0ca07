"""What a broker session is, to look at: its endpoint, its state, how far away the broker is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Literal

_SIMULATED_PREFIX = "DUSIM"
_PAPER_PREFIXES = ("DU", "DF")
"""IBKR's accounts for paper trading begin so, those of advisers and their clients too."""


class ConnectionKind(StrEnum):
    """The state of a broker session in one word."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DEGRADED = "degraded"
    RECONNECTING = "reconnecting"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a gateway listens. Without a client id, free ones are tried."""

    host: str
    port: int
    client_id: int | None = None
    timeout: float = 5.0
    """Seconds for a connection to stand, from TCP to the accounts."""

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """A session as a screen shows it; replaced as a whole at each change."""

    kind: ConnectionKind = ConnectionKind.DISCONNECTED
    reason: str = ""
    steps: tuple[str, ...] = ()
    since: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it became connected, refused, disconnected or lost; a degraded session and one that
    reconnects keep their start. Aware UTC."""
    server_version: int | None = None
    accounts: tuple[str, ...] = ()
    client_id: int | None = None
    upstream: bool = True
    """Whether the gateway itself reaches IBKR: false between its notices 1100 and 1101 or 1102."""
    attempt: int = 0
    """While reconnecting: which attempt is next or under way."""
    next_try: datetime | None = None
    """While reconnecting: when that attempt begins, aware UTC; None while it is under way."""

    @property
    def usable(self) -> bool:
        """Whether requests can be sent."""
        return self.kind in (ConnectionKind.CONNECTED, ConnectionKind.DEGRADED)

    @property
    def answering(self) -> bool:
        """Whether requests can be answered: the gateway reaches IBKR."""
        return self.usable and self.upstream

    @property
    def pending(self) -> bool:
        """Whether it may become usable without anybody doing anything about it."""
        return self.kind in (ConnectionKind.CONNECTING, ConnectionKind.RECONNECTING) or (
            self.usable and not self.upstream
        )

    @property
    def simulated(self) -> bool:
        """Whether the accounts are those of the simulator."""
        return bool(self.accounts) and all(
            account.startswith(_SIMULATED_PREFIX) for account in self.accounts
        )

    @property
    def live(self) -> bool:
        """Whether one of the accounts is not for paper trading, whatever the profile says."""
        return not all(account.startswith(_PAPER_PREFIXES) for account in self.accounts)

    @property
    def money(self) -> Literal["", "simulated", "paper", "LIVE"]:
        """What the accounts hold, in a word; empty before they are known."""
        if not self.accounts:
            return ""
        return "simulated" if self.simulated else "LIVE" if self.live else "paper"

    @property
    def masked_accounts(self) -> tuple[str, ...]:
        """The accounts for the eye of others: `DU***4567`."""
        return tuple(f"{account[:2]}***{account[-4:]}" for account in self.accounts)


@dataclass(frozen=True, slots=True)
class Ping:
    """How far away the broker is: seconds there and back, and its clock minus ours.

    The broker tells whole seconds, so the offset is good to half a second.
    """

    round_trip_s: float
    clock_offset_s: float

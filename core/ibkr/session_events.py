"""What a broker session reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from catalog.events import Event, Level


@dataclass(frozen=True, slots=True)
class SessionEvent(Event):
    """Something that happens to a broker session."""

    channel: ClassVar[str] = "session"


@dataclass(frozen=True, slots=True)
class SessionWarning(SessionEvent):
    """Something of it that a person should look at."""

    level: ClassVar[Level] = Level.WARNING


@dataclass(frozen=True, slots=True)
class Connecting(SessionEvent):
    """A connection is tried."""

    endpoint: str
    client_id: int

    def __str__(self) -> str:
        return f"connecting to {self.endpoint} as client {self.client_id}"


@dataclass(frozen=True, slots=True)
class ClientIdInUse(SessionWarning):
    """A client id was refused; the next one is tried."""

    client_id: int

    def __str__(self) -> str:
        return f"client id {self.client_id} is in use, trying the next one"


@dataclass(frozen=True, slots=True)
class Connected(SessionEvent):
    """The session stands."""

    endpoint: str
    server_version: int
    accounts: tuple[str, ...]
    simulated: bool

    def __str__(self) -> str:
        accounts = "1 account" if len(self.accounts) == 1 else f"{len(self.accounts)} accounts"
        simulated = ", SIMULATED" if self.simulated else ""
        return (
            f"connected to {self.endpoint}, server {self.server_version}, {accounts}, "
            f"read-only{simulated}"
        )


@dataclass(frozen=True, slots=True)
class LiveAccount(SessionWarning):
    """Behind a profile for paper trading there is an account with real money."""

    profile: str
    accounts: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{' '.join(self.accounts)} is a LIVE account, though the profile {self.profile} is "
            "for paper trading: is it the right gateway? The session is read-only"
        )


@dataclass(frozen=True, slots=True)
class ConnectionLost(SessionWarning):
    """A session that stood is gone; it is taken up again by itself."""

    endpoint: str
    reason: str

    def __str__(self) -> str:
        return f"lost the connection to {self.endpoint}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Reconnecting(SessionWarning):
    """The next attempt to take a lost session up again, and why there is none yet."""

    attempt: int
    seconds: float
    reason: str

    def __str__(self) -> str:
        return f"reconnecting: {self.reason}; attempt {self.attempt} in {self.seconds:.0f} s"


@dataclass(frozen=True, slots=True)
class PacingWait(Event):
    """A request is held back: by us, so as not to break a rule of the broker, or after the broker
    said that one was broken. 0 seconds: until one of the open requests ends."""

    channel: ClassVar[str] = "fetch"
    level: ClassVar[Level] = Level.WARNING

    seconds: float
    rule: str

    def __str__(self) -> str:
        how_long = f"{self.seconds:,.0f} s" if self.seconds else "until a request ends"
        return f"waiting {how_long} before asking: {self.rule}"

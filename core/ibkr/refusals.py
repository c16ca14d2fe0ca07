"""Why a connection did not come about, and what to change in TWS or IB Gateway.

The settings are those of IBKR's "TWS API initial setup" page.
"""

from __future__ import annotations

import os
from typing import ClassVar, Literal

from catalog.errors import BrokerUnavailable

_SETTINGS = "TWS: File > Global Configuration > API > Settings; Gateway: Configure > Settings > API"
_PORTS = "IB Gateway listens on 4001 (live) or 4002 (paper), TWS on 7496 (live) or 7497 (paper)"


type Stage = Literal["tcp", "handshake", "login"]


class ConnectionRefused(BrokerUnavailable):
    """A session did not come about; `stage` is the part that failed."""

    stage: ClassVar[Stage]


class NoTcp(ConnectionRefused):
    """There is no way to the gateway's port."""

    stage = "tcp"


class NoHandshake(ConnectionRefused):
    """The port is open, but what is there does not agree to a session."""

    stage = "handshake"


class NoLogin(ConnectionRefused):
    """The gateway answers, but gives this client no session."""

    stage = "login"


class AnotherGateway(NoLogin):
    """What answers now is not what was connected before."""


def nobody_listens(endpoint: str, code: int | None) -> NoTcp:
    """The TCP connection was refused or no way leads there; `code` is the system's errno, None
    where several addresses of a host failed in several ways."""
    cause = f" ({os.strerror(code)})" if code else ""
    return NoTcp(
        f"cannot reach the broker at {endpoint}",
        f"nothing accepts connections there{cause}",
        "start TWS or IB Gateway and log in",
        f"tick 'Enable ActiveX and Socket Clients' ({_SETTINGS})",
        f"compare the port with 'Socket port' there; {_PORTS}",
        "no gateway at hand: quarterdeck demo",
    )


def unknown_host(endpoint: str, host: str) -> NoTcp:
    """The host's name has no address."""
    return NoTcp(
        f"cannot reach the broker at {endpoint}",
        f"there is no host named '{host}'",
        "check the host in the profile or after --host; 127.0.0.1 is this machine",
    )


def unreachable(endpoint: str, seconds: float) -> NoTcp:
    """No answer even to the TCP connection."""
    return NoTcp(
        f"cannot reach the broker at {endpoint}",
        f"the host did not answer in {seconds:g} s",
        "check host and port, and firewalls between here and there",
    )


def silent(endpoint: str, seconds: float) -> NoHandshake:
    """Connected, but the handshake is not answered."""
    return NoHandshake(
        f"the broker at {endpoint} does not answer",
        f"it took the connection and then said nothing for {seconds:g} s",
        "look at the TWS or Gateway window: a dialog 'Accept incoming connection?' waits for a yes",
        f"add this machine to 'Trusted IPs' ({_SETTINGS}) so that it is not asked again",
        f"make sure that this is an API port; {_PORTS}",
        "restart TWS or IB Gateway when it hangs",
    )


def not_logged_in(endpoint: str, seconds: float) -> NoLogin:
    """The handshake was answered, but no account was named."""
    return NoLogin(
        f"the broker at {endpoint} is not ready",
        f"it answered the handshake but named no account in {seconds:g} s",
        "finish logging in to TWS or IB Gateway, two-factor confirmation included",
        "during the nightly restart: try again in a few minutes",
    )


def closed(endpoint: str) -> NoHandshake:
    """The gateway closed the socket before the session stood."""
    return NoHandshake(
        f"the broker at {endpoint} refused the session",
        "it closed the connection during the handshake",
        f"tick 'Enable ActiveX and Socket Clients' ({_SETTINGS})",
        f"add this machine to 'Trusted IPs' or untick 'Allow connections from localhost only' "
        f"({_SETTINGS})",
        "use TWS or IB Gateway 10.19 or newer",
    )


def client_id_in_use(endpoint: str, client_ids: list[int], text: str) -> NoLogin:
    """Error 326 for every client id that was tried."""
    tried = ", ".join(str(client_id) for client_id in client_ids)
    return NoLogin(
        f"client id in use at {endpoint}",
        f"error 326 for client id {tried}: {text}",
        "choose another one with --client-id, or leave it out to have free ones tried",
        "end the other program that uses it; after a crash the gateway frees it within a minute",
    )


def another_gateway(endpoint: str, *, simulated: bool) -> AnotherGateway:
    """After a loss, simulated data where real ones were, or the reverse."""
    now, before = ("simulated", "real") if simulated else ("real", "simulated")
    return AnotherGateway(
        f"another gateway answers at {endpoint}",
        f"its data are {now}, those before were {before}; work under way must not mix them",
        "look which program listens there, then connect again",
    )


def stopped_answering(endpoint: str, seconds: float) -> BrokerUnavailable:
    """The session stood, and then the gateway said nothing any more."""
    return BrokerUnavailable(
        f"the broker at {endpoint} stopped answering",
        f"it was silent for {seconds:g} s on an open connection",
        "look at the TWS or Gateway window: does it hang, is a dialog open?",
        "check the line to its machine",
    )


def lost(endpoint: str) -> BrokerUnavailable:
    """The socket closed while something was asked."""
    return BrokerUnavailable(
        f"the connection to the broker at {endpoint} was lost",
        "TWS or IB Gateway closed it or went away",
        "check that TWS or IB Gateway runs and is logged in",
        "run it again: what was stored is kept, only the rest is asked for",
    )


def interrupted(title: str, reason: str) -> BrokerUnavailable:
    """A request was lost with the connection."""
    return BrokerUnavailable(
        title,
        reason,
        "check that TWS or IB Gateway runs and is logged in",
        "run it again: what was stored is kept, only the rest is asked for",
    )


def not_connected(endpoint: str) -> BrokerUnavailable:
    """Something needs the broker and there is no session."""
    return BrokerUnavailable(
        f"not connected to the broker at {endpoint}",
        "this needs an open session",
        "connect first",
    )


def not_usable(endpoint: str, reason: str, steps: tuple[str, ...]) -> BrokerUnavailable:
    """Something waits for the broker and nothing is under way that could bring it back."""
    return BrokerUnavailable(
        f"not connected to the broker at {endpoint}",
        reason or "the session was ended",
        *(steps or ("connect, then run it again: what was stored is kept",)),
    )

"""Why a connection did not come about, and what to change in TWS or IB Gateway.

The settings are those of IBKR's "TWS API initial setup" page.
"""

from __future__ import annotations

import os

from catalog.errors import BrokerUnavailable

_SETTINGS = "TWS: File > Global Configuration > API > Settings; Gateway: Configure > Settings > API"
_PORTS = "IB Gateway listens on 4001 (live) or 4002 (paper), TWS on 7496 (live) or 7497 (paper)"


def nobody_listens(endpoint: str, code: int | None) -> BrokerUnavailable:
    """The TCP connection was refused or no way leads there; `code` is the system's errno, None
    where several addresses of a host failed in several ways."""
    cause = f" ({os.strerror(code)})" if code else ""
    return BrokerUnavailable(
        f"cannot reach the broker at {endpoint}",
        f"nothing accepts connections there{cause}",
        "start TWS or IB Gateway and log in",
        f"tick 'Enable ActiveX and Socket Clients' ({_SETTINGS})",
        f"compare the port with 'Socket port' there; {_PORTS}",
        "no gateway at hand: quarterdeck demo",
    )


def unknown_host(endpoint: str, host: str) -> BrokerUnavailable:
    """The host's name has no address."""
    return BrokerUnavailable(
        f"cannot reach the broker at {endpoint}",
        f"there is no host named '{host}'",
        "check the host in the profile or after --host; 127.0.0.1 is this machine",
    )


def unreachable(endpoint: str, seconds: float) -> BrokerUnavailable:
    """No answer even to the TCP connection."""
    return BrokerUnavailable(
        f"cannot reach the broker at {endpoint}",
        f"the host did not answer in {seconds:g} s",
        "check host and port, and firewalls between here and there",
    )


def silent(endpoint: str, seconds: float) -> BrokerUnavailable:
    """Connected, but the handshake is not answered."""
    return BrokerUnavailable(
        f"the broker at {endpoint} does not answer",
        f"it took the connection and then said nothing for {seconds:g} s",
        "look at the TWS or Gateway window: a dialog 'Accept incoming connection?' waits for a yes",
        f"add this machine to 'Trusted IPs' ({_SETTINGS}) so that it is not asked again",
        f"make sure that this is an API port; {_PORTS}",
        "restart TWS or IB Gateway when it hangs",
    )


def not_logged_in(endpoint: str, seconds: float) -> BrokerUnavailable:
    """The handshake was answered, but no account was named."""
    return BrokerUnavailable(
        f"the broker at {endpoint} is not ready",
        f"it answered the handshake but named no account in {seconds:g} s",
        "finish logging in to TWS or IB Gateway, two-factor confirmation included",
        "during the nightly restart: try again in a few minutes",
    )


def closed(endpoint: str) -> BrokerUnavailable:
    """The gateway closed the socket before the session stood."""
    return BrokerUnavailable(
        f"the broker at {endpoint} refused the session",
        "it closed the connection during the handshake",
        f"tick 'Enable ActiveX and Socket Clients' ({_SETTINGS})",
        f"add this machine to 'Trusted IPs' or untick 'Allow connections from localhost only' "
        f"({_SETTINGS})",
        "use TWS or IB Gateway 10.19 or newer",
    )


def client_id_in_use(endpoint: str, client_ids: list[int], text: str) -> BrokerUnavailable:
    """Error 326 for every client id that was tried."""
    tried = ", ".join(str(client_id) for client_id in client_ids)
    return BrokerUnavailable(
        f"client id in use at {endpoint}",
        f"error 326 for client id {tried}: {text}",
        "choose another one with --client-id, or leave it out to have free ones tried",
        "end the other program that uses it; after a crash the gateway frees it within a minute",
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

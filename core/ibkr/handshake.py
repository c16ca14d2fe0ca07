"""The way to a standing session, with one deadline, told apart by how it can fail.

`ib_async` waits for its whole timeout when the gateway closes the socket or refuses the client id:
here its events race against it. It is imported in a thread at the first attempt, for that takes
0.4 s, which neither the first paint nor the loop has.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from importlib import import_module
from typing import TYPE_CHECKING, Any

from catalog.errors import BrokerUnavailable
from core.ibkr import refusals

if TYPE_CHECKING:
    from ib_async import IB

    from core.ibkr.connection import Endpoint

CLIENT_ID_IN_USE = 326

# ib_async decodes all it has received before the loop goes on: with asyncio's 256 KiB that may be
# several answers of 2,000 bars at 25 ms each.
_RECEIVED_AT_ONCE = 32 * 1024

# ib_async tells its errors by events too; its log lines must not reach the terminal.
_ib_logger = logging.getLogger("ib_async")
_ib_logger.propagate = False
_ib_logger.addHandler(logging.NullHandler())


class IdInUse(Exception):
    """The gateway refused the client id, in these words."""


async def new_client() -> IB:
    """A client that raises the errors of requests; not connected yet."""
    ib_async: Any = await asyncio.to_thread(import_module, "ib_async")
    ib: IB = ib_async.IB()
    ib.RaiseRequestErrors = True
    return ib


async def shake_hands(ib: IB, endpoint: Endpoint, client_id: int) -> None:
    """Connect read-only and wait until the accounts are known; nothing else is asked for.

    Raises `IdInUse`, or `BrokerUnavailable` naming what is wrong. After a failure, also after a
    cancel, the client is disconnected.
    """
    ib_async: Any = import_module("ib_async")
    refused: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    def refuse(error: Exception) -> None:
        if not refused.done():
            refused.set_result(error)

    def on_error(_: int, code: int, text: str, __: object) -> None:
        if code == CLIENT_ID_IN_USE:
            refuse(IdInUse(text))

    def on_closed(_: str) -> None:
        refuse(refusals.closed(str(endpoint)))

    ib.errorEvent += on_error
    ib.client.apiError += on_closed
    ib.client.conn.disconnected += on_closed  # all there is for a clean end of the stream
    attempt = asyncio.create_task(
        ib.connectAsync(
            endpoint.host,
            endpoint.port,
            client_id,
            timeout=None,
            readonly=True,
            fetchFields=ib_async.StartupFetchNONE,
        )
    )
    try:
        await asyncio.wait(
            {attempt, refused}, timeout=endpoint.timeout, return_when=asyncio.FIRST_COMPLETED
        )
        if attempt.done():  # looked at first: a failing attempt also says that it is closed
            _raise_failure(attempt, endpoint)
            if not ib.isConnected():  # lost again in the same moment
                raise refusals.closed(str(endpoint))
        elif refused.done():
            raise refused.result()
        else:
            raise _too_late(ib, endpoint)
    finally:
        ib.errorEvent -= on_error
        ib.client.apiError -= on_closed
        ib.client.conn.disconnected -= on_closed
        if not attempt.done():
            attempt.cancel()
            await asyncio.wait({attempt})
    client: Any = ib.client
    client.conn.transport.max_size = _RECEIVED_AT_ONCE


def _raise_failure(attempt: asyncio.Task[Any], endpoint: Endpoint) -> None:
    where = str(endpoint)
    try:
        attempt.result()
    except (socket.gaierror, UnicodeError):
        raise refusals.unknown_host(where, endpoint.host) from None
    except OSError as error:
        if isinstance(error, ConnectionError) and error.errno is None:
            raise refusals.closed(where) from None  # ib_async's own: it broke while connecting
        raise refusals.nobody_listens(where, error.errno) from None


def _too_late(ib: IB, endpoint: Endpoint) -> BrokerUnavailable:
    where, seconds = str(endpoint), endpoint.timeout
    client: Any = ib.client
    if not client.conn.isConnected():
        return refusals.unreachable(where, seconds)
    if not client.isConnected():
        return refusals.silent(where, seconds)
    return refusals.not_logged_in(where, seconds)

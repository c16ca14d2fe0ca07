"""One request on the wire: sent by `ib_async`'s client, ended here.

`ib_async`'s own wrappers give an empty list for no data, a time-out and a refusal alike, never end
a request that got error 321, and leave schedules, ticks and head timestamps without a time-out. So
requests are sent here, with a time-out, a cancel at the broker, and one meaning for each end.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from core.ibkr.connection import BrokerSession
from core.ibkr.outcomes import Lost, Timeout, failure

if TYPE_CHECKING:
    from ib_async import Contract

_VALIDATION_FAILED = 321


async def ask(
    session: BrokerSession,
    contract: Contract | None,
    send: Callable[[Any, int, Any], None],
    *,
    cancel: Callable[[Any, int], None] | None = None,
    cancel_answered: bool = False,
    timeout: float,
) -> Any:
    """Send one request and wait for its end: what ib_async made of the answer, or a `Failure`.

    `send` is called with ib_async's client, the request's id and the contract, `cancel` with
    client and id; the latter also after an answer where `cancel_answered` is set.

    An answer after the end finds nobody: ib_async drops it. A cancelled task cancels the request
    at the broker.
    """
    if not session.state.answering:
        return Lost(session.state.reason or "there is no session")
    from ib_async.wrapper import RequestError

    ib = session.ib
    client: Any = ib.client
    wrapper: Any = ib.wrapper
    request_id = client.getReqId()
    asked = copy.copy(contract)  # ib_async keeps it by request
    answer: asyncio.Future[Any] = wrapper.startReq(request_id, asked)

    def refuse(number: int, code: int, text: str, _: object) -> None:
        if number == request_id and code == _VALIDATION_FAILED and not answer.done():
            answer.set_exception(RequestError(number, code, text))

    def watch() -> None:
        if not session.state.answering and not answer.done():
            answer.set_exception(ConnectionError(session.state.reason))

    ib.errorEvent += refuse
    unsubscribe = session.subscribe(watch)
    answered = False
    try:
        send(client, request_id, asked)
        result = await asyncio.wait_for(answer, timeout)
        answered = True
        return result
    except TimeoutError:
        return Timeout(timeout)
    except RequestError as error:
        answered = True
        return failure(error.code, error.message)
    except ConnectionError:
        return Lost(session.state.reason or "the session was ended")
    finally:
        unsubscribe()
        ib.errorEvent -= refuse
        wrapper._endReq(request_id)  # forgets what an answer that comes late would be added to
        if cancel is not None and (cancel_answered or not answered) and ib.isConnected():
            cancel(client, request_id)

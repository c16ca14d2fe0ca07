"""One request on the wire: sent by `ib_async`'s client, ended here.

`ib_async`'s own wrappers give an empty list for no data, a time-out and a refusal alike, never end
a request that got error 321, and leave schedules, ticks and head timestamps without a time-out. So
requests are sent here, with a time-out, a cancel at the broker, and one meaning for each end.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from catalog.events import Report
from core.ibkr.connection import BrokerSession
from core.ibkr.outcomes import Lost, Timeout, failure
from core.ibkr.pacing_rules import Demand

if TYPE_CHECKING:
    from ib_async import Contract

_VALIDATION_FAILED = 321
_CANCELLED_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Question:
    """One request, ready to be sent."""

    contract: Contract | None
    send: Callable[[Any, int, Any], None]
    """Called with ib_async's client, the request's id and the contract."""
    timeout: float
    demand: Demand = field(default_factory=Demand)
    """What it asks of the rules of pacing."""
    cancel: Callable[[Any, int], None] | None = None
    """Called with client and id where there was no answer."""
    cancel_answered: bool = False
    """Whether it has to be cancelled even then."""


async def ask(session: BrokerSession, question: Question, report: Report | None = None) -> Any:
    """Send a request when pacing admits it, and wait for its end: what ib_async made of the
    answer, or a `Failure`. Waits for admission are told to `report`, by default the session's.
    """
    if session.pacing is None or not session.state.answering:
        return await _exchange(session, question)
    async with session.pacing.admitted(
        question.demand, question.timeout + _CANCELLED_WITHIN_S, report or session.report
    ) as admission:
        admission.sent = session.state.answering
        return await _exchange(session, question)


async def _exchange(session: BrokerSession, question: Question) -> Any:
    """The request and its end. An answer after the end finds nobody: ib_async drops it. A
    cancelled task cancels the request at the broker.
    """
    if not session.state.answering:
        return _lost(session)
    from ib_async.wrapper import RequestError

    ib = session.ib
    client: Any = ib.client
    wrapper: Any = ib.wrapper
    request_id = client.getReqId()
    asked = copy.copy(question.contract)  # ib_async keeps it by request
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
        question.send(client, request_id, asked)
        result = await asyncio.wait_for(answer, question.timeout)
        answered = True
        return result
    except TimeoutError:
        return Timeout(question.timeout)
    except RequestError as error:
        answered = True
        return failure(error.code, error.message)
    except ConnectionError:
        return _lost(session)
    finally:
        unsubscribe()
        ib.errorEvent -= refuse
        wrapper._endReq(request_id)  # forgets what an answer that comes late would be added to
        open_there = question.cancel_answered or not answered
        if question.cancel is not None and open_there and ib.isConnected():
            question.cancel(client, request_id)


def _lost(session: BrokerSession) -> Lost:
    return Lost(session.state.reason or "there is no session")

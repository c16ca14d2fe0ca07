"""Requests to the broker whose outcome is a value: what was answered, or why nothing was.

`ib_async`'s own wrappers give an empty list for no data, a time-out and a refusal alike, never end
a request that got error 321, and leave schedules and head timestamps without a time-out. So
requests are sent here, by its client, with a time-out, a cancel at the broker, and one meaning for
each end.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from catalog.errors import BrokerUnavailable, DataUnavailable, QuarterdeckError, WrongInput
from core.ibkr import refusals
from core.ibkr.connection import BrokerSession
from core.ibkr.notices import failure_kind

if TYPE_CHECKING:
    from ib_async import (
        BarData,
        Contract,
        ContractDescription,
        ContractDetails,
        HistoricalSchedule,
    )

DETAILS_TIMEOUT = 20.0
HISTORY_TIMEOUT = 60.0
"""Seconds. Gateways answer slowly rather than not at all when they throttle."""

_VALIDATION_FAILED = 321
_FORMAT_EPOCH = 2
_EARLIEST_HEAD = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST_HEAD = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Bars:
    """The bars, as the broker gave them."""

    bars: tuple[BarData, ...]


@dataclass(frozen=True, slots=True)
class Empty:
    """The broker says that there is no data."""

    text: str


@dataclass(frozen=True, slots=True)
class Pacing:
    """Too many requests; the same one may succeed later."""

    text: str


@dataclass(frozen=True, slots=True)
class Timeout:
    """No answer in time; the request was cancelled at the broker."""

    seconds: float


@dataclass(frozen=True, slots=True)
class NotFound:
    """The broker knows no such contract."""

    text: str


@dataclass(frozen=True, slots=True)
class NoPermission:
    """The account may not see this data."""

    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Anything else, in the broker's words."""

    code: int
    text: str


type Failure = Empty | Pacing | Timeout | NotFound | NoPermission | Refused


async def historical_bars(
    session: BrokerSession,
    contract: Contract,
    *,
    end: datetime,
    duration: str,
    bar_size: str,
    what: str,
    regular_hours: bool,
    timeout: float = HISTORY_TIMEOUT,
) -> Bars | Failure:
    """The bars of `duration` before `end` (aware). Their dates are aware UTC datetimes, or dates
    for bars of a day and longer.

    Raises `BrokerUnavailable` when the connection is not there or goes away.
    """
    answer: list[BarData] | Failure = await _history(
        session, contract, end, duration, bar_size, what, regular_hours, timeout
    )
    if not isinstance(answer, list):
        return answer
    return Bars(tuple(answer)) if answer else Empty("the answer has no bars")


async def historical_schedule(
    session: BrokerSession,
    contract: Contract,
    *,
    end: datetime,
    duration: str,
    regular_hours: bool,
    timeout: float = HISTORY_TIMEOUT,
) -> HistoricalSchedule | Failure:
    """The market's sessions in `duration` before `end`. Raises as `historical_bars`."""
    answer: HistoricalSchedule | Failure = await _history(
        session, contract, end, duration, "1 day", "SCHEDULE", regular_hours, timeout
    )
    return answer


async def head_timestamp(
    session: BrokerSession,
    contract: Contract,
    *,
    what: str,
    regular_hours: bool,
    timeout: float = DETAILS_TIMEOUT,
) -> datetime | Failure:
    """When the broker's data begin, aware UTC. Raises as `historical_bars`."""
    client: Any = session.ib.client
    try:
        answer: datetime | Failure = await _ask(
            session,
            contract,
            lambda request_id, asked: client.reqHeadTimeStamp(
                request_id, asked, what, regular_hours, _FORMAT_EPOCH
            ),
            # An answered one, too, stays open at the broker until it is cancelled.
            cancel=client.cancelHeadTimeStamp,
            cancel_answered=True,
            timeout=timeout,
        )
    except ValueError as error:  # ib_async could not read it: absurd years occur
        return Empty(str(error))
    if not isinstance(answer, datetime):
        return answer
    moment = answer.replace(tzinfo=UTC) if answer.tzinfo is None else answer.astimezone(UTC)
    if not _EARLIEST_HEAD < moment < _LATEST_HEAD:
        return Empty(f"the broker says its data begin at {moment}")
    return moment


async def contract_details(
    session: BrokerSession, contract: Contract, *, timeout: float = DETAILS_TIMEOUT
) -> list[ContractDetails] | Failure:
    """All contracts that fit a description. Raises as `historical_bars`."""
    client: Any = session.ib.client
    answer: list[ContractDetails] | Failure = await _ask(
        session, contract, client.reqContractDetails, timeout=timeout
    )
    return answer


async def matching_symbols(
    session: BrokerSession, pattern: str, *, timeout: float = DETAILS_TIMEOUT
) -> list[ContractDescription] | Failure:
    """Contracts whose symbol or name resembles `pattern`. Raises as `historical_bars`."""
    client: Any = session.ib.client
    answer: list[ContractDescription] | Failure = await _ask(
        session,
        None,
        lambda request_id, _: client.reqMatchingSymbols(request_id, pattern),
        timeout=timeout,
    )
    return answer


def as_error(failure: Failure, doing: str) -> QuarterdeckError:
    """A failure as an error for a person; `doing` completes "cannot ..."."""
    title = f"cannot {doing}"
    match failure:
        case Empty(text):
            return DataUnavailable(title, text, "ask for another range or price")
        case Pacing(text):
            return BrokerUnavailable(
                title, text, "wait ten minutes, then run it again: what was stored is kept"
            )
        case Timeout(seconds):
            return BrokerUnavailable(
                title,
                f"the broker did not answer in {seconds:g} s",
                "look for broken data farms: quarterdeck connect",
                "run it again: what was stored is kept",
            )
        case NotFound(text):
            return WrongInput(title, text, "check the id")
        case NoPermission(text):
            return DataUnavailable(
                title,
                text,
                "subscribe to the market data in IBKR's Client Portal (Settings > Market data)",
                "log out of other sessions of the same user",
            )
        case Refused(code, text):
            return DataUnavailable(
                title,
                f"error {code}: {text}",
                f"look up {code} among IBKR's message codes, then change the request or retry",
            )


async def _history(
    session: BrokerSession,
    contract: Contract,
    end: datetime,
    duration: str,
    bar_size: str,
    what: str,
    regular_hours: bool,
    timeout: float,
) -> Any:
    client: Any = session.ib.client
    moment = f"{end.astimezone(UTC):%Y%m%d %H:%M:%S} UTC"
    return await _ask(
        session,
        contract,
        lambda request_id, asked: client.reqHistoricalData(
            request_id,
            asked,
            moment,
            duration,
            bar_size,
            what,
            regular_hours,
            _FORMAT_EPOCH,
            False,
            [],
        ),
        cancel=client.cancelHistoricalData,
        timeout=timeout,
    )


async def _ask(
    session: BrokerSession,
    contract: Contract | None,
    send: Callable[[int, Any], None],
    *,
    cancel: Callable[[int], None] | None = None,
    cancel_answered: bool = False,
    timeout: float,
) -> Any:
    """Send one request and wait for its end: what ib_async made of the answer, or a `Failure`.

    An answer after the end finds nobody: ib_async drops it. A cancelled task cancels the request
    at the broker.
    """
    from ib_async.wrapper import RequestError

    ib = session.ib
    wrapper: Any = ib.wrapper
    request_id = ib.client.getReqId()
    asked = copy.copy(contract)  # ib_async keeps it by request
    answer: asyncio.Future[Any] = wrapper.startReq(request_id, asked)

    def refuse(number: int, code: int, text: str, _: object) -> None:
        if number == request_id and code == _VALIDATION_FAILED and not answer.done():
            answer.set_exception(RequestError(number, code, text))

    def watch() -> None:
        if not session.state.usable and not answer.done():
            answer.set_exception(ConnectionError("disconnected"))

    ib.errorEvent += refuse
    unsubscribe = session.subscribe(watch)
    answered = False
    try:
        send(request_id, asked)
        result = await asyncio.wait_for(answer, timeout)
        answered = True
        return result
    except TimeoutError:
        return Timeout(timeout)
    except RequestError as error:
        answered = True
        return _failure(error.code, error.message)
    except ConnectionError:
        raise refusals.lost(str(session.endpoint)) from None
    finally:
        unsubscribe()
        ib.errorEvent -= refuse
        if cancel is not None and (cancel_answered or not answered) and ib.isConnected():
            cancel(request_id)


def _failure(code: int, text: str) -> Failure:
    match failure_kind(code, text):
        case "empty":
            return Empty(text)
        case "pacing":
            return Pacing(text)
        case "not found":
            return NotFound(text)
        case "no permission":
            return NoPermission(text)
        case "refused":
            return Refused(code, text)

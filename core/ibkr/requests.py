"""What is asked of the broker. The outcome is a value: the answer, or why there is none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from core.ibkr.connection import BrokerSession
from core.ibkr.outcomes import (
    Bars,
    Empty,
    Failure,
    Lost,
    NoPermission,
    NotFound,
    Pacing,
    Refused,
    Timeout,
    as_error,
)
from core.ibkr.sending import ask

if TYPE_CHECKING:
    from ib_async import (
        BarData,
        Contract,
        ContractDescription,
        ContractDetails,
        HistoricalSchedule,
    )

__all__ = [
    "Bars",
    "Empty",
    "Failure",
    "Lost",
    "NoPermission",
    "NotFound",
    "Pacing",
    "Refused",
    "Timeout",
    "as_error",
    "contract_details",
    "head_timestamp",
    "historical_bars",
    "historical_schedule",
    "matching_symbols",
]

DETAILS_TIMEOUT = 20.0
HISTORY_TIMEOUT = 60.0
"""Seconds. Gateways answer slowly rather than not at all when they throttle."""

_FORMAT_EPOCH = 2
_EARLIEST_HEAD = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST_HEAD = datetime(2200, 1, 1, tzinfo=UTC)


async def historical_bars(
    session: BrokerSession,
    contract: Contract,
    *,
    end: datetime | None,
    duration: str,
    bar_size: str,
    what: str,
    regular_hours: bool,
    timeout: float = HISTORY_TIMEOUT,
) -> Bars | Failure:
    """The bars of `duration` before `end` (aware; None: up to now, the only end that continuous
    futures and adjusted prices may have). Their dates are aware UTC datetimes, or dates for bars
    of a day and longer."""
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
    end: datetime | None,
    duration: str,
    regular_hours: bool,
    timeout: float = HISTORY_TIMEOUT,
) -> HistoricalSchedule | Failure:
    """The market's sessions in `duration` before `end`."""
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
    """When the broker's data begin, aware UTC."""
    try:
        answer: datetime | Failure = await ask(
            session,
            contract,
            lambda client, request_id, asked: client.reqHeadTimeStamp(
                request_id, asked, what, regular_hours, _FORMAT_EPOCH
            ),
            # An answered one, too, stays open at the broker until it is cancelled.
            cancel=lambda client, request_id: client.cancelHeadTimeStamp(request_id),
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
    """All contracts that fit a description."""
    answer: list[ContractDetails] | Failure = await ask(
        session,
        contract,
        lambda client, request_id, asked: client.reqContractDetails(request_id, asked),
        timeout=timeout,
    )
    return answer


async def matching_symbols(
    session: BrokerSession, pattern: str, *, timeout: float = DETAILS_TIMEOUT
) -> list[ContractDescription] | Failure:
    """Contracts whose symbol or name resembles `pattern`."""
    answer: list[ContractDescription] | Failure = await ask(
        session,
        None,
        lambda client, request_id, _: client.reqMatchingSymbols(request_id, pattern),
        timeout=timeout,
    )
    return answer


async def _history(
    session: BrokerSession,
    contract: Contract,
    end: datetime | None,
    duration: str,
    bar_size: str,
    what: str,
    regular_hours: bool,
    timeout: float,
) -> Any:
    moment = f"{end.astimezone(UTC):%Y%m%d %H:%M:%S} UTC" if end else ""
    return await ask(
        session,
        contract,
        lambda client, request_id, asked: client.reqHistoricalData(
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
        cancel=lambda client, request_id: client.cancelHistoricalData(request_id),
        timeout=timeout,
    )

"""What is asked of the broker. The outcome is a value: the answer, or why there is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from catalog.events import Report
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
    Ticks,
    Timeout,
    as_error,
)
from core.ibkr.pacing_rules import Demand
from core.ibkr.sending import Question, ask

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
    "Ticks",
    "Timeout",
    "as_error",
    "contract_details",
    "head_timestamp",
    "historical_bars",
    "historical_schedule",
    "historical_ticks",
    "matching_symbols",
]

DETAILS_TIMEOUT = 20.0
HISTORY_TIMEOUT = 60.0
"""Seconds. Gateways answer slowly rather than not at all when they throttle."""

_FORMAT_EPOCH = 2
_SECONDS = (" sec", " secs")  # the sizes of 30 seconds and less
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
    report: Report | None = None,
) -> Bars | Failure:
    """The bars of `duration` before `end` (aware; None: up to now, the only end that continuous
    futures and adjusted prices may have). Their dates are aware UTC datetimes, or dates for bars
    of a day and longer. Waits for pacing are told to `report`, by default the session's."""
    span = (_moment(end), duration, bar_size)
    question = _history(contract, *span, what, regular_hours, timeout)
    answer: list[BarData] | Failure = await ask(session, question, report)
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
    report: Report | None = None,
) -> HistoricalSchedule | Failure:
    """The market's sessions in `duration` before `end`."""
    span = (_moment(end), duration, "1 day")
    question = _history(contract, *span, "SCHEDULE", regular_hours, timeout)
    answer: HistoricalSchedule | Failure = await ask(session, question, report)
    return answer


async def historical_ticks(
    session: BrokerSession,
    contract: Contract,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    count: int = 1_000,
    what: Literal["TRADES", "BID_ASK", "MIDPOINT"],
    regular_hours: bool,
    timeout: float = HISTORY_TIMEOUT,
    report: Report | None = None,
) -> Ticks | Failure:
    """Up to `count` (at most 1,000) ticks from `start` on, or until `end`: one of the two, aware.
    The answer does not cross a session. This version of the protocol cannot cancel them."""
    if (start is None) == (end is None):
        raise ValueError("ticks are asked for from a start or until an end")
    span = (_moment(start), _moment(end), count)
    question = Question(
        contract,
        lambda client, request_id, asked: client.reqHistoricalTicks(
            request_id, asked, *span, what, regular_hours, False, []
        ),
        timeout,
        _small("ticks", contract, what, *span, regular_hours),
    )
    answer: list[Any] | Failure = await ask(session, question, report)
    if not isinstance(answer, list):
        return answer
    return Ticks(tuple(answer)) if answer else Empty("the answer has no ticks")


async def head_timestamp(
    session: BrokerSession,
    contract: Contract,
    *,
    what: str,
    regular_hours: bool,
    timeout: float = DETAILS_TIMEOUT,
    report: Report | None = None,
) -> datetime | Failure:
    """When the broker's data begin, aware UTC."""
    question = Question(
        contract,
        lambda client, request_id, asked: client.reqHeadTimeStamp(
            request_id, asked, what, regular_hours, _FORMAT_EPOCH
        ),
        timeout,
        replace(_small("head", contract, what, regular_hours), messages=2),
        cancel=lambda client, request_id: client.cancelHeadTimeStamp(request_id),
        cancel_answered=True,  # it stays open at the broker until then
    )
    try:
        answer: datetime | Failure = await ask(session, question, report)
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
    question = Question(
        contract,
        lambda client, request_id, asked: client.reqContractDetails(request_id, asked),
        timeout,
    )
    answer: list[ContractDetails] | Failure = await ask(session, question)
    return answer


async def matching_symbols(
    session: BrokerSession, pattern: str, *, timeout: float = DETAILS_TIMEOUT
) -> list[ContractDescription] | Failure:
    """Contracts whose symbol or name resembles `pattern`."""
    question = Question(
        None,
        lambda client, request_id, _: client.reqMatchingSymbols(request_id, pattern),
        timeout,
    )
    answer: list[ContractDescription] | Failure = await ask(session, question)
    return answer


def _history(
    contract: Contract,
    end: str,
    duration: str,
    bar_size: str,
    what: str,
    regular_hours: bool,
    timeout: float,
) -> Question:
    small = bar_size.endswith(_SECONDS)
    return Question(
        contract,
        lambda client, request_id, asked: client.reqHistoricalData(
            request_id,
            asked,
            end,
            duration,
            bar_size,
            what,
            regular_hours,
            _FORMAT_EPOCH,
            False,
            [],
        ),
        timeout,
        _small("bars", contract, what, end, duration, bar_size, regular_hours)
        if small
        else Demand(historical=True),
        cancel=lambda client, request_id: client.cancelHistoricalData(request_id),
    )


def _small(kind: str, contract: Contract, what: str, *details: object) -> Demand:
    """The demand of a request under the rules for bars of 30 seconds and less."""
    which = contract.conId or (
        f"{contract.symbol} {contract.localSymbol} {contract.secType} {contract.currency}"
        f" {contract.lastTradeDateOrContractMonth} {contract.strike} {contract.right}"
    )
    series = f"{which} {contract.exchange} {what}"
    return Demand(
        request=" ".join(map(str, (kind, series, *details))),
        series=series,
        small=True,
        historical=True,
        weight=2 if what == "BID_ASK" else 1,
    )


def _moment(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y%m%d %H:%M:%S} UTC" if at else ""

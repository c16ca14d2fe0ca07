"""How a request to the broker can end: each way is a value of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog.errors import BrokerUnavailable, DataUnavailable, QuarterdeckError, WrongInput
from core.ibkr import refusals
from core.ibkr.notices import failure_kind

if TYPE_CHECKING:
    from ib_async import BarData


@dataclass(frozen=True, slots=True)
class Bars:
    """The bars, as the broker gave them."""

    bars: tuple[BarData, ...]


@dataclass(frozen=True, slots=True)
class Ticks:
    """The ticks, as the broker gave them: `HistoricalTickLast`, `...BidAsk` or `HistoricalTick`."""

    ticks: tuple[Any, ...]


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


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection is not there, went away meanwhile, or no longer reaches IBKR.

    Nothing is known of the data: ask again once `BrokerSession.wait_usable()` returns.
    """

    text: str


type Failure = Empty | Pacing | Timeout | NotFound | NoPermission | Refused | Lost


def failure(code: int, text: str) -> Failure:
    """What an error message of the broker means for the request that it ended."""
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
        case Lost(text):
            return refusals.interrupted(title, text)
        case Refused(code, text):
            return DataUnavailable(
                title,
                f"error {code}: {text}",
                f"look up {code} among IBKR's message codes, then change the request or retry",
            )

"""Is the broker there, step by step: TCP, handshake, login, clock, data farms, one bar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from catalog.errors import QuarterdeckError
from catalog.events import Event, Level, Report
from core.ibkr.connection import BrokerSession, ConnectionKind
from core.ibkr.refusals import ConnectionRefused, Stage
from core.ibkr.requests import Bars, as_error, historical_bars

type Step = Stage | Literal["clock", "farms", "data"]

CLOCK_TOLERANCE_S = 2.0
"""Of our clock against the broker's; by ours it is judged whether a bar is closed."""

_STAGES: tuple[Stage, ...] = ("tcp", "handshake", "login")
_BAR_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class StepPassed(Event):
    """One step of a diagnosis is well."""

    channel: ClassVar[str] = "session"

    step: Step
    detail: str

    def __str__(self) -> str:
        return f"{self.step:<9} ok: {self.detail}"


@dataclass(frozen=True, slots=True)
class StepDoubtful(Event):
    """One step is not as it should be, and the next ones may work all the same."""

    channel: ClassVar[str] = "session"
    level: ClassVar[Level] = Level.WARNING

    step: Step
    detail: str
    advice: str

    def __str__(self) -> str:
        return f"{self.step:<9} {self.detail}; {self.advice}"


@dataclass(frozen=True, slots=True)
class StepFailed(Event):
    """One step failed; those after it cannot be tried. `steps` says what to change."""

    channel: ClassVar[str] = "session"
    level: ClassVar[Level] = Level.ERROR

    step: Step
    detail: str
    steps: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.step:<9} failed: {self.detail}"


async def diagnose(session: BrokerSession, report: Report) -> None:
    """Connect, unless connected, and try each step, reporting it.

    Raises `BrokerUnavailable` or `DataUnavailable` of the step that failed: it says what to change
    in TWS or IB Gateway.
    """
    if session.state.kind is ConnectionKind.RECONNECTING:  # it would wait, not say what is wrong
        trial = BrokerSession(session.endpoint, pacing=session.pacing)
        try:
            return await diagnose(trial, report)
        finally:
            await trial.disconnect()
    await _connect(session, report)
    await _compare_clocks(session, report)
    _look_at_farms(session, report)
    await _ask_for_a_bar(session, report)
    return None


async def _connect(session: BrokerSession, report: Report) -> None:
    try:
        await session.connect(report)
    except ConnectionRefused as error:
        for stage in _STAGES[: _STAGES.index(error.stage)]:
            report(StepPassed(stage, "it answers"))
        raise _failed(error.stage, error, report) from None
    state = session.state
    kind = "simulated" if state.simulated else "read-only"
    report(StepPassed("tcp", f"{session.endpoint} accepts connections"))
    report(StepPassed("handshake", f"server version {state.server_version}"))
    accounts = " ".join(state.masked_accounts)
    report(StepPassed("login", f"account {accounts}, client id {state.client_id}, {kind}"))


async def _compare_clocks(session: BrokerSession, report: Report) -> None:
    try:
        ping = await session.ping()
    except QuarterdeckError as error:
        raise _failed("clock", error, report) from None
    offset = ping.clock_offset_s
    detail = f"{offset:+.1f} s to the broker's, round trip {ping.round_trip_s * 1000:.0f} ms"
    if abs(offset) <= CLOCK_TOLERANCE_S:
        report(StepPassed("clock", detail))
    else:
        report(StepDoubtful("clock", detail, "set this machine's clock, by NTP for instance"))


def _look_at_farms(session: BrokerSession, report: Report) -> None:
    """The gateway tells them at login, so before it answered the ping."""
    down = sorted(name for name, state in session.farms.items() if state == "broken")
    if not session.state.upstream:
        report(StepDoubtful("farms", session.state.reason, "wait: the gateway reconnects itself"))
    elif down:
        advice = "wait, or restart the gateway when it lasts; IBKR's status page tells of outages"
        report(StepDoubtful("farms", f"down: {', '.join(down)}", advice))
    else:
        report(StepPassed("farms", f"{len(session.farms)} told of, none is down"))


async def _ask_for_a_bar(session: BrokerSession, report: Report) -> None:
    """A daily bar of EUR/USD: there is one at any hour, for every account."""
    from ib_async import Forex

    answer = await historical_bars(
        session,
        Forex("EURUSD"),
        end=None,
        duration="1 D",
        bar_size="1 day",
        what="MIDPOINT",
        regular_hours=False,
        timeout=_BAR_TIMEOUT_S,
        report=report,
    )
    if not isinstance(answer, Bars):
        raise _failed("data", as_error(answer, "get one daily bar of EUR.USD"), report)
    report(StepPassed("data", f"a daily bar of EUR.USD, {answer.bars[-1].date}"))


def _failed(step: Step, error: QuarterdeckError, report: Report) -> QuarterdeckError:
    report(StepFailed(step, error.reason, error.steps))
    return error

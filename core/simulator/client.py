"""One client's conversation with the simulated gateway."""

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from core.simulator import contracts, protocol
from core.simulator.account import ACCOUNT, FIRST_ORDER_ID, Account, Answers, read_only
from core.simulator.contracts import Description
from core.simulator.faults import HISTORY, OF_CONNECTION, OF_GATEWAY, Fault
from core.simulator.hours import exchange_date, hours_text
from core.simulator.inquiries import Inquiries
from core.simulator.line import Line
from core.simulator.pacing import (
    MESSAGES_RULE,
    OPEN_REQUESTS,
    OPEN_RULE,
    SMALL_BAR,
    WARNINGS,
    MessageRate,
    Violation,
)
from core.simulator.protocol import BadFrame, Fields, Refusal, encode
from core.simulator.queries import (
    NO_ZONE,
    OPERATOR_ZONE,
    SCHEDULE,
    BarQuery,
    HeadQuery,
    TickQuery,
    lacks_zone,
    no_data,
    no_history,
)
from core.simulator.requests import Request

if TYPE_CHECKING:
    from core.simulator.server import SimulatedGateway

START_API = 71
CLIENT_ID_IN_USE = (
    326,
    "Unable to connect as the client id is already in use. Retry with a unique client id.",
)
TOO_MANY_MESSAGES = (100, "Max rate of messages per second has been exceeded.")
PACING_VIOLATION = "Historical data request pacing violation"
# What needs a contract, and so fails in the minutes in which none is known.
CONTRACT_REQUESTS = ("contract_details", *HISTORY)
type HistoryQuery = BarQuery | HeadQuery | TickQuery


class Unanswered(Exception):
    """A request that gets no answer, or has got its own already."""


class Client:
    """Reads one socket's requests and answers them until it closes."""

    def __init__(
        self,
        gateway: "SimulatedGateway",
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        rng: random.Random,
    ) -> None:
        self.line = Line(writer, rng)
        self.inquiries = Inquiries(gateway, self.line, rng)
        self._gateway = gateway
        self._reader = reader
        self._client_id: int | None = None
        self._rate = MessageRate(gateway.clock, gateway.message_rate)
        self._waiting: set[asyncio.Task[None]] = set()
        self._answers: Answers = {
            **Account(self._send, gateway.now).answers(),
            9: (1, self._contract_details),
            20: (0, self._historical_bars),
            25: (1, self._cancel_historical_bars),
            49: (None, self._current_time),
            81: (0, self._matching_symbols),
            87: (0, self._head_timestamp),
            90: (0, self._cancel_head_timestamp),
            91: (None, self._market_rule),
            96: (0, self._historical_ticks),
        }

    async def serve(self) -> None:
        """Handshake, login, then requests; returns when either side hangs up."""
        try:
            version = await protocol.read_handshake(self._reader)
            fault = self._suffer_from("connect")
            moment = self._gateway.shown_time().astimezone(ZoneInfo(OPERATOR_ZONE))
            # Nothing may follow before startApi: IBKR's client drops what arrives with this frame.
            self._send(version, f"{moment:%Y%m%d %H:%M:%S %Z}")
            await self._log_in(is_taken=fault is not None)
            warnings = 0
            while warnings <= WARNINGS:
                message = protocol.split(await protocol.read_frame(self._reader))
                if self._rate.is_exceeded():
                    warnings += 1
                    self._gateway.violations.append(self._violation(MESSAGES_RULE, "message"))
                    self.notify(*TOO_MANY_MESSAGES)
                else:
                    self._handle(message)
                await self.line.drain()
        except (BadFrame, EOFError, ConnectionError):
            pass  # this client is gone or speaks something else; the others stay
        finally:
            self._hang_up()

    def _hang_up(self) -> None:
        self.forget()
        if self._client_id is not None:
            self._gateway.client_ids.discard(self._client_id)
        self.line.close()

    @property
    def is_logged_in(self) -> bool:
        """Whether it may be told anything: before startApi it would not understand."""
        return self._client_id is not None

    def notify(self, code: int, text: str) -> None:
        """Send a notice, which belongs to no request."""
        self._error(-1, code, text)

    def forget(self) -> None:
        """Answer nothing of what was asked."""
        self.inquiries.forget()
        for task in self._waiting:
            task.cancel()

    async def _log_in(self, *, is_taken: bool) -> None:
        """Read startApi and welcome the client; ``is_taken`` says that its id is in use."""
        message_id, *values = protocol.split(await protocol.read_frame(self._reader))
        if message_id != str(START_API):
            raise BadFrame("the first request is not startApi")
        fields = Fields(START_API, values)
        try:
            fields.skip()
            client_id = fields.integer()
        except Refusal as refusal:
            raise BadFrame(refusal.text) from refusal
        self._gateway.requests.append(Request("start_api", {"client_id": client_id}))
        if is_taken or client_id in self._gateway.client_ids:
            self.notify(*CLIENT_ID_IN_USE)
            await self.line.drain()
            raise BadFrame("client id in use")
        self._client_id = client_id
        self._gateway.client_ids.add(client_id)
        self._send(15, 1, ACCOUNT)
        self._send(9, 1, FIRST_ORDER_ID)
        for notice in self._gateway.outages.notices():
            self.notify(*notice)

    def _handle(self, message: list[str]) -> None:
        request_id = -1
        try:
            message_id = Fields(-1, message).integer()
            fields = Fields(message_id, message[1:])
            if message_id not in self._answers:
                raise fields.unreadable("unknown message type")
            skipped, answer = self._answers[message_id]
            if skipped is not None:
                fields.skip(skipped)
                request_id = fields.integer()
            answer(request_id, fields)
        except Unanswered:
            pass
        except Refusal as refusal:
            self._error(request_id, refusal.code, refusal.text)

    def _send(self, *fields: object) -> None:
        self.line.send(encode(*fields))

    def _error(self, request_id: int, code: int, text: str) -> None:
        worded = self._gateway.outages.worded(code, text)
        self.line.send(protocol.error(request_id, code, worded))

    # Faults and limits

    def _note(self, kind: str, fields: Mapping[str, object]) -> Fault | None:
        """Keep a request for ``gateway.requests``, and ``_disturb`` it."""
        self._gateway.requests.append(Request(kind, fields))
        if kind in CONTRACT_REQUESTS and not self._gateway.outages.knows_contracts:
            raise contracts.unknown()
        return self._disturb(kind, fields)

    def _disturb(self, kind: str, fields: Mapping[str, object]) -> Fault | None:
        """Let the fault of a request happen, or return it where it concerns the answer's content.

        Raises ``Refusal`` or ``Unanswered`` where the fault says so.
        """
        fault = self._suffer_from(kind, str(fields.get("symbol", "")))
        if fault is None:
            return None
        match fault.what:
            case "no_answer":
                raise Unanswered
            case "error":
                raise Refusal(fault.code, fault.text)
            case "empty":
                raise no_data(
                    *(str(fields.get(name, "")) for name in ("symbol", "exchange", "what"))
                )
            case "unknown_contract":
                raise contracts.unknown()
            case "read_only":
                self.notify(321, read_only().text)
                raise Unanswered
            case "pacing" if fault.hang_up:
                refusal = no_history(PACING_VIOLATION)
                self._error(int(str(fields["id"])), refusal.code, refusal.text)
                self.line.close()
                raise Unanswered
            case "pacing":
                raise no_history(PACING_VIOLATION)
        return fault

    def _suffer_from(self, occasion: str, symbol: str = "") -> Fault | None:
        """Let a fault of the gateway or of this connection happen; any other is returned."""
        fault = self._gateway.faults.occurs(occasion, symbol)
        if fault is None:
            return None
        if fault.what in OF_GATEWAY:
            self._gateway.strike(fault)
        elif fault.what in OF_CONNECTION:
            self.line.suffer(fault)
        else:
            return fault
        return None

    def _violation(self, rule: str, kind: str) -> Violation:
        return Violation(rule, kind, -1 if self._client_id is None else self._client_id)

    def _admit(self, request_id: int, kind: str, query: HistoryQuery, *, small: bool) -> None:
        """Let a historical request through, or raise the violation a gateway would answer with."""
        gateway = self._gateway
        if gateway.take_forced_violation():
            raise no_history(PACING_VIOLATION)
        rule = None
        if gateway.open_requests >= OPEN_REQUESTS:
            rule = OPEN_RULE
        elif small:
            series = (contracts.identity(query.contract, gateway.now().date()), query.what)
            request = (kind, series, *(vars(query) | {"contract": None}).values())
            weight = 2 if query.what == "BID_ASK" else 1
            rule = gateway.pacing.broken_rule(request, series, weight=weight)
        if rule is None:
            return
        gateway.violations.append(self._violation(rule, kind))
        # IBKR does not document the answer to a 51st open request; this one is a guess.
        refusal = no_history(PACING_VIOLATION)
        self._error(request_id, refusal.code, refusal.text)
        self._suffer_from("violation")
        raise Unanswered

    def _when_possible(self, request_id: int, kind: str, answer: Callable[[], None]) -> None:
        """Answer at once, or when the gateway's outage is over. Raises ``Refusal``."""
        outages = self._gateway.outages
        if not outages.holds(kind):
            answer()
            return

        async def wait() -> None:
            await outages.passed(kind)
            try:
                answer()
            except Refusal as refusal:
                self._error(request_id, refusal.code, refusal.text)

        task = asyncio.create_task(wait())
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    def _current_time(self, _request_id: int, _fields: Fields) -> None:
        self._disturb("current_time", {})
        self._send(49, 1, int(self._gateway.shown_time().timestamp()))

    # Contracts

    def _contract_details(self, request_id: int, fields: Fields) -> None:
        description = Description.read(fields)
        self._note("contract_details", asdict(description))
        send = partial(self._send_details, request_id, description)
        self._when_possible(request_id, "contract_details", send)

    def _send_details(self, request_id: int, description: Description) -> None:
        now = self._gateway.now()
        for found in contracts.find(description, now.date()):
            today = exchange_date(found, now)
            trading, liquid = (hours_text(found, today, regular=only) for only in (False, True))
            for exchange in contracts.details_exchanges(description, found):
                self._send(*contracts.details(request_id, found, exchange, trading, liquid))
        self._send(52, 1, request_id)

    def _matching_symbols(self, request_id: int, fields: Fields) -> None:
        pattern = fields.text()
        self._note("matching_symbols", {"pattern": pattern})
        samples = contracts.symbol_samples(request_id, pattern, self._gateway.now().date())
        self._when_possible(request_id, "matching_symbols", partial(self._send, *samples))

    def _market_rule(self, _request_id: int, fields: Fields) -> None:
        rule_id = fields.integer()
        self._note("market_rule", {"rule_id": rule_id})
        self._send(*contracts.market_rule(rule_id))

    # History

    def _historical_bars(self, request_id: int, fields: Fields) -> None:
        query = BarQuery.read(fields)
        now = self._gateway.now()
        kind = "schedule" if query.what == SCHEDULE else "historical_bars"
        fault = self._note(kind, _asked(query, request_id))
        if lacks_zone(query.end):
            self._error(request_id, 2174, NO_ZONE)
        small = query.what != SCHEDULE and query.step <= SMALL_BAR
        self._admit(request_id, kind, query, small=small)
        if fault is not None and fault.what == "unfinished":
            query, now = query.half_a_bar_on(now)
        answer = partial(self._gateway.history.answer, request_id, query, now)
        self.inquiries.start(request_id, kind, answer, fault)

    def _head_timestamp(self, request_id: int, fields: Fields) -> None:
        query = HeadQuery.read(fields)
        fault = self._note("head_timestamp", _asked(query, request_id))
        self._admit(request_id, "head_timestamp", query, small=True)
        history, now = self._gateway.history, self._gateway.now()
        answer = partial(history.head_timestamp, request_id, query, now)
        self.inquiries.start(request_id, "head_timestamp", answer, fault)

    def _historical_ticks(self, request_id: int, fields: Fields) -> None:
        query = TickQuery.read(fields)
        fault = self._note("historical_ticks", _asked(query, request_id))
        self._admit(request_id, "historical_ticks", query, small=True)
        answer = partial(self._gateway.ticks.answer, request_id, query, self._gateway.now())
        self.inquiries.start(request_id, "historical_ticks", answer, fault)

    def _cancel_historical_bars(self, request_id: int, _fields: Fields) -> None:
        self._gateway.requests.append(Request("cancel_historical_bars", {"id": request_id}))
        self.inquiries.cancel(request_id)

    def _cancel_head_timestamp(self, request_id: int, _fields: Fields) -> None:
        """Clients send this after every answer too; a real gateway then says nothing."""
        self.inquiries.drop(request_id)


def _asked(query: HistoryQuery, request_id: int) -> dict[str, object]:
    fields = asdict(query)
    contract: dict[str, object] = fields.pop("contract")
    return contract | fields | {"id": request_id}

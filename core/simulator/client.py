"""One client's conversation with the simulated gateway."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from core.simulator import contracts, protocol
from core.simulator.contracts import Description
from core.simulator.hours import exchange_date, hours_text
from core.simulator.pacing import OPEN_REQUESTS, SMALL_BAR
from core.simulator.protocol import BadFrame, Fields, Refusal, encode
from core.simulator.queries import (
    NO_ZONE,
    OPERATOR_ZONE,
    SCHEDULE,
    BarQuery,
    HeadQuery,
    invalid,
    lacks_zone,
    no_history,
)
from core.simulator.requests import Request

if TYPE_CHECKING:
    from core.simulator.server import SimulatedGateway

FIRST_ORDER_ID = 1
START_API = 71
# The burst a real gateway sends after login, in its order and words.
FARMS = (
    (2104, "Market data farm connection is OK:usfarm.nj"),
    (2104, "Market data farm connection is OK:usfuture"),
    (2104, "Market data farm connection is OK:cashfarm"),
    (2104, "Market data farm connection is OK:usopt"),
    (2104, "Market data farm connection is OK:usfarm"),
    (2106, "HMDS data farm connection is OK:cashhmds"),
    (2106, "HMDS data farm connection is OK:ushmds"),
    (2158, "Sec-def data farm connection is OK:secdefil"),
)
CLIENT_ID_IN_USE = (
    326,
    "Unable to connect as the client id is already in use. Retry with a unique client id.",
)
CASH = "100000.00"
# Auto open orders, market data type, and cancelling what has already been answered in full.
UNANSWERED = (15, 59, 63, 64, 77)
Answer = Callable[[int, Fields], None]


class Client:
    """Reads one socket's requests and answers them until it closes."""

    def __init__(
        self,
        gateway: "SimulatedGateway",
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._gateway = gateway
        self._reader = reader
        self._writer = writer
        self._client_id: int | None = None
        self._open: dict[int, asyncio.Task[None]] = {}
        # For each message: fields before its request id (None: it has none), and who answers.
        self._answers: dict[int, tuple[int | None, Answer]] = {
            3: (0, self._refuse_order),
            4: (1, self._refuse_order),
            5: (None, self._reply(53, 1)),
            6: (None, self._account_updates),
            7: (1, self._executions),
            8: (None, self._reply(9, 1, FIRST_ORDER_ID)),
            9: (1, self._contract_details),
            16: (None, self._reply(53, 1)),
            17: (None, self._reply(15, 1, gateway.account)),
            20: (0, self._historical_bars),
            25: (1, self._cancel_historical_bars),
            49: (None, self._current_time),
            61: (None, self._reply(62, 1)),
            62: (1, self._account_summary),
            76: (1, self._account_updates_multi),
            81: (0, self._matching_symbols),
            87: (0, self._head_timestamp),
            90: (0, self._cancel_head_timestamp),
            91: (None, self._market_rule),
            99: (None, self._reply(102)),
            **dict.fromkeys(UNANSWERED, (None, self._reply())),
        }

    async def serve(self) -> None:
        """Handshake, login, then requests; returns when either side hangs up."""
        try:
            version = await protocol.read_handshake(self._reader)
            moment = self._gateway.now().astimezone(ZoneInfo(OPERATOR_ZONE))
            # Nothing may follow before startApi: IBKR's client drops what arrives with this frame.
            self._send(version, f"{moment:%Y%m%d %H:%M:%S %Z}")
            await self._log_in()
            while True:
                self._handle(protocol.split(await protocol.read_frame(self._reader)))
                await self._writer.drain()
        except (BadFrame, EOFError, ConnectionError):
            pass  # this client is gone or speaks something else; the others stay
        finally:
            self._hang_up()

    def _hang_up(self) -> None:
        for task in self._open.values():
            task.cancel()
        if self._client_id is not None:
            self._gateway.client_ids.discard(self._client_id)
        self._writer.close()

    async def _log_in(self) -> None:
        message_id, *values = protocol.split(await protocol.read_frame(self._reader))
        if message_id != str(START_API):
            raise BadFrame("the first request is not startApi")
        fields = Fields(START_API, values)
        try:
            fields.skip()
            client_id = fields.integer()
        except Refusal as refusal:
            raise BadFrame(refusal.text) from refusal
        self._note("start_api", {"client_id": client_id})
        if client_id in self._gateway.client_ids:
            self._error(-1, *CLIENT_ID_IN_USE)
            await self._writer.drain()
            raise BadFrame("client id in use")
        self._client_id = client_id
        self._gateway.client_ids.add(client_id)
        self._send(15, 1, self._gateway.account)
        self._send(9, 1, FIRST_ORDER_ID)
        for farm in FARMS:
            self._error(-1, *farm)

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
        except Refusal as refusal:
            self._error(request_id, refusal.code, refusal.text)

    def _send(self, *fields: object) -> None:
        self._writer.write(encode(*fields))

    def _error(self, request_id: int, code: int, text: str) -> None:
        self._writer.write(protocol.error(request_id, code, text))

    def _note(self, kind: str, fields: Mapping[str, object]) -> None:
        self._gateway.requests.append(Request(kind, fields))

    # Login and account

    def _reply(self, *reply: object) -> Answer:
        """An answer that is the same whatever was asked; none at all without ``reply``."""

        def answer(_request_id: int, _fields: Fields) -> None:
            if reply:
                self._send(*reply)

        return answer

    def _refuse_order(self, _request_id: int, _fields: Fields) -> None:
        raise invalid("bT", "The API interface is currently in Read-Only mode.")

    def _account_updates(self, _request_id: int, fields: Fields) -> None:
        fields.skip()
        if not fields.flag():
            return
        account = self._gateway.account
        self._send(6, 2, "NetLiquidation", CASH, "USD", account)
        self._send(8, 1, f"{self._gateway.now():%H:%M}")
        self._send(54, 1, account)

    def _account_updates_multi(self, request_id: int, _fields: Fields) -> None:
        account = self._gateway.account
        self._send(73, 1, request_id, account, "", "NetLiquidation", CASH, "USD")
        self._send(74, 1, request_id)

    def _account_summary(self, request_id: int, _fields: Fields) -> None:
        self._send(63, 1, request_id, self._gateway.account, "NetLiquidation", CASH, "USD")
        self._send(64, 1, request_id)

    def _executions(self, request_id: int, _fields: Fields) -> None:
        self._send(55, 1, request_id)

    def _current_time(self, _request_id: int, _fields: Fields) -> None:
        self._send(49, 1, int(self._gateway.now().timestamp()))

    # Contracts

    def _contract_details(self, request_id: int, fields: Fields) -> None:
        description = Description.read(fields)
        self._note("contract_details", asdict(description))
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
        self._send(*contracts.symbol_samples(request_id, pattern))

    def _market_rule(self, _request_id: int, fields: Fields) -> None:
        rule_id = fields.integer()
        self._note("market_rule", {"rule_id": rule_id})
        self._send(*contracts.market_rule(rule_id))

    # History

    def _historical_bars(self, request_id: int, fields: Fields) -> None:
        query = BarQuery.read(fields)
        kind = "schedule" if query.what == SCHEDULE else "historical_bars"
        self._note(kind, _asked(query, request_id))
        if lacks_zone(query.end):
            self._error(request_id, 2174, NO_ZONE)
        small = query.what != SCHEDULE and query.step <= SMALL_BAR
        self._admit(request_id, query, small=small)
        answer = partial(self._gateway.history.answer, request_id, query, self._gateway.now())
        self._start(request_id, answer)

    def _head_timestamp(self, request_id: int, fields: Fields) -> None:
        query = HeadQuery.read(fields)
        self._note("head_timestamp", _asked(query, request_id))
        self._admit(request_id, query, small=True)
        history = self._gateway.history
        self._start(
            request_id, partial(history.head_timestamp, request_id, query, self._gateway.now())
        )

    def _admit(self, request_id: int, query: BarQuery | HeadQuery, *, small: bool) -> None:
        """Let a historical request through, or raise the violation a gateway would answer with."""
        if request_id in self._open:
            raise Refusal(386, "Duplicate ticker ID for API historical data query")
        series = (query.contract, query.what)
        weight = 2 if query.what == "BID_ASK" else 1
        if (
            self._gateway.take_forced_violation()
            # IBKR does not document the answer to a 51st open request; this one is a guess.
            or len(self._open) >= OPEN_REQUESTS
            or (small and not self._gateway.pacing.admits(query, series, weight=weight))
        ):
            raise no_history("Historical data request pacing violation")

    def _start(self, request_id: int, answer: Callable[[], list[object]]) -> None:
        """Compute ``answer`` off the loop and send it, unless the request is cancelled first."""

        async def run() -> None:
            try:
                await asyncio.sleep(self._gateway.latency)
                self._writer.write(await asyncio.to_thread(lambda: encode(*answer())))
            except Refusal as refusal:
                self._error(request_id, refusal.code, refusal.text)

        def forget(ended: asyncio.Task[None]) -> None:
            if self._open.get(request_id) is ended:  # the id may be in use again
                del self._open[request_id]

        task = asyncio.create_task(run())
        task.add_done_callback(forget)
        self._open[request_id] = task

    def _cancel_historical_bars(self, request_id: int, _fields: Fields) -> None:
        self._note("cancel_historical_bars", {"id": request_id})
        task = self._open.pop(request_id, None)
        if task is None:
            raise Refusal(366, f"No historical data query found for ticker id:{request_id}")
        task.cancel()
        raise no_history(f"API historical data query cancelled: {request_id}")

    def _cancel_head_timestamp(self, request_id: int, _fields: Fields) -> None:
        """Clients send this after every answer too; a real gateway then says nothing."""
        task = self._open.pop(request_id, None)
        if task is not None:
            task.cancel()


def _asked(query: BarQuery | HeadQuery, request_id: int) -> dict[str, object]:
    fields = asdict(query)
    contract: dict[str, object] = fields.pop("contract")
    return contract | fields | {"id": request_id}

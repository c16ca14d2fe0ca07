"""What clients ask about the account and the session: one empty paper account, always the same."""

from collections.abc import Callable
from datetime import datetime

from core.simulator.protocol import Fields, Refusal
from core.simulator.queries import invalid

ACCOUNT = "DUSIM0001"
CASH = "100000.00"
FIRST_ORDER_ID = 1
# Auto open orders, market data type, and cancelling what has already been answered in full.
UNANSWERED = (15, 59, 63, 64, 77)
type Answer = Callable[[int, Fields], None]
# Fields before the request id (None: there is none), and who answers.
type Answers = dict[int, tuple[int | None, Answer]]


class Account:
    """Answers one client by ``send(*fields)``; ``now`` gives the gateway's time."""

    def __init__(self, send: Callable[..., None], now: Callable[[], datetime]) -> None:
        self._send = send
        self._now = now

    def answers(self) -> Answers:
        """Who answers each message."""
        return {
            3: (0, self._refuse_order),
            4: (1, self._refuse_order),
            5: (None, self._reply(53, 1)),
            6: (None, self._updates),
            7: (1, self._executions),
            8: (None, self._reply(9, 1, FIRST_ORDER_ID)),
            16: (None, self._reply(53, 1)),
            17: (None, self._reply(15, 1, ACCOUNT)),
            61: (None, self._reply(62, 1)),
            62: (1, self._summary),
            76: (1, self._updates_multi),
            99: (None, self._reply(102)),
            **dict.fromkeys(UNANSWERED, (None, self._reply())),
        }

    def _reply(self, *reply: object) -> Answer:
        """An answer that is the same whatever was asked; none at all without ``reply``."""

        def answer(_request_id: int, _fields: Fields) -> None:
            if reply:
                self._send(*reply)

        return answer

    def _refuse_order(self, _request_id: int, _fields: Fields) -> None:
        raise read_only()

    def _updates(self, _request_id: int, fields: Fields) -> None:
        fields.skip()
        if not fields.flag():
            return
        self._send(6, 2, "NetLiquidation", CASH, "USD", ACCOUNT)
        self._send(8, 1, f"{self._now():%H:%M}")
        self._send(54, 1, ACCOUNT)

    def _updates_multi(self, request_id: int, _fields: Fields) -> None:
        self._send(73, 1, request_id, ACCOUNT, "", "NetLiquidation", CASH, "USD")
        self._send(74, 1, request_id)

    def _summary(self, request_id: int, _fields: Fields) -> None:
        self._send(63, 1, request_id, ACCOUNT, "NetLiquidation", CASH, "USD")
        self._send(64, 1, request_id)

    def _executions(self, request_id: int, _fields: Fields) -> None:
        self._send(55, 1, request_id)


def read_only() -> Refusal:
    """Error 321 of a gateway whose API may only read, as this one's."""
    return invalid("bT", "The API interface is currently in Read-Only mode.")

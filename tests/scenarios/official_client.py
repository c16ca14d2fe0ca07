"""IBKR's own client, driven from asyncio: one thread reads, answers arrive as futures.

Answers are kept by request id; message 52, a bars' end and the like complete them.
"""

import asyncio
import threading
from collections import defaultdict
from typing import Any

from ibapi.client import EClient
from ibapi.common import BarData
from ibapi.contract import Contract, ContractDetails
from ibapi.wrapper import EWrapper

ANSWER_SECONDS = 10


class OfficialClient(EWrapper, EClient):
    """One session of IBKR's client; ``async with`` connects and disconnects."""

    def __init__(self, port: int, client_id: int = 77) -> None:
        EWrapper.__init__(self)
        EClient.__init__(self, self)
        self._endpoint = ("127.0.0.1", port, client_id)
        self._loop = asyncio.get_running_loop()
        self._ready = self._loop.create_future()
        self._rows: dict[int, list[Any]] = defaultdict(list)
        self._done: dict[int, asyncio.Future[Any]] = {}
        self._next = 0
        self.errors: list[tuple[int, int, str]] = []

    async def __aenter__(self) -> "OfficialClient":
        await asyncio.to_thread(self.connect, *self._endpoint)
        self._thread = threading.Thread(target=self.run)
        self._thread.start()
        await asyncio.wait_for(self._ready, ANSWER_SECONDS)
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.disconnect)
        await asyncio.to_thread(self._thread.join, ANSWER_SECONDS)

    async def ask(self, request: Any, *arguments: Any) -> Any:
        """Send ``request(id, *arguments)``; its answer, or ``(code, text)`` where it failed."""
        self._next += 1
        request_id = self._next
        self._done[request_id] = self._loop.create_future()
        request(request_id, *arguments)
        return await asyncio.wait_for(self._done[request_id], ANSWER_SECONDS)

    def _finish(self, request_id: int, answer: Any) -> None:
        def finish() -> None:
            waiting = self._done.get(request_id)
            if waiting and not waiting.done():
                waiting.set_result(answer)

        self._loop.call_soon_threadsafe(finish)

    def nextValidId(self, orderId: int) -> None:
        self._loop.call_soon_threadsafe(self._ready.set_result, orderId)

    def error(
        self, reqId: int, errorTime: int, errorCode: int, errorString: str, advanced: str = ""
    ) -> None:
        self.errors.append((reqId, errorCode, errorString))
        if errorCode != 2174:  # a warning; the answer follows
            self._finish(reqId, (errorCode, errorString))

    def contractDetails(self, reqId: int, contractDetails: ContractDetails) -> None:
        self._rows[reqId].append(contractDetails)

    def contractDetailsEnd(self, reqId: int) -> None:
        self._finish(reqId, self._rows[reqId])

    def historicalData(self, reqId: int, bar: BarData) -> None:
        self._rows[reqId].append(bar)

    def historicalDataEnd(self, reqId: int, start: str, end: str) -> None:
        self._finish(reqId, (self._rows[reqId], start, end))

    def headTimestamp(self, reqId: int, headTimestamp: str) -> None:
        self._finish(reqId, headTimestamp)

    def historicalSchedule(
        self, reqId: int, startDateTime: str, endDateTime: str, timeZone: str, sessions: list[Any]
    ) -> None:
        self._finish(reqId, (startDateTime, endDateTime, timeZone, sessions))

    def historicalTicks(self, reqId: int, ticks: list[Any], done: bool) -> None:
        self._rows[reqId] += ticks
        if done:
            self._finish(reqId, self._rows[reqId])

    historicalTicksBidAsk = historicalTicks
    historicalTicksLast = historicalTicks

    def symbolSamples(self, reqId: int, contractDescriptions: list[Any]) -> None:
        self._finish(reqId, contractDescriptions)


def official_contract(**fields: Any) -> Contract:
    """A contract of IBKR's client from keyword fields."""
    contract = Contract()
    for name, value in fields.items():
        setattr(contract, name, value)
    return contract

"""The historical requests of one client that are still to be answered."""

import asyncio
import random
from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from core.simulator import protocol
from core.simulator.faults import Fault
from core.simulator.line import Line
from core.simulator.protocol import Refusal
from core.simulator.queries import no_history

if TYPE_CHECKING:
    from core.simulator.server import SimulatedGateway

# Message 17: five fields, then eight for each bar.
HEADER, ROW, VOLUME = 5, 8, 5


class Inquiries:
    """Computes answers off the loop and sends them, unless cancelled or forgotten before."""

    def __init__(self, gateway: "SimulatedGateway", line: Line, rng: random.Random) -> None:
        self._gateway = gateway
        self._line = line
        self._rng = rng
        self._open: dict[int, asyncio.Task[None]] = {}
        self._late: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def start(
        self, request_id: int, kind: str, answer: Callable[[], list[object]], fault: Fault | None
    ) -> None:
        """Answer in time; ``fault`` is one of history. Raises ``Refusal`` for an id in use."""
        if request_id in self._open:
            raise Refusal(386, "Duplicate ticker ID for API historical data query")

        def forget(ended: asyncio.Task[None]) -> None:
            self._late.discard(ended)
            if self._open.get(request_id) is ended:  # the id may be in use again
                del self._open[request_id]

        task = asyncio.create_task(self._answer(request_id, kind, answer, fault))
        task.add_done_callback(forget)
        self._open[request_id] = task
        if fault is not None and fault.what == "late":
            self._late.add(task)

    async def _answer(
        self, request_id: int, kind: str, answer: Callable[[], list[object]], fault: Fault | None
    ) -> None:
        def frame() -> bytes:
            fields = answer()
            return protocol.encode(*(self._spoiled(fields, fault) if fault else fields))

        delay = fault.seconds if fault and fault.what in ("slow", "late") else 0.0
        try:
            await asyncio.sleep(self._gateway.latency + delay)
            await self._gateway.outages.passed(kind)
            message = await asyncio.to_thread(frame)
        except Refusal as refusal:
            text = self._gateway.outages.worded(refusal.code, refusal.text)
            message = protocol.error(request_id, refusal.code, text)
        self._line.send(message)

    def _spoiled(self, fields: list[object], fault: Fault) -> list[object]:
        """The fields of an answer; of message 17 with its bars doubled, shuffled or in lots."""
        if fault.what not in ("duplicate", "unordered", "lots"):
            return fields
        rows = [fields[at : at + ROW] for at in range(HEADER, len(fields), ROW)]
        if fault.what == "duplicate":
            twice = set(self._rng.sample(range(len(rows)), max(len(rows) // 10, 1)))
            rows = [row for at, row in enumerate(rows) for _ in range(1 + (at in twice))]
        elif fault.what == "unordered":
            self._rng.shuffle(rows)
        else:
            rows = [[*row[:VOLUME], _in_lots(str(row[VOLUME])), *row[VOLUME + 1 :]] for row in rows]
        return [*fields[: HEADER - 1], len(rows), *(field for row in rows for field in row)]

    def cancel(self, request_id: int) -> None:
        """Raises what a gateway answers to a cancel: error 162, or 366 for an id not open."""
        task = self._open.pop(request_id, None)
        if task is None:
            raise Refusal(366, f"No historical data query found for ticker id:{request_id}")
        if task not in self._late:
            task.cancel()
        raise no_history(f"API historical data query cancelled: {request_id}")

    def drop(self, request_id: int) -> None:
        """Cancel without a word, also where nothing is open."""
        task = self._open.pop(request_id, None)
        if task is not None:
            task.cancel()

    def forget(self) -> None:
        """Answer nothing of what is open."""
        for task in {*self._open.values(), *self._late}:
            task.cancel()
        self._open.clear()


def _in_lots(volume: str) -> str:
    """A volume in hundreds, as text; -1 stays what it is."""
    return volume if volume == "-1" else format(Decimal(volume) / 100, "f")

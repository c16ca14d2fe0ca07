"""The way from the gateway to one client: whole messages, or what a fault makes of them."""

import asyncio
import random
from contextlib import suppress

from core.simulator.faults import Fault
from core.simulator.protocol import framed

DRIPS_A_SECOND = 20


class Line:
    """Sends bytes to one client. A fault may silence it, cut it, slow it or soil it."""

    def __init__(self, writer: asyncio.StreamWriter, rng: random.Random) -> None:
        self._writer = writer
        self._rng = rng
        self._is_silent = False
        self._cuts_next = False
        self._dripping = bytearray()
        self._drip: asyncio.Task[None] | None = None

    def send(self, frame: bytes) -> None:
        """Send one message; nothing where the line is silent or closed."""
        if self._is_silent or self._writer.is_closing():
            return
        if self._cuts_next:
            self._writer.write(frame[: len(frame) // 2])
            self.close()
        elif self._drip is not None:
            self._dripping += frame
        else:
            self._writer.write(frame)

    def suffer(self, fault: Fault) -> None:
        """Let a fault of the connection happen."""
        match fault.what:
            case "silence":
                self._is_silent = True
            case "hang_up":
                self.close()
            case "cut":
                self._cuts_next = True
            case "drip" if self._drip is None:
                self._drip = asyncio.create_task(self._send_slowly(fault.rate))
            case "garbage":
                noise = self._rng.randbytes(fault.size)
                self.send(framed(noise) if fault.framed else noise)

    async def _send_slowly(self, rate: int) -> None:
        piece = max(rate // DRIPS_A_SECOND, 1)
        with suppress(ConnectionError):
            while not self._writer.is_closing():
                if self._dripping:
                    self._writer.write(self._dripping[:piece])
                    del self._dripping[:piece]
                    await self._writer.drain()
                await asyncio.sleep(piece / rate)

    async def drain(self) -> None:
        """Wait until the client has taken most of what was sent."""
        await self._writer.drain()

    def close(self) -> None:
        """Hang up once everything sent is out."""
        self._writer.close()
        if self._drip is not None:
            self._drip.cancel()

    def abort(self) -> None:
        """Hang up at once, whatever is still to be sent."""
        self._writer.transport.abort()

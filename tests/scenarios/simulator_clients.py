"""Clients of the simulated gateway for its tests: ib_async's, and a bare socket."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import ib_async
from ib_async import StartupFetchNONE


@asynccontextmanager
async def session(port: int, client_id: int = 1) -> AsyncIterator[ib_async.IB]:
    """An ib_async session whose failed requests raise."""
    ib = ib_async.IB()
    ib.RaiseRequestErrors = True
    await ib.connectAsync(
        *("127.0.0.1", port, client_id, 30.0), fetchFields=StartupFetchNONE, readonly=True
    )
    try:
        yield ib
    finally:
        ib.disconnect()


class RawClient:
    """A socket that can say what no client library would."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int) -> "RawClient":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    @classmethod
    async def logged_in(cls, port: int, client_id: int = 1) -> "RawClient":
        client = await cls.connect(port)
        client.shake_hands()
        await client.receive()
        client.send(71, 2, client_id, "")
        while (await client.receive())[3:4] != ["2158"]:  # the last of the notices
            pass
        return client

    def ask_bars(self, request_id: int, *, end: str, size: str, duration: str) -> None:
        stock = (0, "AAPL", "STK", "", "", "", "", "SMART", "", "USD", "", "")
        self.send(20, request_id, *stock, 0, end, size, duration, 1, "TRADES", 2, 0, "")

    def send(self, *fields: object) -> None:
        body = "".join(f"{field}\0" for field in fields).encode()
        self.writer.write(struct.pack(">I", len(body)) + body)

    def shake_hands(self, versions: bytes = b"v157..178") -> None:
        self.writer.write(b"API\0" + struct.pack(">I", len(versions)) + versions)

    async def receive(self) -> list[str]:
        async with asyncio.timeout(30):
            (length,) = struct.unpack(">I", await self.reader.readexactly(4))
            return (await self.reader.readexactly(length)).decode().split("\0")[:-1]

    async def is_hung_up(self) -> bool:
        async with asyncio.timeout(30):
            return await self.reader.read() == b""

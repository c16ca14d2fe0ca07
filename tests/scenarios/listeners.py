"""Listeners of our own on loopback, with as little of the protocol as a test needs."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

type Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listener(behaviour: Behaviour, port: int = 0) -> AsyncIterator[int]:
    """A TCP listener that treats each client by `behaviour`; yields its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await behaviour(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    async with server:
        yield server.sockets[0].getsockname()[1]


def frame(*fields: object) -> bytes:
    body = "".join(f"{field}\0" for field in fields).encode()
    return struct.pack(">I", len(body)) + body


async def read_frame(reader: asyncio.StreamReader) -> list[str]:
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    return (await reader.readexactly(length)).decode().split("\0")[:-1]


async def answer_handshake(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    """Shake hands at version 178; the client id that asks for a session."""
    await reader.readexactly(4)  # API\0
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    await reader.readexactly(length)
    writer.write(frame(178, "20260102 09:30:00 EST"))
    return int((await read_frame(reader))[2])


async def open_session(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, account: str = "DU1234567"
) -> None:
    """What a gateway sends and answers until ib_async calls the session synchronised."""
    writer.write(frame(15, 1, account) + frame(9, 1, 1))
    assert (await read_frame(reader))[0] == "61"
    writer.write(frame(62, 1))

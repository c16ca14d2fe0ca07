"""The TWS API's text protocol at server version 178: frames, and the fields inside them.

A frame is a 4-byte big-endian length, then fields each ended by NUL. Layouts follow IBKR's
official client (``ibapi/decoder.py`` and ``client.py``) below server version 179.
"""

import asyncio
import re
import struct
from collections.abc import Iterable

SERVER_VERSION = 178
HANDSHAKE_PREFIX = b"API\0"
# No request comes near this; a longer frame is a client that does not speak the protocol.
LONGEST_FRAME = 1 << 20
UNSET_INTEGER = "2147483647"

_VERSIONS = re.compile(rb"v(\d+)(?:\.\.(\d+))?(?: .*)?", re.DOTALL)


class BadFrame(Exception):
    """What arrived is not the TWS protocol; the only answer is to hang up."""


class Refusal(Exception):
    """A request answered with an error message instead of data, in IBKR's code and words."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)
        self.code = code
        self.text = text


def encode(*fields: object) -> bytes:
    """One frame holding ``fields`` in order; booleans become 1 and 0, None an empty field."""
    return framed("".join(f"{_text(field)}\0" for field in fields).encode())


def framed(body: bytes) -> bytes:
    """``body`` behind its length."""
    return struct.pack(">I", len(body)) + body


def _text(field: object) -> str:
    if field is None:
        return ""
    return str(int(field)) if isinstance(field, bool) else str(field)


def error(request_id: int, code: int, text: str) -> bytes:
    """Message 4 as server versions 166 to 193 send it; notices carry request id -1."""
    return encode(4, 2, request_id, code, text, "")


async def read_frame(reader: asyncio.StreamReader) -> bytes:
    """The body of the next frame.

    Raises ``BadFrame`` on an impossible length and ``asyncio.IncompleteReadError`` at the end.
    """
    (length,) = struct.unpack(">I", await reader.readexactly(4))
    if not 0 < length <= LONGEST_FRAME:
        raise BadFrame(f"a frame of {length} bytes")
    return await reader.readexactly(length)


async def read_handshake(reader: asyncio.StreamReader) -> int:
    """The server version both sides speak: the client's highest, at most ``SERVER_VERSION``."""
    if await reader.readexactly(len(HANDSHAKE_PREFIX)) != HANDSHAKE_PREFIX:
        raise BadFrame("no API handshake")
    versions = _VERSIONS.fullmatch(await read_frame(reader))
    if versions is None:
        raise BadFrame("no version range in the handshake")
    lowest, highest = int(versions[1]), int(versions[2] or versions[1])
    version = min(highest, SERVER_VERSION)
    if version < max(lowest, SERVER_VERSION):
        raise BadFrame(f"client speaks {lowest}..{highest}, this gateway {SERVER_VERSION}")
    return version


def split(body: bytes) -> list[str]:
    """The fields of a frame. Raises ``BadFrame`` where the last one is not ended."""
    if not body.endswith(b"\0"):
        raise BadFrame("the last field is not ended")
    return body[:-1].decode(errors="replace").split("\0")


class Fields:
    """The fields of one request, taken in order; a wrong one is error 320, as IBKR words it."""

    def __init__(self, message_id: int, values: Iterable[str]) -> None:
        self._message_id = message_id
        self._values = iter(values)

    def text(self) -> str:
        """The next field."""
        value = next(self._values, None)
        if value is None:
            raise self.unreadable("java.io.EOFException")
        return value

    def integer(self) -> int:
        """The next field as an integer; empty counts as 0."""
        value = self.text()
        try:
            return int(value or 0)
        except ValueError:
            reason = f'java.lang.NumberFormatException: For input string: "{value}"'
            raise self.unreadable(reason) from None

    def flag(self) -> bool:
        """The next field as a boolean; empty counts as false."""
        return self.integer() != 0

    def skip(self, count: int = 1) -> None:
        """Pass over fields this gateway has no use for."""
        for _ in range(count):
            self.text()

    def unreadable(self, reason: str) -> Refusal:
        """Error 320 about this message, in IBKR's words."""
        return Refusal(
            320,
            f"Error reading request:Message type {self._message_id}.  "
            f"Unable to parse data. {reason}",
        )

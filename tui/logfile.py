"""What is written where: log records to a file, never to the terminal the dashboard draws on."""

from __future__ import annotations

import io
import logging
from contextlib import suppress
from logging.handlers import MemoryHandler, RotatingFileHandler
from pathlib import Path
from typing import TextIO

_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_BUFFERED_LINES = 200


class LogStream(io.TextIOBase):
    """Stands in for stdout or stderr: what is printed becomes log records.

    Unlike Textual's own stand-in it has no file number. That one's is -1, which multiprocessing
    would try to hand to the processes it starts, and fail.
    """

    def __init__(self, name: str) -> None:
        self._logger = logging.getLogger(name)

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if text.strip():
            self._logger.info("%s", text.rstrip())
        return len(text)


class LastingStream(io.TextIOBase):
    """The terminal's stream; once the line has dropped, what is written goes nowhere.

    Textual writes in a thread, which an error would end; the program would then wait for ever to
    hand it its last words.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    def write(self, text: str) -> int:
        with suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def log_to(folder: Path) -> Path:
    """Send all log records to `quarterdeck.log` in an existing folder; returns the file.

    Lines are written together, at the latest when a warning comes or the program ends. A second
    call changes nothing.
    """
    file = folder / "quarterdeck.log"
    root = logging.getLogger()
    if any(isinstance(handler, MemoryHandler) for handler in root.handlers):
        return file
    writer = RotatingFileHandler(
        file, maxBytes=2_000_000, backupCount=3, encoding="utf-8", delay=True
    )
    writer.setFormatter(logging.Formatter(_LINE))
    root.addHandler(MemoryHandler(_BUFFERED_LINES, flushLevel=logging.WARNING, target=writer))
    root.setLevel(logging.INFO)
    return file

"""The log file of the program: nothing is ever logged to the terminal the dashboard draws on."""

from __future__ import annotations

import logging
from logging.handlers import MemoryHandler, RotatingFileHandler
from pathlib import Path

_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_BUFFERED_LINES = 200


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

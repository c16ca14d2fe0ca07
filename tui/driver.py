"""Escape is a key of its own, however soon the next one follows.

Textual takes escape and what comes within a tenth of a second, or in one piece with it (typed fast,
over a slow line, sent by tmux), for alt and a key. It knows few of these, and drops the escape of
the others. The dashboard has no keys with alt; what terminals send for one key stays one.
"""

from __future__ import annotations

import os
import re
from codecs import getincrementaldecoder
from collections.abc import Iterable
from itertools import chain
from selectors import EVENT_READ, SelectSelector
from time import monotonic

from textual import constants
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver
from textual.events import Key
from textual.message import Message

_ESC = "\x1b"
_A_KEY = re.compile(r"\x1b(?=[^\[OPX\]^_\\\x7f]|O\Z)")
"""Escape, but not before what terminals go on with where it begins a key or an answer of theirs."""

_READ = 4096
_TICK_S = 0.1


class KeyParser(XTermParser):
    """Textual's, which is given no escape that is a key."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._escaped_at: float | None = None

    def feed(self, data: str) -> Iterable[Message]:
        """The keys in what was read; an escape at its end waits for what may follow."""
        if not data:  # the end of all input
            yield from super().feed(data)
            return
        if self._escaped_at is not None:
            self._escaped_at = None
            data = _ESC + data
        if data.endswith(_ESC):
            self._escaped_at = monotonic()
            data = data.removesuffix(_ESC)
        for at, part in enumerate(_A_KEY.split(data)):
            if at:
                yield Key("escape", _ESC)
            if part:
                yield from super().feed(part)

    def tick(self) -> Iterable[Message]:
        """The escape after which nothing came."""
        if self._escaped_at and monotonic() - self._escaped_at >= constants.ESCAPE_DELAY:
            self._escaped_at = None
            yield Key("escape", _ESC)
        yield from super().tick()


class KeyDriver(LinuxDriver):
    """Textual's, with that parser."""

    def run_input_thread(self) -> None:
        """Hand on what is typed, until the driver ends."""
        parser = KeyParser(self._debug)
        decode = getincrementaldecoder("utf-8")().decode
        with SelectSelector() as selector:
            selector.register(self.fileno, EVENT_READ)
            while not self.exit_event.is_set():
                text = decode(os.read(self.fileno, _READ)) if selector.select(_TICK_S) else ""
                for message in chain(parser.feed(text) if text else (), parser.tick()):
                    self.process_message(message)

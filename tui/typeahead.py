"""Keys typed ahead wait their turn: a burst does what the same keys do one by one."""

from __future__ import annotations

import asyncio
from collections import deque

from textual.app import App
from textual.events import Event, Key, Paste
from textual.message import Message

from tui.driver import KeyDriver

_ROUNDS = 3
"""A key may end as a message of a widget, and that as one of its form, before the focus moves."""

_LOST_S = 1.0
"""A follower that never came home, its widget being gone, holds up the next key no longer."""


class Followed(Message):
    """Follows a key through all the queues the key went through, and so comes after its effects."""


class TypeaheadApp(App[None]):
    """An app that hands out a key once all that the key before it does is done.

    Textual hands a key to the widget in focus as soon as it comes. What comes in one piece (typed
    fast, over a slow line, sent by tmux) would go to the widget that had the focus before the first
    of these keys moved it.
    """

    def __init__(self) -> None:
        super().__init__(driver_class=KeyDriver)
        self._typed: deque[Event] = deque()
        self._rounds = 0
        self._handed_out_at = 0.0

    async def on_event(self, event: Event) -> None:
        if not isinstance(event, Key | Paste) or event.is_forwarded:
            await super().on_event(event)
            return
        self._typed.append(event)
        if not self._rounds or self._now() - self._handed_out_at > _LOST_S:
            await self._hand_out()

    async def on_followed(self) -> None:
        self._rounds = max(self._rounds - 1, 0)
        if self._rounds:
            self._follow()
        else:
            await self._hand_out()

    async def _hand_out(self) -> None:
        """Hand out what waits, as far as the next key that may do more than add a letter."""
        self._rounds = 0
        while self._typed and not self._rounds:
            event = self._typed.popleft()
            if not self._is_text(event):
                self._rounds, self._handed_out_at = _ROUNDS, self._now()
            await super().on_event(event)
            if self._rounds:
                self._follow()

    def _follow(self) -> None:
        (self.focused or self.screen).post_message(Followed())

    def _is_text(self, event: Event) -> bool:
        """Whether the widget in focus takes it as text: its own queue keeps that in order."""
        if isinstance(event, Key) and self.focused is not None:
            return self.focused.check_consume_key(event.key, event.character)
        return isinstance(event, Paste)

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()

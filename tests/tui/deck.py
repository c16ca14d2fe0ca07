"""The dashboard as the tests drive it: a real workspace below, a pilot above."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from core.options import Options
from core.workspace import Workspace
from tests.tui.conftest import NOW
from tui.app import REFRESH_S, QuarterdeckApp

SMALL = (80, 24)


@dataclass
class Deck:
    """A running dashboard."""

    app: QuarterdeckApp
    pilot: Pilot[Any]

    @property
    def workspace(self) -> Workspace:
        assert self.app.workspace is not None
        return self.app.workspace

    @property
    def text(self) -> str:
        """What stands on the screen, line by line."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join("".join(segment.text for segment in strip) for strip in strips)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def shows(self, *texts: str, seconds: float = 30.0) -> None:
        """Wait until all of the texts stand on the screen."""
        await self.until(
            lambda: all(text in self.text for text in texts), f"{texts} on the screen", seconds
        )

    async def settles(self) -> None:
        """Wait until nothing moves any more: no refresh of half a second changed the screen."""
        before = ""
        while before != self.text:
            before = self.text
            await self.pilot.pause(1.5 * REFRESH_S)

    async def until(
        self, condition: Callable[[], bool], what: str = "it", seconds: float = 30.0
    ) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not condition():
                    await self.pilot.pause(0.02)
        except TimeoutError:
            raise AssertionError(f"waited {seconds} s for {what}, but:\n{self.text}") from None


@asynccontextmanager
async def deck(
    home: Path,
    port: int | None = None,
    *,
    size: tuple[int, int] = SMALL,
    profile: str = "demo",
) -> AsyncIterator[Deck]:
    """The dashboard of a profile on the gateway at `port`, else on a port that refuses; its clock
    at `NOW`."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and never listening: it stays closed
        options = Options(profile=profile, home=home, port=port or nobody.getsockname()[1], now=NOW)
        app = QuarterdeckApp(lambda: Workspace.open(options), title_profile=profile)
        async with app.run_test(size=size, notifications=True) as pilot:
            running = Deck(app, pilot)
            await running.until(
                lambda: app.workspace is not None and bool(app.workspace.jobs.all),
                "the workspace, which begins to connect",
            )
            yield running

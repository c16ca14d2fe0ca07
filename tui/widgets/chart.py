"""A chart that is drawn beside the loop, and only when its data or its size changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from rich.text import Text
from textual.content import Content
from textual.widget import Widget

logger = logging.getLogger(__name__)

type Draw = Callable[[int, int], str]
"""Draws a picture of the given width and height in cells, as `tui.charts` does."""

# One thread for all charts: plotext draws one picture at a time anyway.
_pen = ThreadPoolExecutor(max_workers=1, thread_name_prefix="chart")


class Chart(Widget):
    """Shows what `draw` draws. The old picture stays until the new one is there."""

    ALLOW_SELECT: ClassVar[bool] = False

    def __init__(self, empty: str = "", *, id: str | None = None, classes: str | None = None):
        super().__init__(id=id, classes=classes)
        self._draw: Draw | None = None
        self._picture = Content(empty)
        self._drawn: tuple[Draw, int, int] | None = None
        self._drawing: asyncio.Task[None] | None = None

    def show(self, draw: Draw) -> None:
        """Show another picture. `draw` runs in the chart thread, again at every new size, and may
        import what is heavy; it does not change what it draws from."""
        self._draw = draw
        self._keep_up()

    def show_text(self, text: str) -> None:
        """Show a line of text instead, until the next `show`."""
        self._draw = None
        self._drawn = None
        self._picture = Content(text)
        self.refresh()

    def render(self) -> Content:
        return self._picture

    def on_resize(self) -> None:
        self._keep_up()

    def on_unmount(self) -> None:
        if self._drawing is not None:
            self._drawing.cancel()

    @property
    def _wanted(self) -> tuple[Draw, int, int] | None:
        width, height = self.size
        return (self._draw, width, height) if self._draw and width and height else None

    def _keep_up(self) -> None:
        if self._wanted != self._drawn and (self._drawing is None or self._drawing.done()):
            self._drawing = asyncio.create_task(self._draw_wanted())

    async def _draw_wanted(self) -> None:
        loop = asyncio.get_running_loop()
        while (wanted := self._wanted) is not None and wanted != self._drawn:
            try:
                picture = await loop.run_in_executor(_pen, _content, *wanted)
            except Exception:
                logger.exception("a chart could not be drawn")
                picture = Content("this chart could not be drawn; the log file says why")
            self._drawn = wanted
            if wanted == self._wanted:
                self._picture = picture
                self.refresh()


def _content(draw: Draw, width: int, height: int) -> Content:
    return Content.from_rich_text(Text.from_ansi(draw(width, height)))

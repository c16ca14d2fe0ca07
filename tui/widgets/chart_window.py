"""A chart of a row of points that is looked at through a window: zoomed, moved, read off."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType

from tui.keys import named
from tui.widgets.chart import Chart, Draw

FEWEST = 20
"""The points that a window shows at least, where there are as many."""
_AXIS_CELLS = 8
"""About what the labels beside the chart take."""


class ChartWindow(Chart, can_focus=True):
    """Subclasses say how many points there are and how a window of them is drawn."""

    POINT_CELLS: ClassVar[int] = 1
    """The cells that a point takes at least; more points than fit are joined."""
    BINDINGS: ClassVar[list[BindingType]] = named(
        "chart",
        Binding("right_square_bracket,plus,equals_sign", "zoom(0.5)", "closer", id="closer"),
        Binding("left_square_bracket,minus", "zoom(2.0)", "wider", id="wider"),
        Binding("h", "pan(-0.5)", "earlier", id="earlier"),
        Binding("l", "pan(0.5)", "later", id="later"),
        Binding("left", "point(-1)", "crosshair", key_display="←→", id="crosshair_left"),
        Binding("right", "point(1)", "Crosshair right", show=False, id="crosshair_right"),
    )

    def __init__(self, *, id: str) -> None:
        super().__init__(id=id)
        self._first = 0
        self._count = 0
        self._cursor: int | None = None

    @property
    def points(self) -> int:
        """How many there are in all."""
        raise NotImplementedError

    def picture(self, first: int, count: int, cursor: int | None) -> Draw:
        """Draws so many of them, the crosshair at one of these."""
        raise NotImplementedError

    def look_at_all(self) -> None:
        """Show everything, without a crosshair."""
        self._cursor = None
        self.look(0, self.points)

    def look(self, first: int, count: int) -> None:
        """Show so many points from `first` on, as far as there are."""
        total = self.points
        self._count = min(max(count, FEWEST), total)
        self._first = min(max(first, 0), total - self._count)
        if self._cursor is not None:
            self._cursor = min(max(self._cursor, 0), self._count - 1)
        self.show(self.picture(self._first, self._count, self._cursor))

    def action_zoom(self, factor: float) -> None:
        """Show fewer or more points around the middle of the window."""
        count = round(self._count * factor)
        self.look(self._first + (self._count - count) // 2, count)

    def action_pan(self, part: float) -> None:
        """Move the window by a part of its width."""
        self.look(self._first + round(self._count * part), self._count)

    def action_point(self, step: int) -> None:
        """Move the crosshair to the next point that is drawn; it begins in the middle."""
        room = max((self.size.width - _AXIS_CELLS) // self.POINT_CELLS, 1)
        if self._cursor is None:
            self._cursor = self._count // 2
        else:
            self._cursor += step * max(-(-self._count // room), 1)
        self.look(self._first, self._count)

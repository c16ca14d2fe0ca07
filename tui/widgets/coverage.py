"""A series' coverage in one line: what is held, against when its market was open."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from textual.content import Content
from textual.reactive import reactive
from textual.widget import Widget

if TYPE_CHECKING:
    from catalog.columns import Floats
    from catalog.coverage import Interval

HELD, PART, MISSING, SHUT = "█", "▒", "·", " "
LEGEND = f"{HELD} held  {PART} in part  {MISSING} missing"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STYLES = {HELD: "$text-success", PART: "$text-warning", MISSING: "$text-error"}


class Coverage(NamedTuple):
    """What was asked and answered (ns over bar opens), and when there was something to ask for;
    `open_times` is None where the market's hours are not known."""

    covered: tuple[Interval, ...]
    open_times: tuple[Interval, ...] | None


class CoverageStrip(Widget):
    """Draws a `Coverage` from its first to its last moment; empty while there is none."""

    coverage: reactive[Coverage | None] = reactive(None)

    def render(self) -> Content:
        if self.coverage is None or not self.coverage.covered:
            return Content("")
        covered, open_times = self.coverage
        start, end = covered[0][0], covered[-1][1]
        first, last = _date(start), _date(end - 1)
        width = self.size.width - len(first) - len(last) - 2
        cells = strip((start, end), max(width, 1), covered, open_times)
        drawn = [Content.styled(cell, _STYLES.get(cell, "")) for cell in cells]
        return Content.assemble((f"{first} ", "dim"), *drawn, (f" {last}", "dim"))


def strip(
    span: Interval,
    cells: int,
    covered: Sequence[Interval],
    open_times: Sequence[Interval] | None,
) -> str:
    """One character for each of `cells` equal parts of `span`: held, in part, missing or shut.

    Without open times all time counts as open.
    """
    import numpy as np

    from catalog.coverage import intersect

    wanted = [span] if open_times is None else intersect([span], list(open_times))
    edges = np.linspace(*span, cells + 1)
    open_ns = _measured(wanted, edges)
    held_ns = _measured(intersect(wanted, list(covered)), edges)
    # Stamps of this size are exact to a microsecond as floats: a minute's bar is far more.
    return "".join(
        SHUT if not open_ else HELD if open_ - held < 1e6 else PART if held else MISSING
        for open_, held in zip(open_ns, held_ns, strict=True)
    )


def _measured(intervals: Sequence[Interval], edges: Floats) -> list[float]:
    """How much of the intervals lies between each two edges, ns."""
    import numpy as np

    if not intervals:
        return [0.0] * (len(edges) - 1)
    lengths = np.array([end - start for start, end in intervals], dtype=np.float64)
    bounds = np.array(intervals, dtype=np.float64).ravel()
    sums = np.repeat(np.concatenate(([0.0], np.cumsum(lengths))), 2)[1:-1]
    amounts: list[float] = np.diff(np.interp(edges, bounds, sums)).tolist()
    return amounts


def _date(moment: int) -> str:
    return f"{_EPOCH + timedelta(microseconds=moment // 1000):%Y-%m-%d}"

"""A series' coverage in one line: what is held, missing, not to be had, and when it was closed."""

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
    from catalog.series import BarSpec
    from catalog.stretches import State, Stretch

HELD, PART, MISSING, NONE, SHUT = "█", "▒", "·", "x", " "
LEGEND = f"{HELD} held  {PART} in part  {MISSING} missing  {NONE} none"
STATES: dict[State, str] = {
    "held": "held",
    "none": "asked, the broker has none",
    "missing": "never asked",
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = len("2024-01-31")
_NOTHING_NS = 1e6
_STYLES = {HELD: "$text-success", PART: "$text-warning", MISSING: "$text-error", NONE: "dim"}


class Coverage(NamedTuple):
    """What is known of a series, piece by piece in time order, and when there was something to
    ask for (ns over bar opens); `open_times` is None where the market's hours are not known."""

    stretches: tuple[Stretch, ...]
    open_times: tuple[Interval, ...] | None

    @property
    def missing(self) -> tuple[Stretch, ...]:
        """What was never asked."""
        return tuple(one for one in self.stretches if one.state == "missing")


class CoverageStrip(Widget):
    """Draws a `Coverage` from its first to its last moment; empty while there is none."""

    coverage: reactive[Coverage | None] = reactive(None)

    def render(self) -> Content:
        if self.coverage is None or not self.coverage.stretches:
            return Content("")
        stretches = self.coverage.stretches
        span = (stretches[0].start, stretches[-1].end)
        first, last = moment(span[0])[:_DATE], moment(span[1] - 1)[:_DATE]
        width = self.size.width - len(first) - len(last) - 2
        cells = strip(span, max(width, 1), self.coverage)
        drawn = [Content.styled(cell, _STYLES.get(cell, "")) for cell in cells]
        return Content.assemble((f"{first} ", "dim"), *drawn, (f" {last}", "dim"))


def strip(span: Interval, cells: int, coverage: Coverage) -> str:
    """One character for each of `cells` equal parts of `span`: held, in part, missing, not to be
    had, or shut. Where a part is all answered, what was to be had counts.

    Without open times all time counts as open.
    """
    import numpy as np

    from catalog.coverage import intersect

    wanted = [span] if coverage.open_times is None else list(coverage.open_times)
    edges = np.linspace(*span, cells + 1)
    held, none, missing = (
        _measured(intersect(wanted, _times(coverage, state)), edges)
        for state in ("held", "none", "missing")
    )
    return "".join(map(_cell, held, none, missing))


def _cell(held: float, none: float, missing: float) -> str:
    # Stamps of this size are exact to a microsecond as floats: a minute's bar is far more.
    if held > _NOTHING_NS:
        return PART if missing > _NOTHING_NS else HELD
    if missing > _NOTHING_NS:
        return MISSING
    return NONE if none > _NOTHING_NS else SHUT


def ends(one: Stretch, spec: BarSpec) -> tuple[str, str]:
    """Both ends of a stretch as a fetch takes them: moments in UTC, or first and last date."""
    if spec.intraday:
        return moment(one.start), moment(one.end)
    return moment(one.start)[:_DATE], moment(one.end - 1)[:_DATE]


def moment(nanos: int) -> str:
    """A time in ns as UTC text to the minute: `2024-01-31T14:30`."""
    return f"{_EPOCH + timedelta(microseconds=nanos // 1000):%Y-%m-%dT%H:%M}"


def _times(coverage: Coverage, state: State) -> list[Interval]:
    return [(one.start, one.end) for one in coverage.stretches if one.state == state]


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

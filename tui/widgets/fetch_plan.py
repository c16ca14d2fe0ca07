"""What a fetch will take, in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.widgets.result_progress import clock

if TYPE_CHECKING:
    from core.fetch import FetchPlan

_MANY_REQUESTS = 20
_LONG_S = 60.0
_NAMED = 3


def needs_a_second_look(plan: FetchPlan) -> bool:
    """Whether so much is asked for that a person should say yes to it first."""
    expected = plan.estimate
    large = expected.requests > _MANY_REQUESTS or expected.seconds > _LONG_S
    return large or plan.refusal is not None


def plan_line(plan: FetchPlan) -> str:
    """Series, requests, bars, time under pacing, disk; or why it would not start."""
    if plan.refusal is not None:
        return f"{plan.refusal}"
    expected, count = plan.estimate, len(plan.series)
    wrong = [one.typed_id for one in plan.series if one.error is not None]
    series = f"{count:,} series" + (f" (not {_named(wrong)}: see the log)" if wrong else "")
    if not expected.requests:
        return f"plan: {series}, nothing to request"
    requests = "1 request" if expected.requests == 1 else f"{expected.requests:,} requests"
    return (
        f"plan: {series}, {requests}, {expected.bars:,} bars, "
        f"about {clock(expected.seconds)}, {expected.size / 1e6:,.1f} MB"
    )


def _named(ids: list[str]) -> str:
    more = len(ids) - _NAMED
    return ", ".join(ids[:_NAMED]) + (f" and {more} more" if more > 0 else "")

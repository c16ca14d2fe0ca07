"""How a fetch or an update ended, series by series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from catalog.errors import QuarterdeckError
from tui.output import Output

if TYPE_CHECKING:
    from core.fetch import FetchSummary


def report_summary(summaries: Sequence[FetchSummary], output: Output) -> int:
    """Print the outcome of each series; gives the exit code, that of the worst failure."""
    fetched = [one for summary in summaries for one in summary.series]
    output.table(
        {"series": False, "outcome": False, "requests": True, "new bars": True, "held": True},
        (
            (
                str(one.series or one.typed_id),
                one.outcome,
                f"{one.requests:,}",
                f"{one.bars:,}",
                f"{one.held:,}",
            )
            for one in fetched
        ),
    )
    output.summary(
        series=[
            {
                "typed": one.typed_id,
                "instrument_id": one.series.instrument_id if one.series else None,
                "bar_type": one.series.bar_type if one.series else None,
                "outcome": one.outcome,
                "requests": one.requests,
                "bars": one.bars,
                "held": one.held,
                "error": one.error.as_record() if one.error else None,
            }
            for one in fetched
        ]
    )
    return report_errors([one.error for one in fetched], output)


def report_errors(errors: Sequence[QuarterdeckError | None], output: Output) -> int:
    """Tell what went wrong; gives the exit code."""
    told = [error for error in errors if error is not None]
    for error in told:
        output.error(error)
    return max((error.exit_code for error in told), default=0)

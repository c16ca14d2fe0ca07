"""One measurement: a figure of ours beside a baseline, and the bound we promise."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measurement:
    """A row of the table. The ratio is ours over the baseline, unless there is no baseline."""

    name: str
    ours: float
    unit: str
    baseline: float | None
    bound: float
    """What the ratio (or, without a baseline, our figure) should stay within."""
    higher_is_better: bool = False
    note: str = ""

    @property
    def judged(self) -> float:
        """The figure that the bound is about."""
        return self.ours if self.baseline is None else self.ours / self.baseline

    @property
    def within(self) -> bool:
        """Whether the promise is kept."""
        return self.judged >= self.bound if self.higher_is_better else self.judged <= self.bound

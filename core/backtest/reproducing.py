"""Whether a run that is made again gives the same, and what changed where it does not."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from catalog.wording import counted
from core.backtest.results import StoredRun


@dataclass(frozen=True, slots=True, eq=False)
class Reproduction:
    """A run and the same spec run again.

    `changed` says in words what the two do not stand on alike: spec, data, source of the strategy,
    the version of NautilusTrader, or that the first was cancelled on its way. `first_difference` is
    the number of the first fill, from 1, that is another or is missing; None when all fills are the
    same.
    """

    original: StoredRun
    again: StoredRun
    changed: tuple[str, ...]
    first_difference: int | None

    @property
    def same(self) -> bool:
        """Whether every fill is the same."""
        return self.first_difference is None

    def __str__(self) -> str:
        changed = "; ".join(self.changed) or "nothing"
        if self.same:
            return f"the same {counted(len(self.again.fills), 'fill')}; changed: {changed}"
        told = f"fill {self.first_difference:,} differs; changed: {changed}"
        if not self.changed:
            return f"{told}. The strategy does not always do the same: has it a seed, or a clock?"
        return told


def judge(original: StoredRun, again: StoredRun) -> Reproduction:
    """Compare a run with the same spec run again."""
    before, now = original.result.fingerprint, again.result.fingerprint
    changed = before.changes(now) if before and now else ("unknown, as it kept no fingerprint",)
    if original.result.state == "partial":
        changed = (*changed, "the end, as the first run was cancelled on its way")
    pairs = zip_longest(original.fills, again.fills)
    different = (number for number, (one, other) in enumerate(pairs, 1) if one != other)
    return Reproduction(original, again, changed, next(different, None))

"""A run in words: its title, and the command that does the same."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.backtest.spec import RunSpec


def settings_of(spec: RunSpec) -> str:
    """The strategy with what was set: `sma_crossover fast_period=10 slow_period=20`."""
    return " ".join(
        [
            spec.strategy,
            *(f"{name}={value}" for name, value in spec.parameters.items() if value is not None),
        ]
    )


def title_of(spec: RunSpec) -> str:
    """The run in one line: strategy, instruments, bars, range."""
    return (
        f"{settings_of(spec)} · {' '.join(spec.instruments)} {spec.bars} {spec.start}..{spec.end}"
    )


def command_of(spec: RunSpec) -> str:
    """The command line that does the same run."""
    words = ["quarterdeck", "backtest", "run", spec.strategy]
    for instrument in spec.instruments:
        words += ["--instrument", instrument]
    words += ["--bars", str(spec.bars), "--start", spec.start, "--end", spec.end]
    for name, value in spec.parameters.items():
        if value is not None:
            words += ["--param", f"{name}={value}"]
    words += ["--cash", spec.cash, "--fees", spec.fees, "--source", spec.source]
    return shlex.join(words)

"""A run in words: its title, and the command that does the same."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.backtest.spec import RunSpec


_OPTIONS = (
    "cash",
    "fees",
    "source",
    "hours",
    "warm_up",
    "account",
    "oms",
    "leverage",
    "slippage",
    "seed",
)


def settings_of(spec: RunSpec) -> str:
    """The strategy with the values that were set, in their order: `sma_crossover 10/20`."""
    values = [str(value) for value in spec.parameters.values() if value is not None]
    return f"{spec.strategy} {'/'.join(values)}".rstrip()


def title_of(spec: RunSpec) -> str:
    """The run in one line: strategy, instruments, bars, range."""
    return (
        f"{settings_of(spec)} · {' '.join(spec.instruments)} {spec.bars} {spec.start}..{spec.end}"
    )


def command_of(spec: RunSpec) -> str:
    """The command line that does the same run; what is as usual is left out, except fees: the
    usual ones are a matter of the settings."""
    usual = type(spec)(strategy=spec.strategy)
    words = ["quarterdeck", "backtest", "run", spec.strategy]
    for instrument in spec.instruments:
        words += ["--instrument", instrument]
    words += ["--bars", str(spec.bars)]
    for option in ("start", "end"):
        if typed := getattr(spec, option):
            words += [f"--{option}", typed]
    for name, value in spec.parameters.items():
        if value is not None:
            words += ["--param", f"{name}={value}"]
    for option in _OPTIONS:
        if (chosen := getattr(spec, option)) != getattr(usual, option) or option == "fees":
            words += [f"--{option.replace('_', '-')}", str(chosen)]
    return shlex.join(words)

"""`python -m tests.benchmarks [NAME...]`: measure, and print a table against the baselines."""

from __future__ import annotations

import sys
from importlib import import_module

from rich.console import Console
from rich.table import Table

NAMES = (
    "first_paint",
    "terminal",
    "backtests",
    "streaming",
    "loop_lag",
    "fetching",
    "sweeps",
    "catalog",
)


def main() -> None:
    """Run the named benchmarks, or all. The exit code says nothing about speed."""
    table = Table("what", "ours", "baseline", "judged", "bound", "", "note", box=None)
    for name in sys.argv[1:] or NAMES:
        for one in import_module(f"tests.benchmarks.{name}").measure():
            baseline = "" if one.baseline is None else f"{one.baseline:,.3f} {one.unit}"
            judged = f"{one.judged:,.3f}" + (" x" if one.baseline is not None else "")
            bound = ("at least " if one.higher_is_better else "at most ") + f"{one.bound:g}"
            ours = f"{one.ours:,.3f} {one.unit}"
            verdict = "ok" if one.within else "MISSED"
            table.add_row(one.name, ours, baseline, judged, bound, verdict, one.note)
    Console(width=200).print(table)


if __name__ == "__main__":
    main()

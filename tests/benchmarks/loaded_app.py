"""The dashboard under a load from its start on, which the variable LOAD names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, override

from catalog.events import Event
from core.backtest.sweep import Axis, SweepSpec
from core.workspace import Workspace
from tests.benchmarks.workspaces import spec_of
from tui import app
from tui.app import QuarterdeckApp
from tui.cli import main as run
from tui.commands import dashboard

type Load = Literal["sweep", "log"]

BARS = 20_000
LINES_PER_SECOND = 100
_TIMES_PER_SECOND = 10


@dataclass(frozen=True, slots=True)
class Said(Event):
    """A line of the log."""

    channel = "fetch"

    number: int

    def __str__(self) -> str:
        return f"AAPL.NASDAQ 1-MINUTE-LAST: {self.number:,} bars received in 0.1 s"


class LoadedApp(QuarterdeckApp):
    """It sweeps over what `store_minutes` stored, with as many workers as there are cores, or
    writes to its log."""

    CSS_PATH = Path(app.__file__).with_name("styles") / "shell.tcss"

    @override
    async def _open(self) -> None:
        await super()._open()
        assert self.workspace is not None
        if os.environ["LOAD"] == "sweep":
            _sweep(self.workspace)
        else:
            self.set_interval(1 / _TIMES_PER_SECOND, self._say)

    def _say(self) -> None:
        assert self.workspace is not None
        log = self.workspace.jobs.log
        for _ in range(LINES_PER_SECOND // _TIMES_PER_SECOND):
            log.write(Said(log.total))


def _sweep(workspace: Workspace) -> None:
    axes = Axis("fast_period", tuple(range(2, 32))), Axis("slow_period", tuple(range(40, 240)))
    workspace.sweep(SweepSpec(spec_of(BARS), axes))


def main() -> None:
    """Run it with the arguments of the command."""
    dashboard.QuarterdeckApp = LoadedApp  # type: ignore[misc]
    run()

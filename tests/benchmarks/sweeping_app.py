"""The dashboard, in which a long sweep runs from the start."""

from __future__ import annotations

from pathlib import Path
from typing import override

from core.backtest.sweep import Axis, SweepSpec
from tests.benchmarks.workspaces import spec_of
from tui import app
from tui.app import QuarterdeckApp
from tui.cli import main as run
from tui.commands import dashboard

BARS = 20_000


class SweepingApp(QuarterdeckApp):
    """It sweeps over what `store_minutes` stored, with as many workers as there are cores."""

    CSS_PATH = Path(app.__file__).with_name("styles") / "shell.tcss"

    @override
    async def _open(self) -> None:
        await super()._open()
        assert self.workspace is not None
        axes = Axis("fast_period", tuple(range(2, 32))), Axis("slow_period", tuple(range(40, 240)))
        self.workspace.sweep(SweepSpec(spec_of(BARS), axes))


def main() -> None:
    """Run it with the arguments of the command."""
    dashboard.QuarterdeckApp = SweepingApp  # type: ignore[misc]
    run()

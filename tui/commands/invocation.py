"""What every command is given, and the open workspace it works in."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING

import typer

from core.options import Options
from tui.ending import CANCELLED, end_in_time
from tui.logfile import log_to
from tui.output import Output

if TYPE_CHECKING:
    from core.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Invocation:
    """The global options of this call and where to print."""

    options: Options
    output: Output

    def run(self, work: Callable[[Workspace], Awaitable[int]]) -> None:
        """Do a command's work in an open workspace; ends the command with its exit code.

        SIGTERM and SIGHUP (a dropped line) cancel it as ctrl-c does: a step that is writing
        finishes, the gateway is left, the command ends.
        """
        try:
            code = asyncio.run(self._run(work))
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        raise typer.Exit(code)

    async def _run(self, work: Callable[[Workspace], Awaitable[int]]) -> int:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None, "a coroutine runs in a task"
        for number in (signal.SIGTERM, signal.SIGHUP):
            # Not by raising SIGINT: a shell has it ignored in what a script runs beside itself.
            loop.add_signal_handler(number, task.cancel)
        async with open_workspace(self.options) as workspace:
            try:
                return await work(workspace)
            except asyncio.CancelledError:
                end_in_time(CANCELLED)
                raise


@asynccontextmanager
async def open_workspace(options: Options) -> AsyncIterator[Workspace]:
    """The workspace of these options, closed at the end; for a profile that is simulated, with
    a simulator of its own, started and ended here.

    Raises `WrongInput` for options, settings or folders that cannot be used.
    """
    # Its imports take half a second, which a screen that is already up would notice.
    await asyncio.to_thread(import_module, "core.workspace")
    from core.workspace import Workspace, chosen_profile

    _, profile = await asyncio.to_thread(chosen_profile, options)
    if profile.simulated and options.port is None:
        from core.simulator.process import start_process

        simulator = await start_process(now=options.now)
        try:
            async with open_workspace(replace(options, port=simulator.port)) as workspace:
                yield workspace
        finally:
            await simulator.stop()
        return
    workspace = await Workspace.open(options)
    log_to(workspace.home.logs)
    try:
        yield workspace
    finally:
        await workspace.close()

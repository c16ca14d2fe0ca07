"""The dashboard on a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING

from catalog.errors import WrongInput
from core.home import Home
from core.options import Options
from tui.app import QuarterdeckApp
from tui.ending import end_in_time
from tui.logfile import LastingStream

if TYPE_CHECKING:
    from core.workspace import Workspace

_M_MMAP_THRESHOLD, _M_ARENA_MAX = -3, -8
"""Parameters of glibc's `mallopt`: from which size on memory is the system's own, and how many
heaps there may be."""
_LARGE = 128 * 1024
_ARROW_POOL = "ARROW_DEFAULT_MEMORY_POOL"


def run_dashboard(options: Options) -> int:
    """Show the dashboard until the user quits; gives the exit code.

    Raises `WrongInput` where there is no terminal, and what ended the dashboard early.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise WrongInput(
            "The dashboard needs a terminal",
            "standard input or output is no terminal here",
            "use the commands instead: quarterdeck --help",
        )
    if os.environ.get("TERM", "dumb") in ("", "dumb"):
        raise WrongInput(
            "The dashboard cannot draw on this terminal",
            "TERM says that it knows no cursor and no colours",
            "set TERM to what the terminal is, such as xterm-256color",
            "or use the commands: quarterdeck --help",
        )
    terminal = sys.__stderr__  # where Textual draws
    try:
        sys.__stderr__ = LastingStream(sys.stderr)  # type: ignore[assignment,misc]
        return asyncio.run(_run(options))
    finally:
        sys.__stderr__ = terminal  # type: ignore[misc]


def _give_memory_back() -> None:
    """Have what is freed go back to the system: with thousands of series it is 20 MB.

    Arrow's own allocator keeps pages, and glibc a heap for each thread and what was large once.
    Other C libraries have no such settings.
    """
    import ctypes

    if _ARROW_POOL not in os.environ:
        os.environ[_ARROW_POOL] = "system"
        import pyarrow as pa

        pa.default_memory_pool()  # chosen once; worker processes, which end soon, have Arrow's own
        del os.environ[_ARROW_POOL]
    with contextlib.suppress(OSError, AttributeError, TypeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_ARENA_MAX, 1)
        libc.mallopt(_M_MMAP_THRESHOLD, _LARGE)


async def _run(options: Options) -> int:
    """One dashboard after another, as long as a person switches profiles."""
    options = replace(options, last_good=True)
    while True:
        app = await _run_one(options)
        if app.failure is not None:
            raise app.failure
        if app.next_profile is None:
            return app.return_code or 0
        # What was said about the gateway was about the one before.
        options = replace(
            options, profile=app.next_profile, host=None, port=None, client_id=None, catalog=None
        )
        gc.unfreeze()  # what the dashboard before kept may go


async def _run_one(options: Options) -> QuarterdeckApp:
    async with AsyncExitStack() as opened:

        async def open_it() -> Workspace:
            from tui.commands.invocation import open_workspace

            _give_memory_back()
            workspace = await opened.enter_async_context(open_workspace(options))
            opened.push_async_callback(asyncio.wait, [asyncio.create_task(workspace.warm_up())])
            return workspace

        app = QuarterdeckApp(
            open_it,
            title_profile=options.profile or "",
            first_start=_first_start(options),
            low_bandwidth=options.low_bandwidth,
        )
        await app.run_async()
        if app.next_profile is None:
            end_in_time(app.failure.exit_code if app.failure else app.return_code or 0)
    return app


def _first_start(options: Options) -> Home | None:
    """The home, where nothing was ever chosen: neither in its settings nor in this call."""
    if any((options.profile, options.host, options.port, options.catalog)):
        return None
    home = Home.find(options.home)
    return None if home.settings_file.exists() else home

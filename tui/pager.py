"""Text in the user's own pager, on the terminal that the dashboard lends it."""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import tempfile
from pathlib import Path

from textual.app import App, SuspendNotSupported

_TO_THE_END = {"less": ["+G"]}


async def read_in_pager(app: App[None], text: str) -> None:
    """Show the text in `$PAGER`, or `less`, until the reader leaves it.

    The loop goes on meanwhile, so that jobs and the connection do; nothing is drawn.
    """
    command = shlex.split(os.environ.get("PAGER") or "less")
    file = await asyncio.to_thread(_written, text)
    try:
        with app.batch_update(), app.suspend():
            # ctrl-c is the pager's: the dashboard must not end of it.
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGINT, lambda: None)
            try:
                arguments = [*command, *_TO_THE_END.get(Path(command[0]).name, []), str(file)]
                process = await asyncio.create_subprocess_exec(*arguments)
                await process.wait()
            finally:
                loop.remove_signal_handler(signal.SIGINT)
    except (OSError, SuspendNotSupported) as error:
        app.notify(str(error), title="The pager cannot be shown", severity="warning", markup=False)
    finally:
        file.unlink()


def _written(text: str) -> Path:
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="quarterdeck-", suffix=".log", delete=False
    ) as file:
        file.write(text + "\n")
    return Path(file.name)

"""Steps that write: in a thread, beside the loop, and never left half done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from catalog.events import Event, Report


async def write[T](step: Callable[[Report], T], report: Report) -> T:
    """Run `step(report)` in a thread and give its result; its events arrive on this loop.

    When the task is cancelled meanwhile, the step is finished first.
    """
    loop = asyncio.get_running_loop()

    def tell(event: Event) -> None:
        loop.call_soon_threadsafe(report, event)

    writing = asyncio.ensure_future(asyncio.to_thread(step, tell))
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        await asyncio.wait({writing})
        if not writing.cancelled():
            writing.exception()  # looked at, so that asyncio does not complain: cancelled is said
        raise

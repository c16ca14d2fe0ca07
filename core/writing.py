"""Steps that write: one after another in a thread, beside the loop, never left half done."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from catalog.events import Event, Report

# Writers of one catalog take turns anyway; in one thread they queue without polling its lock.
_writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")


async def write[T](step: Callable[[Report], T], report: Report) -> T:
    """Run `step(report)` in the writing thread and give its result; its events arrive on this loop.

    When the task is cancelled meanwhile, a step that has begun is finished first.
    """
    loop = asyncio.get_running_loop()

    def tell(event: Event) -> None:
        loop.call_soon_threadsafe(report, event)

    begun = _writer.submit(step, tell)
    writing = asyncio.wrap_future(begun)
    try:
        return await asyncio.shield(writing)
    except asyncio.CancelledError:
        if not begun.cancel():
            await asyncio.wait({writing})
            if not writing.cancelled():
                writing.exception()  # looked at, so that asyncio does not complain
        raise

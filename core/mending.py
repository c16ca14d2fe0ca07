"""Checking, repairing and undoing beside the loop; what is being written is finished first."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from catalog.events import Event, Report, ignore
from catalog.exchange import Transaction
from catalog.health import CheckReport, check
from catalog.repair import Step, plan, repair
from catalog.series import NANOS_PER_SECOND
from catalog.store import Catalog
from catalog.trash import undo
from core.identity import Clock
from core.writing import write

_PASSES = 3


@dataclass(frozen=True, slots=True)
class Mended:
    """What became of a repair: how many steps failed, and what a check finds after it."""

    failed: int
    left: CheckReport


async def check_catalog(
    catalog: Catalog, clock: Clock, *, full: bool = False, report: Report = ignore
) -> CheckReport:
    """Everything that is wrong in the catalog; `full` reads also what has not changed since the
    last check. Cancelling ends it at the next file.

    Raises what `catalog.health.check` does.
    """
    now_ns = int(clock().timestamp()) * NANOS_PER_SECOND
    return await _until_stopped(partial(check, catalog.root, now_ns=now_ns, full=full), report)


async def repair_catalog(catalog: Catalog, steps: Sequence[Step], report: Report = ignore) -> int:
    """Do the steps of a plan; gives how many failed. Cancelling ends it after a step.

    Raises `WrongInput` when the catalog may only be read.
    """
    catalog.require_writable()
    return await _until_stopped(partial(repair, catalog.root, steps), report)


async def mend_catalog(
    catalog: Catalog, clock: Clock, steps: Sequence[Step], report: Report = ignore
) -> Mended:
    """Do the steps of a plan, and those that a check then asks for: what one pass puts in its
    place, the next lays out.

    Raises what `check_catalog` and `repair_catalog` do.
    """
    for _ in range(_PASSES):
        failed = await repair_catalog(catalog, steps, report)
        left = await check_catalog(catalog, clock)
        steps = plan(left.findings)
        if failed or not steps:
            break
    return Mended(failed, left)


async def undo_last(catalog: Catalog, report: Report = ignore) -> Transaction:
    """Take the last transaction back; raises what `catalog.trash.undo` does."""
    catalog.require_writable()
    return await write(partial(undo, catalog.root), report)


async def _until_stopped[T](work: Callable[..., T], report: Report) -> T:
    """Run `work(report=..., stopped=...)` in a thread; when the task is cancelled, wait until it
    has stopped."""
    loop = asyncio.get_running_loop()
    stop = threading.Event()

    def tell(event: Event) -> None:
        loop.call_soon_threadsafe(report, event)

    working = asyncio.ensure_future(
        asyncio.to_thread(partial(work, report=tell, stopped=stop.is_set))
    )
    try:
        return await asyncio.shield(working)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait({working})
        if not working.cancelled():
            working.exception()  # looked at, so that asyncio does not complain: cancelled is said
        raise

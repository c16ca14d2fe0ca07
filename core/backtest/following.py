"""A run in its worker process, followed to its end: by itself, by a limit, or by a cancel."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from catalog import workers
from catalog.workers import WorkerDied
from core.backtest.task import Outcome, Progress, Task, perform, rehearse

workers.preload("core.backtest.rehearsal")
workers.rehearse(rehearse)

WORKER_LOG = "worker.log"
STOP_S = 0.6
"""How long a run that is asked to stop may take to do so, before it is killed."""
SETTLE_S = 60.0
"""How long it may take to write its figures after that."""


async def follow(task: Task, report: Callable[[Progress], None]) -> tuple[Outcome, bool]:
    """Perform the task in a worker; what came out, and whether it was cancelled on its way.

    Cancelled, the engine stops at its next window and what it has done so far comes out; a cancel
    that it does not hear in time, or a second one, kills it and is raised.

    Raises what the task raises, and the `DataUnavailable` of a limit or `WorkerDied`.
    """
    ended = asyncio.Event()

    def hear(progress: Progress) -> None:
        report(progress)
        if progress.ended:
            ended.set()

    log = task.folder / WORKER_LOG
    running = asyncio.ensure_future(workers.run(perform, task, on_message=hear, log=log))
    try:
        return await asyncio.shield(running), False
    except asyncio.CancelledError:
        return await _stop(task, running, ended), True
    except WorkerDied as died:
        raise task.limits.death_of(task.spec.strategy, died, log) from died


async def _stop(task: Task, running: asyncio.Future[Outcome], ended: asyncio.Event) -> Outcome:
    try:
        await asyncio.to_thread(task.stop.touch)
        async with asyncio.timeout(STOP_S):
            await ended.wait()
        async with asyncio.timeout(SETTLE_S):
            return await asyncio.shield(running)
    except Exception as error:
        raise asyncio.CancelledError from error
    finally:
        if not running.done():
            running.cancel()
            await asyncio.wait([running])

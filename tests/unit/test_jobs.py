"""Jobs: what they report, how they end, and what a late reader still sees."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from catalog.errors import QuarterdeckError, WrongInput
from catalog.events import Event
from core.jobs import KEPT_LINES, Job, JobFailed, JobProgress, Jobs, JobState


@dataclass(frozen=True, slots=True)
class Said(Event):
    text: str

    def __str__(self) -> str:
        return self.text


async def test_a_follower_gets_every_event_also_those_before_it_came() -> None:
    go_on = asyncio.Event()

    async def work(job: Job[int]) -> int:
        job.report(Said("early"))
        await go_on.wait()
        job.report(Said("late"))
        return 7

    job = Jobs().start("fetch", "a fetch", work)
    heard = []
    async for event in job.events():
        heard.append(str(event))
        go_on.set()
    assert heard == ["early", "late"]
    assert await job.wait() == 7
    assert job.snapshot.state is JobState.DONE


async def test_progress_moves_the_snapshot_and_fills_no_log() -> None:
    async def work(job: Job[None]) -> None:
        job.report(JobProgress(30, 60, "bars"))

    job = Jobs().start("fetch", "a fetch", work)
    await job.wait()
    assert (job.snapshot.done, job.snapshot.total) == (30, 60)
    assert job.log.total == 0


async def test_a_told_error_fails_the_job_and_reaches_the_shared_log() -> None:
    async def work(job: Job[None]) -> None:
        raise WrongInput("no such thing", "nobody has it", "take another")

    jobs = Jobs()
    job = jobs.start("backtest", "a run", work)
    with pytest.raises(WrongInput, match="no such thing"):
        await job.wait()
    assert job.snapshot.state is JobState.FAILED
    assert [line.event for line in jobs.log.since(0)] == [
        JobFailed("no such thing", "nobody has it", ("take another",))
    ]
    assert str(jobs.log.since(0)[0].event) == "no such thing: nobody has it -> take another"


async def test_a_flaw_of_ours_is_told_without_a_traceback() -> None:
    async def work(job: Job[None]) -> None:
        raise ZeroDivisionError("by nothing")

    job = Jobs().start("backtest", "a run", work)
    with pytest.raises(QuarterdeckError, match="failed unexpectedly"):
        await job.wait()


async def test_stopping_cancels_what_runs_and_waits_for_its_last_step() -> None:
    written = []

    async def work(job: Job[None]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            written.append("the step that was under way")

    jobs = Jobs()
    job = jobs.start("fetch", "a fetch", work)
    await asyncio.sleep(0)
    await jobs.stop()
    assert written
    assert job.snapshot.state is JobState.CANCELLED
    assert not jobs.running


async def test_a_job_that_is_to_keep_more_loses_nothing() -> None:
    async def work(job: Job[None]) -> None:
        for number in range(KEPT_LINES + 5):
            job.report(Said(str(number)))

    job = Jobs().start("backtest", "a sweep", work, keep=KEPT_LINES + 5)
    assert [str(event) async for event in job.events()] == [str(n) for n in range(KEPT_LINES + 5)]


async def test_a_late_reader_loses_old_lines_and_is_told_how_many() -> None:
    async def work(job: Job[None]) -> None:
        for number in range(KEPT_LINES + 5):
            job.report(Said(str(number)))

    job = Jobs().start("fetch", "a fetch", work)
    await job.wait()
    heard = [str(event) async for event in job.events()]
    assert heard[:2] == ["... 5 lines lost", "5"]
    assert len(heard) == 1 + KEPT_LINES
    assert [str(line.event) for line in job.log.since(4)][:2] == ["... 1 line lost", "5"]
    assert [str(line.event) for line in job.log.since(5)][:1] == ["5"]

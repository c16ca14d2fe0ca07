"""Worker processes: fresh, quiet, heard to the end, and never left behind."""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import worker_jobs as jobs

from catalog import workers
from catalog.errors import WrongInput


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    workers.warm_up()


def gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def test_each_job_has_a_process_of_its_own() -> None:
    first, second = await asyncio.gather(workers.run(jobs.process_id), workers.run(jobs.process_id))
    assert len({first, second, os.getpid()}) == 3


def waiting() -> list[psutil.Process]:
    """The processes below the forkserver: the one that waits for a job, and any that has ended."""
    return [worker for server in psutil.Process().children() for worker in server.children()]


async def test_a_job_takes_the_process_that_waits_and_the_next_one_another() -> None:
    workers.warm_up()
    ready = {process.pid for process in waiting()}
    first = await workers.run(jobs.process_id)
    assert first in ready
    assert await workers.run(jobs.process_id) != first


def test_a_process_that_waits_rehearses_whatever_comes_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "_rehearsals", [jobs.raises, jobs.rehearses])
    workers.warm_up()
    deadline = time.monotonic() + 30
    while not workers.run_blocking(jobs.has_rehearsed):
        assert time.monotonic() < deadline
        time.sleep(0.2)


async def test_the_rehearsal_of_a_run_leaves_nothing_behind(tmp_path: Path) -> None:
    assert await workers.run(jobs.rehearses_a_run, tmp_path) == []


async def test_a_process_that_ended_while_it_waited_is_replaced() -> None:
    workers.warm_up()
    for process in waiting():
        process.kill()
    assert psutil.wait_procs(waiting(), timeout=30)[1] == []
    assert await workers.run(jobs.process_id)


async def test_a_job_finds_modules_where_its_parent_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers.warm_up()
    (tmp_path / "made_later.py").write_text("def answer():\n    return 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    made_later = importlib.import_module("made_later")
    assert await workers.run(made_later.answer) == 42


async def test_a_worker_has_nautilus_ready_and_no_screen() -> None:
    import textual
    import typer

    assert textual and typer  # the parent has them
    assert await workers.run(jobs.whats_loaded) == {
        "textual": False,
        "typer": False,
        "nautilus_trader": True,
    }


async def test_a_worker_leaves_the_terminal_alone(capfd: pytest.CaptureFixture[str]) -> None:
    own_session, typed = await workers.run(jobs.session_and_stdin)
    await workers.run(jobs.chatters, on_message=lambda _: None)
    assert own_session
    assert typed == ""
    assert capfd.readouterr() == ("", "")


async def test_a_worker_that_gives_way_is_nicer_than_its_parent() -> None:
    assert await workers.run(jobs.niceness_that_gives_way) > os.nice(0)


async def test_messages_come_in_order_and_before_the_result(tmp_path: Path) -> None:
    heard: list[int] = []
    log = tmp_path / "worker.log"
    assert await workers.run(jobs.chatters, on_message=heard.append, log=log) == 100
    assert heard == list(range(100))
    assert log.read_text().splitlines() == ["on stdout", "on stderr"]


async def test_what_was_printed_is_in_the_log_when_the_result_is_there(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    await workers.run(jobs.prints, log=log)
    assert log.read_text() == "not flushed\n"


async def test_a_refusal_arrives_as_it_was_raised() -> None:
    with pytest.raises(WrongInput) as refusal:
        await workers.run(jobs.refuses)
    assert refusal.value.as_record() == {
        "title": "no such thing",
        "reason": "it was never there",
        "steps": ["look elsewhere"],
    }


async def test_an_exception_is_told_and_its_traceback_logged(tmp_path: Path) -> None:
    log = tmp_path / "worker.log"
    with pytest.raises(workers.WorkerDied) as death:
        await workers.run(jobs.raises, log=log)
    assert "ZeroDivisionError: the divisor was zero" in death.value.reason
    assert "in raises" in log.read_text()


async def test_an_argument_that_does_not_pickle_is_refused_and_the_next_job_runs() -> None:
    with pytest.raises(TypeError, match="pickle"):
        await workers.run(jobs.process_id, threading.Lock())
    assert await workers.run(jobs.process_id)


async def test_a_result_that_does_not_pickle_is_told() -> None:
    with pytest.raises(workers.WorkerDied) as death:
        await workers.run(jobs.returns_what_does_not_pickle)
    assert "pickle" in death.value.reason


async def test_an_abort_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(workers.WorkerDied) as death:
        await workers.run(jobs.prints_and_aborts, log=tmp_path / "worker.log")
    assert "these are my last words" in death.value.reason


async def test_an_abort_without_a_log_names_the_signal() -> None:
    with pytest.raises(workers.WorkerDied) as death:
        await workers.run(jobs.prints_and_aborts)
    assert "SIGABRT" in death.value.reason


async def test_cancelling_kills_at_once() -> None:
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    job = asyncio.ensure_future(
        workers.run(jobs.tells_its_id_and_hangs, on_message=started.set_result)
    )
    pid = await started
    before = time.monotonic()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job
    assert time.monotonic() - before < 1
    assert gone(pid)


async def test_cancelling_before_the_start_is_heard_too() -> None:
    job = asyncio.ensure_future(workers.run(jobs.hangs))
    await asyncio.sleep(0)
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(job, 5)


def test_a_job_that_takes_too_long_is_ended() -> None:
    with pytest.raises(workers.WorkerDied) as death:
        workers.run_blocking(jobs.hangs, timeout=0.1)
    assert "took longer" in death.value.reason


PARENT = """
import asyncio, os, sys
sys.path.append({tests!r})
from catalog import workers
import worker_jobs as jobs
async def main():
    await workers.run(jobs.tells_its_id_and_hangs, on_message=lambda pid: print(pid, flush=True))
asyncio.run(main())
"""


@pytest.fixture
def parent() -> Iterator[subprocess.Popen[str]]:
    program = PARENT.format(tests=str(Path(__file__).parent))
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.kill()


def test_a_worker_dies_with_its_parent(parent: subprocess.Popen[str]) -> None:
    assert parent.stdout is not None
    worker = psutil.Process(int(parent.stdout.readline()))
    forkserver = worker.parent()
    assert forkserver is not None
    parent.kill()
    _, alive = psutil.wait_procs([worker, forkserver], timeout=5)
    assert alive == []


def test_a_job_starts_in_milliseconds_once_warm() -> None:
    def seconds() -> float:
        before = time.perf_counter()
        workers.run_blocking(jobs.process_id)
        return time.perf_counter() - before

    assert min(seconds() for _ in range(10)) < 0.1

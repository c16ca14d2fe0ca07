"""The journal of jobs: shared by processes, and what a kill leaves is offered again."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from catalog.errors import CatalogUnusable
from catalog.series import BarSpec, Series
from core.fetch import FetchRequest
from core.jobs import JobProgress
from core.journal import EntryState, Journal
from core.options import Options
from core.simulator.server import SimulatedGateway
from core.workspace import Workspace
from tests.scenarios.commands import PROGRAM, Shell

NOW = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)
MINUTES = BarSpec(1, "MINUTE")


@pytest_asyncio.fixture
async def gateway() -> AsyncIterator[SimulatedGateway]:
    async with SimulatedGateway(now=NOW) as running:
        yield running


def options(gateway: SimulatedGateway, home: Path) -> Options:
    return Options(
        profile=None,
        catalog=None,
        home=home,
        host=None,
        port=gateway.port,
        client_id=None,
        now=NOW,
    )


async def test_jobs_are_entered_with_how_they_ended(
    gateway: SimulatedGateway, tmp_path: Path
) -> None:
    (tmp_path / "settings.toml").write_text(
        f'on_job_end = "echo $QUARTERDECK_JOB: $QUARTERDECK_STATE >> {tmp_path}/ended"\n'
        '[watchlists]\nmine = ["AAPL", "XYZQ"]\n'
    )
    workspace = await Workspace.open(options(gateway, tmp_path))
    day = ("2026-11-17", "2026-11-17")
    summary = await workspace.fetch(FetchRequest(("@mine",), MINUTES, *day)).wait()
    assert [one.typed_id for one in summary.series] == ["AAPL", "XYZQ"]
    await workspace.update(("AAPL",)).wait()

    updated, fetched = await workspace.journal()
    assert (fetched.kind, fetched.state, fetched.note) == (
        "fetch",
        EntryState.FAILED,
        "1 of 2 series failed",
    )
    assert (updated.kind, updated.state, updated.title) == ("update", "done", "update AAPL")
    assert await workspace.unfinished() == ()
    await workspace.close()
    assert (tmp_path / "ended").read_text().splitlines() == [
        "@mine 1-MINUTE-LAST: failed",
        "update AAPL: done",
    ]


async def test_what_was_running_when_the_program_closed_goes_on_later(
    gateway: SimulatedGateway, tmp_path: Path
) -> None:
    gateway.latency = 60.0
    workspace = await Workspace.open(options(gateway, tmp_path))
    request = FetchRequest(("AAPL",), MINUTES, "2026-11-16", "2026-11-17")
    job = workspace.fetch(request)
    await workspace.connect().wait()
    await workspace.close()
    assert not job.running

    gateway.latency = 0.0
    later = await Workspace.open(options(gateway, tmp_path))
    (entry,) = await later.unfinished()
    assert (entry.state, entry.request["ids"]) == (EntryState.INTERRUPTED, ["AAPL"])
    again = later.resume(entry)
    assert again is not None
    assert (await again.wait()).series[0].bars == 2 * 390
    assert later.resume(entry) is None  # once
    assert await later.unfinished() == ()
    await later.close()


async def test_a_job_cancelled_by_its_user_is_not_offered_again(
    gateway: SimulatedGateway, tmp_path: Path
) -> None:
    gateway.latency = 60.0
    workspace = await Workspace.open(options(gateway, tmp_path))
    job = workspace.fetch(FetchRequest(("AAPL",), MINUTES, "2026-11-16", "2026-11-17"))
    await workspace.connect().wait()
    job.cancel()
    await job.ended()
    (entry,) = await workspace.journal()
    assert entry.state is EntryState.CANCELLED
    assert await workspace.unfinished() == ()
    await workspace.close()


async def test_how_far_a_job_is_stands_in_the_journal_while_it_runs(
    gateway: SimulatedGateway, tmp_path: Path
) -> None:
    gateway.latency = 60.0
    workspace = await Workspace.open(options(gateway, tmp_path))
    job = workspace.fetch(FetchRequest(("AAPL",), MINUTES, "2026-11-16", "2026-11-17"))
    await workspace.connect().wait()
    told = 0.0
    async with asyncio.timeout(30):
        while told != 0.45:
            job.report(JobProgress(45, 100, "bars"))
            await asyncio.sleep(0.1)
            told = (await workspace.journal())[0].fraction
    assert await workspace.journal_elsewhere() == ()
    job.cancel()
    await job.ended()
    await workspace.close()


async def test_an_ended_job_is_asked_for_again_whatever_it_was(
    gateway: SimulatedGateway, tmp_path: Path
) -> None:
    workspace = await Workspace.open(options(gateway, tmp_path))
    days = FetchRequest(("AAPL",), BarSpec(1, "DAY"), "2026-11-02", "2026-11-06")
    await workspace.fetch(days).wait()
    first = workspace.update(("AAPL",))
    assert not workspace.data.can_repeat(first)  # it runs
    await first.wait()
    again = workspace.data.repeat(first)
    assert (await again.wait()).series[0].bars == 0
    latest, before, _ = await workspace.journal()
    assert (latest.kind, latest.request) == (before.kind, before.request)
    assert latest.id != before.id
    await workspace.close()


async def test_a_killed_fetch_goes_on_where_it_stopped(
    gateway: SimulatedGateway, tmp_path: Path
) -> None:
    shell = Shell(tmp_path, gateway.port)
    arguments = ["AAPL", "--bars", "1-MINUTE", "--start", "2026-08-03", "--end", "2026-11-13"]
    gateway.latency = 0.3
    running = await asyncio.create_subprocess_exec(
        PROGRAM,
        *("fetch", *arguments, "--json", "--home", tmp_path, "--port", str(gateway.port)),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert running.stdout is not None
    async for line in running.stdout:
        if b"bars_persisted" in line:
            break
    os.kill(running.pid, signal.SIGKILL)
    await running.wait()
    gateway.latency = 0.0
    gateway.requests.clear()

    listed = await Workspace.open(options(gateway, tmp_path))
    (entry,) = await listed.unfinished()
    held = len(await asyncio.to_thread(listed.catalog.read_bars, Series("AAPL.NASDAQ", MINUTES)))
    assert held > 0
    await listed.close()
    resumed = await asyncio.to_thread(shell.run, "fetch", "--resume", "--json")

    assert resumed.code == 0
    (series,) = resumed.summary["series"]
    assert series["held"] == 74 * 390
    assert series["bars"] == series["held"] - held
    states = [one.state for one in Journal(tmp_path / "state" / "journal.sqlite").entries()]
    assert states == [EntryState.DONE, EntryState.RESUMED]
    assert entry.pid == running.pid


def test_entries_of_another_process_are_seen_while_it_runs(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    program = (
        "import sys; from pathlib import Path; from core.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\n"
        "journal.begin('1', 'update', 'demo', 'from cron', {'ids': []})\n"
        "journal.progress('1', 0.45)\n"
        "print('entered', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, file],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as cron:
        assert cron.stdout is not None
        assert cron.stdout.readline() == "entered\n"
        (entry,) = Journal(file).entries()
        assert (entry.title, entry.state, entry.pid) == ("from cron", "running", cron.pid)
        assert entry.fraction == 0.45
        assert Journal(file).unfinished("demo") == ()
        cron.kill()
        cron.wait()
        (left,) = Journal(file).unfinished("demo")
        assert left.state is EntryState.INTERRUPTED
        assert Journal(file).unfinished("another profile") == ()
    assert Journal(file).take_up(left)
    assert not Journal(file).take_up(left)


def test_a_journal_of_an_older_program_is_taken_over_and_kept_beside(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    with sqlite3.connect(file) as connection:
        connection.execute(
            "CREATE TABLE jobs (id TEXT PRIMARY KEY, kind TEXT, profile TEXT, title TEXT,"
            " request TEXT, state TEXT, started TEXT, finished TEXT, pid INTEGER, born TEXT,"
            " note TEXT)"
        )
        connection.execute(
            "INSERT INTO jobs VALUES ('1', 'update', 'demo', 'old', '{}', 'done',"
            " '2026-11-01T10:00:00+00:00', '2026-11-01T10:01:00+00:00', 1, '', '')"
        )
        connection.execute("PRAGMA user_version = 1")
    connection.close()
    Journal(file).begin("2", "fetch", "demo", "new", {})
    assert [(one.title, one.fraction) for one in Journal(file).entries()] == [
        ("new", 0.0),
        ("old", 0.0),
    ]
    assert file.with_suffix(".v1").exists()


def test_a_journal_of_a_newer_program_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    Journal(file).begin("1", "fetch", "demo", "something", {})
    with sqlite3.connect(file) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(CatalogUnusable, match="newer Quarterdeck"):
        Journal(file).entries()

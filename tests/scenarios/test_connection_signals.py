"""A dropped line and a kill in the middle of a fetch: the gateway is left, nothing is broken."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.simulator.faults import Fault
from core.simulator.server import SimulatedGateway
from tests.scenarios.commands import PROGRAM, Shell

NOW = datetime(2026, 11, 18, 22, 30, tzinfo=UTC)
ENDS_WITHIN_S = 20.0
"""5 where nothing else is to do."""


def in_the_background() -> None:
    """As a shell starts what a script runs with `&`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@pytest.mark.parametrize(
    ("number", "begin"),
    [(signal.SIGHUP, None), (signal.SIGTERM, None), (signal.SIGTERM, in_the_background)],
)
async def test_a_fetch_that_is_told_to_end_leaves_the_gateway_and_a_whole_catalog(
    tmp_path: Path, number: signal.Signals, begin: Callable[[], None] | None
) -> None:
    slow = Fault(what="slow", at="historical_bars", nth=3, times=0, seconds=60.0)
    async with SimulatedGateway(now=NOW, faults=[slow]) as gateway:
        fetch = await asyncio.create_subprocess_exec(
            *(PROGRAM, "fetch", "AAPL", "--bars", "1-MINUTE-LAST", "--json"),
            *("--start", "2026-06-01", "--end", "2026-10-30"),
            *("--home", tmp_path, "--port", str(gateway.port)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=os.environ,
            preexec_fn=begin,
        )
        assert fetch.stdout is not None
        told = 0
        async with asyncio.timeout(60):
            async for line in fetch.stdout:
                event = json.loads(line)
                told += event["bars"] if event["event"] == "bars_persisted" else 0
                if event["event"] == "bars_persisted":
                    break
        assert gateway.client_ids == {1}
        sent = time.monotonic()
        fetch.send_signal(number)
        rest, errors = await asyncio.wait_for(fetch.communicate(), 30)
        assert time.monotonic() - sent < ENDS_WITHIN_S
        assert fetch.returncode == 130
        assert b"Traceback" not in errors
        told += sum(
            event["bars"]
            for event in map(json.loads, rest.splitlines())
            if event["event"] == "bars_persisted"
        )
        assert gateway.client_ids == set()
    listed = await asyncio.to_thread(Shell(tmp_path, 1).run, "catalog", "list", "--json")
    assert listed.summary["series"][0]["rows"] >= told > 0
    assert not listed.summary["series"][0]["damaged"]


async def test_a_fetch_that_waits_for_a_lost_gateway_ends_too(tmp_path: Path) -> None:
    gone = Fault(what="restart", at="historical_bars", seconds=600.0)
    async with SimulatedGateway(now=NOW, faults=[gone]) as gateway:
        fetch = await asyncio.create_subprocess_exec(
            *(PROGRAM, "fetch", "AAPL", "--bars", "1-MINUTE-LAST", "--json"),
            *("--start", "2026-10-01", "--end", "2026-10-30"),
            *("--home", tmp_path, "--port", str(gateway.port)),
            stdout=asyncio.subprocess.PIPE,
            stderr=sys.stderr,
            env=os.environ,
        )
        assert fetch.stdout is not None
        async with asyncio.timeout(60):
            async for line in fetch.stdout:
                if json.loads(line)["event"] == "connection_awaited":
                    break
        sent = time.monotonic()
        fetch.send_signal(signal.SIGTERM)
        await asyncio.wait_for(fetch.communicate(), 30)
        assert time.monotonic() - sent < ENDS_WITHIN_S
        assert fetch.returncode == 130


STUCK = """
import sys, time
from pathlib import Path
from core import workspace
from core.options import Options
from core.writing import write
from tui import ending
from tui.commands.invocation import Invocation
from tui.output import Output

workspace.CLOSING_S, ending.LATEST_S = 0.2, 0.5

async def work(opened):
    async def stuck(job):
        def step(tell):
            print("writing", flush=True)
            time.sleep(600)
        await write(step, job.report)
    await opened.jobs.start("fetch", "a disk that hangs", stuck).wait()

Invocation(Options(home=Path(sys.argv[1])), Output()).run(work)
"""


async def test_a_step_that_never_ends_does_not_hold_the_exit(tmp_path: Path) -> None:
    command = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", STUCK, tmp_path), stdout=asyncio.subprocess.PIPE
    )
    assert command.stdout is not None
    async with asyncio.timeout(60):
        assert await command.stdout.readline() == b"writing\n"
        command.send_signal(signal.SIGTERM)
        assert await command.wait() == 130

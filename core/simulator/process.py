"""The simulated gateway as a process of its own, for the dashboard's demo.

Importing this is cheap: the market's libraries are loaded in the process that is started.
"""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

# The child must find this package wherever the parent found it.
PACKAGE_ROOT = str(Path(__file__).resolve().parents[2])
READY = "listening"
# Loading the market's calendars takes about two seconds on a slow machine.
START_SECONDS = 30.0
STOP_SECONDS = 5.0


class SimulatorFailed(RuntimeError):
    """The simulated gateway did not come up; the message says why."""


@dataclass(frozen=True)
class Served:
    """What a gateway did: requests of each kind, and the limits that clients broke."""

    requests: dict[str, int]
    violations: tuple[str, ...]


@dataclass(frozen=True)
class SimulatorProcess:
    """A running simulated gateway on 127.0.0.1, ended with this process at the latest."""

    port: int
    process: asyncio.subprocess.Process

    async def stop(self) -> Served | None:
        """End it: asked first, killed when it does not follow within 5 seconds.

        Returns what it served, None where it was killed or ended before.
        """
        if self.process.returncode is not None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                said, _ = await self.process.communicate()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()
            return None
        if not said:
            return None
        served = json.loads(said)
        return Served(served["requests"], tuple(served["violations"]))


async def start_process(
    *,
    seed: int = 7,
    now: datetime | None = None,
    port: int = 0,
    latency: float = 0.0,
    faults: Path | None = None,
) -> SimulatorProcess:
    """Start a simulated gateway and wait until it listens; port 0 takes a free one.

    The other parameters are those of ``SimulatedGateway``. Raises ``SimulatorFailed`` when it
    ends or says nothing within 30 seconds.
    """
    command = ["-m", "core.simulator", "--die-with-parent"]
    command += [f"--seed={seed}", f"--port={port}", f"--latency={latency}"]
    if now is not None:
        command.append(f"--now={now.isoformat()}")
    if faults is not None:
        command.append(f"--faults={faults}")
    path = os.pathsep.join(filter(None, (PACKAGE_ROOT, os.environ.get("PYTHONPATH"))))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": path},
        start_new_session=True,
    )
    try:
        return SimulatorProcess(await _ready_port(process), process)
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise


async def _ready_port(process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            line = (await process.stdout.readline()).decode()
    except TimeoutError:
        raise SimulatorFailed(f"no answer within {START_SECONDS:.0f} s") from None
    word, _, endpoint = line.strip().partition(" ")
    if word != READY:
        raise SimulatorFailed(line.strip() or f"it ended with exit code {await process.wait()}")
    return int(endpoint.rpartition(":")[2])

"""``python -m core.simulator``: serve a simulated gateway until SIGTERM or SIGINT."""

import argparse
import asyncio
import ctypes
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from core.simulator.faults import BadScript
from core.simulator.process import READY, Served
from core.simulator.server import SimulatedGateway

PR_SET_PDEATHSIG = 1


def main() -> int:
    """Parse the command line, serve, and return the exit code."""
    options = _parser().parse_args()
    host = f"127.0.0.1:{options.port}"
    if options.die_with_parent:
        _die_with(os.getppid())
    try:
        asyncio.run(_serve(options))
    except BadScript as error:
        print(f"cannot follow {options.faults}: {error}", flush=True)
        return 1
    except OSError as error:
        failed = f"read {error.filename}" if error.filename else f"listen on {host}"
        print(f"cannot {failed}: {error.strerror}", flush=True)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="core.simulator", description=__doc__)
    parser.add_argument("--port", type=_number(0, 65535), default=0, help="0 takes a free one")
    parser.add_argument("--now", type=_moment, help="stop the clock at this ISO 8601 time (UTC)")
    parser.add_argument("--seed", type=_number(0, 2**63 - 1), default=7, help="fixes all prices")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--faults", type=Path, help="a fault script (see core/simulator/faults.py)")
    parser.add_argument("--die-with-parent", action="store_true")
    return parser


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _number(lowest: int, highest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not lowest <= value <= highest:
            raise argparse.ArgumentTypeError(f"{value} is not in {lowest}..{highest}")
        return value

    return number


def _die_with(parent: int) -> None:
    """Have the kernel end this process with its parent (Linux: with the thread that started it)."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the kernel was told
        sys.exit(0)


async def _serve(options: argparse.Namespace) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    gateway = SimulatedGateway(
        seed=options.seed,
        now=options.now,
        latency=options.latency,
        faults=options.faults or (),
    )
    await gateway.start(port=options.port)
    try:
        print(f"{READY} 127.0.0.1:{gateway.port}", flush=True)
        await stopped.wait()
    finally:
        await gateway.stop()
    served = Served(
        requests=dict(Counter(request.kind for request in gateway.requests)),
        violations=tuple(str(violation) for violation in gateway.violations),
    )
    print(json.dumps(asdict(served)), flush=True)


if __name__ == "__main__":
    sys.exit(main())

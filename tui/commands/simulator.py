"""`quarterdeck simulator`: a simulated gateway to connect to."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.errors import BrokerUnavailable, WrongInput
from tui.commands.invocation import Invocation

if TYPE_CHECKING:
    from core.simulator.server import SimulatedGateway

DEFAULT_PORT = 4010


def fixed_clock(text: str | None) -> datetime | None:
    """The moment that `--now` names, aware UTC; a time without zone is UTC.

    Raises `WrongInput` when it is no ISO 8601 time.
    """
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise WrongInput(
            f"--now cannot be {text}", str(error), "write it as 2026-01-15T16:00:00Z"
        ) from error
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def simulator(
    context: typer.Context,
    now: Annotated[str | None, typer.Option(help="Fix its clock at this time.")] = None,
    seed: Annotated[int, typer.Option(help="The seed of its prices.")] = 7,
    faults: Annotated[
        Path | None, typer.Option(help="A script of what goes wrong, and when (TOML).")
    ] = None,
) -> None:
    """Serve simulated data on loopback, on the real wire protocol, until ctrl-c."""
    invocation: Invocation = context.obj
    port = DEFAULT_PORT if invocation.options.port is None else invocation.options.port
    asyncio.run(_serve(invocation, port, _gateway(seed, fixed_clock(now), faults)))


def _gateway(seed: int, now: datetime | None, faults: Path | None) -> SimulatedGateway:
    from core.simulator.faults import BadScript
    from core.simulator.server import SimulatedGateway

    try:
        return SimulatedGateway(seed=seed, now=now, faults=faults or ())
    except (BadScript, OSError) as error:
        raise WrongInput(
            f"The simulator cannot follow {faults}",
            getattr(error, "strerror", None) or str(error),
            'write each fault as [[fault]] with lines such as what = "empty", '
            'at = "historical_bars", nth = 3; all are listed in core/simulator/faults.py',
        ) from error


async def _serve(invocation: Invocation, port: int, gateway: SimulatedGateway) -> None:
    try:
        bound = await gateway.start(port=port)
    except (OSError, OverflowError) as error:
        raise BrokerUnavailable(
            f"The simulator cannot listen on port {port}",
            str(error),
            "give it another one with --port, or --port 0 for any free one",
        ) from error
    message = f"simulated gateway on 127.0.0.1:{bound} (simulated data only); ctrl-c ends it"
    invocation.output.line(message)
    invocation.output.told(
        "listening", message=message, host="127.0.0.1", port=bound, simulated=True
    )
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    with contextlib.suppress(asyncio.CancelledError):
        await ended.wait()
    await gateway.stop()

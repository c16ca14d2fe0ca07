"""`quarterdeck connect`: is the broker there, and why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from tui.commands.invocation import Invocation

if TYPE_CHECKING:
    from core.workspace import Workspace


def connect(context: typer.Context) -> None:
    """Connect to the gateway, say step by step what answers there, and leave it again.

    Where a step fails, it says which setting of TWS or IB Gateway to change.
    """
    invocation: Invocation = context.obj
    output = invocation.output

    async def work(workspace: Workspace) -> int:
        await output.follow(workspace.diagnose())
        broker = workspace.broker
        ping, state = broker.pings[-1], broker.state
        output.fields(
            {
                "endpoint": broker.endpoint,
                "state": f"{state.kind}{' (simulated data)' if state.simulated else ''}",
                "server version": state.server_version,
                "client id": state.client_id,
                "accounts": " ".join(state.masked_accounts),
                "access": "read-only",
                "round trip": f"{ping.round_trip_s * 1000:.0f} ms",
                "clock": f"{ping.clock_offset_s:+.2f} s to broker",
            }
            | {f"farm {name}": farm for name, farm in sorted(broker.farms.items())}
        )
        output.summary(
            endpoint=str(broker.endpoint),
            state=str(state.kind),
            simulated=state.simulated,
            server_version=state.server_version,
            client_id=state.client_id,
            accounts=state.masked_accounts,
            round_trip_s=round(ping.round_trip_s, 4),
            clock_offset_s=round(ping.clock_offset_s, 3),
            farms=broker.farms,
        )
        return 0

    invocation.run(work)

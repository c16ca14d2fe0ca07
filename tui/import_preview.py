"""What an import would do, told before it is done; for the command and for the screen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from catalog.errors import WrongInput

if TYPE_CHECKING:
    from catalog.importing import ImportPlan
    from core.workspace import Workspace


def refuse_demo(workspace: Workspace) -> None:
    """Raise `WrongInput` in a demonstration: its catalog holds simulated bars, if not yet then
    soon."""
    if workspace.profile.simulated:
        raise WrongInput(
            f"the profile {workspace.profile.name} is for simulated bars",
            "what is imported is real",
            "choose another profile with --profile",
        )


def preview(plan: ImportPlan) -> dict[str, object]:
    """The preview for a person; what there is nothing of is left out."""
    rows, request = plan.rows, plan.request
    counts = {
        "rows without a price": rows.blank,
        "rows that repeat another": rows.repeated,
        "rows that are no bars": len(rows.rejects),
        "bars with prices rounded": rows.rounded_prices,
        "bars with volumes rounded": rows.rounded_volumes,
        "stored already, the same": plan.same,
        "stored with other values": plan.different,
        "stored bars to be replaced": plan.replaced,
    }
    instrument = "as it is stored"
    if plan.definition is not None:
        instrument = f"made up: {plan.definition['type']} in {request.currency}"
    elif not plan.has_instrument:
        instrument = "none: runs take a stock in USD, multiplier 1; `catalog backfill` asks for it"
    return {
        "series": request.series,
        "files": ", ".join(path.name for path in request.paths),
        "columns": ", ".join(f"{field} = {name}" for field, name in plan.names.items()),
        "times": f"{request.stamps or 'date'} of the bar, {request.zone or 'as they say'}",
        "bars": f"{len(rows.bars):,} of {rows.rows:,} rows, {plan.new:,} new",
        "from": utc(int(rows.bars.ts[0])),
        "to": utc(int(rows.bars.ts[-1])),
        "decimals": rows.bars.price_precision,
        "hours": plan.hours,
        "instrument": instrument,
        **{name: f"{count:,}" for name, count in counts.items() if count},
        "will be added": f"{plan.adding:,} bars" if not plan.undecided else "say --overlap",
    }


def utc(nanos: int) -> str:
    """A stamp in ns as UTC text to the second, the zone named."""
    return f"{datetime.fromtimestamp(nanos // 1_000_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC"

"""The pictures of the documentation, taken of the real screens on the simulated gateway.

`python -m tests.pictures` writes them to docs/.
"""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from catalog.series import BarSpec
from core.backtest.spec import RunSpec
from core.fetch import FetchRequest
from core.simulator.server import SimulatedGateway
from tests.tui.conftest import NOW
from tests.tui.deck import Deck, deck

SIZE = (110, 34)
FOLDER = Path(__file__).parent.parent / "docs"
MINUTES = BarSpec(1, "MINUTE")
RANGE = ("2026-02-02", "2026-03-03")


async def main() -> None:
    """Do a little of everything, and take each screen."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        async with (
            SimulatedGateway(now=NOW) as gateway,
            deck(Path(home), gateway.port, size=SIZE) as shown,
        ):
            await shown.shows("connected since")
            await _work(shown)
            for key, name in zip(
                "1234", ("connection", "catalog", "fetch", "backtest"), strict=True
            ):
                await shown.press(key)
                await shown.settles()
                (FOLDER / f"{name}.svg").write_text(
                    shown.app.export_screenshot(title="Quarterdeck")
                )


async def _work(shown: Deck) -> None:
    workspace = shown.workspace
    ids = ("AAPL.NASDAQ", "GDX.NASDAQ", "IBM")
    await workspace.fetch(FetchRequest(ids, MINUTES, *RANGE)).wait()
    spec = RunSpec(
        "sma_crossover", {"fast_period": 60, "slow_period": 240}, ids[:1], MINUTES, *RANGE
    )
    await workspace.backtest(spec).wait()


if __name__ == "__main__":
    asyncio.run(main())

"""What the command palette finds beside the keys: series, strategies and runs, by their names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from catalog.errors import QuarterdeckError

if TYPE_CHECKING:
    from core.workspace import Workspace
    from tui.app import Place, QuarterdeckApp

_DISCOVERED = 5
"""So many of each kind are offered before anything is typed."""


class _Thing(NamedTuple):
    name: str
    what: str
    show: Callable[[], object]


class Things(Provider):
    """Every stored series, every strategy, every run: choosing one shows it on its screen."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._things: list[_Thing] = []

    async def startup(self) -> None:
        app = cast("QuarterdeckApp", self.app)
        if app.workspace is not None:
            strategies = [one.name for one in await app.workspace.strategies()]
            self._things = await asyncio.to_thread(_read, app, app.workspace, strategies)

    async def discover(self) -> Hits:
        shown: dict[str, int] = {}
        for thing in self._things:
            shown[thing.what] = shown.get(thing.what, 0) + 1
            if shown[thing.what] <= _DISCOVERED:
                yield DiscoveryHit(Content(thing.name), thing.show, thing.name, thing.what)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for number, thing in enumerate(self._things):
            if number % 200 == 199:  # thousands of series: keys come first
                await asyncio.sleep(0)
            score = matcher.match(thing.name)
            if score > 0:
                yield Hit(score, matcher.highlight(thing.name), thing.show, thing.name, thing.what)


def _read(app: QuarterdeckApp, workspace: Workspace, strategies: list[str]) -> list[_Thing]:
    """Read what there is; for a thread. What cannot be read is not offered: its screen says why."""
    from tui.widgets.backtest_spec import title_of

    def shows(place: Place, table: str, key: str, after: str = "") -> Callable[[], object]:
        return partial(app.reveal, place, table, key, after=after)

    things = [
        _Thing(name, "strategy: set up a run", shows("backtest", "#strategies", name, "new"))
        for name in strategies
    ]
    with suppress(QuarterdeckError):
        things += [
            _Thing(title_of(run.spec), "run", shows("backtest", "#history", run.run_id))
            for run in workspace.runs.list()
        ]
    with suppress(QuarterdeckError):
        things += [
            _Thing(str(one.series), "series", shows("catalog", "#series", one.series.bar_type))
            for one in workspace.catalog.list_series()
        ]
    return things

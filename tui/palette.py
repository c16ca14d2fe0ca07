"""What the command palette finds beside the keys: series, strategies and runs, by their names."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from heapq import nlargest
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple, cast

from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content

from catalog.errors import QuarterdeckError
from tui.zone import EXCHANGE_ZONE

if TYPE_CHECKING:
    from core.backtest.results import RunSummary
    from core.workspace import Workspace
    from tui.app import Place, QuarterdeckApp
    from tui.screens.base import BaseScreen

_DISCOVERED = 5
"""So many of each kind are offered before anything is typed."""

_FOUND = 20
"""So many of each kind are offered for what is typed."""

_TOGETHER = 1.5
"""How much more it counts where the letters of a word stand side by side."""


class Thing(NamedTuple):
    """One of a kind: its name, what is said below it, and what shows it."""

    kind: str
    name: str
    what: str
    show: Callable[[], object]


class Match(NamedTuple):
    """How well a thing matches, and where in its name."""

    score: float
    places: list[int]
    thing: Thing


class Things(Provider):
    """Every stored series, every strategy, every run, and what the other screens do: choosing one
    shows it on its screen, or does it there."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self._reading: asyncio.Task[list[Thing]] | None = None

    async def startup(self) -> None:
        # A key typed meanwhile ends the search that waits for us, and Textual's startup with it.
        self._reading = asyncio.create_task(_things(cast("QuarterdeckApp", self.app)))

    async def shutdown(self) -> None:
        if self._reading is not None:
            self._reading.cancel()

    async def _known(self) -> list[Thing]:
        return [] if self._reading is None else await asyncio.shield(self._reading)

    async def discover(self) -> Hits:
        shown: dict[str, int] = {}
        for thing in await self._known():
            shown[thing.kind] = shown.get(thing.kind, 0) + 1
            if shown[thing.kind] <= _DISCOVERED:
                yield DiscoveryHit(Content(thing.name), thing.show, thing.name, thing.what)

    async def search(self, query: str) -> Hits:
        words, things = query.lower().split(), await self._known()
        for score, places, thing in await asyncio.to_thread(best, things, words):
            name = Content(thing.name)
            for at in places:
                name = name.stylize(self.match_style or "reverse", at, at + 1)
            yield Hit(score, name, thing.show, thing.name, thing.what)


def best(things: Sequence[Thing], words: Sequence[str]) -> list[Match]:
    """Those of each kind that match best, of equal ones the first. Linear in the things: Textual's
    matcher tries all the ways that letters can be found, seconds for a long history."""
    found: dict[str, list[Match]] = {}
    for thing in things:
        if match := _matched(thing, words):
            found.setdefault(thing.kind, []).append(match)
    return [
        match
        for matches in found.values()
        for match in nlargest(_FOUND, matches, key=itemgetter(0))
    ]


def _matched(thing: Thing, words: Sequence[str]) -> Match | None:
    """How well all of the words match, on the scale of Textual's own matches: letters count more
    the closer together they stand, and where they begin a word, or the name."""
    name, score, places = thing.name.lower(), 0.0, []
    for word in words:
        if not (found := _places(word, name)):
            return None
        first, close = found[0], len(word) / (found[-1] - found[0] + 1)
        begins = (first == 0) + (first == 0 or not name[first - 1].isalnum())
        score += (len(word) + begins) * (1 + close**2) * (_TOGETHER if close == 1 else 1)
        places += found
    return Match(score, places, thing)


def _places(word: str, name: str) -> list[int]:
    """Where the letters of a word stand in a name, together if they do; none if it lacks one."""
    if (at := name.find(word)) >= 0:
        return list(range(at, at + len(word)))
    found = []
    for letter in word:
        if (at := name.find(letter, at + 1)) < 0:
            return []
        found.append(at)
    return found


async def _things(app: QuarterdeckApp) -> list[Thing]:
    if app.workspace is None:
        return []
    strategies = [one.name for one in await app.workspace.strategies()]
    return _elsewhere(app) + await asyncio.to_thread(_read, app, app.workspace, strategies)


def _elsewhere(app: QuarterdeckApp) -> list[Thing]:
    """The actions of the screens that are not shown; Textual itself offers those of the other."""
    from tui.screens.backtest import BacktestScreen
    from tui.screens.catalog import CatalogScreen
    from tui.screens.connection import ConnectionScreen
    from tui.screens.fetch import FetchScreen

    kinds: dict[Place, type[BaseScreen]] = {
        "connection": ConnectionScreen,
        "catalog": CatalogScreen,
        "fetch": FetchScreen,
        "backtest": BacktestScreen,
    }
    return [
        Thing(
            "action",
            f"{kind.HELP_TITLE}: {binding.description}",
            f"{app.get_key_display(binding)}  {binding.tooltip}",
            partial(app.do, place, binding.action),
        )
        for place, kind in kinds.items()
        if place != app.current_mode
        for binding in kind.BINDINGS
        if isinstance(binding, Binding) and binding.show
    ]


def _read(app: QuarterdeckApp, workspace: Workspace, strategies: list[str]) -> list[Thing]:
    """Read what there is; for a thread. What cannot be read is not offered: its screen says why."""
    from tui.widgets.backtest_spec import title_of

    def shows(place: Place, table: str, key: str, after: str = "") -> Callable[[], object]:
        return partial(app.reveal, place, table, key, after=after)

    what = "strategy: set up a run"
    things = [
        Thing("strategy", name, what, shows("backtest", "#strategies", name, "new"))
        for name in strategies
    ]
    with suppress(QuarterdeckError):
        for one in workspace.catalog.list_series():
            show = shows("catalog", "#series", one.series.bar_type)
            things.append(Thing("series", str(one.series), "series", show))
    with suppress(QuarterdeckError):
        for run in workspace.runs.list():
            show = shows("backtest", "#history", run.run_id)
            things.append(Thing("run", title_of(run.spec), _told(run), show))
    return things


def _told(run: RunSummary) -> str:
    started = datetime.fromisoformat(run.result.started).astimezone(EXCHANGE_ZONE)
    return f"run of {started:%Y-%m-%d %H:%M:%S} {EXCHANGE_ZONE.word}"

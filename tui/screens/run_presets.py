"""Runs that are kept by name: filled in again, kept, deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import on

from catalog.errors import WrongInput
from tui.screens.run_history import RunHistory
from tui.widgets.backtest_form import BacktestForm
from tui.widgets.backtest_spec import title_of

if TYPE_CHECKING:
    from core.backtest.presets import Presets
    from core.backtest.spec import RunSpec


class RunPresets(RunHistory):
    """A screen with a `BacktestForm`, whose presets it looks after."""

    async def fill_in(self, spec: RunSpec) -> None:
        """Open the form with everything of a run."""
        raise NotImplementedError

    @on(BacktestForm.PresetWanted)
    def _choose(self) -> None:
        if (presets := self._presets) is not None:
            self.start(
                self._ask_which(
                    presets, "Which preset?", lambda _, spec: self.start(self.fill_in(spec))
                )
            )

    @on(BacktestForm.PresetMade)
    def _keep(self, made: BacktestForm.PresetMade) -> None:
        def read(name: str) -> None:
            if not name:
                raise WrongInput("a preset needs a name", "", "type one")

        if (presets := self._presets) is not None:
            self.ask(
                "Keep as preset",
                "a name; one that is there already is replaced",
                made.spec.strategy,
                lambda name: self.start(asyncio.to_thread(presets.keep, name, made.spec)),
                read=read,
            )

    @on(BacktestForm.PresetUnwanted)
    def _choose_to_delete(self) -> None:
        if (presets := self._presets) is not None:
            self.start(
                self._ask_which(
                    presets,
                    "Delete which preset?",
                    lambda name, spec: self._ask_to_delete(presets, name, spec),
                )
            )

    def _ask_to_delete(self, presets: Presets, name: str, spec: RunSpec) -> None:
        from tui.screens.confirm import Confirm

        def answered(yes: bool | None) -> None:
            if yes:
                self.start(asyncio.to_thread(presets.drop, name))

        consequence = (
            f"It is forgotten for good; runs that were made with it stay.\n{title_of(spec)}"
        )
        self.app.push_screen(Confirm(f"Delete the preset {name}?", consequence), answered)

    async def _ask_which(
        self, presets: Presets, question: str, take: Callable[[str, RunSpec], object]
    ) -> None:
        known = await asyncio.to_thread(presets.all)

        def read(name: str) -> RunSpec:
            if name not in known:
                raise WrongInput(f"there is no preset '{name}'", "", "choose one of those above")
            return known[name]

        self.ask(
            question,
            f"presets: {', '.join(known)}" if known else "none yet: P keeps one",
            next(iter(known), ""),
            lambda name: take(name, known[name]),
            words=tuple(known),
            read=read,
        )

    @property
    def _presets(self) -> Presets | None:
        from core.backtest.presets import Presets

        if self.workspace is None:
            return None
        return Presets(self.workspace.home.data / "presets.json")

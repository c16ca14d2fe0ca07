"""Presets of the strategy in the form: filled in again, kept, deleted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual import on

from catalog.errors import WrongInput
from tui.screens.run_history import RunHistory
from tui.widgets.backtest_form import BacktestForm

if TYPE_CHECKING:
    from core.backtest.presets import Preset
    from core.workspace import Workspace


class RunPresets(RunHistory):
    """A screen with a `BacktestForm`, whose presets it looks after."""

    @on(BacktestForm.PresetWanted)
    def _choose(self, wanted: BacktestForm.PresetWanted) -> None:
        form = self.query_one(BacktestForm)

        def fill_in(_name: str, preset: Preset) -> None:
            self.start(form.fill_kept(wanted.strategy, preset))

        if self.workspace is not None:
            self.start(self._ask_which(self.workspace, wanted.strategy, "Which preset?", fill_in))

    @on(BacktestForm.PresetMade)
    def _keep(self, made: BacktestForm.PresetMade) -> None:
        from core.backtest.presets import Preset

        if (workspace := self.workspace) is None:
            return
        strategy, preset = made.spec.strategy, Preset.of(made.spec)

        def read(name: str) -> None:
            if not name:
                raise WrongInput("a preset needs a name", "", "type one")

        self.ask(
            f"Keep as preset of {strategy}",
            "a name; one that is there already is replaced",
            "",
            lambda name: self.start(
                asyncio.to_thread(workspace.presets.save, strategy, name, preset)
            ),
            read=read,
        )

    @on(BacktestForm.PresetUnwanted)
    def _choose_to_delete(self, unwanted: BacktestForm.PresetUnwanted) -> None:
        workspace, strategy = self.workspace, unwanted.strategy
        if workspace is None:
            return

        def ask(name: str, _preset: Preset) -> None:
            self._ask_to_delete(workspace, strategy, name)

        self.start(self._ask_which(workspace, strategy, "Delete which preset?", ask))

    def _ask_to_delete(self, workspace: Workspace, strategy: str, name: str) -> None:
        from tui.screens.confirm import Confirm

        def answered(yes: bool | None) -> None:
            if yes:
                self.start(asyncio.to_thread(workspace.presets.delete, strategy, name))

        consequence = f"Of {strategy}. It is forgotten for good; runs that were made with it stay."
        self.app.push_screen(Confirm(f"Delete the preset {name}?", consequence), answered)

    async def _ask_which(
        self,
        workspace: Workspace,
        strategy: str,
        question: str,
        take: Callable[[str, Preset], object],
    ) -> None:
        known = await asyncio.to_thread(workspace.presets.of, strategy)

        def read(name: str) -> Preset:
            if name not in known:
                raise WrongInput(f"there is no preset '{name}'", "", "choose one of those above")
            return known[name]

        self.ask(
            question,
            f"presets of {strategy}: {', '.join(known) or 'none yet, P keeps one'}",
            next(iter(known), ""),
            lambda name: take(name, known[name]),
            words=tuple(known),
            read=read,
        )

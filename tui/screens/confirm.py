"""A question that is answered with yes or no before anything happens."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.widgets import Static

from tui.keys import named
from tui.screens.dialog import Dialog


class Confirm(Dialog[bool]):
    """Asks `question`, with what `yes` would do; dismissed with the answer."""

    BINDINGS: ClassVar[list[BindingType]] = named(
        "confirm",
        Binding("y,enter", "answer(True)", "yes", id="yes"),
        Binding("n,escape,q", "answer(False)", "no", id="no"),
    )

    def __init__(self, question: str, consequence: str) -> None:
        super().__init__()
        self._question = question
        self._consequence = consequence

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog") as dialog:
            dialog.border_title = self._question
            yield Static(self._consequence, markup=False)

    def action_answer(self, answer: bool) -> None:
        """Close with the answer."""
        self.dismiss(answer)
